#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-console against a stand-in for vm-boot: everything that needs no real VM.

bats_require_minimum_version 1.5.0
load lib/pty
load lib/console-client

@test "help, version and usage errors" {
	run -0 vm-console --help
	[[ $output == *--wait-for* ]]
	run -0 vm-console --version
	run -125 vm-console --no-such-thing
	run -125 vm-console --send 'a\q'
	run -125 vm-console --wait-for '(a'
	run -125 vm-console --wait-for 'a**{2}'
	run -125 vm-console --escape abc
	for other in --read-only '--send x' '--wait-for x' '--run x'; do
		# shellcheck disable=SC2086 # words
		run -125 vm-console --escape ^A $other
		[[ $output == 'vm-console: --escape: goes with neither '* ]]
		[ "${#lines[@]}" -eq 1 ]
	done
	serve vm
	run -125 vm-console -V vm --escape ^A </dev/null
	[[ $output == 'vm-console: --escape: there is no terminal, so no key to detach'* ]]
	[ "${#lines[@]}" -eq 1 ]
	run -125 vm-console --timeout x
	run -125 vm-console --timeout 0
	run -125 vm-console operand
	run -125 vm-console --read-only --run true
	run -125 vm-console -V nobody --run true
	[[ $output == *"no such VM"* ]]
	run -125 vm-console --run true </dev/null
	[[ $output == *"pipe vm-boot into this"* ]]
}

@test "--run: every exit status" {
	serve vm -- dash
	for i in $(seq 0 255); do
		run con -V vm --run "exit $i"
		[ "$status" -eq "$i" ] || { echo "$i: $status $output"; return 1; }
		[ -z "$output" ]
	done
}

@test "--run: death by a signal, a command that is not there, one that may not run" {
	for sh in dash 'busybox sh' 'bash --norc'; do
		serve "vm${sh:0:3}" -- $sh
		# shellcheck disable=SC2016
		for s in 'INT 130' 'KILL 137' 'PIPE 141' 'TERM 143'; do
			run "-${s#* }" con -V "vm${sh:0:3}" --run "ulimit -c 0; kill -${s% *} \$\$"
			[ -z "$output" ]
		done
		run -127 con -V "vm${sh:0:3}" --run no-such-command
		run -126 con -V "vm${sh:0:3}" --run /dev/null
	done
}

@test "--run: output to the byte" {
	for sh in dash 'busybox sh' 'bash --norc'; do
		n=vm${sh:0:3}
		serve "$n" --cols 20 -- $sh
		printf 'no newline' >want
		con -V "$n" --run 'printf "no newline"' >got
		cmp want got
		printf 'a\r\nb\0c\377\376\036\037 \303(\n\n\n' >want
		con -V "$n" --run "printf 'a\\r\\nb\\0c\\377\\376\\036\\037 \\303(\\n\\n\\n'" >got
		cmp want got
		con -V "$n" --run 'echo out; echo err >&2; echo out' >got
		printf 'out\nerr\nout\n' | cmp - got
		con -V "$n" --run : >got
		[ ! -s got ]
		# shellcheck disable=SC2016
		con -V "$n" --run 'printf "%s|" "$0" "$#"; cat' >got
		printf 'sh|0|' | cmp - got
		con -V "$n" --run $'echo \'q"\\ !! %s %d $HOME `x` \t ~ \303\251 \377\'\necho two' >got
		printf '%s\ntwo\n' $'q"\\ !! %s %d $HOME `x` \t ~ \303\251 \377' >want
		cmp want got
	done
}

@test "--run: long commands on narrow terminals" {
	text=$(head -c 2000 /dev/zero | tr '\0' x)
	for sh in dash 'busybox sh' bash; do
		for cols in 1 7 20 80; do
			serve "vm$cols${sh:0:3}" --cols $cols -- $sh
			[ "$(con -V "vm$cols${sh:0:3}" --run "echo $text")" = "$text" ]
		done
	done
}

@test "--run: 1 MB of anything" {
	head -c 1000000 /dev/urandom >want
	serve vm -- dash
	con -V vm --run "cat $PWD/want" >got
	cmp want got
	serve small --chunk 7 --cols 20 -- busybox sh
	con -V small --run "cat $PWD/want" >got
	cmp want got
}

