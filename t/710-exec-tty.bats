#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A terminal in a real guest: who has one, its size, its keys, and the local one afterwards.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/lend
load lib/pty
export PTY_TERM=vt100

setup_file() {
	vm_file || return 0
	start tty -m 256M
	ctl -V tty ready agent
}

setup() {
	vm_setup
	export VM=tty
}

teardown() {
	[ ! -S tmux ] || tmux -S tmux kill-server || :
	no_leak tty
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/tty" ] || return 0
	ctl -V tty stop >/dev/null
	ctl -V tty wait >/dev/null
	no_leak
}

ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# -- who has one --

@test "-t is a terminal, without it there is none: with -i, without, in all combinations" {
	# shellcheck disable=SC2016 # the guest's
	ex -i sh -c 'cat >/tmp/which' <<<'for fd in 0 1 2; do [ -t $fd ] && printf y || printf n; done'
	which='. /tmp/which'
	[ "$(ex sh -c "$which" </dev/null)" = nnn ]
	[ "$(ex -i sh -c "$which" </dev/null)" = nnn ]
	[ "$(ex -t sh -c "$which" </dev/null)" = yyy ]
	[ "$(ex -i -t sh -c "$which" </dev/null)" = yyy ]
	[ "$(ex sh -c 'readlink /proc/self/fd/0')" = /dev/null ]
	pty_same 30 <<-END
		shell {vm-exec sh -c '$which; echo; exec readlink /proc/self/fd/0' | cat >n}
		shell {vm-exec -i sh -c '$which' >i}
		send "vm-exec -t sh -c '$which; echo'\r"
		want {yyy\r+\n}
		want {READY> \$}
		send "vm-exec -it sh -c '$which; echo'\r"
		want {yyy\r\n}
		want {READY> \$}
	END
	[ "$(cat n)" = $'nnn\n/dev/null' ]
	[ "$(cat i)" = nnn ]
}

@test "the terminal is a controlling one, of the user's" {
	[ "$(ex -t -u user sh -c 'echo ok >/dev/tty; echo too >"$(tty)"; stat -c %U "$(tty)"')" = $'ok\r\ntoo\r\nuser\r' ]
	# Leader of its session, in front, and the terminal's major number is that of a pty.
	run -3 ex -t sh -c 'read -r pid _ _ _ group session tty front _ </proc/self/stat
		echo "$((group == pid)) $((session == pid)) $((tty >> 8)) $((front == pid))"; exit 3'
	[ "${output//$'\r'/}" = '1 1 136 1' ]
}

