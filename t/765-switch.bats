#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-net --switch in a world of its own (lib/netns): two guests on one wire, each a namespace.

bats_require_minimum_version 1.5.0
load lib/world

setup_file() {
	world_file || return 0
	world
	other_guest
}

# network OPTION...: a switch; guest and other join it.
network() {
	background vmnet host vm-net --switch --ready-fd 1 -l "$PWD/net" "$@"
}

# both OPTION...: a switch, on which both are.
both() {
	network "$@"
	guest_up "$PWD/net" one
	other_up "$PWD/net" two
}

# figure KEY: of the network's status.
figure() {
	ctl_send "$PWD/net" send:status recv | tr '|' '\n' | sed -n "s/^$1=//p"
}

# frame WORD...: a frame of the guest that no honest stack sends.
frame() {
	in_guest world_frame eth0 "$@"
}

@test 'each guest has addresses of its own, by word and by DHCP' {
	local who
	both
	run -0 in_guest ip addr show dev eth0
	[[ $output == *'link/ether 52:56:0a:00:02:0f '* && $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
	run -0 in_other ip addr show dev eth0
	[[ $output == *'link/ether 52:56:0a:00:02:10 '* && $output == *'inet 10.0.2.16/24 '* && $output == *'inet6 fd00::10/64 '* ]]
	cat >dhcp <<-'END'
		#!/bin/sh
		[ "$1" != bound ] || env >"$TOLD"
	END
	chmod +x dhcp
	for who in guest other; do
		TOLD="$PWD/$who.told" run -0 "in_$who" busybox udhcpc -i eth0 -n -q -f -t 5 -s "$PWD/dhcp"
	done
	grep -qx ip=10.0.2.15 guest.told
	grep -qx ip=10.0.2.16 other.told
	run -0 ctl_send "$PWD/net" send:guests recv
	[[ $output == *'name=one,addr=10.0.2.15,addr6=fd00::f,mac=52:56:0a:00:02:0f,'* ]]
	[[ $output == *'name=two,addr=10.0.2.16,addr6=fd00::10,mac=52:56:0a:00:02:10,'* ]]
}

@test 'ping, TCP and UDP between guests, whatever the policy' {
	local to
	echo 'default deny' >policy
	both -P policy
	background server.other other world_server "$PWD/log" other
	for to in 10.0.2.16 fd00::10; do
		run -0 client ping $to 1000 3
		run -0 client echo $to 7 10000000
		run -0 client echo $to 7 1000 50
		run -0 client udp $to 7 1000 10
	done
	grep -q 'other tcp 10.0.2.15:[0-9]* 10.0.2.16:7 echo' log
	grep -q 'other tcp \[fd00::f]:[0-9]* \[fd00::10]:7 echo' log
	run -0 in_other world_client ping 10.0.2.15 100 3
	[ "$(figure flows_opened)" = 0 ]
	[ "$(figure frames_out_dropped)" = 0 ] || echo "# $(figure frames_out_dropped) frames dropped" >&3
}

@test 'names: each guest finds the other, and itself; a name is had once' {
	both --domain lan.test
	[ "$(in_guest world_ask 10.0.2.3 two A)" = 'NOERROR; two 60 A 10.0.2.16' ]
	[ "$(in_guest world_ask fd00::3 two AAAA)" = 'NOERROR; two 60 AAAA fd00::10' ]
	[ "$(in_other world_ask 10.0.2.3 one A)" = 'NOERROR; one 60 A 10.0.2.15' ]
	[ "$(in_other world_ask 10.0.2.3 one.lan.test A)" = 'NOERROR; one.lan.test 60 A 10.0.2.15' ]
	run -0 in_guest getent ahostsv4 two
	[[ $output == *10.0.2.16* ]]
	run -0 ctl_send "$PWD/net" 'send:frames\0two' recv
	[[ $output == error\|EEXIST\|* ]]
	run -0 ctl_send "$PWD/net" 'send:frames\0localhost' recv
	[[ $output == error\|EEXIST\|* ]]
	run -0 ctl_send "$PWD/net" 'send:frames\0www.example.test' recv
	[[ $output == error\|EINVAL\|* ]]
	other_down
	until [ "$(figure guests)" = 1 ]; do :; done
	[[ $(in_guest world_ask 10.0.2.3 two A) != *10.0.2.16* ]]
}

@test 'bare frames: who connects is a guest, with the next addresses' {
	local gw='gateway=10.0.2.2,fd00::2 dns=10.0.2.3'
	background vmnet host vm-net --switch --ready-fd 1 --frames "$PWD/net"
	# shellcheck disable=SC2086 # words
	background tap guest frames_tap raw "$PWD/net" mtu=1500 mac=02:00:00:00:00:0f addr=10.0.2.15/24 addr6=fd00::f/64 $gw
	run -0 client ping 10.0.2.2 100 1
	# shellcheck disable=SC2086 # words
	background tap.other other frames_tap raw "$PWD/net" mtu=1500 mac=02:00:00:00:00:10 addr=10.0.2.16/24 addr6=fd00::10/64 $gw
	background server.other other world_server "$PWD/log" other
	run -0 client echo 10.0.2.16 7 1000000
	run -0 client echo fd00::10 7 1000000
	run -0 client echo 203.0.113.9 7 1000
	run -0 in_other world_client echo 203.0.113.9 7 1000
	grep -q 'other tcp 10.0.2.15:[0-9]* 10.0.2.16:7 echo' log
}

@test 'the way out: both, under one policy' {
	local who
	printf '%s\n' 'allow tcp 203.0.113.9,2001:db8::9 port 7' 'allow tcp www.example.test port 80' >policy
	both -P policy --log "$PWD/all.log"
	for who in guest other; do
		run -0 "in_$who" world_client echo 203.0.113.9 7 1000000 10
		run -0 "in_$who" world_client echo 2001:db8::9 7 1000000
		run -1 "in_$who" world_client open 203.0.113.9 9
		[ "$output" = 'Connection refused' ]
		run -0 "in_$who" world_ask 10.0.2.3 other.example.test A
		[ "$output" = REFUSED ]
		[[ $("in_$who" world_ask -t 10.0.2.3 www.example.test A) == NOERROR* ]]
		[[ $("in_$who" world_ask -t fd00::3 www.example.test A) == NOERROR* ]]
	done
	[ "$(jq -r 'select(.event == "flow" and .verdict == "deny") | .guest' all.log | sort -u)" = $'10.0.2.15\n10.0.2.16' ]
}

# both_get N: both guests fetch N bytes at a time. Sets took to the microseconds of it.
both_get() {
	local start=${EPOCHREALTIME/./}
	in_other world_client get 203.0.113.9 19 "$1" &
	client get 203.0.113.9 19 "$1"
	wait "$!"
	took=$((${EPOCHREALTIME/./} - start))
}

@test 'a limit to the rate is of each guest' {
	local took
	both --rate-limit 1M
	both_get 2000000
	# 2 MB at 1 MiB/s, of which a tenth of a second is free, and a socket holds some: one limit for both would make it 3.7 s.
	[ "$took" -gt 1300000 ] && [ "$took" -lt 3400000 ] || { echo "$took" && false; }
}

@test 'forwards lead to the first address' {
	both -p 8007:7
	background server.guest guest world_server "$PWD/log" guest
	run -0 in_host world_client echo 127.0.0.1 8007 100000 10
	grep -q 'guest tcp 10.0.2.2:[0-9]* 10.0.2.15:7 echo' log
}

@test 'a guest that reads nothing stops nobody' {
	local i
	both
	run -0 client ping 10.0.2.16 100
	kill -STOP "$(cat bg/tap.other.pid)"
	frame to=52:56:0a:00:02:10 v4=10.0.2.15,10.0.2.16 udp=1000,9 data=60000 count=300
	until i=$(figure frames_out_dropped) && [ "$i" -gt 0 ]; do
		frame to=52:56:0a:00:02:10 v4=10.0.2.15,10.0.2.16 udp=1000,9 data=60000 count=10
	done
	PATIENCE=2000 run -0 client ping 10.0.2.2 100 3
	PATIENCE=5000 run -0 client echo 203.0.113.9 7 1000000
	run -0 ctl_send "$PWD/net" send:guests recv
	[[ $output == *name=one*,frames_out_dropped=0* ]]
	kill -CONT "$(cat bg/tap.other.pid)"
	run -0 in_other world_client echo 203.0.113.9 7 1000000
}

@test 'a guest that says to be another is not believed' {
	both
	background server.other other world_server "$PWD/log" other
	run -0 client echo 10.0.2.16 7 1000
	# As the other's MAC, address, ARP, NDP; as the gateway; as its DHCP server and its router.
	frame from=52:56:0a:00:02:10 v4=10.0.2.16,203.0.113.9 udp=1000,7 data=10 count=5
	frame to=52:55:0a:00:02:02 v4=10.0.2.16,203.0.113.9 udp=1000,7 data=10 count=5
	frame to=52:55:0a:00:02:02 v6=fd00::10,2001:db8::9 udp=1000,7 data=10 count=5
	frame arp=2,52:56:0a:00:02:0f,10.0.2.16,10.0.2.16
	frame to=52:56:0a:00:02:10 arp=2,52:56:0a:00:02:0f,10.0.2.2,10.0.2.16
	frame to=33:33:00:00:00:01 v6=fd00::f,ff02::1 ttl=255 na=fd00::2,52:56:0a:00:02:0f
	frame to=33:33:00:00:00:01 v6=fd00::f,ff02::1 ttl=255 na=fd00::10,52:56:0a:00:02:0f
	frame to=52:56:0a:00:02:10 v4=10.0.2.15,10.0.2.16 udp=67,68 data=300
	run -0 client ping 10.0.2.2 100
	[ "$(figure guest_source-mac)" -ge 5 ]
	[ "$(figure guest_source-address)" -ge 10 ]
	[ "$(figure guest_spoof)" -ge 5 ]
	never_heard 'udp .* (203.0.113.9|\[2001:db8::9]):7'
	run -0 in_other ip neigh show 10.0.2.2
	[[ $output != *52:56* ]]
	run -0 in_other ip neigh show fd00::2
	[[ $output != *52:56* ]]
	run -0 in_other world_client echo 203.0.113.9 7 1000
}

@test 'addresses are given back, and had again by who had them' {
	both
	other_down
	until [ "$(figure guests)" = 1 ]; do :; done
	other_up "$PWD/net" three
	run -0 in_other ip addr show dev eth0
	[[ $output == *'inet 10.0.2.17/24 '* ]]
	other_down
	other_up "$PWD/net" two
	run -0 in_other ip addr show dev eth0
	[[ $output == *'inet 10.0.2.16/24 '* && $output == *'inet6 fd00::10/64 '* ]]
	run -0 client ping 10.0.2.16 100 3
	run -0 in_other world_client echo 203.0.113.9 7 1000
}

@test 'a guest with a MAC of its own gets its address back by DHCP' {
	cat >dhcp <<-'END'
		#!/bin/sh
		[ "$1" != bound ] || echo "$ip" >told
	END
	chmod +x dhcp
	network
	in_other sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	# lease: the other's, by a MAC of its own, from which its first frame comes.
	lease() {
		background tap.other other frames_tap -n control "$PWD/net"
		in_other ip link set eth0 down
		in_other ip link set eth0 address 02:00:00:00:00:07
		in_other ip link set eth0 up
		in_other busybox udhcpc -i eth0 -n -q -f -t 5 -s "$PWD/dhcp"
	}
	guest_up "$PWD/net"
	run -0 lease
	[ "$(cat told)" = 10.0.2.16 ]
	guest_down
	other_down
	until [ "$(figure guests)" = 0 ]; do :; done
	guest_up "$PWD/net" first
	[[ $(in_guest ip addr show dev eth0) == *'inet 10.0.2.17/24 '* ]]
	run -0 lease
	[ "$(cat told)" = 10.0.2.16 ]
	in_other sysctl -qw net.ipv6.conf.default.disable_ipv6=0
}
