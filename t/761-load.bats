#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-net in a world of its own (lib/netns) when much goes on at a time, or slowly, or to the end of one side alone.

bats_require_minimum_version 1.5.0
load lib/world
load lib/traffic

# network OPTION...: the guest joins it.
network() {
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net" "$@"
	guest_up "$PWD/net"
}

# serves: the guest does, as net and host do; its log is ./log.
serves() {
	background server.guest guest world_server "$PWD/log" guest
}

# forward add|del SPEC
forward() {
	run -0 ctl_send "$PWD/net" "send:forward\\0$1\\0$2" recv
	[[ $output == ok* ]]
}

@test 'HTTPS: certificates of 90 KB each way, and a body of 100 MB' {
	network
	https 100000000 5000000
}

@test 'programs of the guest that read slowly: memory has a bound, and nobody else waits' {
	network
	memory_mark
	slow_readers 3000000 40
	memory_grew 60000
}

@test 'servers that read slowly: the same' {
	network
	memory_mark
	slow_servers 1000000
	memory_grew 16000
}

@test 'who writes slowly, on either side' {
	network
	slow_writers
}

@test 'the end of one side alone, by either, outwards and through forwards' {
	network -p 8080:80 -p 8087:87
	one_end 1000000
}

@test 'a forward has a hundred clients at once' {
	network -p 8007:7
	forward_clients 100000
}

@test 'UDP there and back through a forward' {
	network -p 8007:7/udp
	forward_datagrams 0 1 1000 9000 30000
}

@test 'forwards come and go while another is busy, which loses nothing' {
	network -p 8080:80 -p 8007:7
	forwards_busy 200000000 1000 8
}

@test 'killed, it is replaced at the same path, and the guest goes on' {
	network
	run -0 client echo 203.0.113.9 7 1000
	kill -KILL "$(cat bg/vmnet.pid)"
	gone "$(cat bg/vmnet.pid)" "$(cat bg/tap.pid)"
	[ -S net ]
	network
	run -0 client echo 203.0.113.9 7 1000
	run -0 client echo 2001:db8::9 7 1000
	run -0 in_guest ip addr show dev eth0
	[[ $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
}