@test "its size: at the start, and when it changes" {
	pty_same 30 <<-'END'
		send "vm-exec -t stty size\r"
		want {\n31 91\r+\n}
		want {READY> $}
		# Rows and columns are set one after the other, and may be told of one by one.
		send "vm-exec -it sh -c 's() { v=\$(stty size); echo \$v; \[ \"\$v\" != \"40 120\" \] || exit; }; stty size; trap s WINCH; "
		send "echo up; while :; do read x; done'\r"
		want {\n31 91\r\nup\r\n}
		exec stty rows 40 columns 120 <$spawn_out(slave,name)
		want {40 120\r\n}
		want {READY> $}
		send "vm-exec -it sh\r"
		want {# (\u001b\[6n)?$}
		exec stty rows 50 columns 130 <$spawn_out(slave,name)
		send "until \[ \"\$(stty size)\" = \"50 130\" \]; do :; done; echo resi''zed\r"
		want {\nresized\r\n}
		send "exit\r"
		want {READY> $}
		exec stty rows 31 columns 91 <$spawn_out(slave,name)
	END
}

# -- keys --

@test "Ctrl-C interrupts, Ctrl-Z stops, Ctrl-D ends, Ctrl-\\ quits" {
	pty_same 30 <<-'END'
		send "vm-exec -it sh; echo status=\$?\r"
		want {# (\u001b\[6n)?$}
		send "(until pidof sleep >/dev/null; do :; done; echo st''arted) & sleep 98765\r"
		want {\nstarted\r\n}
		send "\003"
		want {# (\u001b\[6n)?$}
		send "echo after-\$((6*7))\r"
		want {\nafter-42\r\n}
		send "echo st''arted; cat\r"
		want {\nstarted\r\n}
		send "typed\r"
		want {typed\r\ntyped\r\n}
		send "\032"
		want {Stopped}
		send "jobs | grep -c Stop; kill %1; fg; echo fg-\$((6*7))\r"
		want {\n1\r\n}
		want {\nfg-42\r\n}
		send "echo st''arted; cat\r"
		want {\nstarted\r\n}
		send "typed\r"
		want {\ntyped\r\ntyped\r\n|\ntyped\r\n}
		send "\004"
		want {# (\u001b\[6n)?$}
		send "(until pidof sleep >/dev/null; do :; done; echo st''arted) & sleep 98765\r"
		want {\nstarted\r\n}
		send "\034"
		want {# (\u001b\[6n)?$}
		send "exit 7\r"
		want {status=7\r\n}
		want {READY> $}
		send "vm-exec -it sh; echo status=\$?\r"
		want {# (\u001b\[6n)?$}
		send "\004"
		want {status=0\r\n}
		want {READY> $}
		send "vm-exec -it sh -c 'echo st\"\"arted; exec sleep 98765'; echo status=\$?\r"
		want {\nstarted\r\n}
		send "\003"
		want {status=130\r\n}
		want {READY> $}
	END
	[ "$(ex sh -c 'ps | grep -c "[s]leep 98765"' || :)" = 0 ]
}

@test "Ctrl-C and Ctrl-Z without a terminal there are the command's signals" {
	pty_same 30 <<-'END'
		send "vm-exec sh -c 'trap \"echo got-int; exit 5\" INT; echo up; while :; do sleep 0.1; done'; echo status=\$?\r"
		want {\nup\r\n}
		send "\003"
		want {got-int}
		want {status=5\r\n}
		want {READY> $}
		shell {set -m}
		exec vm-exec mkfifo /tmp/zz
		send "vm-exec sh -c 'echo up; read x </tmp/zz; echo on-\$x'\r"
		want {\nup\r\n}
		send "\032"
		want {READY> $}
		exec timeout 30 vm-exec sh -c {until grep -q "^State:.T" /proc/[0-9]*/status 2>/dev/null; do :; done}
		send "fg\r"
		want {vm-exec}
		exec timeout 30 vm-exec sh -c {echo well >/tmp/zz}
		want {on-well\r\n}
		want {READY> $}
	END
}

@test "the escape leaves, and what was left is hung up; typed twice it is a key" {
	ex mkfifo /tmp/left
	ex cat /tmp/left >/dev/null &
	job=$!
	pty_same 30 <<-'END'
		send "vm-exec -it --escape ^] sh -c 'exec 9>/tmp/left; stty raw -echo; echo up; head -c 2 | od -An -tx1; exec sleep 98765'; echo status=\$?\r"
		want {\nup}
		send "\035\035x"
		want {1d 78}
		send "\035"
		want {status=129\r\n}
		want {READY> $}
	END
	wait $job
	ex rm /tmp/left
}

# -- full screen --

# screen REGEX: wait until a line of the tmux window matches; !REGEX: until none does.
screen() {
	local end=$((SECONDS + 60))
	if [ "${1#!}" != "$1" ]; then
		while tmux -S tmux capture-pane -p | grep -qE -- "${1#!}"; do overdue $end "$1"; done
	else
		until tmux -S tmux capture-pane -p | grep -qE -- "$1"; do overdue $end "$1"; done
	fi
}

# overdue SECONDS WHAT: fail when that time is over.
overdue() {
	[ $SECONDS -lt "$1" ] || { tmux -S tmux capture-pane -p && echo "never: $2" && false; }
}

keys() {
	tmux -S tmux send-keys "$@"
}

# full_screen VI INSERTING LESS TOP: edit, read and watch under tmux by these commands; INSERTING is what the screen shows
# while VI inserts.
full_screen() {
	ex sh -c 'seq 1000 >/tmp/lines; rm -f /tmp/vi'
	echo 'set -g default-terminal screen' >tmux.conf
	tmux -S tmux -f tmux.conf new-session -d -x 80 -y 24 'env PS1="READY> " dash' 3>&-
	screen '^READY>'
	keys "stty -g >before; vm-exec -it -e TERM $1 /tmp/vi" Enter
	screen '^~'
	keys i
	screen "$2"
	keys 'hello from vi'
	screen '^hello from vi'
	# A key that follows at once would be part of an escape sequence.
	keys Escape
	screen "!$2"
	keys ':wq' Enter
	screen '^READY> *$'
	[ "$(ex cat /tmp/vi)" = 'hello from vi' ]
	keys "clear; vm-exec -it -e TERM $3 /tmp/lines" Enter
	screen '^20$'
	keys G
	screen '^1000$'
	tmux -S tmux resize-window -x 100 -y 40
	keys g
	screen '^35$'
	keys q
	keys 'clear' Enter
	screen '^READY> *$'
	keys "clear; vm-exec -it -e TERM $4 -d 1" Enter
	screen '^ *PID +(PPID|USER)'
	keys q
	keys 'clear' Enter
	screen '^READY> *$'
	keys 'stty -g >after; echo do""ne' Enter
	screen '^done'
	diff before after
}

@test "busybox's vi, less and top under tmux" {
	full_screen 'busybox vi' '^I /tmp/vi' 'busybox less' 'busybox top'
}

@test "vim, less and top under tmux" {
	lend tty vim.tiny less top
	# What it knows of the terminal that tmux is.
	limit vm-exec mkdir -p /lib/terminfo/s
	limit vm-cp /lib/terminfo/s/screen :/lib/terminfo/s
	full_screen 'vim.tiny -N -u NONE' '^-- INSERT --' less top
}

# -- the local terminal afterwards --

@test "killed by INT, TERM, HUP, QUIT: the terminal is as it was, and the command gone" {
	for sig in INT TERM HUP QUIT; do
		pty_same 30 <<-END
			send "ulimit -c 0; vm-exec -it sh -c 'echo up; trap \"\" HUP; exec sleep 98765'\r"
			want {\nup\r\n}
			exec pkill -$sig -x vm-exec -P [exp_pid]
			want {READY> \$}
			send "echo status=\\\$?\r"
			want {status=$((128 + $(kill -l $sig)))\r\n}
			want {READY> \$}
		END
	done
	end=$((SECONDS + 30))
	until [ "$(ex sh -c 'ps | grep -c "[s]leep 98765"' || :)" = 0 ]; do [ $SECONDS -lt $end ]; done
}

@test "the VM is killed, the agent is killed, the guest crashes: 125, and the terminal is as it was" {
	# shellcheck disable=SC2016 # the guest's
	for how in vm agent crash; do
		fore victim.$how -m 192M
		ctl ready agent
		case $how in
		vm) deed="kill -KILL $BOOT" ;;
		agent) deed='vm-exec -d sh -c {kill -9 $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)}' ;;
		crash) deed='vm-exec -d sh -c {echo c >/proc/sysrq-trigger}' ;;
		esac
		pty_same 30 <<-END
			send "vm-exec -it sh -c 'echo up; exec sleep 98765'; echo status=\\\$?\r"
			want {\nup\r\n}
			catch {exec $deed}
			want {vm-exec: (VM: it ended|agent: lost)}
			want {status=125\r\n}
			want {READY> \$}
		END
		[ $how = crash ] || kill -KILL "$BOOT" 2>/dev/null || :
		wait "$JOB" || :
		for job in $WAITERS; do wait "$job" || :; done
		# shellcheck disable=SC2086 # numbers
		gone $BOOT $KIDS
		run -1 ctl -V victim.$how status
		export VM=tty
	done
}

@test "the terminal is closed: the command is gone" {
	ex mkfifo /tmp/held
	ex cat /tmp/held >/dev/null &
	job=$!
	cat >close.exp <<-'END'
		set timeout 30
		spawn -noecho vm-exec -it sh -c {exec 9>/tmp/held; echo up; exec sleep 98765}
		expect -re {up\r\n} {} timeout { exit 1 }
		close
		wait
	END
	timeout -s KILL 60 expect -f close.exp 3>&-
	wait $job
	ex rm /tmp/held
}
