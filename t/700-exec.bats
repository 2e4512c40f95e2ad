#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Commands in a real guest: bytes, statuses, signals, arguments, and that nothing of them stays.

bats_require_minimum_version 1.5.0
load lib/vm-test

# How much and how often: larger in `make soak`.
REPEAT=${VM_REPEAT:-1}

setup_file() {
	vm_file || return 0
	start exec -m 256M
	ctl -V exec ready agent
	for ((i = 0; i < 256; i++)); do printf "\\x$(printf %x $i)"; done >"$BATS_FILE_TMPDIR/all"
}

setup() {
	vm_setup
	export VM=exec
	ALL="$BATS_FILE_TMPDIR/all"
}

teardown() {
	no_leak exec
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/exec" ] || return 0
	ctl -V exec stop >/dev/null
	ctl -V exec wait >/dev/null
	no_leak
}

# ex [OPTION]... COMMAND...: vm-exec, with an end to patience.
ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# ends_with WANT COMMAND...: it ends so, and prints nothing.
ends_with() {
	local want=$1 status=0
	shift
	ex "$@" >out 2>err || status=$?
	[ "$status" -eq "$want" ] && [ ! -s out ] && [ ! -s err ] && return
	echo "status $status, not $want: $*; $(cat out err)"
	return 1
}

# refused STATUS LINE COMMAND...: it does not run, and one line says why.
refused() {
	local want=$1 line=$2 status=0
	shift 2
	ex "$@" >out 2>err || status=$?
	[ "$status" -eq "$want" ] && [ ! -s out ] && [ "$(cat err)" = "$line" ] && return
	echo "status $status, not $want: $*; $(cat out err)"
	return 1
}

# leash NAME: make a FIFO in the guest. Commands there hold it by `exec 9>NAME`, for which they wait; gone() comes
# back when the last of them is no more.
leash() {
	LEASH=/tmp/$1
	ex mkfifo "$LEASH"
	ex cat "$LEASH" >leash.out 2>&1 &
	LEASHED=$!
}

let_go() {
	wait "$LEASHED" || { echo "still held in the guest: $LEASH; $(cat leash.out)" && return 1; }
	ex rm "$LEASH"
}

# run_client COMMAND...: vm-exec in the background as CLIENT, its stdout in the FIFO out.
run_client() {
	[ -p pipe ] || mkfifo pipe
	env --default-signal=INT,QUIT vm-exec "$@" >pipe 2>err 3>&- &
	CLIENT=$!
}

# sum: of what comes.
sum() {
	sha256sum | cut -c 1-64
}

# -- bytes --

@test "all 256 byte values, both ways, on stdout and on stderr" {
	ex -i cat <"$ALL" | cmp - "$ALL"
	ex -i sh -c 'cat >&2' <"$ALL" 2>&1 >/dev/null | cmp - "$ALL"
	# A terminal, once it is told to take them.
	mkfifo keys out
	ex -it sh -c 'stty raw -echo; echo ready; head -c 256; cat /tmp/never' <keys >out 2>&1 &
	job=$!
	exec 7>keys
	{
		read -r ready
		cat "$ALL" >&7
		head -c 256 | cmp - "$ALL"
		grep -q never
	} <out
	[ "$ready" = ready ]
	job_ends 1 $job
	exec 7>&-
}

@test "any number of bytes, both ways, with checksums" {
	for size in 0 1 2 100 5000 200000 $(($(share 16 4) << 20)); do
		head -c "$size" /dev/urandom >data
		[ "$(ex -i sha256sum <data | cut -c 1-64)" = "$(sum <data)" ]
		ex -i cat <data | cmp - data
		ex -i sh -c 'cat >&2' <data 2>back
		cmp data back
		ex sh -c 'mkfifo /tmp/tee; sha256sum </tmp/tee >&2 & head -c "$1" /dev/urandom | tee /tmp/tee
			wait; rm /tmp/tee' sh "$size" >data 2>sums
		[ "$(wc -c <data)" -eq "$size" ]
		[ "$(cut -c 1-64 sums)" = "$(sum <data)" ]
	done
}

