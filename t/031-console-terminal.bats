#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-console in a terminal, against a stand-in for the VM.

bats_require_minimum_version 1.5.0
load lib/pty
load lib/console-client

@test "interactive: typing, Ctrl-C, Ctrl-D, and nothing left behind" {
	on_pty <<-'EOF'
		send "console_server -- busybox sh | vm-console; echo status=$?\r"
		want {\nguest> }
		send "echo he\"\"llo\r"
		want {hello\r\n}
		send "(until pgrep -xf 'sleep 1001' >/dev/null; do :; done; echo slee\"\"ping) & sleep 1001\r"
		want {sleeping\r\n}
		send "\003"
		want {guest> }
		send "ps ax | grep -c \"\[s\]leep 1001\"\r"
		want {\n0\r\n}
		want {guest> }
		send "\004"
		want {status=0\r\nREADY> $}
		shell {stty -g >after}
		send "exit\r"
		gone
	EOF
	same_terminal
}

@test "interactive: Ctrl-Z and Ctrl-\\ go to the guest" {
	on_pty <<-'EOF'
		send "console_server --raw -- sh -c 'echo go; head -c 6 | od -An -tx1' | vm-console; echo status=$?\r"
		want {go\r?\n}
		send "\003\032\034\021\023\r"
		want {03 1a 1c 11 13 0d}
		want {status=0\r\nREADY> $}
		shell {stty -g >after}
	EOF
	same_terminal
}

@test "interactive: resize reaches the guest, at attach and later" {
	serve vm --cols 99 -- busybox sh
	on_pty <<-'EOF'
		shell {stty cols 71 rows 31}
		shell {stty -g >before}
		send "vm-console -V vm --escape ^A; echo status=$?\r"
		want {\nguest> }
		send "stty size\r"
		want {31 71\r\n}
		stty rows 40 cols 132 < $spawn_out(slave,name)
		send "trap : WINCH; until \[ \"\$(stty size)\" = \"40 132\" \]; do :; done; echo resi''zed\r"
		want {resized\r\n}
		send "\001"
		want {status=0\r\nREADY> $}
		shell {stty -g >after}
	EOF
	same_terminal
	serve nosize --no-size -- busybox sh
	on_pty <<-'EOF'
		send "vm-console -V nosize; echo status=$?\r"
		want {\nguest> }
		send "exit\r"
		want {status=0\r\nREADY> $}
	EOF
}

@test "interactive: the escape" {
	serve vm --raw -- sh -c 'printf GO; exec cat -v'
	on_pty <<-'EOF'
		send "vm-console -V vm; echo status=$?\r"
		want {GO}
		send "\035\035x"
		want {\^\]x}
		send "\035"
		want {status=0\r\nREADY> $}
		send "vm-console -V vm --escape \"\"; echo status=$?\r"
		want {x}
		send "\035y"
		want {\^\]y}
		exec pkill -TERM -x vm-console -P [exp_pid]
		want {READY> $}
		send "vm-console -V vm --escape q; echo status=$?\r"
		want {y}
		send "q"
		want {status=0\r\nREADY> $}
		shell {stty -g >after}
	EOF
	same_terminal
}

@test "interactive: a guest that takes no input can still be left" {
	serve vm --raw -- sh -c 'printf GO; exec sleep 1000'
	on_pty <<-'EOF'
		send "vm-console -V vm; echo status=$?\r"
		want {GO}
		for {set i 0} {$i < 300} {incr i} { send [string repeat x 1000] }
		send "\035"
		want {status=0\r\nREADY> $}
		shell {stty -g >after}
	EOF
	same_terminal
}

@test "interactive: killed, the terminal is as it was and the status tells" {
	serve vm -- busybox sh
	for sig in INT TERM HUP QUIT; do
		on_pty <<-EOF
			send "ulimit -c 0; vm-console -V vm\r"
			want {\nguest> }
			exec pkill -$sig -x vm-console -P [exp_pid]
			want {READY> \$}
			send "echo status=\\\$?\r"
			want {status=$((128 + $(kill -l $sig)))\r\n}
			want {READY> \$}
			shell {stty -g >after}
		EOF
		same_terminal
	done
}

@test "interactive: stopped and continued" {
	serve vm -- busybox sh
	local sig PTY_SHELL=bash        # which puts the terminal right where STOP gave no time for it

	for sig in TSTP STOP; do
		on_pty <<-EOF
			shell {set -m}
			send "vm-console -V vm; echo status=\\\$?\r"
			want {\nguest> }
			exec pkill -$sig -x vm-console -P [exp_pid]
			want {READY> \$}
			shell {stty -g >during}
			stty rows 41 cols 133 < \$spawn_out(slave,name)
			send "fg; echo status=\\\$?\r"
			want {vm-console}
			send "\r"
			want {\nguest> }
			send "stty size\r"
			want {41 133\r\n}
			send "\035"
			want {status=0\r\nREADY> \$}
			shell {stty -g >after}
		EOF
		same_terminal
		diff before during
	done
}

@test "interactive: the VM is killed, or its terminal closed" {
	serve vm -- busybox sh
	on_pty <<-EOF
		send "vm-console -V vm; echo status=\\\$?\r"
		want {\nguest> }
		exec kill -KILL ${servers[0]}
		want {killed}
		want {status=125\r\nREADY> \$}
		shell {stty -g >after}
	EOF
	same_terminal
	rm -rf "${VM_RUNTIME_DIR:?}"/*
	serve vm2 -- busybox sh
	# The inner shell outlives the terminal, for the status; a pipe tells when it is there.
	mkfifo status
	exec 7<>status
	on_pty <<-'EOF'
		send "sh -c 'trap : HUP; vm-console -V vm2; echo status=\$? >status'\r"
		want {\nguest> }
		exec pgrep -x vm-console -s [exp_pid] >pid
		close
	EOF
	tail --pid="$(cat pid)" -f /dev/null
	read -r -t 20 line <&7
	exec 7<&-
	echo "$line"
	[ "$line" = status=129 ]
	con -V vm2 --run true
}

@test "interactive: --timeout" {
	serve vm -- busybox sh
	on_pty <<-'EOF'
		send "vm-console -V vm --timeout 1; echo status=\$?\r"
		want {\nguest> }
		want {status=124\r\nREADY> $}
		shell {stty -g >after}
	EOF
	same_terminal
}
