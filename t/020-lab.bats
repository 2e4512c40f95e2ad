#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# t/lab/run is its command: argument for argument, byte for byte, signal for signal; and leaves nothing behind.

bats_require_minimum_version 1.5.0

RUN=$BATS_TEST_DIRNAME/lab/run

# One lab for most of the assertions: the command leaves its findings in out/, and 42.
setup_file() {
	[ -z "${LAB-}" ] && command -v qemu-system-x86_64 >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR"
	mkdir out
	seq 1000000 | head -c 2000000 >stdin
	cat >script <<-'EOF'
		out=$1
		pwd >"$out/pwd"
		shift
		printf '%s\0' "$@" >"$out/argv"
		env -0 >"$out/env"
		cksum >"$out/stdin"
		{ echo written >/etc/lab-was-here; } 2>"$out/overlay.err" && cat /etc/lab-was-here >"$out/overlay"
		mkdir /run/root && mount -t virtiofs root /run/root && mount -o remount,rw /run/root
		touch /run/root/lab-was-here 2>"$out/readonly"
		perl -e 'open(my $k, "+<", "/dev/kvm") or die; print int(ioctl($k, 0xae00, 0)), "\n";
			ioctl($k, 0xae01, 0) > 2 or die; print "vm\n"' >"$out/kvm"
		dmesg | grep -oE 'Refined TSC|Nested Virtualization' >"$out/order"
		ls /dev/vhost-vsock /dev/net/tun /dev/vsock >"$out/devices"
		{ nproc && grep Cpus_allowed_list /proc/self/status; } >"$out/cpus"
		for i in 1 2 3 4; do
			seq 3000000 | head -c 5000000
			seq "$i" 4 40000 >&2
		done
		(sleep 1000; echo late) &
		exit 42
	EOF
	status=0
	SET_ONLY_HERE='a  "b"' PASSED=$'two\nlines' "$RUN" -i -o out -e PASSED -e GIVEN='x y' -e UNSET_ANYWHERE \
		sh script "$PWD/out" 'a b' '' "it's" '$(id)' $'new\nline' '\' '*' -e $'\001\377' \
		<stdin >stdout 2>stderr 3>&- || status=$?
	echo $status >status
}

setup() {
	[ -z "${LAB-}" ] || skip 'already in the lab'
	command -v qemu-system-x86_64 >/dev/null || skip 'no qemu-system-x86_64'
	cd "$BATS_FILE_TMPDIR"
}

teardown() {
	rm -rf "${home-}"
	for kid in ${kids-}; do [ ! -e "/proc/$kid/exe" ]; done
}

# fd 3 is bats's own
lab() {
	"$RUN" "$@" 3>&-
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --groups=65534,100 env -u XDG_CACHE_HOME PATH=/usr/bin:/bin HOME="$home" \
		"$RUN" "$@" 3>&-
}

# the processes that a lab-host has started
children() {
	pgrep -P "$1" | tr '\n' ' '
}

# start the lab in the background with a command that says when it runs; sets $pid and $kids
start() {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	env --default-signal=INT "$RUN" sh -c "$1" >"$BATS_TEST_TMPDIR/pipe" 3>&- &
	pid=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	read -r word <&7
	[ "$word" = running ]
	kids=$(children $pid)
	[ "$(echo "$kids" | wc -w)" -eq 2 ]
}

# every process of $kids ends
gone() {
	for kid in $kids; do
		timeout 20 tail -s 0.05 --pid="$kid" -f /dev/null
	done
}

@test "the status is the command's" {
	[ "$(cat status)" -eq 42 ] || { cat status stderr && false; }
}

@test "arguments arrive as they are" {
	printf '%s\0' 'a b' '' "it's" '$(id)' $'new\nline' '\' '*' -e $'\001\377' | cmp - out/argv
}

@test "chosen variables and the working directory go through, others do not" {
	tr '\0\n' '\n|' <out/env >env
	grep -qx "PATH=$PATH" env
	grep -qx "HOME=$HOME" env
	grep -qx 'PASSED=two|lines' env
	grep -qx 'GIVEN=x y' env
	grep -qx LAB=1 env
	run ! grep -e SET_ONLY_HERE -e UNSET_ANYWHERE env
	[ "$(cat out/pwd)" = "$PWD" ]
}

@test "standard input arrives, with its end" {
	[ "$(cat out/stdin)" = "$(cksum <stdin)" ]
}

@test "20 MB of output arrive, apart from the errors, and nothing late" {
	for _ in 1 2 3 4; do seq 3000000 | head -c 5000000; done | cmp - stdout
	for i in 1 2 3 4; do seq "$i" 4 40000; done | cmp - stderr
}