@test "1 GiB, both ways" {
	[ "$REPEAT" -gt 1 ] || skip 'in `make soak`'
	head -c 1G /dev/urandom >data
	LIMIT=1200
	want=$(sum <data)
	[ "$(ex -i sha256sum <data | cut -c 1-64)" = "$want" ]
	[ "$(ex -i cat <data | sum)" = "$want" ]
}

@test "stdout and stderr are apart, and each is in order" {
	ex sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo o$i; echo e$i >&2; done' >out 2>err
	seq 3000 | sed s/^/o/ | cmp - out
	seq 3000 | sed s/^/e/ | cmp - err
}

@test "both outputs at once, each a few megabytes, one read slowly" {
	mkfifo slow
	head -c $((4 << 20)) /dev/urandom >data
	ex -i cat - >/dev/null <data
	ex -i sh -c 'cat >/tmp/data; cat /tmp/data & cat /tmp/data >&2; wait; rm /tmp/data' <data >out 2>slow &
	job=$!
	{
		head -c 1
		# The other one comes to its end meanwhile.
		timeout 60 sh -c 'until [ "$(wc -c <out)" -eq 4194304 ]; do :; done'
		cat
	} <slow >err
	wait $job
	cmp data out
	cmp data err
}

@test "without -i stdin is not touched" {
	seq 5 | while read -r line; do ex echo "<$line>"; done >out
	seq 5 | sed 's/.*/<&>/' | cmp - out
	[ "$(seq 3 | { ex cat; cat; })" = "$(seq 3)" ]
	[ -z "$(yes | ex cat)" ]
}

@test "EOF reaches the command, and its output goes on" {
	[ "$(printf abc | ex -i sh -c 'wc -c; seq 3')" = $'3\n1\n2\n3' ]
	printf abc | ex -i sh -c 'cat; seq 200000' >out
	{ printf abc && seq 200000; } | cmp - out
	ex -i sh -c 'cat; echo end' </dev/null >out
	[ "$(cat out)" = end ]
}

@test "stdin that has no end holds nothing up, and what is not read is lost quietly" {
	mkfifo keys
	exec 8<>keys
	ends_with 7 -i sh -c 'exit 7' <keys
	exec 8>&-
	head -c 4M /dev/zero | ends_with 3 -i sh -c 'exit 3'
	[ "$(head -c 4M /dev/zero | ex -i sh -c 'exec <&-; seq 3')" = "$(seq 3)" ]
	run -0 bash -c 'set -o pipefail; yes | vm-exec -i head -c 5 | wc -c; echo "${PIPESTATUS[@]}"'
	[ "$output" = $'5\n141 0 0' ]
}

@test "what is closed stays closed: neither hang nor garbage" {
	[ "$(ex echo out <&- 2>&-)" = out ]
	[ "$(ex -i sh -c 'cat; echo in' <&- 2>&1)" = in ]
	ends_with 9 sh -c 'exec >&- 2>&-; exit 9'
	[ "$(ex sh -c 'echo a; exec >&-; echo b >&2; exit 0' 2>&1)" = $'a\nb' ]
}

@test "the last byte before the exit is never lost: pipe" {
	runs=$(share $((50 * REPEAT)) 20)
	for ((i = 0; i < runs; i++)); do
		n=$((1 + i * 977 % 70000))
		[ "$(ex sh -c 'head -c "$1" /dev/zero; printf "last-%d." "$1"; printf "err-%d." "$1" >&2' sh $n 2>err |
			tr -d '\0')" = "last-$n." ]
		[ "$(cat err)" = "err-$n." ]
	done
}