@test "--run: pipes, subshells, background jobs" {
	serve vm -- busybox sh
	[ "$(con -V vm --run 'seq 1000 | sort -rn | (head -n 1; cat >/dev/null) | tr 0 x')" = 1xxx ]
	mkfifo hold
	[ "$(con -V vm --run "cat $PWD/hold & echo started")" = started ]
	[ "$(con -V vm --run "(sleep 1000; cat) <$PWD/hold >/dev/null 2>&1 & kill \$!; echo started")" = started ]
	: >hold
	[ "$(con -V vm --run 'read x || echo eof')" = eof ]
}

@test "--run: several, in one session and in a hundred" {
	serve vm -- busybox sh
	args=()
	for i in $(seq 100); do
		args+=(--run "echo $i")
	done
	con -V vm "${args[@]}" | cmp - <(seq 100)
	for i in $(seq 100); do
		con -V vm --run "echo $i"
	done | cmp - <(seq 100)
	run -3 con -V vm --run 'echo one' --run 'echo two; exit 3' --run 'echo three'
	[ "$output" = $'one\ntwo' ]
}

@test "--run: four VMs at once" {
	for i in 1 2 3 4; do
		serve "vm$i" -- busybox sh
	done
	pids=()
	for i in 1 2 3 4; do
		(for j in $(seq 20); do con -V "vm$i" --run "echo $i $j"; done >"out$i") 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		for j in $(seq 20); do echo "$i $j"; done | cmp - "out$i"
	done
}

@test "--run: timeout is 124, shows what was written, and leaves the console usable" {
	for sh in dash 'busybox sh' 'bash --norc'; do
		n=vm${sh:0:3}
		serve "$n" -- $sh
		con -V "$n" --send 'stty -g >modes\n' --run true
		run --separate-stderr -124 con -V "$n" --timeout 0.7 --run 'echo partial; echo $$ >pid; sleep 1000'
		[ "$output" = partial ]
		[[ $stderr == *timeout* ]]
		run ! kill -0 "$(cat pid)"
		run --separate-stderr -124 con -V "$n" --timeout 0.7 --run 'trap "" INT; while :; do sleep 1; done'
		[ "$(con -V "$n" --run 'echo again')" = again ]
		con -V "$n" --send 'stty -g >modes2\n' --run true
		cmp modes modes2
	done
}

@test "--run: timeout while nobody answers" {
	mkfifo gate
	serve vm --gate gate
	run -124 con -V vm --timeout 0.5 --run true
	: >gate
	[ "$(con -V vm --run 'echo here')" = here ]
}

@test "--run: waits for a shell that comes late" {
	for sh in dash 'busybox sh' 'bash --norc'; do
		n=vm${sh:0:3}
		mkfifo "gate$n"
		serve "$n" --gate "gate$n" --boot $'\e[1mBooting # \377\036 login: $ ' -- $sh
		mkfifo "begun$n"
		con -v -V "$n" --run 'echo late' >"out$n" 2>"begun$n" 3>&- &
		pid=$!
		exec 8<"begun$n"
		read -r <&8
		: >"gate$n"
		wait $pid
		exec 8>&-
		[ "$(cat "out$n")" = late ]
	done
}

@test "--run: kernel messages in the middle cost time, not bytes" {
	head -c 100000 /dev/urandom >want
	serve vm --noise 2000 -- dash
	con -V vm --run "cat $PWD/want" >got
	cmp want got
}

@test "--run: lost bytes are asked for again, or an error, never a wrong result" {
	head -c 100000 /dev/urandom >want
	serve some --drop 5000 -- dash
	con -V some --run "cat $PWD/want" >got
	cmp want got
	for drop in 300 40; do
		serve "vm$drop" --drop $drop -- dash
		run --separate-stderr con -V "vm$drop" --timeout 4 --run "cat $PWD/want"
		[ "$status" -eq 124 ] || [ "$status" -eq 125 ]
		[ -z "$output" ]
		# what is left in this guest cannot be told to go
		rm -rf "$TMPDIR"/.vm-console.*
	done
}

