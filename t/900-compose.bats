#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Composition: the pipe and the chain, in every shell; who reads what; what ends with what.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/pty

SHELLS=(bash dash 'busybox sh')

setup_file() {
	vm_file || return 0
	# The scripts below say `vm-boot`: it is given this engine.
	mkdir bin
	printf '#!/bin/sh\nexec "%s/vm-boot" --engine %s -m 256M "$@"\n' "$BIN" "$VM_ENGINE" >bin/vm-boot
	chmod +x bin/vm-boot
	start shared -m 256M
}

setup() {
	vm_setup
	PATH=$BATS_FILE_TMPDIR/bin:$PATH
}

teardown() {
	exec 7<&-
	no_leak shared
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/shared" ] || return 0
	ctl -V shared stop >/dev/null
	ctl -V shared wait >/dev/null
	no_leak
}

# script SHELL: run what comes on stdin in it; with a stdin that is open and silent, which nobody may wait for.
script() {
	cat >script
	[ -p silent ] || mkfifo silent
	exec 7<>silent
	# shellcheck disable=SC2086 # a shell may be two words
	limit $1 script <silent
}

# expect(1) with a shell in a terminal
on_pty() {
	command -v expect >/dev/null || skip 'no expect'
	{
		pty_prelude 40
		cat
		printf '%s\n' 'send "exit\r"' gone
	} >script.exp
	limit expect -f script.exp >log </dev/null || { cat log && false; }
}

# -- every way in every shell --

# all_ways SHELL [pipe]: every way; with a second word the first alone.
all_ways() {
	# vm-boot | tool
	run --separate-stderr script "$1" <<-'EOF'
		vm-boot | vm-console --run 'echo in a pipe; exit 7'
	EOF
	# shellcheck disable=SC2154 # run --separate-stderr sets it
	[ "$status" -eq 7 ] && [ "$output" = 'in a pipe' ] && [ -z "$stderr" ] || { echo "$status: $output: $stderr" && false; }
	[ -z "${2-}" ] || return 0

	# vm-boot | { read -r VM; export VM; ... }
	run -3 --separate-stderr script "$1" <<-'EOF'
		vm-boot | {
			read -r VM; export VM
			vm-ctl status | grep state
			vm-ctl handle
			exit 3
		}
	EOF
	[ "${lines[0]}" = state=running ]
	[[ ${lines[1]} == "$VM_RUNTIME_DIR/vm-"*/ctl ]]
	[ ! -e "${lines[1]}" ]
	[ -z "$stderr" ]

	# VM=$(vm-boot -d 2>&1)
	run -0 --separate-stderr script "$1" <<-'EOF'
		VM=$(vm-boot -d 2>&1) || exit
		export VM
		printf 'one\ntwo\nthree\n' | while read -r line; do
			vm-console --run "echo $line; cat"
		done
		vm-ctl kill >/dev/null
		vm-ctl wait
	EOF
	[ "$output" = $'one\ntwo\nthree\nkilled\n125' ]
	[ -z "$stderr" ]

	# vm-boot --with tool
	run -9 --separate-stderr script "$1" <<-'EOF'
		vm-boot --with vm-console --run 'echo in a chain; exit 9'
	EOF
	[ "$output" = 'in a chain' ]
	[ -z "$stderr" ]
}

@test "every way works in bash" {
	all_ways bash
}

@test "every way works in dash" {
	all_ways dash $(share "" pipe)
}

@test "every way works in busybox sh" {
	all_ways 'busybox sh' $(share "" pipe)
}

# -- who reads what --