@test "the root is writable in the lab and untouched on the host" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root: in the lab of an ordinary user the root is read-only'
	[ "$(cat out/overlay)" = written ]
	[ ! -e /etc/lab-was-here ]
	[ ! -e /lab-was-here ]
	grep -q 'Read-only file system' out/readonly
}

@test "KVM makes machines in the lab, and peers have their devices" {
	[ "$(cat out/kvm)" = $'12\nvm' ]
	[ "$(wc -l <out/devices)" -eq 3 ]
}

@test "KVM takes the rate of the TSC that the kernel goes by: a guest's timers ring in an old lab, too" {
	[ -s out/order ] || skip 'dmesg is not for this user'
	# A first measure that was wrong by more than 1 % is not refined: it holds, for KVM, too.
	[ "$(tail -n 1 out/order)" = 'Nested Virtualization' ]
}

@test "the command has the processors that were asked for, and not the first" {
	[ "$(cat out/cpus)" = $'2\nCpus_allowed_list:\t1-2' ]
}

@test "SIGINT reaches the command, and the run dies of it with nothing left" {
	start 'echo running; exec sleep 1000'
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 130 ]
	[ -z "$(cat <&7)" ]
	gone
}

@test "SIGTERM can be handled by the command" {
	start 'trap "echo caught; exit 3" TERM; echo running; while :; do sleep 1000 & wait; done'
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 3 ]
	[ "$(cat <&7)" = caught ]
	gone
}

@test "nothing is left when the run is killed" {
	start 'echo running; exec sleep 1000'
	kill -KILL $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 137 ]
	gone
}

@test "a machine that is stopped is lost after 20 s, and what is known of it is said" {
	start 'echo running; exec sleep 1000' 2>"$BATS_TEST_TMPDIR/err"
	kill -STOP "$(pgrep -P $pid qemu-system)"
	status=0
	wait $pid || status=$?
	[ $status -eq 99 ]
	[[ $(cat "$BATS_TEST_TMPDIR/err") == 'lab: lost: no heartbeat for 20 s; its last line: '*$'\nlab: QEMU does not answer' ]]
	gone
}

@test "a reader that leaves ends the writer" {
	run -0 bash -c '"$1" yes 3>&- | head -n 1; exit $((PIPESTATUS[0] - 141))' - "$RUN"
	[ "$output" = y ]
}

@test "a panic is 99 and one line" {
	run -99 --separate-stderr lab sh -c 'echo c >/proc/sysrq-trigger'
	[[ $stderr == 'lab: lost: '*panic* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a terminal has its size, and -t without one is no harm" {
	command -v script >/dev/null || skip 'no script(1)'
	cat >"$BATS_TEST_TMPDIR/session" <<-EOF
		stty rows 33 cols 99
		"$RUN" -t sh -c 3>&- 'test -t 0 && test -t 2 && tty && until [ "\$(stty size)" = "33 99" ]; do :; done; exit 7'
	EOF
	run -7 script -qec "sh '$BATS_TEST_TMPDIR/session'" /dev/null </dev/null
	[[ $output == *'/dev/pts/0'* ]]
}

@test "a terminal that goes away ends the run" {
	command -v script >/dev/null || skip 'no script(1)'
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	cat >"$BATS_TEST_TMPDIR/session" <<-EOF
		echo \$\$ >"$BATS_TEST_TMPDIR/pid"
		exec "$RUN" -o "$BATS_TEST_TMPDIR" -t sh -c 'echo running; exec sleep 1000'
	EOF
	script -qfec "sh '$BATS_TEST_TMPDIR/session'" /dev/null >"$BATS_TEST_TMPDIR/pipe" 3>&- </dev/null &
	terminal=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	read -r word <&7
	[ "$word" = $'running\r' ]
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	kids="$pid $(children "$pid")"
	kill -KILL $terminal
	wait $terminal || :
	gone
}

@test "what cannot be executed is 126 or 127, wrong usage 125; as an ordinary user too" {
	run -125 lab
	run -125 lab -Z true
	run -125 lab -o /nonexistent true
	run -126 lab /etc/passwd
	[ "$(id -u)" -eq 0 ] || skip 'is an ordinary user'
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	mkdir -p "$home/.cache/pipevm"
	cp -r "${XDG_CACHE_HOME:-$HOME/.cache}/pipevm/kernels" "$home/.cache/pipevm/"
	chown -R 65534:65534 "$home"
	cd /
	run -127 as_nobody no-such-command
	[[ $output == *'no-such-command: No such file'* ]]
}
