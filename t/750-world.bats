#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The world in which networks are tested (lib/netns), with passt in our own network's place.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/netns

setup_file() {
	world_file || return 0
	world
}

setup() {
	world_setup
}

teardown() {
	world_teardown
}

teardown_file() {
	world_end
}

# passt_up [OPTION]...: passt in our network's place, and a guest on it. passt is there when its parent ends; it ends with
# its client.
passt_up() {
	command -v passt >/dev/null || skip 'no passt: install passt'
	in_host passt --quiet --one-off --runas 0 --socket "$WORLD/passt" --pid "$WORLD/passt.pid" \
		--address 10.0.2.15 --netmask 24 --gateway 10.0.2.2 --address fd00::15 --gateway fd00::2 \
		--dns-forward 10.0.2.3 --dns-forward fd00::3 "$@" >passt.says 2>&1 || { cat passt.says && false; }
	guest_raw "$WORLD/passt" mtu=65520 addr=10.0.2.15/24 addr6=fd00::15/64 gateway=10.0.2.2,fd00::2 dns=10.0.2.3,fd00::3
}

client() {
	in_guest world_client "$@"
}

@test 'the host reaches what is there: neighbours, the internet, metadata, its own loopback' {
	local to
	for to in 192.168.77.1 192.168.77.130 203.0.113.9 169.254.169.254 fd77::99 2001:db8::9 127.0.0.1 ::1; do
		run -0 in_host world_client echo $to 7 100000
		run -0 in_host world_client udp $to 7 20000 3
		run -0 in_host world_client ping $to 100
	done
	heard '^net tcp 192.168.77.2:[0-9]+ 203.0.113.9:7 echo$'
	heard '^net end .* \[2001:db8::9]:7 100000 100000 [0-9a-f]+ right$'
	heard '^host tcp 127.0.0.1:[0-9]+ 127.0.0.1:7 echo$'
	heard '^wire syn 192.168.77.2:[0-9]+ 169.254.169.254:7$'
	heard '^wire icmp 128.0 \[fd77::2]:0 \[2001:db8::9]:0$'
}

# ask ANSWER [OPTION]... SERVER NAME TYPE: from the host.
ask() {
	local want=$1
	shift
	run -0 in_host world_ask "$@"
	[ "$output" = "$want" ] || { echo "not $want" && false; }
}

@test 'names: records, aliases, wildcards, what is absent, over UDP and TCP, IPv4 and IPv6' {
	ask 'NOERROR; www.example.test 300 A 203.0.113.9' 203.0.113.53 www.example.test A
	ask 'NOERROR; www.example.test 300 AAAA 2001:db8::9' -t 2001:db8::53 www.example.test AAAA
	ask 'NOERROR; alias.example.test 300 CNAME www.example.test; www.example.test 300 A 203.0.113.9' \
		203.0.113.53 alias.example.test A
	ask 'NOERROR; a.b.wild.example.test 300 A 203.0.113.11' 2001:db8::53 a.b.wild.example.test A
	ask 'NOERROR' 203.0.113.53 www.example.test TYPE65
	ask 'NXDOMAIN' 203.0.113.53 none.example.test A
	ask 'NOERROR; text.example.test 300 TYPE16 08736f2d69742d6973' -e 1232 203.0.113.53 text.example.test TYPE16
	heard '^dns query tcp \[fd77::2]:[0-9]+ \[2001:db8::53]:53 www.example.test 28$'
	run -0 in_host getent ahosts www.example.test
	[[ $output == *203.0.113.9*2001:db8::9* || $output == *2001:db8::9*203.0.113.9* ]]
}

@test 'servers that lie, are slow, or say nothing; and a zone that changes' {
	ask 'NOERROR tc' 203.0.113.53 large.example.test A
	ask 'NOERROR; large.example.test 300 A 203.0.113.9' -t 203.0.113.53 large.example.test A
	ask 'SERVFAIL' 203.0.113.53 broken.example.test A
	ask 'REFUSED' 203.0.113.53 refused.example.test A
	ask 'NOERROR; slow.example.test 300 A 203.0.113.9' 203.0.113.53 slow.example.test A
	PATIENCE=100 run -1 in_host world_ask 203.0.113.53 slow.example.test A
	PATIENCE=100 run -1 in_host world_ask 203.0.113.53 silent.example.test A
	[ "$output" = timeout ]
	run -1 in_host world_ask 203.0.113.53 wrongid.example.test A
	[ "$output" = 'no answer to that' ]
	run -1 in_host world_ask 203.0.113.53 forged.example.test A
	run -1 in_host world_ask 203.0.113.53 garbage.example.test A
	zone <<<'new.example.test A 5 192.0.2.1'
	ask 'NOERROR; new.example.test 5 A 192.0.2.1' 203.0.113.53 new.example.test A
	ask 'NXDOMAIN' 203.0.113.53 www.example.test A
	zone < <(zone_default)
	ask 'NOERROR; www.example.test 300 A 203.0.113.9' 203.0.113.53 www.example.test A
}

@test 'a guest behind passt reaches all of it' {
	passt_up
	run -0 client ping 10.0.2.2 100
	run -0 client ping 203.0.113.9 1000 3
	run -0 client ping 2001:db8::9 1000 3
	run -0 client echo 203.0.113.9 7 1000000
	run -0 client echo 2001:db8::9 7 1000000
	run -0 client udp 203.0.113.9 7 1400 10
	run -0 client udp 2001:db8::9 7 1400 10
	run -0 in_guest cat /etc/resolv.conf
	[ "$output" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
	run -0 in_guest world_ask 10.0.2.3 www.example.test A
	[ "$output" = 'NOERROR; www.example.test 300 A 203.0.113.9' ]
	run -0 in_guest getent ahostsv4 alias.example.test
	[[ $output == *203.0.113.9* ]]
	heard '^net end .* 203.0.113.9:7 1000000 1000000 [0-9a-f]+ right$'
	heard '^dns query udp 192.168.77.2:[0-9]+ 203.0.113.53:53 alias.example.test 1$'
	heard '^wire syn \[fd77::2]:[0-9]+ \[2001:db8::9]:7$'
	never_heard '203\.0\.113\.10:'
	run -0 client open 203.0.113.10 7
	run never_heard '203\.0\.113\.10:'
	[ "$status" -ne 0 ]
}
