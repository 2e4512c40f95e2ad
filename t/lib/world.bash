# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A bats file in which no engine is, but a world of its own (lib/netns): `load lib/world` is all that it begins with. No lab
# runs it (t/check). One that needs more has a setup_file of its own, after that.

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

# How to reach the guest, for lib/traffic.
guest() {
	in_guest "$@"
}

client() {
	guest world_client "$@"
}

guest_background() {
	# shellcheck disable=SC2016 # the inner shell's
	background "$1" guest sh -c 'echo ready; exec "$@"' sh "${@:2}"
}

guest_files() {
	:
}

# memory KEY: kilobytes of the vm-net that is in the background as `vmnet`: VmRSS, or VmHWM, the most since `memory_mark`.
memory() {
	sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$(cat bg/vmnet.pid)/status"
}

memory_mark() {
	echo 5 >"/proc/$(cat bg/vmnet.pid)/clear_refs"
	MEMORY_MARK=$(memory VmRSS)
}

# memory_grew LESS: it took less than so many kilobytes more at any time since.
memory_grew() {
	local most
	most=$(memory VmHWM)
	[ $((most - MEMORY_MARK)) -lt "$1" ] || { echo "$MEMORY_MARK kB, and $most kB at most" && false; }
}
