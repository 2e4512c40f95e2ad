#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-net in a world of its own (lib/netns): what passes, in every way, and how it ends. A namespace plays the guest.

bats_require_minimum_version 1.5.0
load lib/world
load lib/traffic

# answers SERVER NAME TYPE ANSWER: what vm-net's DNS says.
answers() {
	run -0 in_guest world_ask "$1" "$2" "$3"
	[ "$output" = "$4" ] || { echo "not $4" && false; }
}

@test 'addresses by DHCP are those that VM_NET tells' {
	guest_of vm-net --
	run -0 in_guest ip addr show dev eth0
	[[ $output == *'mtu 65520 '* && $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
	[ "$(in_guest cat /etc/resolv.conf)" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
	cat >dhcp <<-'END'
		#!/bin/sh
		[ "$1" != bound ] || env >"$0.told"
	END
	chmod +x dhcp
	run -0 in_guest busybox udhcpc -i eth0 -n -q -f -t 5 -s "$PWD/dhcp"
	grep -qx ip=10.0.2.15 dhcp.told
	grep -qx router=10.0.2.2 dhcp.told
	grep -qx dns=10.0.2.3 dhcp.told
	grep -qx subnet=255.255.255.0 dhcp.told
}

# bare_guest OPTION...: a guest with a device, to which nobody has told anything; it is ready for larger packets than its
# network is.
bare_guest() {
	background vmnet host vm-net --ready-fd 1 --frames "$PWD/net" --domain lan.test --mtu 1400 "$@"
	background tap guest frames_tap -n raw "$PWD/net" mtu=9000 mac=02:00:00:00:00:0f
}

@test 'router advertisements: a kernel makes its address, route and MTU of them' {
	local end=$((SECONDS + 20))
	in_guest sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/accept_ra'
	bare_guest
	in_guest sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra'
	# Of an advertisement it takes the MTU last.
	until [ "$(in_guest cat /proc/sys/net/ipv6/conf/eth0/mtu)" = 1400 ]; do [ $SECONDS -lt $end ]; done
	run -0 in_guest ip -6 addr show dev eth0
	[[ $output == *'inet6 fd00::ff:fe00:f/64 scope global dynamic'* ]]
	run -0 in_guest ip -6 route show default
	[[ $output == 'default via fe80::'*' dev eth0 proto ra '* ]]
	run -0 client echo 2001:db8::9 7 100000
	run -0 in_guest world_ask fd00::3 www.example.test A
	[ "$output" = 'NOERROR; www.example.test 300 A 203.0.113.9' ]
}

@test 'router advertisements, as rdisc6 reads them: name servers, domain, MTU' {
	command -v rdisc6 >/dev/null || skip 'no rdisc6'
	bare_guest
	run -0 in_guest rdisc6 -1 eth0
	grep -Eq '^ Recursive DNS server *: fd00::3$' <<<"$output"
	grep -Eq '^ DNS search list *: lan\.test *$' <<<"$output"
	grep -Eq '^ MTU *: *1400 bytes' <<<"$output"
	grep -Eq '^ Prefix *: fd00::/64$' <<<"$output"
}

@test 'DHCPv6, with dhclient: address, name server, domain, and its end' {
	command -v dhclient >/dev/null || skip 'no dhclient'
	bare_guest
	# shellcheck disable=SC2016 # the script's
	printf '#!/bin/sh\nenv >"$0.$reason"\n' >dhcp
	chmod +x dhcp
	: >lease
	run -0 in_guest dhclient -6 -1 -D LL -cf /dev/null -lf "$PWD/lease" -pf "$PWD/pid" -sf "$PWD/dhcp" eth0
	grep -qx new_ip6_address=fd00::f dhcp.BOUND6
	grep -qx new_dhcp6_name_servers=fd00::3 dhcp.BOUND6
	grep -qx 'new_dhcp6_domain_search=lan.test.' dhcp.BOUND6
	# The one in the background, which the next is to end, says last who it is.
	limit sh -c 'until [ -s pid ]; do :; done'
	run -0 in_guest dhclient -6 -1 -r -D LL -cf /dev/null -lf "$PWD/lease" -pf "$PWD/pid" -sf "$PWD/dhcp" eth0
	grep -qx old_ip6_address=fd00::f dhcp.RELEASE6
}

@test 'other networks and a domain, by option' {
	guest_of vm-net --subnet 172.30.0.0/16 --subnet6 fd42:1::/64 --domain lan.test --mtu 1400 --
	run -0 in_guest ip addr show dev eth0
	[[ $output == *'mtu 1400 '* && $output == *'inet 172.30.0.15/16 '* && $output == *'inet6 fd42:1::f/64 '* ]]
	run -0 client ping 172.30.0.2 100 1
	run -0 client ping fd42:1::2 100 1
	answers fd42:1::3 www.example.test A 'NOERROR; www.example.test 300 A 203.0.113.9'
	run -0 client echo 203.0.113.9 7 1000
	run -0 client echo 2001:db8::9 7 1000
	# shellcheck disable=SC2016 # the script's
	printf '#!/bin/sh\n[ "$1" != bound ] || env >"$0.told"\n' >dhcp
	chmod +x dhcp
	run -0 in_guest busybox udhcpc -i eth0 -n -q -f -t 5 -s "$PWD/dhcp"
	grep -qx domain=lan.test dhcp.told
	grep -qx ip=172.30.0.15 dhcp.told
}

@test 'a network that the host has itself: the next is taken, one by option is refused' {
	local refused6
	in_host ip addr add 10.0.2.99/22 dev h0 noprefixroute
	in_host ip addr add fd00::99/64 dev h0 noprefixroute
	guest_of vm-net -- || :
	run --separate-stderr in_host vm-net --subnet6 fd00::/64 -l "$PWD/net"
	refused6="$status ${stderr_lines[*]}"
	run --separate-stderr in_host vm-net --subnet 10.0.0.0/8 -l "$PWD/net"
	in_host ip addr del 10.0.2.99/22 dev h0
	in_host ip addr del fd00::99/64 dev h0
	[ "$status ${stderr_lines[*]}" = '2 vm-net: --subnet: the host has a network there itself: choose another' ]
	[ "$refused6" = '2 vm-net: --subnet6: the host has a network there itself: choose another' ]
	run -0 in_guest ip addr show dev eth0
	# 10.0.0.0 to 10.0.3.255 are the host's.
	[[ $output == *'inet 10.0.4.15/24 '* && $output == *'inet6 fd00:1::f/64 '* ]]
	run -0 client echo 203.0.113.9 7 1000
}

@test 'ping: the gateway, and beyond' {
	guest_of vm-net --
	pings
	# Beyond the gateway there is no echo of IPv6, which is said at once.
	PATIENCE=2000 run -1 client ping 2001:db8::9 100 1
	[ "$output" = 'Permission denied' ]
	never_heard '^wire icmp.*2001:db8::9'
	[ ! -s "$VM_TEST/bg/tap.err" ]
}

@test 'ping beyond the gateway where this host has no ping sockets for us: denied at once, said once' {
	[ -z "$USERNS" ] || skip 'who is no root has one group in a namespace, and no range without it'
	local confined first second gateway
	# To root without the sandbox libslirp would have a raw socket.
	for confined in '' --no-sandbox; do
		# shellcheck disable=SC2086 # a word or none
		guest_of vm-net $confined --
		in_host sh -c 'echo 1 0 >/proc/sys/net/ipv4/ping_group_range'
		first=$(PATIENCE=2000 client ping 203.0.113.9 100) || :
		second=$(PATIENCE=2000 client ping 203.0.113.9 100) || :
		gateway=$(PATIENCE=2000 client ping 10.0.2.2 100) || :
		in_host sh -c 'echo 0 0 >/proc/sys/net/ipv4/ping_group_range'
		[ "$first" = 'No route to host' ]
		[ "$second" = 'No route to host' ]
		[ "$gateway" = '1 replies' ]
		grep -v 'this process is not confined' "$VM_TEST/bg/tap.err" >said
		[ "$(wc -l <said)" -eq 1 ]
		grep -Eq '^vm-net: ping: .*Permission denied: .*net\.ipv4\.ping_group_range$' said
		never_heard '(^net udp|^wire udp|^wire icmp) .* 203\.0\.113\.9:'
		guest_down
	done
	guest_of vm-net --
	run -0 client ping 203.0.113.9 100
}

@test 'TCP: every way to behave, IPv4 and IPv6' {
	guest_of vm-net --
	tcp_ways 10000000
}

@test 'TCP: 200 MB both ways, with checksums, IPv4 and IPv6' {
	guest_of vm-net --
	tcp_bulk 200000000
}

@test 'a limit to the rate, either way' {
	local start end way
	guest_of vm-net --rate-limit 1M --
	for way in 'turn 203.0.113.9 80' 'get 203.0.113.9 19'; do
		start=${EPOCHREALTIME/./}
		# shellcheck disable=SC2086 # words
		run -0 client $way 2000000
		end=${EPOCHREALTIME/./}
		# 2 MB at 1 MiB/s, of which a tenth of a second is free, and a socket holds some; it ends all the same.
		[ $((end - start)) -gt 1300000 ] && [ $((end - start)) -lt 10000000 ] || { echo $((end - start)) && false; }
	done
}

@test 'TCP: 500 connections at once' {
	guest_of vm-net --
	tcp_many 500 100
}

@test 'UDP of every size, and fragments' {
	guest_of vm-net --mtu 1500 --
	datagrams 203.0.113.9 0 1 512 1472 1473 8000 30000 65507
	datagrams 2001:db8::9 1 1452 1400
	heard '^net udp 192.168.77.2:[0-9]+ 203.0.113.9:7 65507$'
}

@test 'UDP of every size to 64 KB, where the wire takes it' {
	local size
	guest_of vm-net --
	for ((size = 0; size < 65507; size += $(share 997 9973))); do
		run -0 client udp 203.0.113.9 7 $size 2
		[ $size -gt 65472 ] || run -0 client udp 2001:db8::9 7 $size 2
	done
	run -0 client udp 203.0.113.9 7 65507 2
	run -0 client udp 2001:db8::9 7 65472 2
	heard '^net udp .* 203.0.113.9:7 65507$'
	heard '^net udp .* \[2001:db8::9]:7 65472$'
}

@test 'a connect that nobody answers delays nobody' {
	guest_of vm-net --
	nobody_answers
}

@test 'names: records, aliases, absent ones, over UDP, and a server that says nothing' {
	guest_of vm-net --
	answers 10.0.2.3 www.example.test A 'NOERROR; www.example.test 300 A 203.0.113.9'
	answers fd00::3 www.example.test AAAA 'NOERROR; www.example.test 300 AAAA 2001:db8::9'
	answers 10.0.2.3 alias.example.test A \
		'NOERROR; alias.example.test 300 CNAME www.example.test; www.example.test 300 A 203.0.113.9'
	answers 10.0.2.3 none.example.test A NXDOMAIN
	answers 10.0.2.3 large.example.test A 'NOERROR; large.example.test 300 A 203.0.113.9'
	answers 10.0.2.3 wrongid.example.test A SERVFAIL
	answers 10.0.2.3 garbage.example.test A SERVFAIL
	run -0 in_guest getent ahostsv4 www.example.test
	[[ $output == *203.0.113.9* ]]
}

@test 'names over TCP, IPv4 and IPv6, and nothing else at that address' {
	local i server port
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	for server in 10.0.2.3 fd00::3; do
		for i in 1 2 3; do
			run -0 in_guest world_ask -t $server www.example.test A
			[ "$output" = 'NOERROR; www.example.test 300 A 203.0.113.9' ]
		done
		run -0 in_guest world_ask -t $server none.example.test A
		[ "$output" = NXDOMAIN ]
		run -0 in_guest world_ask $server www.example.test A
		run -1 client open $server 54
		[ "$output" = 'Connection refused' ]
	done
	never_heard '^host tcp'
	# What leads there over IPv6 is a port of ::1, which is for nobody else: neither this host's programs nor the guest.
	port=$(in_host ss -Hltnp6 src '[::1]' | sed -n 's/.*\[::1]:\([0-9]*\) .*vm-net.*/\1/p')
	run -1 in_host world_ask -t -p "$port" ::1 www.example.test A
	[[ $output == closed || $output == 'Connection reset by peer' ]]
	run -1 client open fd00::2 "$port"
	[ "$output" = 'Connection refused' ]
	run -0 in_guest world_ask -t fd00::3 www.example.test A
}

@test 'names over TCP with one family alone' {
	local i
	for i in '-4 10.0.2.3' '-6 fd00::3'; do
		guest_of vm-net "${i% *}" --
		run -0 in_guest world_ask -t "${i#* }" www.example.test A
		[ "$output" = 'NOERROR; www.example.test 300 A 203.0.113.9' ]
		guest_down
	done
}

@test 'names and servers by option: --host is answered here, --dns is asked and not those of resolv.conf' {
	guest_of vm-net --host printer.test=203.0.113.77 --host printer.test=2001:db8::77 --dns 203.0.113.253 --
	answers 10.0.2.3 printer.test A 'NOERROR; printer.test 60 A 203.0.113.77'
	answers fd00::3 Printer.test AAAA 'NOERROR; Printer.test 60 AAAA 2001:db8::77'
	# Nobody serves there.
	answers 10.0.2.3 www.example.test A SERVFAIL
	never_heard '^dns query .* (printer|www\.example)\.test '
	guest_down
	guest_of vm-net --dns 203.0.113.253 --dns 2001:db8::53 --
	answers 10.0.2.3 www.example.test A 'NOERROR; www.example.test 300 A 203.0.113.9'
	heard '^dns query .* www\.example\.test 1$'
}

@test 'resolv.conf that changes is followed' {
	guest_of vm-net --
	in_host sh -c 'echo nameserver 203.0.113.253 >/etc/resolv.new; mv /etc/resolv.new /etc/resolv.conf'
	until PATIENCE=10000 in_guest world_ask 10.0.2.3 x.example.test A | grep -q SERVFAIL; do :; done
	in_host sh -c 'echo nameserver 203.0.113.53 >/etc/resolv.new; mv /etc/resolv.new /etc/resolv.conf'
	until in_guest world_ask 10.0.2.3 www.example.test A | grep -q 203.0.113.9; do :; done
	in_host sh -c 'printf "nameserver 203.0.113.53\nnameserver 2001:db8::53\n" >/etc/resolv.conf'
}

@test 'servers: the next one where the first says nothing, one of the host alone, one of IPv6' {
	local servers
	background stub host world_dns "$WORLD/log" stub "$WORLD/zone" 127.0.0.53
	for servers in '203.0.113.66 203.0.113.53' 127.0.0.53 2001:db8::53; do
		# shellcheck disable=SC2016,SC2086 # the inner shell's; words
		in_host sh -c 'for a; do echo "nameserver $a"; done >/etc/resolv.conf' sh $servers
		guest_of vm-net --
		answers 10.0.2.3 www.example.test A 'NOERROR; www.example.test 300 A 203.0.113.9'
		answers fd00::3 www.example.test AAAA 'NOERROR; www.example.test 300 AAAA 2001:db8::9'
		# What the host can ask, the guest perhaps cannot: it has one server, and never that one.
		[ "$(in_guest cat /etc/resolv.conf)" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
		guest_down
	done
	heard '^wire udp .* 203.0.113.66:53$'
	heard '^dns query udp [^ ]* 203.0.113.53:53 www.example.test 1$'
	heard '^stub query udp [^ ]* 127.0.0.53:53 www.example.test 1$'
	heard '^dns query udp [^ ]* \[2001:db8::53]:53 www.example.test 1$'
	in_host sh -c 'printf "nameserver 203.0.113.53\nnameserver 2001:db8::53\n" >/etc/resolv.conf'
}

@test 'forwards: TCP and UDP, any port, added, listed and taken away' {
	guest_of vm-net -p 8007:7 -p 8007:7/udp -p 127.0.0.1:0:9 --
	background server.guest guest world_server "$PWD/log" guest
	run -0 in_host world_client echo 127.0.0.1 8007 100000 10
	run -0 in_host world_client echo ::1 8007 100000
	run -0 in_host world_client udp 127.0.0.1 8007 1000 10
	grep -q 'guest tcp 10.0.2.2:[0-9]* 10.0.2.15:7 echo' log
	grep -Eq -- '-p 127.0.0.1:0:9: is 127.0.0.1:[0-9]+:9' "$VM_TEST/bg/tap.err"
}

@test 'a UNIX socket that leads to the guest: its owner alone, several clients, removed in the end' {
	local path
	mkdir one two three      # it may remove what is beneath each, and nothing else
	background vmnet host vm-net --ready-fd 1 -p "unix:$PWD/one/in:7" -p "unix:$PWD/two/in:9999" -l "$PWD/three/net"
	guest_up "$PWD/three/net"
	background server.guest guest world_server "$PWD/log" guest
	[ "$(stat -c '%F %a' one/in)" = 'socket 600' ]
	head -c 1000000 /dev/urandom >sent
	for path in 1 2; do
		in_host socat -t 10 - "UNIX-CONNECT:$PWD/one/in" <sent | cmp sent -
	done
	[ "$(grep -c 'guest tcp 10.0.2.2:[0-9]* 10.0.2.15:7 echo' log)" -eq 2 ]
	# Nobody serves that port of the guest.
	run -0 in_host socat -t 10 - "UNIX-CONNECT:$PWD/two/in"
	[ -z "$output" ]
	kill -TERM "$(cat bg/vmnet.pid)"
	gone "$(cat bg/vmnet.pid)"
	[ "$(find one two three)" = $'one\ntwo\nthree' ]
	# A start that fails leaves nothing, either; and somebody else's socket where it is.
	run -125 --separate-stderr in_host vm-net -p "unix:$PWD/one/in:7" -p "unix:$PWD/one/in:8" -l "$PWD/three/net"
	[[ $stderr == "vm-net: -p unix:$PWD/one/in:8: "*'forwarded already' ]]
	socat "UNIX-LISTEN:$PWD/three/net,socktype=5,fork" "SYSTEM:cat >/dev/null" 3>&- &
	until [ -S three/net ]; do kill -0 $!; done
	run -125 --separate-stderr in_host vm-net -p "unix:$PWD/one/in:7" -l "$PWD/three/net"
	[ "$stderr" = "vm-net: -l $PWD/three/net: another process serves it, or it is no socket" ]
	[ "$(find one two three)" = $'one\ntwo\nthree\nthree/net' ]
	kill $!
}

@test 'its end is the guest, the end of the guest is its own; nothing stays' {
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net"
	[ -S net ]
	[ "$(stat -c %a net)" = 600 ]
	guest_up "$PWD/net"
	run -0 client echo 203.0.113.9 7 1000
	guest_down
	guest_up "$PWD/net"
	run -0 client echo 203.0.113.9 7 1000
	kill -TERM "$(cat bg/vmnet.pid)"
	gone "$(cat bg/vmnet.pid)"
	[ ! -e net ]
}

# its NAME: this test's process of that name.
its() {
	local pid
	for pid in $(marked "$VM_TEST"); do [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"; done
}

@test 'vm-net, its program and the guest, killed in every order: whom nobody needs ends, and nothing stays' {
	local order who net tap prog
	# `net` alone, first: its guest sees the end, and the program its guest's.
	for order in 'KILL net' 'TERM net' 'KILL tap' 'KILL prog tap' 'KILL prog net' 'TERM prog net'; do
		# shellcheck disable=SC2016 # the inner shell's
		background chain host vm-net -- sh -c 'nsenter -t "$0" --net --mount --root --wdns=/ -- frames_tap control "$VM_NET"
			echo over' "$(cat "$WORLD/guest.pid")"
		net=$(its vm-net) tap=$(its frames_tap) prog=$(cat bg/chain.pid)
		for who in ${order#* }; do
			kill "-${order%% *}" "${!who}"
			gone "${!who}"
			# What the program started has the network still.
			[ "$who,$order" != 'prog,KILL prog tap' ] || run -0 client echo 203.0.113.9 7 1000
		done
		gone "$net" "$tap" "$prog"
		no_leak
	done
}

@test 'a signal while it starts leaves nothing behind' {
	local to
	mkdir own
	for to in -l --frames; do
		run -0 in_host env XDG_RUNTIME_DIR="$PWD/own" LD_PRELOAD="$ROOT/.build/t/lib/term.so" \
			vm-net --ready-fd 1 "$to" "$PWD/own/net" -p "unix:$PWD/own/forward:22"
		[ -z "$output$(ls -A own)" ] || { echo "$to: $output; $(ls -A own)" && false; }
	done
}

@test 'a socket whose vm-net was killed is taken over' {
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	end vmnet
	gone "$(cat bg/tap.pid)"
	[ -S net ]
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net"
	guest_down
	guest_up "$PWD/net"
	run -0 client echo 203.0.113.9 7 1000
}

@test 'a socket of somebody who takes nobody, and has no room for another, is served' {
	background busy host perl -MSocket -e '$| = 1; $at = sockaddr_un("busy");
		socket S, AF_UNIX, SOCK_STREAM, 0 and bind S, $at and listen S, 0 or die;
		socket C, AF_UNIX, SOCK_STREAM, 0 and connect C, $at or die; print "ready\n"; select undef, undef, undef, undef'
	LIMIT=20 run -125 in_host vm-net --frames "$PWD/busy"
	[[ $output == *'another process serves it'* ]]
	[ -S busy ]
}

@test 'a second guest is told that there is one; a wrong packet, what is wrong' {
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	run in_host timeout 10 frames_tap -i t1 control "$PWD/net"
	[ "$status" -ne 0 ]
	[[ $output == *'another VM has them'* ]]
}

# captured: all.pcap has three datagrams of 100 bytes and one of 2000 to the internet, and their echoes.
captured() {
	guest_of vm-net --pcap "$PWD/all.pcap" --
	run -0 client udp 203.0.113.9 7 100 3
	run -0 client udp 2001:db8::9 7 2000 1
	guest_down
}

@test 'a capture that tshark reads: every frame, whole, and which way it went' {
	command -v tshark >/dev/null || skip 'no tshark'
	captured
	run -0 --separate-stderr tshark -r all.pcap -Y 'udp.port == 7' -T fields -e frame.packet_flags_direction -e udp.length
	[ "$(sort <<<"$output" | uniq -c | sed 's/^ *//')" = $'3 0x00000001\t108\n1 0x00000001\t2008\n3 0x00000002\t108\n1 0x00000002\t2008' ]
	run -0 --separate-stderr tshark -r all.pcap -Y '_ws.malformed or ip.checksum.status == 0 or udp.checksum.status == 0 or frame.cap_len != frame.len'
	[ -z "$output" ]
}

@test 'a capture that tcpdump reads' {
	command -v tcpdump >/dev/null || skip 'no tcpdump'
	captured
	run -0 --separate-stderr tcpdump -nr all.pcap 'udp dst port 7'
	[ "$(grep -c 'UDP, length 100$' <<<"$output")" -eq 3 ]
	[ "$(grep -c 'UDP, length 2000$' <<<"$output")" -eq 1 ]
}

@test 'the log: decisions, names, ends, one object a line' {
	echo 'allow tcp www.example.test port 7' >policy
	guest_of vm-net -P policy --log "$PWD/all.log" --
	answers 10.0.2.3 www.example.test A 'NOERROR; www.example.test 300 A 203.0.113.9'
	answers 10.0.2.3 other.example.test A REFUSED
	run -0 client echo 203.0.113.9 7 1000
	run -1 client open 203.0.113.9 9
	guest_down
	[ "$(jq -r 'select(.event == "name") | .name + " " + .verdict' all.log)" = $'www.example.test allow\nother.example.test deny' ]
	[ "$(jq -r 'select(.event == "flow") | "\(.verdict) \(.proto) \(.addr) \(.port) \(.line) \(.name)"' all.log)" = \
		$'allow tcp 203.0.113.9 7 1 www.example.test\ndeny tcp 203.0.113.9 9 null null' ]
	[ "$(jq -r 'select(.event == "end") | "\(.line) \(.name) \(.sent > 1000) \(.received > 1000)"' all.log)" = \
		'1 www.example.test true true' ]
}

# What each may open and call, netconfine_test tries.
@test 'it keeps nothing of the host: it and its children are confined, without any privilege' {
	local pid names=
	echo 'default deny' >policy
	background vmnet host vm-net --ready-fd 1 -P policy -l "$PWD/net"
	for pid in $(cat bg/vmnet.pid) $(ps -o pid= --ppid "$(cat bg/vmnet.pid)"); do
		names+=" $(cat "/proc/$pid/comm")"
		grep -qx $'NoNewPrivs:\t1' "/proc/$pid/status"
		grep -qx $'Seccomp:\t2' "/proc/$pid/status"
		# None to use, to gain, to pass on.
		[ "$(grep -c $'^Cap[A-Z][a-z]*:\t0000000000000000$' "/proc/$pid/status")" -eq 5 ]
	done
	[ "$names" = ' vm-net vm-net resolv vm-net reader' ]
}

@test '--no-sandbox: it keeps all that it has, and says so' {
	background vmnet host vm-net --no-sandbox --ready-fd 1 -l "$PWD/net"
	grep -qx $'Seccomp:\t0' "/proc/$(cat bg/vmnet.pid)/status"
	grep -qx 'vm-net: --no-sandbox: this process is not confined' bg/vmnet.err
}

@test 'bad command lines and policies: one line, status 2, and nothing is started' {
	local word
	# shellcheck disable=SC2154 # run --separate-stderr sets them
	for word in '--rate-limit 1' '--rate-limit 1X' '--mtu 100' '--subnet 10.0.2.0' '--subnet 10.0.2.0/30' '--subnet6 fd00::/48' '--dns x' '--host x' \
		'--map-host a=b' '-p 1:2:3:4' '-p 70000:1' '-4 -6' '-P /nonexistent' '--frames a -l b' '-V a' '--switch -V a' '--domain a..b' '-6 --subnet 10.1.0.0/24' \
		'-4 --subnet6 fd01::/64' '--check policy'; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr in_host vm-net $word -l "$PWD/net"
		[[ ${stderr_lines[0]} == vm-net:* ]]
	done
	printf 'allow tcp * port 80\nallow tcp\n' >policy
	run -2 --separate-stderr in_host vm-net -P policy -- touch ran
	[[ $stderr == *policy:2:* ]]
	[ ! -e ran ]
	run -2 in_host vm-net --check policy
	run -2 --separate-stderr in_host vm-net --domain 'a b' -- touch ran
	[ "${stderr_lines[0]}" = "vm-net: --domain a b: takes a name of letters, digits, hyphens and dots (try 'vm-net --help')" ]
	[ ! -e ran ]
	run -127 in_host vm-net -- no-such-program
	# Not `run`: what is left of vm-net speaks when the program has ended, and then lets go of stderr.
	status=0
	said=$(in_host vm-net -- sh -c 'exit 7' 2>&1) || status=$?
	[ "$status" -eq 7 ]
	[[ $said == *'nobody took the network'* ]]
}