@test "the last byte before the exit is never lost: pty" {
	runs=$(share $((50 * REPEAT)) 20)
	for ((i = 0; i < runs; i++)); do
		n=$((1 + i * 97 % 5000))
		[ "$(ex -t sh -c 'head -c "$1" /dev/zero; printf "last-%d." "$1"' sh $n | tr -d '\0')" = "last-$n." ]
	done
}

# -- the end --

@test "exit statuses" {
	list=(0 1 2 42 124 125 126 127 128 129 137 143 255)
	[ "$REPEAT" -eq 1 ] || mapfile -t list < <(seq 0 255)
	for i in "${list[@]}"; do ends_with "$i" --status-fd 8 sh -c "exit $i" 8>status && [ "$(cat status)" = "{\"exit\":$i}" ]; done
}

@test "death by a signal is 128 and its number" {
	for sig in TERM KILL SEGV HUP INT PIPE USR1 ABRT; do
		ends_with $((128 + $(kill -l $sig))) --status-fd 8 sh -c "kill -$sig \$\$" 8>status
		[ "$(cat status)" = "{\"signal\":\"$sig\"}" ]
	done
}

@test "what cannot run is 126 or 127, and says so" {
	refused 127 'vm-exec: nosuch: No such file or directory' nosuch
	refused 127 'vm-exec: /no/such: No such file or directory' /no/such
	refused 126 'vm-exec: /etc/passwd: Permission denied' /etc/passwd
	refused 126 'vm-exec: /tmp: Permission denied' /tmp
	refused 127 'vm-exec: directory /no/such: No such file or directory' -w /no/such true
	ex sh -c 'printf "#!/no/such\n" >/tmp/script; chmod +x /tmp/script'
	run -127 ex /tmp/script
	[[ $output == *'interpreter'* ]]
	run -126 ex -u nobody-here true
	[[ $output == 'vm-exec: '*nobody-here* ]]
	run -126 ex -u root:nogroup-here true
	[[ $output == 'vm-exec: '*nogroup-here* ]]
}

@test "signals that come here reach the command" {
	for sig in INT TERM HUP QUIT USR1 USR2; do
		run_client sh -c 'trap "echo got-$1; exit 9" $1; echo up; while :; do sleep 0.01; done' sh $sig
		{
			read -r up
			kill -$sig $CLIENT
			read -r got
		} <pipe
		status=0
		wait $CLIENT || status=$?
		[ "$up $got $status" = "up got-$sig 9" ]
	done
	run_client sh -c 'echo up; exec sleep 98765'
	{ read -r up && kill -TERM $CLIENT; } <pipe
	job_ends 143 $CLIENT
}

@test "a SIGINT that kills the command kills us, so that a shell's loop ends" {
	cat >loop <<-'END'
		for i in 1 2 3; do echo "$i"; vm-exec sh -c 'echo up; exec sleep 98765'; done
	END
	mkfifo pipe
	env --default-signal=INT setsid bash loop >pipe 3>&- &
	job=$!
	{
		read -r one
		read -r up
		kill -INT -- -$job
		rest=$(cat)
	} <pipe
	job_ends 130 $job
	[ "$one $up $rest" = '1 up ' ]
}

# -- arguments --

