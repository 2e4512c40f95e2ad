#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The console of a whole VM: every byte, both ways, whoever reads or does not; and commands run over it.

bats_require_minimum_version 1.5.0
load lib/vm-test

# How much and how often: larger in `make soak`.
REPEAT=${VM_REPEAT:-1}

setup_file() {
	vm_file || return 0
	# On kvm the kernel's last words go to the other port, too.
	[ "$CONSOLE" = ttyS0 ] || set -- -a 'console=ttyS0 console=hvc0' --log-console kernel.log
	start con -m 256M "$@"
}

setup() {
	vm_setup
	export VM=con
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 60 "$BATS_FILE_TMPDIR/kernel.log" 2>/dev/null || :
	no_leak con
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/con" ] || return 0
	ctl -V con stop >/dev/null
	ctl -V con wait >/dev/null
	no_leak
}

# every byte, in the notation of printf(1) and of --send
all_bytes() {
	local i
	for ((i = 0; i < 256; i++)); do printf '\\x%02x' "$i"; done
}

run_is() {
	local want=$1 status=0
	shift
	con --run "$@" >out 2>err || status=$?
	[ "$status" -eq "$want" ] || { echo "status $status, not $want: $* $(cat err)" && return 1; }
	[ ! -s err ] || { cat err && return 1; }
}

# -- bytes --

@test "10,000 numbered lines arrive once each and in order" {
	con --send 'seq 10000; echo end-$((40 + 2))\n' --wait-for 'end-42' >out
	tr -d '\r' <out | grep -xE '[0-9]+' >lines
	seq 10000 | cmp - lines
}

@test "2,000 single-byte inputs all arrive" {
	local bytes=() byte i count
	count=$(share 2000 400)
	con --send "stty raw -echo; echo go-\$((40 + 2)); head -c $count | sha256sum; stty sane\n" --wait-for 'go-42' >/dev/null
	for ((i = 0; i < count; i++)); do printf -v bytes[i] '\\x%02x' $((i % 251 + 1)); done
	# shellcheck disable=SC2059 # the notation is the format
	printf "$(printf %s "${bytes[@]}")" >bytes
	mkfifo keys
	timeout -s KILL 120 vm-console --no-replay <keys >out 3>&- &
	job=$!
	for byte in "${bytes[@]}"; do printf "$byte"; done >keys
	con --wait-for "$(sha256sum <bytes | cut -c 1-64)" >/dev/null
	kill $job
	wait $job || :
	run_is 0 true
}

@test "all 256 byte values pass to the guest and back, in raw mode" {
	# shellcheck disable=SC2059 # the notation is the format
	printf "$(all_bytes)" >all
	con --send 'stty raw -echo; echo go-$((40 + 2)); head -c 256 >/tmp/all; stty sane; echo got-$((40 + 2))\n' \
		--wait-for 'go-42' --send "$(all_bytes)" --wait-for 'got-42' >/dev/null
	run_is 0 'cat /tmp/all'
	cmp all out
	con --send 'stty raw -echo; echo begin-$((40 + 2)); cat /tmp/all /tmp/all; echo; echo end-$((40 + 2)); stty sane\n' \
		--wait-for 'end-42' >raw
	cat all all >twice
	perl -0777 -ne '/begin-42\r?\n(.{512})\r?\nend-42/s or exit 1; print $1' raw | cmp - twice
}

@test "Ctrl-C kills a sleep, and the sleep is gone" {
	# A shell about to exec takes the signal and forgets it: so wait for the sleep itself.
	con --send '(until pidof sleep >/dev/null; do :; done; echo on-$((40 + 2))) & sleep 98765\n' --wait-for 'on-42' \
		--send '\x03' >/dev/null
	run_is 0 'ps | grep -c "[s]leep 98765" || true'
	[ "$(cat out)" = 0 ]
}

@test "who comes late sees what was printed" {
	con --send 'echo late-$((6 * 7))\n' --wait-for 'late-42' >/dev/null
	con --timeout 20 --wait-for 'late-42' >/dev/null
}

@test "several readers get the same" {
	for i in 1 2 3; do
		limit vm-console --wait-for 'all-42' >"out$i" 2>"err$i" &
		jobs[i]=$!
	done
	con --send 'seq 300; echo all-$((40 + 2))\n' --wait-for 'all-42' >/dev/null
	for i in 1 2 3; do
		wait "${jobs[i]}"
		# What was there before is replayed as far as it goes.
		tr -d '\r' <"out$i" | grep -axE '[0-9]+' | tail -n 300 | diff - <(seq 300)
	done
}

