#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-exec against a stand-in for vm-boot and its agent: everything that needs no real VM.

bats_require_minimum_version 1.5.0
load lib/pty
load lib/exec-client

@test "help, version and usage errors" {
	run -0 vm-exec --help
	[[ $output == *--env-file* ]]
	run -0 vm-exec --version
	for args in --no-such-thing '' -i '-e =x true' '-e  true' '--timeout 0 true' '--timeout x true' '-w tmp true' \
		'-u : true' '-u x: true' '--status-fd 77 true' '--status-fd x true' '--escape ab -it true' \
		'--escape x true' '--escape x -t true' '-d -i true' '-dt true' '-d --timeout 5 true' '-V'; do
		# shellcheck disable=SC2086 # words
		run -125 vm-exec $args </dev/null
		[ "${#lines[@]}" -eq 1 ]
		[[ $output == "vm-exec: "*"(try 'vm-exec --help')" ]] || { echo "$args: $output"; false; }
	done
	run -125 vm-exec -V '' true
	run -125 vm-exec --env-file none true
	[ "$output" = 'vm-exec: --env-file: none: No such file or directory' ]
	run -125 vm-exec -V nobody true
	[[ $output == *'no such VM'* ]]
	run -125 vm-exec true </dev/null
	[[ $output == *'pipe vm-boot into this'* ]]
}