@test "arguments arrive as they are" {
	args=('' ' ' 'a b' "it's" '"x"' $'new\nline' $'tab\t' '*' '$HOME' '\' $'\xff\xfe' $'\x01' '-i' '--' 'é' '')
	ex printf '[%s]\n' "${args[@]}" >out
	printf '[%s]\n' "${args[@]}" | cmp - out
	ex sh -c 'echo $#' sh "${args[@]}" >out
	[ "$(cat out)" -eq ${#args[@]} ]
	[ "$(ex -- echo -n -e)" = "$(echo)" ]
}

@test "a megabyte of arguments" {
	big=$(head -c 100000 /dev/zero | tr '\0' x)
	args=()
	for i in {1..10}; do args+=("$i$big"); done
	[ "$(ex sh -c 'printf %s "$@" | sha256sum' sh "${args[@]}" | cut -c 1-64)" = "$(printf %s "${args[@]}" | sum)" ]
	mapfile -t args < <(seq 20000)
	[ "$(ex sh -c 'printf "%s\n" "$@" | sha256sum' sh "${args[@]}" | cut -c 1-64)" = "$(seq 20000 | sum)" ]
}

@test "-e, --env-file, -w, -u" {
	export INHERITED=$'two\nlines'
	printf 'A=file\nB= b  \n# no\n\nC=x=y\n' >file
	ex --env-file file -e A=1 -e INHERITED -e EMPTY= -e NOT_SET_HERE sh -c 'printf "%s|" "$A" "$B" "$C" "$INHERITED" "${EMPTY-unset}" "${NOT_SET_HERE-unset}"' >out
	[ "$(cat out)" = $'1| b  |x=y|two\nlines||unset|' ]
	[ "$(ex -w /usr pwd)" = /usr ]
	[ "$(ex sh -c 'echo "$PWD $HOME $USER"')" = '/root /root root' ]
	[ "$(ex -u user sh -c 'id -u; id -g; id -G; echo $HOME; pwd; echo $USER')" = $'1000\n1000\n1000\n/home/user\n/home/user\nuser' ]
	[ "$(ex -u 1000:0 sh -c 'id -u; id -g; id -G')" = $'1000\n0\n0' ]
	[ "$(ex -u user:nogroup id -g)" = 65534 ]
	[ "$(ex -u 4242:4343 -w / sh -c 'id -u; id -g')" = $'4242\n4343' ]
	[ "$(ex -u user -e HOME=/mine sh -c 'echo $HOME')" = /mine ]
	[ "$(ex -u user sh -c 'grep CapEff /proc/self/status')" = $'CapEff:\t0000000000000000' ]
	# Output can be reopened by whoever the command runs as.
	[ "$(ex -u user sh -c 'echo o >/dev/stdout; echo e >/dev/stderr' 2>&1)" = $'o\ne' ]
}

# -- nothing stays --

@test "| head -1: 141, and nothing is left in the guest" {
	leash head
	run -0 bash -c 'vm-exec sh -c "exec 9>$1; exec yes" sh "$1" | head -1; echo "${PIPESTATUS[@]}"' bash "$LEASH"
	[ "$output" = $'y\n141 0' ]
	let_go
}

@test "a background child that holds the outputs holds nothing up" {
	for how in '' -t; do
		leash "child$how"
		# shellcheck disable=SC2086 # none or one
		ex $how sh -c 'exec 9>"$1"; trap "" HUP; sleep 98765 & echo $!' sh "$LEASH" >out
		ex kill "$(tr -d '\r' <out)"
		let_go
	done
	leash writer
	ex sh -c 'exec 9>"$1"; yes & exit 5' sh "$LEASH" | tr -d 'y\n' | cmp - /dev/null
	[ "${PIPESTATUS[0]}" -eq 5 ]
	let_go
}

@test "the client is killed: the command is gone" {
	for how in '' -i -t -it; do
		for sig in $(few 1 KILL TERM); do
			leash "killed$how.$sig"
			# shellcheck disable=SC2086 # none or one
			run_client $how sh -c 'exec 9>"$1"; trap "" HUP TERM; echo up; while :; do sleep 0.1; done' sh "$LEASH"
			read -r up <pipe
			# TERM is the command's, which ignores it.
			kill -$sig $CLIENT
			[ $sig = KILL ] || kill -KILL $CLIENT || :
			job_ends 137 $CLIENT
			let_go
		done
	done
}

@test "the client is killed while much flows either way: the command is gone" {
	leash out
	run_client sh -c 'exec 9>"$1"; exec yes' sh "$LEASH"
	{ head -c 1000000 >/dev/null && kill -KILL $CLIENT; } <pipe
	job_ends 137 $CLIENT
	let_go
	leash in
	mkfifo zeros
	head -c 1G /dev/zero >zeros 3>&- &
	feeder=$!
	run_client -i sh -c 'exec 9>"$1"; head -c 1000000 | wc -c; exec sleep 98765' sh "$LEASH" <zeros
	{ read -r n && kill -KILL $CLIENT; } <pipe
	job_ends 137 $CLIENT
	let_go
	wait $feeder || :
	[ "$n" -eq 1000000 ]
}

@test "--timeout: 124, what was written before, and the command is gone" {
	for how in '' -t; do
		leash "timeout$how"
		# shellcheck disable=SC2086 # none or one
		run -124 --separate-stderr ex $how --timeout 0.7 sh -c 'exec 9>"$1"; trap "" TERM HUP INT; echo before; while :; do sleep 0.1; done' sh "$LEASH"
		[ "${output//$'\r'/}" = before ]
		[ "$stderr" = 'vm-exec: sh: timeout: it was killed' ]
		let_go
	done
	ends_with 0 --timeout 100 true
}

@test "-d: returns at once, and the command goes on" {
	leash detached
	ex mkfifo /tmp/go
	ex -d sh -c 'exec 9>"$1"; read x </tmp/go; echo "$x" >/tmp/done' sh "$LEASH"
	ex sh -c 'echo well >/tmp/go'
	let_go
	[ "$(ex cat /tmp/done)" = well ]
	refused 127 'vm-exec: nosuch: No such file or directory' -d nosuch
}

# -- many --

@test "100 at once, each with its own input, output and status" {
	all=$(share 100 50)
	for ((i = 0; i < all; i++)); do
		printf 'in %d\n' $i | ex -i sh -c 'cat; echo "err $1" >&2; exit "$1"' sh $i >"out.$i" 2>"err.$i" &
		jobs[i]=$!
	done
	for ((i = 0; i < all; i++)); do
		status=0
		wait "${jobs[i]}" || status=$?
		[ "$status" -eq $i ] || { echo "$i ended with $status: $(cat "err.$i")" && false; }
		[ "$(cat "out.$i")" = "in $i" ]
		[ "$(cat "err.$i")" = "err $i" ]
	done
}

@test "10 at once, each with a megabyte both ways" {
	for ((i = 0; i < 10; i++)); do
		head -c 1000000 /dev/urandom >"data.$i"
		ex -i cat <"data.$i" >"out.$i" &
		jobs[i]=$!
	done
	for ((i = 0; i < 10; i++)); do
		wait "${jobs[i]}"
		cmp "data.$i" "out.$i"
	done
}

# footprint: descriptors and memory (KiB) of the agent and of vm-boot, one a line.
footprint() {
	local pid
	ex sh -c 'pid=$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)
		ls /proc/$pid/fd | wc -l; sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" /proc/$pid/status'
	pid=$(ctl status | sed -n 's/^pid=//p')
	find "/proc/$pid/fd" -mindepth 1 | wc -l
	own_memory "$pid" 256
}

@test "many in a row: neither the agent nor vm-boot grows" {
	# Every status once, at least.
	count=$(share 256 80)
	[ "$REPEAT" -eq 1 ] || count=10000
	cat >many <<-'END'
		for ((i = 0; i < $1; i++)); do
			vm-exec sh -c "exit $((i % 256))" || [ $? -eq $((i % 256)) ] || exit
		done
	END
	limit bash many 20
	footprint >before
	LIMIT=3000 limit bash many $count
	# The last client's descriptors may be closed a moment after its end.
	end=$((SECONDS + 30))
	until footprint >after && [ "$(sed -n '1p;3p' before)" = "$(sed -n '1p;3p' after)" ] || [ $SECONDS -gt $end ]; do :; done
	paste before after
	[ "$(sed -n '1p;3p' before)" = "$(sed -n '1p;3p' after)" ]
	for line in 2 4; do
		[ "$(sed -n ${line}p after)" -le $(($(sed -n ${line}p before) + 512)) ]
	done
	[ "$(ctl status | grep ^agent=)" = agent=ready ]
}