@test "a reader that is gone in the middle, and one killed, disturb nobody" {
	limit sh -c 'vm-console --read-only | head -c 1' >/dev/null &
	job=$!
	con --send 'seq 2000; echo end-$((40 + 2))\n' --wait-for 'end-42' >/dev/null
	wait $job || :
	# The pipe stays open: this one is killed while it waits for more.
	mkfifo pipe
	vm-console --read-only >pipe 3>&- &
	job=$!
	exec 4<pipe
	head -c 1 <&4 >/dev/null
	kill -KILL $job
	status=0
	wait $job || status=$?
	exec 4<&-
	[ $status = 137 ]
	run_is 0 'echo well'
	[ "$(cat out)" = well ]
}

@test "the size of the terminal reaches the guest, at attach and when it changes" {
	# A serial port has no size: there the agent brings it, a moment later.
	expect <<-'EOF' 3>&-
		set timeout 60
		set stty_init {rows 31 columns 91}
		spawn -noecho vm-console --no-replay
		send "\runtil \[ \"\$(stty size)\" = \"31 91\" \]; do :; done; echo fir''st\r"
		expect "\nfirst\r" {} timeout { exit 1 }
		exec stty rows 40 columns 120 <$spawn_out(slave,name)
		send "\runtil \[ \"\$(stty size)\" = \"40 120\" \]; do :; done; echo sec''ond\r"
		expect "\nsecond\r" {} timeout { exit 2 }
		send "\x1d"
		expect eof {} timeout { exit 3 }
		exit [lindex [wait] 3]
	EOF
}

@test "vm-ctl console-size is the size of the guest's terminal" {
	ctl console-size 101 41
	# shellcheck disable=SC2016 # the guest's
	con --send 'until [ "$(stty size)" = "41 101" ]; do :; done; echo siz$((40 + 2))\n' --wait-for 'siz42' >/dev/null
}

# What prints more than the console's ring, 1 MiB, and a socket hold, so that who does not read makes a difference: 3 MB,
# 1.4 in the lab; in one line, for a terminal stops at each.
MANY=$(share 450000 220000)
MUCH="seq $MANY | tr '\\n' ' '; echo"

# how_long [READER]: milliseconds that a fresh guest takes to print them and power off. READER: reading, a stream, which
# holds the console; watching, one that is stuck and does not hold it, beside a reading one; holding, one that is stuck and
# holds it. What the one that reads got is checked.
how_long() {
	local start
	start speed -m 256M
	exec 9<>stuck
	case ${1-} in
	watching) timeout 300 vm-console -V speed --read-only >stuck 2>/dev/null 3>&- 9>&- & ;;
	holding) timeout 300 vm-console -V speed >stuck 2>/dev/null 3>&- 9>&- & ;;
	esac
	case ${1-} in
	watching | reading) timeout 300 vm-console -V speed >"$1" 2>&1 3>&- 9>&- & ;;
	esac
	# They are there when they have something.
	case ${1-} in watching | holding) head -c 1 <&9 >/dev/null ;; esac
	case ${1-} in watching | reading) until [ -s "$1" ]; do :; done ;; esac
	start=$EPOCHREALTIME
	con -V speed --send "${MUCH//\\/\\\\}; poweroff\n"
	ctl -V speed wait >/dev/null
	echo "$start $EPOCHREALTIME" | awk '{ printf "%d\n", ($2 - $1) * 1000 }'
	exec 9<&-
	wait || :
	case ${1-} in
	watching | reading) tr -d '\r' <"$1" | grep -xE '[0-9 ]{1000,}' | cmp - much >&2 ;;
	esac
}

@test "a guest that prints megabytes is slowed by nobody: not by no reader, nor by one that stopped reading, nor is another reader" {
	[ "$CONSOLE" = hvc0 ] || skip 'a serial port is as slow as it is: the kvm engine alone'
	bash -c "$MUCH" >much
	mkfifo stuck
	for ((i = 0; i < REPEAT; i++)); do
		nobody=$(how_long)
		watching=$(how_long watching)
		holding=$(how_long holding)
		reading=$(how_long reading)
		echo "nobody $nobody ms, reading $reading; with one that is stuck $watching; with one that holds $holding"
		[ "$nobody" -lt $((2 * reading + 2000)) ]
		[ "$watching" -lt $((2 * nobody + 2000)) ]
		# It may hold the guest back for a second, once.
		[ "$holding" -lt $((2 * nobody + 3000)) ]
	done
}