@test "a loop over lines loses none, whichever tool is in it" {
	export VM=shared
	seq 20 >numbers
	for shell in "${SHELLS[@]}"; do
		run -0 script "$shell" <<-'EOF'
			while read -r n; do
				vm-ctl status >/dev/null
				vm-ctl list >/dev/null
				[ "$n" != 5 ] || vm-console --run 'cat; true'
				[ "$n" != 6 ] || vm-console --send '\n' --wait-for '# ' >/dev/null
				[ "$n" != 7 ] || "$BIN/vm-boot" --probe >/dev/null
				[ "$n" != 8 ] || vm-boot --timeout 0.1 >/dev/null 2>&1
				[ "$n" != 9 ] || vm-boot --with vm-ctl status >/dev/null
				echo "$n"
			done <numbers
		EOF
		[ "$output" = "$(seq 20)" ]
	done
}

@test "the handle's line is all that is read of a pipe" {
	run -0 script bash <<-'EOF'
		{ echo "$VM_RUNTIME_DIR/shared/ctl"; seq 5; } | { vm-ctl status | grep state; cat; }
	EOF
	[ "$output" = $'state=running\n1\n2\n3\n4\n5' ]
}

@test "an open, silent stdin is never waited for when the VM is named" {
	export VM=shared
	# A pipe that nobody writes to is stdin of all these.
	for shell in "${SHELLS[@]}"; do
		run -0 script "$shell" <<-'EOF'
			vm-ctl status >/dev/null && vm-ctl list >/dev/null && vm-console --run 'echo done'
		EOF
		[ "$output" = 'done' ]
	done
	unset VM
	while read -r shell <&6; do
		run -0 script "$shell" <<-'EOF'
			vm-boot --with vm-ctl -V shared handle
		EOF
		[ "$output" = "$VM_RUNTIME_DIR/shared/ctl" ]
	done 6< <(few 1 "${SHELLS[@]}")
}

# -- how a VM is named --

@test "-V takes a name, a handle, fd:N of a pipe, fd:N of a socket, and -" {
	handle=$VM_RUNTIME_DIR/shared/ctl
	[ "$(ctl -V shared handle)" = "$handle" ]
	[ "$(ctl -V "$handle" handle)" = "$handle" ]
	[ "$(VM=shared ctl handle)" = "$handle" ]
	[ "$(VM=none ctl -V shared handle)" = "$handle" ]
	[ "$(ctl handle < <(echo "$handle"))" = "$handle" ]
	[ "$(ctl -V fd:9 handle 9< <(echo "$handle"))" = "$handle" ]
	[ "$(VM=fd:9 ctl handle 9< <(echo "$handle"))" = "$handle" ]
	[ "$(VM=none ctl -V - handle < <(echo "$handle"))" = "$handle" ]
	echo "$handle" >file
	[ "$(ctl -V - handle <file)" = "$handle" ]
	[ "$(vm-boot --with vm-ctl handle 3>&-)" = "$(vm-boot --with sh -c 'echo "$VM"' 3>&-)" ]
	run -0 vm-boot --with sh -c 'vm-ctl -V "$VM" status && vm-ctl status && vm-console -V "$VM" --timeout 0.01; :' 3>&-
	[ "$(grep -c '^state=running$' <<<"$output")" -eq 2 ]
}

@test "errors say what to do" {
	while IFS='|' read -r words vm input; do
		run -1 --separate-stderr limit env ${vm:+"VM=$vm"} vm-ctl status < <(printf "$input")
		echo "VM=$vm <$input>: $stderr"
		[ "${#stderr_lines[@]}" -eq 1 ]
		# shellcheck disable=SC2053
		[[ $stderr == vm-ctl:\ $words ]]
	done <<-'EOF'
		no handle came on stdin: *||
		what came on stdin is not a handle (it does not start with /): pipe vm-boot into this*||hello\n
		what came on stdin is not a handle (a line of at most 4095 bytes is)||%05000d\n
		what came on stdin is not a handle*||/a\0b\n
		no handle came on stdin*||/no/newline
		/none/ctl: no such VM: it has ended or never started (vm-ls lists those that live)||/none/ctl\n
		gone: no such VM (vm-ls lists those that live)|gone|
		fd:9: no such open descriptor was inherited|fd:9|
	EOF
	run -1 --separate-stderr limit vm-ctl status </dev/null
	[ "$stderr" = 'vm-ctl: no VM given: pipe vm-boot into this, or name the VM with -V or the variable VM' ]
	run -125 --separate-stderr limit vm-console --run true </dev/null
	[ "$stderr" = 'vm-console: no VM given: pipe vm-boot into this, or name the VM with -V or the variable VM' ]
}

