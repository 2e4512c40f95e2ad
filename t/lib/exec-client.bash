# shellcheck shell=bash disable=SC2034 # ALL is the tests'
# SPDX-License-Identifier: ISC
# What the tests of vm-exec against a stand-in for the VM share (load lib/exec-client).

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BIN=$(realpath "${BIN:-$ROOT/bin}")
	export ROOT BIN PATH="$BIN:$ROOT/.build/t/unit:$PATH" LC_ALL=C
	for i in $(seq 0 255); do printf "\\x$(printf %x "$i")"; done >"$BATS_FILE_TMPDIR/all"
	[ "$(wc -c <"$BATS_FILE_TMPDIR/all")" -eq 256 ]
}

setup() {
	export VM_RUNTIME_DIR="$BATS_TEST_TMPDIR/rt" HOME="$BATS_TEST_TMPDIR"
	unset VM
	cd "$BATS_TEST_TMPDIR" || return
	ALL="$BATS_FILE_TMPDIR/all"
	: >log
	servers=()
}

# Nothing may be left: no server, no socket.
teardown() {
	local pid left=
	for pid in "${servers[@]}"; do
		kill "$pid" 2>/dev/null || :
		tail --pid="$pid" -f /dev/null
	done
	left=$(find "$VM_RUNTIME_DIR" -mindepth 1 2>/dev/null) || :
	[ -z "$left" ] || { echo "left over: $left"; return 1; }
}

# serve NAME [OPTION]...: a VM that outlives the line that starts it; becomes $VM.
serve() {
	local fifo="$BATS_TEST_TMPDIR/handle.$1" name=$1
	shift
	mkfifo "$fifo"
	setsid exec_server --name "$name" --log "$PWD/log" "$@" 9<>"$fifo" >"$fifo" 2>"$BATS_TEST_TMPDIR/err.$name" 3>&- &
	servers+=($!)
	read -r _ <"$fifo"
	export VM=$name
}

ex() {
	timeout 60 vm-exec "$@" 3>&-
}

# seen REGEX: wait until the agent has logged it.
seen() {
	local status=0
	timeout 20 grep -qm1 -- "$1" <(exec tail -n +1 -s 0.05 -f log 3>&-) || status=$?
	kill $! || :
	[ $status -eq 0 ] || { echo "never logged: $1; log:"; cat log; return 1; }
}

# fore COMMAND...: run vm-exec in the background as CLIENT, with signals as a shell's foreground job has
# them, its stdout in the fifo out (to be read by the caller), stderr in the file err.
fore() {
	[ -p out ] || mkfifo out
	env --default-signal=INT,QUIT,TSTP vm-exec "$@" >out 2>err 3>&- &
	CLIENT=$!
}

# ends STATUS: CLIENT ends so.
ends() {
	local status=0
	timeout 20 tail -s 0.05 --pid="$CLIENT" -f /dev/null || { kill -KILL "$CLIENT"; echo 'no end'; return 1; }
	wait "$CLIENT" || status=$?
	[ "$status" -eq "$1" ] || { echo "ended with $status: $(cat err)"; return 1; }
}
