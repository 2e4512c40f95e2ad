# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the tests of vm-console against a stand-in for the VM share (load lib/console-client).

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BIN=$(realpath "${BIN:-$ROOT/bin}")
	export ROOT BIN PATH="$BIN:$ROOT/.build/t/unit:$PATH" LC_ALL=C
}

setup() {
	export VM_RUNTIME_DIR="$BATS_TEST_TMPDIR/rt" TMPDIR="$BATS_TEST_TMPDIR/tmp" HOME="$BATS_TEST_TMPDIR"
	unset VM
	mkdir "$TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	servers=()
}

# Nothing may be left: no server, no socket, no file of --run in what the guest takes for /tmp.
teardown() {
	local pid left=
	for pid in "${servers[@]}"; do
		kill "$pid" 2>/dev/null || :
		tail --pid="$pid" -f /dev/null
	done
	left=$(find "$VM_RUNTIME_DIR" "$TMPDIR" -mindepth 1 2>/dev/null) || :
	[ -z "$left" ] || { echo "left over: $left"; return 1; }
}

# serve NAME [OPTION]... [-- COMMAND...]: a VM that outlives the line that starts it.
serve() {
	local name=$1 fifo="$BATS_TEST_TMPDIR/handle.$1"
	shift
	mkfifo "$fifo"
	# The fifo is held open for the VM's life by its own descriptor 9: no reader, no "stopped".
	setsid console_server --name "$name" "$@" 9<>"$fifo" >"$fifo" 2>"$BATS_TEST_TMPDIR/log.$name" 3>&- &
	servers+=($!)
	read -r _ <"$fifo"
}

con() {
	timeout 60 vm-console "$@" 3>&-
}

# expect(1) with a shell in a terminal: see the commands in the prelude.
on_pty() {
	{
		pty_prelude
		echo 'shell {stty -g >before}'
		cat
	} >script.exp
	timeout 60 expect -f script.exp 3>&-
}

same_terminal() {
	[ -s before ]
	[ -s after ]
	diff before after
}
