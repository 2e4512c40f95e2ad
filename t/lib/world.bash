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

client() {
	in_guest world_client "$@"
}
