#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-exec -it in a terminal, against a stand-in for the VM.

bats_require_minimum_version 1.5.0
load lib/pty
load lib/exec-client

@test "interactive: typing, Ctrl-C, Ctrl-D, size" {
	serve vm
	pty_same <<-'EOF'
		shell {stty cols 71 rows 31}
		shell {stty -g >before}
		send "vm-exec -it -e PS1=guest\\> busybox sh; echo status=\$?\r"
		want {guest>}
		send "echo he\"\"llo\r"
		want {hello\r\n}
		send "stty size\r"
		want {31 71\r\n}
		send "(until pgrep -xf 'sleep 1002' >/dev/null; do :; done; echo slee\"\"ping) & sleep 1002\r"
		want {sleeping\r\n}
		send "\003"
		want {guest>}
		stty rows 40 cols 132 < $spawn_out(slave,name)
		send "until \[ \"\$(stty size)\" = \"40 132\" \]; do :; done; echo resi''zed\r"
		want {resized\r\n}
		send "exit 5\r"
		want {status=5\r\nREADY> $}
		send "vm-exec -it cat; echo status=\$?\r"
		want {\n}
		send "x\r"
		want {x\r\nx\r\n}
		send "\004"
		want {status=0\r\nREADY> $}
	EOF
}

@test "interactive: every key goes to the command" {
	serve vm
	pty_same <<-'EOF'
		send "vm-exec -it sh -c 'stty raw -echo; echo go; head -c 8 | od -An -tx1'; echo status=\$?\r"
		want {\ngo}
		send "\003\032\034\021\023\035\020\r"
		want {03 1a 1c 11 13 1d 10 0d}
		want {status=0\r\nREADY> $}
	EOF
}

@test "interactive: behind a handle pipe the keyboard is /dev/tty" {
	pty_same <<-'EOF'
		shell {stty cols 99 rows 33}
		shell {stty -g >before}
		send "exec_server | vm-exec -it sh -c 'stty size; read x; echo \"<\$x>\"; exit 3'; echo status=\$?\r"
		want {33 99}
		send "typed\r"
		want {<typed>}
		want {status=3\r\nREADY> $}
	EOF
}

@test "interactive: Ctrl-C without -t is passed on, and without -i the terminal is as it was" {
	serve vm
	pty_same <<-'EOF'
		send "vm-exec sh -c 'trap \"echo caught; exit 8\" INT; echo go; while :; do sleep 0.1; done'; echo status=\$?\r"
		want {go\r\n}
		send "\003"
		want {caught}
		want {status=8\r\nREADY> $}
		send "vm-exec -t sh -c 'stty -echo; echo go; while :; do sleep 0.1; done'\r"
		want {\ngo}
		exec stty -a < $spawn_out(slave,name) >during
		send "\003"
		want {READY> $}
		send "vm-exec -t true; read x; echo \"<\$x>\"\r"
		send "mine\r"
		want {<mine>\r\nREADY> $}
	EOF
	grep -qw icanon during
}

@test "interactive: Ctrl-Z stops both, fg continues both" {
	serve vm
	mkfifo go
	pty_same <<-'EOF'
		shell {set -m}
		send "vm-exec sh -c 'echo go; read x <go; echo on'\r"
		want {\ngo\r\n}
		send "\032"
		want {READY> $}
		send "fg; echo status=\$?\r"
		exec sh -c {until grep -qx signal=CONT log; do :; done}
		send "\003"
		want {READY> $}
	EOF
	grep -qx signal=TSTP log
	grep -qx signal=CONT log
	grep -qx signal=INT log
}

@test "interactive: killed, the terminal is as it was and the status tells" {
	serve vm
	for sig in INT TERM HUP QUIT; do
		pty_same <<-EOF
			send "ulimit -c 0; vm-exec -it sh -c 'echo go; exec sleep 1000'\r"
			want {go\r\n}
			exec pkill -$sig -x vm-exec -P [exp_pid]
			want {READY> \$}
			send "echo status=\\\$?\r"
			want {status=$((128 + $(kill -l $sig)))\r\n}
			want {READY> \$}
		EOF
	done
}

@test "interactive: stopped and continued, the terminal changes hands" {
	serve vm
	pty_same <<-'EOF'
		shell {set -m}
		send "vm-exec -it -e PS1=guest\\> busybox sh; echo status=\$?\r"
		want {guest>}
		exec pkill -TSTP -x vm-exec -P [exp_pid]
		want {READY> $}
		shell {stty -g >during}
		stty rows 41 cols 133 < $spawn_out(slave,name)
		send "fg\r"
		want {vm-exec}
		send "\r"
		want {guest>}
		send "until \[ \"\$(stty size)\" = \"41 133\" \]; do :; done; echo resi''zed\r"
		want {resized\r\n}
		send "exit\r"
		want {READY> $}
	EOF
	diff before during
}

@test "interactive: the VM is killed, or the terminal closed" {
	serve vm
	pty_same <<-EOF
		send "vm-exec -it sh -c 'echo go; exec sleep 1000'; echo status=\\\$?\r"
		want {go\r\n}
		exec kill ${servers[0]}
		want {vm-exec: VM: it ended}
		want {status=125\r\nREADY> \$}
	EOF
	serve vm2
	cat >close.exp <<-'EOF'
		spawn -noecho vm-exec -it sh -c "echo go; exec sleep 1000"
		expect -re {go\r\n}
		puts [open pid w] [exp_pid]
		close
		puts "ended: [wait]"
	EOF
	timeout 60 expect close.exp >said 3>&-
	# Whether it read the end or heard of it first.
	grep -q '^ended: .* SIGHUP ' said
	seen closed
}

@test "interactive: an agent that breaks the protocol leaves the terminal as it was" {
	n=0
	for mode in started,huge started,unknown started,flood started,reserved; do
		n=$((n + 1))
		serve "vm$n" --mode "$mode"
		pty_same <<-'EOF'
			send "vm-exec -it x; echo status=\$?\r"
			want {vm-exec: agent: protocol error: }
			want {status=125\r\nREADY> $}
		EOF
	done
}

@test "interactive: the escape" {
	serve vm
	pty_same <<-'EOF'
		send "vm-exec -it --escape ^] sh -c 'stty raw -echo; printf GO; exec cat -v'; echo status=\$?\r"
		want {\nGO}
		send "\035\035x"
		want {\^\]x}
		send "\035"
		want {status=129\r\nREADY> $}
		send "vm-exec -it --escape q sh -c 'stty raw -echo; printf GO; exec sleep 1000'; echo status=\$?\r"
		want {\nGO}
		for {set i 0} {$i < 400} {incr i} { send [string repeat x 1000] }
		send "q."
		want {status=129\r\nREADY> $}
	EOF
}
