#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-net in a world of its own (lib/netns): what passes, what it costs, how it ends. A namespace plays the guest.

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

@test 'without a policy: the internet, by TCP and UDP, IPv4 and IPv6' {
	guest_of vm-net --
	local to
	for to in 203.0.113.9 2001:db8::9; do
		run client echo $to 7 100000; echo "$output"; cat $WORLD/log; cat $VM_TEST/bg/*.err; 
		run -0 client udp $to 7 1400 3
	done
	heard '^net end .* 203.0.113.9:7 100000 100000 [0-9a-f]+ right$'
	heard '^net end .* \[2001:db8::9]:7 100000 100000 [0-9a-f]+ right$'
}