@test "options stop at the first operand, and at --" {
	serve vm
	[ "$(ex -- echo -i --help)" = '-i --help' ]
	[ "$(ex echo -t -- x)" = '-t -- x' ]
	[ "$(ex printf '%s|' '' ' ' '*' $'\n' '"' $'\377')" = $'| |*|\n|"|\377|' ]
}

@test "every exit status" {
	serve vm
	for i in $(seq 0 255); do
		run ex --status-fd 9 sh -c "exit $i" 9>json
		[ "$status" -eq "$i" ] || { echo "$i: $status $output"; return 1; }
		[ -z "$output" ]
		[ "$(cat json)" = "{\"exit\":$i}" ]
	done
}

@test "death by a signal is 128 and its number" {
	serve vm
	for s in HUP:129 INT:130 KILL:137 PIPE:141 TERM:143; do
		# shellcheck disable=SC2016 # for the shell there
		run "-${s#*:}" ex --status-fd 9 sh -c 'ulimit -c 0; kill -'"${s%:*}"' $$' 9>json
		[ -z "$output" ]
		[ "$(cat json)" = "{\"signal\":\"${s%:*}\"}" ]
	done
	serve rt --mode started,out:3,eof,signal:64
	run -192 ex --status-fd 9 x 9>json
	[ "$(cat json)" = '{"signal":"64"}' ]
}

@test "what cannot be started is 126 and 127, with a line" {
	serve vm
	run -127 --separate-stderr ex --status-fd 9 no-such-command 9>json
	[ -z "$output" ]
	[ "$stderr" = 'vm-exec: no-such-command: No such file or directory' ]
	[ "$(cat json)" = '{"error":"no-such-command: No such file or directory"}' ]
	run -126 ex /dev/null
	[ "$output" = 'vm-exec: /dev/null: Permission denied' ]
	serve no --mode failed:125
	run -125 ex x
	[ "$output" = 'vm-exec: out of?[2J luck?' ]
}

@test "output to the byte, stdout and stderr apart" {
	serve vm
	ex cat "$ALL" >out 2>err
	cmp "$ALL" out
	[ ! -s err ]
	ex sh -c "cat '$ALL' >&2; printf x" >out 2>err
	cmp "$ALL" err
	[ "$(cat out)" = x ]
	ex true >out 2>err
	[ ! -s out ]
	[ ! -s err ]
	ex printf 'no newline' >out
	printf 'no newline' | cmp - out
}

@test "output of any size, to files, pipes and sockets" {
	serve vm
	head -c 20000000 /dev/urandom >data
	for size in 1 4095 4096 65535 65536 65537 131072 20000000; do
		head -c $size data >want
		ex cat "$PWD/want" >got
		cmp want got
		ex cat "$PWD/want" | cmp - want
		# shellcheck disable=SC2016 # for the shell there
		ex sh -c 'cat "$1" & cat "$1" >&2; wait' sh "$PWD/want" 2>err | cmp - want
		cmp want err
	done
	socat -u EXEC:'vm-exec cat data' - <<<'' >got || socat -u EXEC:"vm-exec cat $PWD/data" - >got
	cmp data got
}

@test "the last bytes arrive, a hundred times" {
	serve vm
	for i in $(seq 100); do
		[ "$(ex sh -c "echo $i; echo e$i >&2" 2>err)" = "$i" ]
		[ "$(cat err)" = "e$i" ]
	done
}

@test "without -i stdin is never read" {
	serve vm
	seq 100 >lines
	while read -r line; do
		ex echo "$line"
	done <lines | cmp - lines
	seq 3 | { ex cat; cat; } >got
	seq 3 | cmp - got
	mkfifo silent
	exec 8<>silent
	[ "$(ex echo yes <silent)" = yes ]
	exec 8>&-
}

@test "-i: every byte, its end, and output after it" {
	serve vm
	ex -i cat <"$ALL" | cmp - "$ALL"
	# shellcheck disable=SC2002 # a pipe is meant
	cat "$ALL" | ex -i cat | cmp - "$ALL"
	[ "$(ex -i sh -c 'wc -c; echo after' <"$ALL")" = $'256\nafter' ]
	head -c 20000000 /dev/urandom >data
	ex -i cat <data | cmp - data
	# shellcheck disable=SC2002 # a pipe is meant
	cat data | ex -i sha256sum | cmp - <(sha256sum <data)
	ex -i wc -c </dev/null | grep -qx 0
	ex -i wc -c <&- | grep -qx 0
	: | ex -i wc -c | grep -qx 0
	dd if=data bs=1 count=3000 status=none | ex -i sha256sum | cmp - <(head -c 3000 data | sha256sum)
	: >sum
	socat -u OPEN:data SYSTEM:'vm-exec -i sha256sum >sum'
	timeout 20 sh -c 'until [ -s sum ]; do :; done'
	cmp sum <(sha256sum <data)
}

@test "-i: stdin that nobody reads holds nothing up" {
	serve vm
	yes | ex -i true
	[ "$(yes | ex -i head -n 1)" = y ]
	run -3 bash -c 'vm-exec -i sh -c "exit 3" </dev/zero'
	# The command closes it and goes on: who feeds us hears of it, while it goes on.
	mkfifo hold
	run -0 bash -c '{ yes; echo "${PIPESTATUS[*]}" >&2; echo >hold; } | vm-exec -i sh -c "exec <&-; cat $PWD/hold"'
	# A signal passes by it.
	mkfifo endless
	yes >endless 3>&- &
	fore -i sh -c 'trap "echo told; exit 9" TERM; echo go; while :; do sleep 0.1; done' <endless
	exec 7<out
	read -r line <&7
	[ "$line" = go ]
	kill -TERM "$CLIENT"
	read -r line <&7
	[ "$line" = told ]
	ends 9
	exec 7<&-
}

@test "-i: what cannot be read is no end of file" {
	serve vm
	run -125 bash -c 'vm-exec -i cat <.'
	[ "$output" = 'vm-exec: stdin: Is a directory' ]
}

@test "-e and --env-file" {
	serve vm
	export INHERITED='in herited' EMPTY=
	unset ABSENT
	[ "$(ex -e A=1 -e 'B=x =y' -e C= sh -c 'echo "$A|$B|${C-unset}"')" = '1|x =y|' ]
	ex -e INHERITED -e EMPTY -e ABSENT true
	grep '^env=' log | sort >got
	printf 'env=%s\n' A=1 'B=x =y' C= EMPTY= 'INHERITED=in herited' | sort | cmp - got
	: >log
	printf '%s\n' '# comment' '' '  LEAD=x ' 'QUOTED="a b"' 'HASH=a # b' 'EQ=a=b' INHERITED ABSENT 'OVER=file' \
		$'CR=x\r' >file
	printf 'LAST=no newline' >>file
	ex -e OVER=option --env-file file true
	grep '^env=' log | sort >got
	printf 'env=%s\n' 'LEAD=x ' 'QUOTED="a b"' 'HASH=a # b' EQ=a=b 'INHERITED=in herited' OVER=option CR=x \
		'LAST=no newline' | sort | cmp - got
	: >log
	printf '\357\273\277BOM=1\n' | ex --env-file /dev/stdin -e GONE=1 -e GONE=2 true
	grep '^env=' log | sort | cmp - <(printf 'env=BOM=1\nenv=GONE=2\n')
	: >log
	ex --env-file fd:8 true 8<<<FD=8
	grep -qx env=FD=8 log
	: >log
	ex -e ABSENT=1 -e ABSENT true
	run ! grep '^env=' log
	for bad in '=x' 'A B=x' 'A B' $' \t=x'; do
		printf 'OK=1\n%s\n' "$bad" >file
		run -125 ex --env-file file true
		[[ $output == 'vm-exec: --env-file: file: line 2: '* ]]
	done
	run -125 ex --env-file /dev/zero true
	run -125 ex --env-file . true
	printf 'A=\0' >file
	run -125 ex --env-file file true
}

@test "the request: directory, user, streams" {
	serve vm
	[ "$(ex -w /usr pwd)" = /usr ]
	ex -u 'nobody:nogroup' -w / true
	grep -qx user=nobody:nogroup log
	grep -qx cwd=/ log
	grep -qx streams=12 log
	: >log
	ex true
	grep -vE '^(arg=true|streams=12|flags=0|closed)$' log && false
	: >log
	ex -i true </dev/null
	grep -qx streams=14 log
	: >log
	ex -t true
	grep -qx streams=16 log
}

@test "a command as long as may be, and longer" {
	serve vm
	awk 'BEGIN { for (i = 0; i < 15; i++) { printf "V%d=", i; for (j = 0; j < 100000; j++) printf "x"; print "" } }' >file
	[ "$(ex --env-file file sh -c 'echo ${#V14}')" = 100000 ]
	awk 'BEGIN { for (i = 0; i < 20; i++) { printf "V%d=", i; for (j = 0; j < 104000; j++) printf "x"; print "" } }' >file
	# shellcheck disable=SC2046 # words
	run -125 ex --env-file file echo $(seq 10000)
	[[ $output == 'vm-exec: command: with its environment it is too long: '* ]]
}

@test "signals reach the command, which may stay" {
	serve vm
	for sig in INT TERM HUP QUIT USR1 USR2; do
		fore sh -c "trap 'echo $sig; exit 33' $sig; echo go; while :; do sleep 0.1; done"
		exec 7<out
		read -r line <&7
		kill -$sig "$CLIENT"
		read -r line <&7
		[ "$line" = $sig ]
		ends 33
		exec 7<&-
	done
	# What is ignored here (nohup) is not passed on.
	bash -c 'trap "" HUP; exec vm-exec sh -c "trap \"echo hup\" HUP; echo go; read x <'"$PWD"'/go; echo end"' >out 3>&- &
	mkfifo go
	CLIENT=$!
	exec 7<out
	read -r line <&7
	kill -HUP $CLIENT
	echo >go
	read -r line <&7
	[ "$line" = end ]
	exec 7<&-
	wait $CLIENT
}

@test "death by a SIGINT that was passed on is ours, too" {
	serve vm
	fore --status-fd 9 sh -c 'echo go; exec sleep 1000' 9>json
	read -r line <out
	kill -INT "$CLIENT"
	ends 130
	[ "$(cat json)" = '{"signal":"INT"}' ]
	# A shell's loop stops, which it does at a death, not at a status.
	mkfifo pid
	env --default-signal=INT,QUIT setsid bash -c 'while :; do vm-exec sh -c "echo go; exec sleep 1000"; done' >out 3>&- &
	loop=$!
	exec 7<out
	read -r line <&7
	seen arg=sh
	kill -INT -- -$loop
	timeout 20 tail -s 0.05 --pid=$loop -f /dev/null
	exec 7<&-
	# One that was not passed on is but a status: perl tells death from exit.
	# shellcheck disable=SC2016 # for perl
	[ "$(perl -e 'system("vm-exec", "sh", "-c", "kill -INT \$\$"); print $? & 127, " ", $? >> 8')" = '0 130' ]
}

@test "before the command runs signals are ours" {
	serve vm --mode hold
	fore x
	exec 7<out
	seen arg=x
	kill -TERM "$CLIENT"
	ends 143
	exec 7<&-
}

@test "stopped and continued, both" {
	serve vm
	# A process group of its own with a parent in this session, or nobody may stop it.
	set -m
	fore sh -c 'echo $$; while :; do sleep 0.1; done'
	set +m
	exec 7<out
	read -r there <&7
	kill -TSTP "$CLIENT"
	seen signal=TSTP
	timeout 20 sh -c 'until grep -q "^State:.T" /proc/'"$CLIENT"'/status /proc/'"$there"'/status; do :; done'
	timeout 20 sh -c 'until grep -q "^State:.T" /proc/'"$CLIENT"'/status; do :; done'
	kill -CONT "$CLIENT"
	seen signal=CONT
	kill -TERM "$CLIENT"
	ends 143
	[ "$(grep -c signal=CONT log)" -eq 1 ]
	exec 7<&-
}

@test "--timeout: 124, what was written, and the command is gone" {
	serve vm
	run -124 --separate-stderr ex --timeout 0.5 --status-fd 9 sh -c 'echo $$; trap "" TERM HUP; while :; do sleep 1; done' 9>json
	[[ $stderr == 'vm-exec: sh: timeout: it was killed' ]]
	[ "$(cat json)" = '{"error":"timeout"}' ]
	timeout 20 tail -s 0.05 --pid="$output" -f /dev/null
	[ "$(ex --timeout 60 echo in time)" = 'in time' ]
	for mode in hold silent started,hold started,out:3; do
		serve "vm${mode//[^a-z]/}" --mode "$mode"
		run -124 --separate-stderr ex --timeout 0.3 --status-fd 9 x 9>json
		[[ $stderr == 'vm-exec: '*': timeout: '* ]]
		[ "$(cat json)" = '{"error":"timeout"}' ]
	done
	# Also while nobody takes what it writes.
	VM=vm
	fore --timeout 0.5 yes
	exec 7<out
	ends 124
	exec 7<&-
}

@test "nobody reads stdout: death by SIGPIPE at once, also with stdin backed up" {
	serve vm
	run -0 bash -c 'vm-exec yes | head -n 1; echo "${PIPESTATUS[0]}"'
	[ "$output" = $'y\n141' ]
	run -0 bash -c 'vm-exec -i sh -c "echo y; sleep 0.1; exec yes" </dev/zero | head -n 1; echo "${PIPESTATUS[0]}"'
	[ "$output" = $'y\n141' ]
	# Who writes nothing is not concerned.
	mkfifo gone
	run -0 bash -c 'vm-exec sh -c "read x <'"$PWD"'/gone; exit 4" | { exec <&-; echo >gone; }; echo "${PIPESTATUS[0]}"'
	[ "$output" = 4 ]
	run -125 bash -c 'vm-exec echo x >/dev/full'
	[ "$output" = 'vm-exec: stdout: No space left on device' ]
	run -125 bash -c 'vm-exec echo x >&-'
}

@test "nobody reads stderr: that stream ends, no more" {
	serve vm
	mkfifo gone unread
	# shellcheck disable=SC2016 # for the shell there
	vm-exec sh -c 'read x <'"$PWD"'/gone; (exec yes >&2); echo on $?; exit 5' >got 2>unread 3>&- &
	CLIENT=$!
	exec 7<unread
	exec 7<&-
	echo >gone
	ends 5
	[ "$(cat got)" = 'on 141' ]
}

@test "a slow reader of one stream does not hold the other" {
	serve vm
	# stdout is held by nobody who reads, stderr flows.
	mkfifo full told
	exec 7<>full
	# shellcheck disable=SC2016 # for the shell there
	vm-exec sh -c 'yes & trap "kill $!" EXIT; seq 100000 >&2; echo end >&2; wait' >full 2>told 3>&- &
	CLIENT=$!
	timeout 20 grep -qm1 end <told
	kill -KILL $CLIENT
	ends 137
	exec 7<&-
	# And what it did not read is there when it does.
	mkfifo late
	vm-exec sh -c 'head -c 1000000 /dev/zero; echo done' >late 2>err 3>&- &
	CLIENT=$!
	exec 7<late
	[ "$(head -c 1000000 <&7 | wc -c)" -eq 1000000 ]
	[ "$(cat <&7)" = done ]
	exec 7<&-
	ends 0
}

@test "memory does not grow with what comes" {
	serve vm --mode started,out:3000000000
	fore x
	exec 7<out
	head -c 30000000 <&7 | wc -c | grep -qx 30000000
	[ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$CLIENT/status)" -lt "${RSS_MAX:-8000}" ]
	kill -KILL "$CLIENT"
	ends 137
	exec 7<&-
}

@test "descriptors that are shared stay as they are" {
	serve vm
	mkfifo pipe
	exec 8<>pipe
	before=$(grep flags: /proc/$$/fdinfo/8)
	ex -i head -c 1 <&8 >&8 2>&8 &
	CLIENT=$!
	echo x >&8
	wait $CLIENT
	[ "$(grep flags: /proc/$$/fdinfo/8)" = "$before" ]
	exec 8>&-
}

@test "-d: prints nothing, returns when it runs, which goes on" {
	serve vm
	mkfifo go
	run -0 ex -d --status-fd 9 sh -c "read x <'$PWD/go'; echo out; echo err >&2" 9>json
	[ -z "$output" ]
	grep -qE '^\{"started":[0-9]+\}$' json
	grep -qx streams=0 log
	grep -qx flags=1 log
	echo >go
	seen 'detached command ended'
	run -127 ex -d no-such-command
	[ "$(seq 3 | { ex -d true; cat; })" = "$(seq 3)" ]
}

@test "-t: a terminal there, and none here" {
	serve vm
	[ "$(ex -t sh -c 'tty; echo err >&2')" = "$(printf '/dev/pts/%s\r\nerr\r' "$(ex -t tty | tr -cd 0-9)")" ] ||
		[[ $(ex -t sh -c 'tty; echo err >&2') == /dev/pts/*err* ]]
	run -7 ex -t sh -c 'exit 7'
	# stdin is a pipe: its end leaves the terminal open.
	printf 'typed\n' | ex -it sh -c 'stty -echo; read x; echo "<$x>"; echo more' >got
	grep -q '<typed>' got
	grep -q more got
	seq 3 | { ex -t true; cat; } | cmp - <(seq 3)
	head -c 3000000 /dev/urandom >data
	ex -t sh -c "stty raw; cat '$PWD/data'" >got
	cmp data got
}

@test "behind a handle pipe" {
	for sh in bash dash 'busybox sh'; do
		run -4 $sh -c 'exec_server | vm-exec sh -c "echo a; exit 4"'
		[ "$output" = a ]
		run -5 $sh -c 'exec_server | { read -r VM; export VM; vm-exec echo b && echo c | vm-exec -i cat && vm-exec sh -c "exit 5"; }'
		[ "$output" = $'b\nc' ]
		run -6 $sh -c 'echo d | exec_server --with -- vm-exec -i sh -c "cat; exit 6"'
		[ "$output" = d ]
		run -0 $sh -c 'x=$(exec_server | vm-exec echo e) && echo "$x"'
		[ "$output" = e ]
	done
	run -125 bash -c 'exec_server | vm-exec -i cat'
	[[ $output == 'vm-exec: -i: stdin is the handle'*'-V'* ]]
	run -125 setsid -w bash -c 'exec_server | vm-exec -it cat'
	[[ $output == *'/dev/tty'* ]]
	run -0 bash -c 'exec_server | vm-exec -t tty'
	run -125 bash -c 'true | vm-exec true'
	[[ $output == *'no handle came'* ]]
}

@test "the VM or its agent is not there" {
	serve vm --mode no-agent
	run -125 ex x
	[ "$output" = 'vm-exec: agent: does not come up: there is no agent in this guest' ]
	serve deaf --mode no-vsock
	run -125 ex x
	[ "$output" = 'vm-exec: agent: no connection: nobody listens' ]
	serve dies --mode vm-dies
	run -125 ex x
	for mode in fewer-fds more-fds no-sockets packet-fds; do
		serve $mode --mode $mode
		run -125 ex --status-fd 9 x 9>json
		[ "$output" = 'vm-exec: agent: malformed reply to vsock' ]
		[ "$(cat json)" = '{"error":"agent: malformed reply to vsock"}' ]
	done
}

@test "an agent that breaks the protocol is 125, whatever it does" {
	n=0
	for mode in huge big reserved fields started,huge started,out:3,eof,big started,started exit:0 signal:9 unknown \
		exec started,unknown started,exec started,failed:127 started,started,out:3,eof,exit:0 started-no-pid \
		failed:0 failed:1 failed:124 failed:128 started,exit:256 started,exit:4294967295 started,signal:0 \
		started,signal:65 started,out:3,eof,exit-both:1 started,out:3,eof,exit-none started,out:3,eof,exit-uncounted \
		flood started,flood started,out:3,join,exit:0,exit:0 join,failed:126,failed:126 started,out:3,eof,join,exit:0,unknown \
		split,huge join,started,started; do
		n=$((n + 1))
		serve "vm$n" --mode "$mode"
		run -125 --separate-stderr ex --status-fd 9 x 9>json
		[[ $stderr == 'vm-exec: agent: protocol error: '* ]] || { echo "$mode: $stderr"; false; }
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $(cat json) == '{"error":"agent: protocol error: '* ]]
	done
}

@test "records in pieces, or together, are records" {
	serve vm --mode split,started,out:3,eof,split,exit:6
	run -6 ex x
	[ "$output" = xxx ]
}

@test "output that is not what was counted is 125" {
	n=0
	for mode in started,out:2,eof,exit:0 started,eof,exit:0 started,out:3,err:1,eof,exit:0 started,out:4,eof,exit:0 \
		started,exit:0,out:100000,hold started,out:100000,exit:0 started,out:2,exit:0,close; do
		n=$((n + 1))
		serve "vm$n" --mode "$mode"
		run -125 --separate-stderr ex x
		[[ $stderr == *'vm-exec: std'*': output '* ]] || { echo "$mode: $stderr"; false; }
	done
}

@test "output that never ends is waited for, not for ever" {
	serve vm --mode started,out:3,exit:0,hold
	run -125 --separate-stderr ex x
	[ "$stderr" = 'vm-exec: agent: output truncated: it does not end' ]
	[ "$output" = xxx ]
}

@test "the agent is lost, the VM ends, or is killed" {
	n=0
	for mode in close started,close started,out:3,close started,out:3,close-control half,close started,half,close \
		started,out:3,eof,close-control; do
		n=$((n + 1))
		serve "vm$n" --mode "$mode"
		run -125 --separate-stderr ex x
		[[ $stderr == 'vm-exec: agent: lost: it hung up before the command '* ]] || { echo "$mode: $stderr"; false; }
		[[ $mode != *out:3* ]] || [ "$output" = xxx ]
	done
	serve vm
	fore --status-fd 9 sh -c 'echo go; exec sleep 1000' 9>json
	exec 7<out
	read -r line <&7
	kill -TERM "${servers[-1]}"
	ends 125
	grep -qx 'vm-exec: VM: it ended before the command did: vm-boot was killed' err
	[[ $(cat json) == '{"error":"VM: '* ]]
	exec 7<&-
}

@test "killed in the middle, the agent hears of it" {
	serve vm
	fore -i sh -c 'echo $$; exec yes' </dev/zero
	exec 7<out
	read -r there <&7
	kill -KILL "$CLIENT"
	ends 137
	seen closed
	timeout 20 tail -s 0.05 --pid="$there" -f /dev/null
	exec 7<&-
	# Before the request is out, too.
	awk 'BEGIN { for (i = 0; i < 15; i++) { printf "V%d=", i; for (j = 0; j < 100000; j++) printf "x"; print "" } }' >file
	timeout -s KILL 0.01 vm-exec --env-file file true || [ $? -eq 137 ]
	[ "$(ex echo here)" = here ]
}

@test "several at once" {
	serve vm
	pids=()
	for i in $(seq 8); do
		ex sh -c "seq $i 20000; exit $i" >"out$i" &
		pids+=($!)
	done
	for i in $(seq 8); do
		status=0
		wait "${pids[i - 1]}" || status=$?
		[ "$status" -eq "$i" ]
		seq "$i" 20000 | cmp - "out$i"
	done
}
