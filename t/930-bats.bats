#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm.bash, the library for tests: files of tests that use it, run by a bats of their own.

bats_require_minimum_version 1.5.0
load lib/vm-test

setup_file() {
	vm_file || return 0
}

setup() {
	vm_setup
	export VM_ENGINE
}

teardown() {
	no_leak
}

# suite: bats on the tests of stdin, as a user has it; what it says is in the file tap. They begin with @TEST, for this
# file's own bats takes every @test for its.
suite() {
	{ printf 'bats_require_minimum_version 1.5.0\nload %q\n' "$ROOT/lib/common/bats/vm" && sed s/^@TEST/@test/; } >suite.bats
	limit env -i PATH="${PATH//"$BATS_LIBEXEC:"/}" HOME="$PWD" VM_TEST="$VM_TEST" VM_ENGINE="$VM_ENGINE" VM_RUNTIME_DIR="$VM_RUNTIME_DIR" \
		VM_IMAGE_DIR="${VM_IMAGE_DIR-${IMAGE%/.store/*}}" bats --tap suite.bats >tap </dev/null
}

@test "a VM for all tests of a file, and one for a test alone" {
	suite <<-'END' || { cat tap && false; }
		setup_file() { vm_start -m 128M; }
		@TEST "what one leaves" { echo text | vm_run -i tee /tmp/file; }
		@TEST "another finds" { run -0 vm_run cat /tmp/file; [ "$output" = text ]; }
		@TEST "but not in a VM of its own" {
			first=$VM
			vm_start -m 128M -n other
			[ "$VM" != "$first" ]
			run -1 vm_run test -e /tmp/file
			VM=$first vm_run test -e /tmp/file
			VM=other vm_run true
		}
		@TEST "which is gone then, without a word" {
			vm_run true
			run vm-ctl -V other wait
			run ! vm-ctl -V other status
		}
		@TEST "status and streams are the command's" {
			run -7 --separate-stderr vm_run sh -c 'echo out; echo err >&2; exit 7'
			[ "$output" = out ]
			[ "$stderr" = err ]
		}
		@TEST "vm_wait_for, vm_stop" {
			vm_start -m 128M
			vm_wait_for '[#$] '
			old=$VM
			vm_stop
			[ -z "${VM-}" ]
			[ ! -e "$old" ]
		}
	END
	[ "$(grep -c '^ok ' tap)" -eq 6 ]
}

@test "what fails says why, and leaves nothing" {
	run suite <<-'END'
		@TEST "no such image" { vm_start --image none; }
		@TEST "no VM" { vm_run true; }
		@TEST "no console output" { vm_start -m 128M; VM_TIMEOUT=1 vm_wait_for 'no such text'; }
		@TEST "a command that takes too long" { vm_start -m 128M; VM_TIMEOUT=1 vm_run sleep 1000; }
		@TEST "a VM that ends by itself" { vm_start -m 128M; vm_run -d sh -c 'echo c >/proc/sysrq-trigger'; vm-ctl wait || :; vm_run true; }
	END
	[ "$status" -eq 1 ]
	[ "$(grep -c '^not ok ' tap)" -eq 5 ]
	grep -A 20 'not ok 1' tap | grep -qF "image 'none' is not there"
	grep -A 20 'not ok 2' tap | grep -qF 'vm_run: no VM: call vm_start first'
	grep -A 20 'not ok 3' tap | grep -qF 'no such text: did not come. The console:'
	grep -A 20 'not ok 4' tap | grep -qF 'failed with status 124'
	grep -A 20 'not ok 5' tap | grep -qF 'vm_run: failed in'
}

@test "a bats that is killed leaves no VM" {
	mkfifo up hold
	exec 8<>up
	suite <<-'END' &
		setup_file() { vm_start -m 128M; echo "$VM" >"$HOME/up"; read -r _ <"$HOME/hold"; }
		@TEST "never" { false; }
	END
	read -r -t 60 handle <&8
	exec 8<&-
	[ -S "$handle" ]
	# shellcheck disable=SC2046 # numbers
	kill -KILL $(marked "$VM_TEST" | grep -vx -e $$ -e "$BASHPID" | while read -r pid; do
		case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *bats*suite.bats*) echo "$pid" ;; esac
	done)
	wait $! || :
	no_leak
}