@test "console-lost: what a reader that does not read has lost, once there is more than the ring" {
	[ "$CONSOLE" = hvc0 ] || skip 'a serial port is as slow as it is: the kvm engine alone'
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -o ctl_send "$ROOT/t/unit/ctl_send.c"
	mkfifo go said
	limit ./ctl_send "$(ctl handle)" 'send:console\0ro' recv send:console-lost recv line send:console-lost recv <go >said &
	job=$!
	exec 8>go 9<said
	read -r opened <&9
	read -r before <&9
	con --send "${MUCH//\\/\\\\}; echo all-\$((40 + 2))\n" --wait-for all-42 >/dev/null
	echo >&8
	read -r after <&9
	exec 8>&- 9<&-
	wait $job
	echo "$opened; before: $before; after: $after"
	[ "$opened" = 'ok|hvc0 +1' ]
	[ "$before" = 'ok|0' ]
	[[ $after == 'ok|'* ]]
	# The ring, and what a socket holds, were not lost.
	most=$(($(bash -c "$MUCH" | wc -c) - (1 << 20) + 4096))
	[ "${after#ok|}" -gt $((most - (512 << 10))) ]
	[ "${after#ok|}" -gt 0 ]
	[ "${after#ok|}" -le "$most" ]
}

# -- commands --

@test "--run: exit statuses" {
	statuses=(0 1 2 42 126 127 128 255)
	[ "$REPEAT" -eq 1 ] || mapfile -t statuses < <(seq 0 255)
	# Not by con, for which some of them are crashes.
	for s in "${statuses[@]}"; do
		status=0
		timeout -s KILL 120 vm-console --run "exit $s" >out 2>&1 3>&- || status=$?
		[ "$status" -eq "$s" ] || { echo "status $status, not $s: $(cat out)" && return 1; }
		[ ! -s out ]
	done
}

@test "--run: pipes, subshells, external commands, background jobs" {
	run_is 0 'echo a | cat | (cat; echo b); { ls /; } | grep -c init; sleep 100 & echo c; kill $!'
	[ "$(cat out)" = $'a\nb\n1\nc' ]
}

@test "--run: output without final newline, CR, NUL, what is no UTF-8, nothing at all" {
	run_is 0 'printf abc'
	printf abc | cmp - out
	run_is 0 'printf "a\r\nb\rc\000d\377\200\033[31m"'
	printf 'a\r\nb\rc\000d\377\200\033[31m' | cmp - out
	run_is 0 ':'
	[ ! -s out ]
	run_is 3 'echo oops >&2; exit 3'
	[ "$(cat out)" = oops ]
}

@test "--run: a command of 2,000 characters on a terminal of 20 columns" {
	long=$(head -c 1991 /dev/zero | tr '\0' y)
	con --send 'stty cols 20 rows 5\n' >/dev/null
	run_is 0 "printf %s $long"
	[ "$(cat out)" = "$long" ]
	con --send 'stty cols 80 rows 24\n' >/dev/null
}

@test "--run: a megabyte, exactly" {
	size=$(share 1048576 262144)
	run_is 0 "seq 200000 | head -c $size"
	seq 200000 | head -c "$size" | cmp - out
}

@test "--run: many in a row" {
	for ((i = 0; i < 10 * REPEAT; i++)); do
		run_is $((i % 7)) "echo $i; exit $((i % 7))"
		[ "$(cat out)" = "$i" ]
	done
}

@test "--run: out of time is 124, and the console is usable afterwards" {
	run -124 --separate-stderr con --timeout 3 --run 'echo before; sleep 1000'
	run_is 5 'ps | grep -c "[s]leep 1000"; exit 5'
	[ "$(cat out)" = 0 ]
}

@test "--run: four VMs at once" {
	memory_for 1024
	mapfile -t four < <(few 2 1 2 3 4)
	for i in "${four[@]}"; do
		start "many$i" -m 192M &
		jobs[i]=$!
	done
	for i in "${four[@]}"; do wait "${jobs[i]}"; done
	for i in "${four[@]}"; do
		limit vm-console -V "many$i" --run "seq 2000; echo vm $i; exit $i" >"out$i" 2>"err$i" &
		jobs[i]=$!
	done
	for i in "${four[@]}"; do
		status=0
		wait "${jobs[i]}" || status=$?
		[ "$status" -eq "$i" ] || { cat "err$i" && false; }
		{ seq 2000 && echo "vm $i"; } | cmp - "out$i"
	done
	for i in "${four[@]}"; do ctl -V "many$i" kill >/dev/null; done
	for i in "${four[@]}"; do ctl -V "many$i" wait >/dev/null; done
}
