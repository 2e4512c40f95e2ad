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