@test "a second VM for one reader is refused" {
	for shell in "${SHELLS[@]}"; do
		# dash has no pipefail.
		run -0 --separate-stderr script "$shell" <<-'EOF'
			{ VM=shared vm-boot; echo "$?" >told; } | cat
		EOF
		[ "$(cat told)" = 125 ]
		[ -z "$output" ]
		[[ $stderr == 'vm-boot: VM is set: '*': unset VM, or use -d or --with' ]]
	done
	# Those cures work.
	[ "$(VM=none vm-boot --with sh -c 'echo "${VM%%:*}"' 3>&-)" = fd ]
}

# -- what ends with what --

@test "vm-boot | head -1" {
	for shell in bash 'busybox sh'; do
		run -0 script "$shell" <<-'EOF'
			set -o pipefail
			vm-boot | head -1
		EOF
		[[ $output == "$VM_RUNTIME_DIR/vm-"*/ctl ]]
		[ ! -e "$output" ]
	done
}

@test "what a reader leaves running keeps no VM alive, if its stdin is not the pipe" {
	# dash and busybox's sh give a background job /dev/null; bash, in the last part of a pipeline, leaves it the pipe.
	for shell in "${SHELLS[@]}"; do
		null=''
		[ "$shell" != bash ] || null='</dev/null'
		run -0 script "$shell" <<-EOF
			vm-boot --status-fd 8 8>status | {
				read -r VM; export VM; vm-ctl status >/dev/null
				sleep 1000 $null & echo \$! >pid
			}
			kill -0 "\$(cat pid)" && kill "\$(cat pid)"
		EOF
		[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
	done
}

@test "a job that bash leaves with the pipe as its stdin keeps the VM alive, until it ends" {
	mkfifo said
	exec 9<>said
	limit bash -c 'vm-boot --status-fd 8 8>status | {
		read -r VM; export VM; vm-ctl status >/dev/null
		sleep 1000 & echo "$! $BASHPID $VM" >said
	}' 9<&- &
	job=$!
	read -r pid reader handle <&9
	gone "$reader"
	ctl -V "$handle" ready >/dev/null
	ctl -V "$handle" status | grep -qx state=running
	[ ! -s status ]
	kill "$pid"
	wait $job
	exec 9<&-
	[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
}

@test "what a program behind --with leaves running keeps no VM alive" {
	mkfifo status
	exec 8<>status
	limit vm-boot --status-fd 8 --with sh -c 'sleep 1000 8>&- & echo $! >pid'
	kill -0 "$(cat pid)"
	line=
	read -r -t 20 line <&8 || :
	exec 8<&-
	kill "$(cat pid)"
	[ "$line" = '{"cause":"stopped","status":0}' ]
}

@test "--with: the exit status is the program's" {
	run -127 --separate-stderr limit vm-boot --with no-such-program
	[ "$stderr" = 'vm-boot: --with: no-such-program: No such file or directory' ]
	echo text >text
	run -126 --separate-stderr limit vm-boot --with ./text
	[ "$stderr" = 'vm-boot: --with: ./text: Permission denied' ]
	run -126 --separate-stderr limit vm-boot --with "$PWD"
	for status in 0 1 124 125 255; do run -$status limit vm-boot --with sh -c "exit $status"; done
	run -143 limit vm-boot --with sh -c 'kill $$'
	run -125 --separate-stderr limit vm-boot -k none --with echo never
	[ -z "$output" ]
	[ "$stderr" = 'vm-boot: kernel: none: No such file or directory' ]
	run -125 --separate-stderr limit vm-boot -k text --with echo never
	[ -z "$output" ]
	[ "$stderr" = 'vm-boot: text: is neither a bzImage nor an ELF vmlinux' ]
	# Its stdin, stdout and arguments are its own, and so is its process.
	[ "$(echo in | limit vm-boot --with sh -c 'cat; printf "<%s>" "$@"' - 'a b' '' '*')" = $'in\n<a b><><*>' ]
	limit sh -c 'echo $$; exec vm-boot --with sh -c "echo \$\$"' >pids
	[ "$(sort -u pids | wc -l)" -eq 1 ]
}

@test "--with -n: others reach it by its name" {
	run -0 limit vm-boot -n named --with sh -c 'vm-ctl -V named status; vm-ctl list'
	grep -qx name=named <<<"$output"
	grep -qxF "$VM_RUNTIME_DIR/named/ctl" <<<"$output"
}

@test "the program's death ends the VM, the VM's death is the program's to see" {
	# Killed once the question was asked: vm-ctl is in recvmsg(2), number 47, on the connection that it has dialled.
	run -0 --separate-stderr limit vm-boot --with sh -c 'vm-ctl wait &
		until read -r number fd _ </proc/$!/syscall && [ "$number $fd" = "47 0x3" ]; do :; done
		vm-ctl kill >/dev/null; wait $!; vm-ctl status || echo "then $?"'
	echo "$output; $stderr"
	[ "$output" = $'killed\n125\nthen 1' ]
	[[ $stderr == *': the VM has ended'* ]]
}

@test "a dead vm-boot ends its reader's wait" {
	run script bash <<-'EOF'
		vm-boot | { read -r VM; export VM; vm-ctl wait & kill -KILL "$(vm-ctl status | sed -n s/^pid=//p)"; wait $!; echo "status $?"; }
	EOF
	echo "$output"
	[[ $output == *'vm-ctl: the VM has ended'* ]]
	[[ $output == *'status 1' ]]
	ctl list >/dev/null
}

# -- the terminal --

@test "Ctrl-C in a pipeline is for the command, not for the VM" {
	# It says that it waits when no signal can come too early for it.
	cat >waits <<-'EOF'
		use POSIX;
		sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGINT, SIGQUIT));
		$SIG{INT} = $SIG{QUIT} = sub { $caught = 1 };
		$| = 1;
		print "WAITING\n";
		sigsuspend(POSIX::SigSet->new) until $caught;
		print "CAUGHT\n";
	EOF
	while read -r shell <&6; do
		PTY_SHELL=$shell on_pty <<-'EOF'
			send "vm-boot --status-fd 8 8>status | { trap : INT QUIT; read -r VM; export VM; perl waits; vm-ctl status; perl waits; vm-ctl status; echo \"LE\"AVES; }; echo STATUS \$?\r"
			want {WAITING}
			send "\003"
			want {CAUGHT}
			want {state=running}
			want {WAITING}
			send "\034"
			want {CAUGHT}
			want {state=running}
			want {LEAVES}
			want {STATUS 0}
			prompt
		EOF
		[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
	done 6< <(few 1 "${SHELLS[@]}")
}

@test "Ctrl-C that ends the command ends the VM" {
	while read -r shell <&6; do
		PTY_SHELL=$shell on_pty <<-'EOF'
			send "vm-boot --status-fd 8 8>status | sh -c 'read -r VM; echo WAI\"\"TING; exec vm-ctl -V \$VM wait'\r"
			want {WAITING}
			send "\003"
			prompt
		EOF
		[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
	done 6< <(few 1 "${SHELLS[@]}")
}

@test "vm-boot | vm-console on a terminal: a shell, until it is left" {
	on_pty <<-'EOF'
		send "vm-boot --status-fd 8 8>status | vm-console; echo STATUS \$?\r"
		want {vm:~# }
		send "echo gue''st-\$((6*7))\r"
		want {guest-42}
		want {# }
		send "\004"
		want {STATUS 0}
		want {READY> $}
	EOF
	[ "$(cat status)" = '{"cause":"exited","status":0}' ]
}