@test "--run: the VM ends in the middle" {
	run --separate-stderr -125 bash -c 'console_server --cause panic -- sh -c "read x" | vm-console --run true'
	[[ $stderr == *panic* ]]
	run --separate-stderr -125 bash -c 'console_server --die-at 3000 -- dash | vm-console --run "seq 100000"'
	[[ $stderr == *killed* ]]
	rm -rf "${VM_RUNTIME_DIR:?}"/* "$TMPDIR"/.vm-console.*
	run --separate-stderr -125 bash -c 'console_server -- dash | vm-console --run "kill -9 \$PPID"'
	rm -rf "$TMPDIR"/.vm-console.*
}

@test "--run: needs are named, and od does where base64 is missing" {
	mkdir bin
	for c in sh printf stty mktemp dd wc cat rm mv sha256sum setsid od seq; do
		ln -s "$(command -v $c)" bin/$c
	done
	dash=$(command -v dash)
	env -i PATH="$PWD/bin" TMPDIR="$TMPDIR" VM_RUNTIME_DIR="$VM_RUNTIME_DIR" \
		"$(command -v console_server)" -- "$dash" |
		con --run 'seq 20000' >got
	seq 20000 | cmp - got
	rm bin/od
	run -125 bash -c 'env -i PATH="$PWD/bin" TMPDIR="$TMPDIR" VM_RUNTIME_DIR="$VM_RUNTIME_DIR" \
		"$(command -v console_server)" -- '"$dash"' | vm-console --run true'
	[[ $output == *no-base64-and-no-od* ]]
	rm -rf "$TMPDIR"/.vm-console.*
}

@test "--run: killed, it has the guest clear up" {
	serve vm -- busybox sh
	for sig in INT TERM HUP QUIT; do
		mkfifo started stays
		env --default-signal=INT,QUIT vm-console -V vm --run "echo \$\$ >pid; echo >started; cat stays" 3>&- &
		pid=$!
		read -r <started
		kill -$sig $pid
		status=0
		wait $pid || status=$?
		[ "$status" -eq $((128 + $(kill -l $sig))) ]
		tail --pid="$(cat pid)" -f /dev/null
		[ "$(con -V vm --run 'echo here')" = here ]
		rm started stays
	done
}

@test "--run: a session that was killed outright is taken over" {
	serve vm -- busybox sh
	mkfifo started
	vm-console -V vm --run "echo >started; sleep 0.2" 3>&- &
	pid=$!
	read -r <started
	kill -KILL $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 137 ]
	[ "$(con -V vm --run 'echo mine')" = mine ]
}

@test "--run: stdout that is full, gone or closed" {
	serve vm -- dash
	run bash -c 'vm-console -V vm --run "yes | head -c 3000000" | head -c 3; exit ${PIPESTATUS[0]}'
	[ "$status" -eq 141 ]
	run -125 bash -c 'vm-console -V vm --run "echo x" >/dev/full'
	run -125 bash -c 'vm-console -V vm --run "echo x" >&-'
	[ "$(con -V vm --run 'echo here')" = here ]
}

@test "a reader that leaves is missed at once, though the guest says nothing more" {
	serve vm -- sh -c 'echo first; exec sleep 1000'
	for input in '</dev/null' '--read-only'; do
		run -141 bash -c "timeout 30 vm-console -V vm $input | head -c 1; exit \${PIPESTATUS[0]}"
		[ "$output" = f ]
	done
}

@test "--send and --wait-for: prompts, order, consumption" {
	serve vm -- busybox sh
	con -V vm --send 'printf "%s-%s" ab cd; read x; echo "<$x>"\n' --wait-for 'ab-cd' \
		--send 'Hello\n' --wait-for '<H[a-z]+o>\r\n' >got
	[ "$(tail -c 9 got)" = $'<Hello>\r' ]
	# a match is used up: the next begins behind it
	con -V vm --send 'echo x$((0))x1x2\n' --wait-for 'x0' --wait-for 'x[0-9]' --wait-for 'x.' >got
	[ "$(tail -c 6 got)" = x0x1x2 ]
	# all bytes
	con -V vm --send 'stty raw -echo; echo READ''Y; dd bs=1 count=4 2>/dev/null | od -An -tx1; stty sane\n' \
		--wait-for 'READY' --send '\x00\xff\e\\' --wait-for '00 ff 1b 5c'
}

@test "--wait-for: replay is searched only when nothing comes before it" {
	serve vm --boot 'Welcome to the machine' -- busybox sh
	con -V vm --wait-for 'Welcome.*mach' >got
	grep -q Welcome got
	run -124 con -V vm --no-replay --timeout 0.3 --wait-for Welcome
	run -124 con -V vm --timeout 0.3 --send '' --wait-for Welcome
}

@test "--wait-for: the VM ends first" {
	run --separate-stderr -125 bash -c 'console_server --cause reset -- sh -c "echo hi" | vm-console --wait-for never'
	[[ $stderr == *reset* ]]
	[[ $output == hi* ]]
}

@test "automation never reads stdin" {
	serve vm -- busybox sh
	mkfifo silent
	exec 8<>silent
	[ "$(con -V vm --run 'echo yes' <silent)" = yes ]
	exec 8>&-
	printf 'line\n' | { con -V vm --run true; read -r x; [ "$x" = line ]; }
}

@test "a stream: all bytes both ways, stdin's end is not the end" {
	awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' </dev/null >all 2>/dev/null
	for i in $(seq 0 255); do printf "\\x$(printf %x "$i")"; done >all
	# shellcheck disable=SC2016
	serve vm --raw -- sh -c 'printf READY; exec head -c 25600'
	for _ in $(seq 100); do cat all; done >want
	con -V vm <want >got
	printf READY | cat - want | cmp - got
}

@test "a stream: 2,000 single bytes all arrive" {
	serve vm --raw -- sh -c 'exec head -c 2000 | sha256sum'
	head -c 2000 /dev/urandom >want
	dd if=want bs=1 2>/dev/null | con -V vm >got
	[ "$(cut -c-64 got)" = "$(sha256sum <want | cut -c-64)" ]
}

@test "a stream: 10,000 lines once each and in order, to a slow reader too" {
	console_server --raw -- seq 10000 | con >got
	seq 10000 | cmp - got
	serve vm --raw -- sh -c 'read x; exec seq 100000'
	bash -c 'echo go | vm-console -V vm | while read -r line; do echo "$line"; done' >got
	seq 100000 | cmp - got
}

@test "a stream: an open silent stdin is not waited for" {
	mkfifo silent got
	exec 8<>silent
	serve vm -- sh -c 'echo come; read x; echo "got $x"'
	con -V vm <silent >got 8>&- 3>&- &
	pid=$!
	exec 7<got
	read -r line <&7
	[ "$line" = $'come\r' ]
	con -V vm --send 'go\n' 7<&-
	wait $pid
	grep -q 'got go' <&7
}

@test "a stream: poweroff from a pipe" {
	serve vm -- sh -c 'read x; echo "<$x>"'
	echo poweroff | con -V vm >got
	grep -q '<poweroff>' got
}

@test "the cause of the end tells" {
	for cause in panic reset reboot triple-fault killed timeout failed; do
		run --separate-stderr -125 bash -c "console_server --raw --cause $cause --status 125 -- echo x | vm-console"
		[ "$output" = x ]
		[[ $stderr == *$cause* ]]
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	done
	run --separate-stderr -0 bash -c "console_server --cause stopped -- true | vm-console"
	[ -z "$stderr" ]
	run --separate-stderr -7 bash -c "console_server --status 7 -- true | vm-console"
	[ -z "$stderr" ]
	serve vm --raw --die-at 3 -- sh -c 'read x; echo abcdef'
	run --separate-stderr -125 con -V vm <<<go
	[[ $stderr == *killed* ]]
	rm -rf "${VM_RUNTIME_DIR:?}"/*
}

@test "several readers, one holder, a watcher that cannot type" {
	serve vm --raw -- sh -c 'read x; seq 1000'
	for i in 1 2 3; do
		con -V vm --read-only >"out$i" 3>&- &
		pids[i]=$!
	done
	run -124 con -V vm --read-only --timeout 0.5 <<<typed
	mkfifo begun
	con -v -V vm --timeout 20 --wait-for '\n1000\n' >out4 2>begun 3>&- &
	pids[4]=$!
	exec 8<begun
	read -r <&8
	run -125 con -V vm --run true
	[[ $output == *"works on it"* ]]
	socat -u - EXEC:"vm-console -V vm --timeout 10" <<<go
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		seq 1000 | cmp - "out$i"
	done
}

@test "a late reader has the replay, or not" {
	serve vm --boot 'early words' -- cat
	run -124 con -V vm --timeout 0.3 </dev/null
	[[ $output == *'early words'* ]]
	run -124 con -V vm --no-replay --timeout 0.3 </dev/null
	[ -z "$output" ]
}

@test "every shell: pipe, group, chain" {
	for sh in bash dash 'busybox sh'; do
		run -4 $sh -c 'console_server -- dash | vm-console --run "echo a; exit 4"'
		[ "$output" = a ]
		run -5 $sh -c 'console_server -- dash | { read -r VM; export VM; vm-console --run "echo b" && vm-console --run "exit 5"; }'
		[ "$output" = b ]
		run -6 $sh -c 'console_server --with -- vm-console --run "echo c; exit 6"'
		[ "$output" = c ]
		run -0 $sh -c 'console_server --raw -- seq 50 | vm-console | { n=0; while read -r x; do n=$((n+1)); done; echo $n; }'
		[ "$output" = 50 ]
		run -0 $sh -c 'x=$(console_server -- dash | vm-console --run "echo d") && echo "$x"'
		[ "$output" = d ]
	done
}
