#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-run, vm-shell, vm-cp: a VM as a filter, a shell there, files in and out.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/pty

setup_file() {
	vm_file || return 0
	start shared -m 512M
}

setup() {
	vm_setup
}

teardown() {
	no_leak shared
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/shared" ] || return 0
	ctl -V shared stop >/dev/null
	ctl -V shared wait >/dev/null
	no_leak
}

# vrun [OPTION]... COMMAND: vm-run on this engine, with little memory.
vrun() {
	limit vm-run --engine "$VM_ENGINE" -m 128M "$@"
}

# on_pty: expect(1) with a shell in a terminal
on_pty() {
	command -v expect >/dev/null || skip 'no expect'
	{
		pty_prelude 60
		cat
		printf '%s\n' 'send "exit\r"' gone
	} >script.exp
	limit expect -f script.exp >log </dev/null || { cat log && false; }
}

# -- vm-run --

@test "vm-run is a filter: stdin, stdout, stderr, status" {
	run -3 --separate-stderr vrun -- sh -c 'tr a-z A-Z; echo err >&2; exit 3' <<<abc
	[ "$output" = ABC ]
	[ "$stderr" = err ]
	statuses=(255)
	[ "${VM_REPEAT:-1}" -eq 1 ] || statuses=(0 1 124 125 126 127 255)
	for status in "${statuses[@]}"; do
		run "-$status" --separate-stderr vrun sh -c "exit $status" </dev/null
		[ -z "$output$stderr" ]
	done
	# shellcheck disable=SC2016 # the guest's
	while IFS='|' read -r want command; do
		# shellcheck disable=SC2086 # words
		run "-$want" --separate-stderr vrun $command </dev/null
		[ "${#stderr_lines[@]}" -eq $((want < 128)) ]
	done < <(few 1 '127|no-such-command' '126|/etc/passwd' '143|sh -c kill${IFS}-TERM${IFS}$$')
}

@test "vm-run: a megabyte of bytes goes in and come out as they were" {
	head -c 1000000 /dev/urandom >bytes
	for i in $(seq 0 255); do printf "\\x$(printf %x "$i")"; done >>bytes
	vrun sh -c 'tee /tmp/copy; sha256sum /tmp/copy >&2' <bytes >copy 2>sum
	cmp bytes copy
	[ "$(cut -d ' ' -f 1 sum)" = "$(sha256sum <bytes | cut -d ' ' -f 1)" ]
}

@test "vm-run: arguments, environment, directory, user are those asked for" {
	echo 'C=from file' >file
	A=inherited run -0 vrun -e A --env=B='b b' --env-file file -u user --workdir /tmp -c2 -a 'mark=7' \
		sh -c 'printf "<%s>" "$A" "$B" "$C" "$@"; id -un; pwd; nproc; grep -o mark=. /proc/cmdline' - 'a b' '' '*' -x </dev/null
	[ "${lines[0]}" = '<inherited><b b><from file><a b><><*><-x>user' ]
	[ "${lines[1]}" = /tmp ]
	[ "${lines[2]}" = 2 ]
	[ "${lines[3]}" = mark=7 ]
}

@test "vm-run: --no-stdin leaves a loop its lines, a variable VM is nothing to it" {
	seq 2 >numbers
	while read -r n; do
		VM=none vrun --no-stdin cat
		echo "$n"
	done <numbers >out
	diff numbers out
}

@test "vm-run: what is wrong is 125 and one line" {
	while read -r words; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr limit vm-run --engine "$VM_ENGINE" $words </dev/null
		echo "$words: $output$stderr"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == vm-run:* || $stderr == vm-boot:* || $stderr == vm-exec:* ]]
	done <<-'EOF'
		--image none true
		-k /dev/null true
		-m 1M true
		--engine none true
		-x true
		--namex=y true
		-n
		--name
		--tty=1 true
		--env-file none true
		--timeout soon true
	EOF
	# A guest whose kernel does not come so far as to have an agent.
	run -125 --separate-stderr vrun -a 'rdinit=/none' true
	echo "$stderr"
	[ -n "$stderr" ]
}

@test "vm-run --timeout is for all of it: 124" {
	run -124 vrun --timeout 8 sleep 1000
	run -124 vrun --timeout 0.05 true
}

@test "vm-run: --status-fd tells, -n names" {
	run -5 vrun --status-fd 8 -- sh -c 'exit 5' 8>told
	[ "$(cat told)" = '{"exit":5}' ]
	# Others reach it while it lives.
	mkfifo in out2
	vrun -n named -- sh -c 'echo up; cat' <in >out2 &
	job=$!
	exec 8>in
	read -r line <out2
	[ "$line" = up ]
	[ "$(limit vm-exec -V named echo there)" = there ]
	exec 8>&-
	wait $job
}

# chain: a vm-run as job, whose command runs; CHAIN is what it consists of: itself, machine, and QEMU if that is it.
chain() {
	rm -f out
	mkfifo out
	# In the background a shell has SIGINT ignored, and the command would have it, too.
	setsid env --default-signal=INT,QUIT vm-run --engine "$VM_ENGINE" -m 128M -- sh -c 'echo up; exec sleep 1000' >out 2>err 3>&- </dev/null &
	JOB=$!
	exec 8<out
	read -r line <&8
	[ "$line" = up ]
	mapfile -t CHAIN < <(marked "$VM_TEST" | grep -vx -e $$ -e "$BASHPID" | while read -r pid; do
		case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *vm-boot*--with* | *vm-exec* | *qemu-system*) echo "$pid" ;; esac
	done)
	[[ " ${CHAIN[*]} " == *" $JOB "* ]]
	[ ${#CHAIN[@]} -ge 2 ]
}

@test "vm-run: nothing is left when any process of the chain is killed" {
	chain
	count=${#CHAIN[@]}
	for ((i = 0; i < count; i++)); do
		[ "$i" -eq 0 ] || chain
		kill -KILL "${CHAIN[i]}"
		status=0
		wait "$JOB" || status=$?
		[ "${CHAIN[i]}" -eq "$JOB" ] && expected=137 || expected=125
		echo "$i of $count: $status: $(cat err)"
		[ "$status" -eq "$expected" ]
		# Whoever had the command's output sees the end of it.
		line=''
		read -r line <&8 || :
		[ -z "$line" ]
		exec 8<&-
		gone "${CHAIN[@]}"
	done
}

@test "vm-run: INT, TERM and HUP end the command, the VM and it" {
	for signal in $(few 1 INT HUP TERM); do
		chain
		kill -"$signal" "$JOB"
		status=0
		timeout 30 tail -s 0.05 --pid="$JOB" -f /dev/null || kill -KILL "$JOB"
		wait "$JOB" || status=$?
		echo "$signal: $status: $(cat err)"
		[ "$status" -eq $((128 + $(kill -l "$signal"))) ]
		gone "${CHAIN[@]}"
		exec 8<&-
	done
}

@test "vm-run without a command: a shell that reads stdin, or one on the terminal" {
	run -4 vrun -u user <<<'id -un; exit 4'
	[ "$output" = user ]
	on_pty <<-EOF
		send "vm-run --engine $VM_ENGINE -m 128M; echo STATUS \\\$?\r"
		want {# }
		send "tty; echo gue''st-\\\$((6*7))\r"
		want {/dev/pts/.*guest-42}
		send "exit 6\r"
		want {STATUS 6}
		send "vm-run --engine $VM_ENGINE -m 128M -t tty; echo STATUS \\\$?\r"
		want {/dev/pts/.*STATUS 0}
	EOF
}

@test "three VMs in a pipeline, one of them in a script that is a filter" {
	cat >mark <<-END
		#!/bin/sh
		exec vm-run --engine $VM_ENGINE -m 128M -e MARK="\$1" -- sh -c 'sort -r | sed "s/\$/\$MARK/"; echo marked >&2'
	END
	chmod +x mark
	run -0 --separate-stderr script_of_three
	[ "$output" = "$(seq 1000 | grep 7 | sort -r | sed 's/$/ in a VM/' | head -n 5)" ]
	[ "$stderr" = marked ]
}
script_of_three() {
	seq 1000 | vrun grep 7 | limit ./mark ' in a VM' | vrun head -n 5
}

# -- vm-shell --

@test "vm-shell: in the VM that is given, else in one of its own" {
	[ "$(limit vm-shell -V shared -u user <<<'id -un; pwd')" = $'user\n/home/user' ]
	limit vm-exec -V shared touch /tmp/mine
	[ "$(VM=shared limit vm-shell <<<'ls /tmp/mine')" = /tmp/mine ]
	run -9 limit vm-shell -V shared <<<'exit 9'
	run -125 --separate-stderr limit vm-shell -V none </dev/null
	[[ $stderr == *'none: no such VM'* ]]
	run -125 --separate-stderr limit vm-shell operand
	[ "$stderr" = "vm-shell: operand: unexpected operand (try 'vm-shell --help')" ]
	on_pty <<-EOF
		send "vm-shell -V shared; echo STATUS \\\$?\r"
		want {# }
		send "tty; exit 8\r"
		want {/dev/pts/.*STATUS 8}
		send "vm-boot --engine $VM_ENGINE -m 128M | vm-shell; echo STATUS \\\$?\r"
		want {# }
		send "tty; ls /tmp/mine; exit 9\r"
		want {/dev/pts/.*No such file.*STATUS 9}
	EOF
}

# -- vm-cp --

# tree: a directory with a bit of everything.
tree() {
	mkdir -p d/sub/deep d/-dash d/empty
	echo a >d/a
	ln d/a d/hard
	ln -s a d/link
	ln -s nowhere d/dangling
	printf x >d/$'new\nline'
	echo x >d/-file
	echo x >'d/a b'
	echo x >d/$'\377\376'
	head -c 100000 /dev/urandom >d/sub/deep/bytes
	: >d/sub/none
	chmod 4751 d/a
	chmod 600 d/-file
	touch -d '2001-02-03 04:05:06' d/a d/sub/deep/bytes
	chmod 555 d/sub/deep
	touch -d '2002-02-02' d/sub/deep d/-dash d/sub
	touch -d '2003-03-03' d
}

# look DIR: all that is to be kept of what is in it.
look() {
	(cd "$1" && find . -type l -printf '%p %l\n' -o -printf '%p %m %Ts %y %n\n' -type f -exec sha256sum {} + | sort)
}

@test "vm-cp: a tree goes there and comes back as it was" {
	export VM=shared
	tree
	look d >before
	limit vm-cp d :/tmp/tree
	limit vm-cp shared:/tmp/tree back
	look back | diff before -
	# Into what is there: by its name. Again: merged.
	mkdir into
	limit vm-cp :/tmp/tree into
	# Who is not root could replace nothing in there.
	chmod u+w into/tree/sub/deep
	limit vm-cp :/tmp/tree into
	look into/tree | diff before -
	limit vm-cp d :/tmp
	limit vm-cp d :/tmp
	limit vm-cp d/. :/tmp/tree
	limit vm-exec sh -c 'cd /tmp; diff -r d tree && [ ! -e d/d ] && [ "$(stat -c "%a %Y %h" d/a)" = "$(stat -c "%a %Y %h" tree/hard)" ]'
	chmod -R u+w d back into
	limit vm-exec rm -rf /tmp/tree /tmp/d
}

@test "vm-cp: files, several, by stranger names, over others" {
	export VM=shared
	tree
	limit vm-exec sh -c 'rm -rf /tmp/x && mkdir -p /tmp/x/dir && echo old >/tmp/x/old && ln -s old /tmp/x/link'
	limit vm-cp d/a :/tmp/x/new
	limit vm-cp d/a :/tmp/x/old
	limit vm-cp d/a 'd/a b' $'d/new\nline' d/$'\377\376' d/link d/sub :/tmp/x/dir
	(cd d && limit vm-cp -- -file ':-there' && limit vm-cp :-there ../-back)
	cmp d/-file ./-back
	limit vm-cp :/tmp/x/dir back
	for f in a 'a b' $'new\nline' $'\377\376' sub/deep/bytes; do cmp "d/$f" "back/$f"; done
	[ "$(readlink back/link)" = a ]
	limit vm-cp :/tmp/x/new :/tmp/x/old .
	cmp new d/a && cmp old d/a
	limit vm-cp d/-file :/tmp/x/link
	[ "$(limit vm-exec cat /tmp/x/old)" = a ]
	# The part before the colon is a VM, unless a slash comes first.
	echo colon >a:b
	limit vm-cp ./a:b :
	[ "$(limit vm-exec cat a:b)" = colon ]
	chmod -R u+w d back
}

@test "vm-cp: owners are those of who writes, with -a they are kept" {
	export VM=shared
	limit vm-exec -u user sh -c 'echo x >/tmp/of-user'
	echo x >mine
	limit vm-cp mine :/tmp/mine
	[ "$(limit vm-exec stat -c %u:%g /tmp/mine)" = 0:0 ]
	limit vm-cp -u user mine :/tmp/users
	[ "$(limit vm-exec stat -c %u:%g /tmp/users)" = 1000:1000 ]
	limit vm-cp :/tmp/of-user plain
	[ "$(stat -c %u plain)" = "$(id -u)" ]
	[ "$(id -u)" -eq 0 ] || skip 'the rest is for root'
	chown 12:34 mine
	limit vm-cp -a mine :/tmp/mine
	[ "$(limit vm-exec stat -c %u:%g /tmp/mine)" = 12:34 ]
	limit vm-cp --archive :/tmp/of-user plain
	[ "$(stat -c %u plain)" = 1000 ]
}

@test "vm-cp: - is a tar archive" {
	export VM=shared
	tree
	limit vm-exec sh -c 'rm -rf /tmp/t && mkdir /tmp/t'
	tar c d | limit vm-cp - :/tmp/t
	mkdir e
	limit vm-cp :/tmp/t/d - | tar x -C e
	diff -r --no-dereference d e/d
	[ "$(limit vm-cp :/tmp/t/d/. - | tar t | head -n 1)" = ./ ]
	head -c 20000 /dev/urandom | { ! limit vm-cp - :/tmp/t; }
	run -1 limit vm-cp - :/no/such </dev/null
	run -1 limit vm-cp :/no/such -
	run -125 limit vm-cp none:/tmp -
	chmod -R u+w d e
}

@test "vm-cp: what cannot be is an error, and leaves nothing" {
	export VM=shared
	mkdir here && cd here
	echo x >file
	mkdir dir
	limit vm-exec sh -c 'rm -rf /tmp/e && mkdir -p /tmp/e/dir/file'
	while IFS='|' read -r status words said; do
		# shellcheck disable=SC2086 # words
		run "-$status" --separate-stderr limit vm-cp $words </dev/null
		echo "vm-cp $words: $stderr"
		[ -z "$output" ]
		# shellcheck disable=SC2053 # a pattern
		[[ $stderr == $said ]]
	done <<-'EOF'
		1|none :/tmp|vm-cp: none: no such file or directory
		1|:/none .|vm-cp: /none: no such file or directory
		1|file :/none/file|vm-cp: /none/: no such directory
		1|file :/tmp/e/new/|vm-cp: /tmp/e/new/: no such directory
		1|file dir :/tmp/e/none|vm-cp: /tmp/e/none: not a directory
		1|file file :/etc/passwd|vm-cp: /etc/passwd: not a directory
		1|dir :/etc/passwd|*/etc/passwd*
		1|:/etc file|*file*
		1|file :/tmp/e/dir|vm-cp: /tmp/e/dir/file: a directory is in the place of the file
		1|file :/dev/null|vm-cp: /dev/null: not a regular file
		1|file none:/tmp|*none: no such VM*
		1|none:/etc .|*none: no such VM*
		1|-u nobody file :/root|*
		1|-u none file :/root|*
		2|file dir|vm-cp: file: neither this nor DEST is in a VM *
		2|shared:/etc other:/tmp|vm-cp: shared:/etc: from VM to VM in two steps: vm-cp VM:PATH - * vm-cp - VM:DIR *
		2|file - :/tmp|vm-cp: -: goes with one SOURCE *
		2|file|vm-cp: SOURCE and DEST are needed *
		2|-x file :/tmp|vm-cp: -x: unknown option *
		2|-V|vm-cp: -V: needs an argument *
	EOF
	run -2 --separate-stderr env -u VM vm-cp file :/tmp
	[[ $stderr == 'vm-cp: :/tmp: no VM given: name it, with -V or the variable VM'* ]]
	[ "$(limit vm-exec find /tmp/e)" = $'/tmp/e\n/tmp/e/dir\n/tmp/e/dir/file' ]
	[ "$(find . | sort | xargs)" = '. ./dir ./file' ]
}

@test "vm-cp: no room there, a signal, a side that is killed: never 0, and no half of a file" {
	export VM=shared
	limit vm-exec sh -c 'rm -rf /tmp/*; mkdir -p /tmp/small; mount -t tmpfs -o size=1m none /tmp/small'
	head -c 3000000 /dev/urandom >big
	run -1 limit vm-cp big :/tmp/small
	[ "$(limit vm-exec ls -A /tmp/small)" = '' ]
	limit vm-exec umount /tmp/small
	# A tar that stops half-way, here and there, until somebody is killed.
	mkdir bin
	mkfifo hold begun
	exec 8<>hold
	tar cf big.tar big
	cat >bin/tar <<-'EOF'
		#!/bin/sh
		case $1 in
		--version) echo 'no other' ;;
		-c*) head -c 1000000 big.tar && read -r _ <hold ;;
		-x*) echo begun >begun && exec busybox tar "$@" ;;
		esac
	EOF
	chmod +x bin/tar
	PATH=$PWD/bin:$PATH
	for whom in vm-cp tar vm-exec; do
		setsid vm-cp big :/tmp/big 3>&- 2>err </dev/null &
		job=$!
		limit vm-exec sh -c 'until ls -A /tmp | grep -q vm-cp; do :; done'
		case $whom in
		vm-cp) kill -TERM $job && expected=143 ;;
		*) kill -KILL "$(pgrep -s $job -x $whom)" && expected=1 ;;
		esac
		# A sender that has nothing to write does not see that its reader has gone: it goes on.
		[ $whom != vm-exec ] || echo >&8
		status=0
		wait $job || status=$?
		echo "$whom: $status: $(cat err)"
		[ $status -eq $expected ]
		limit vm-exec sh -c '[ ! -e /tmp/big ]'
		# The guest's end of it may take a moment longer to clean up. Whose vm-exec is killed is killed itself.
		[ $whom = vm-exec ] || limit vm-exec sh -c 'while ls -A /tmp | grep -q vm-cp; do :; done'
	done
	limit vm-exec dd if=/dev/zero of=/tmp/large bs=1 count=1 seek=4000000000 2>/dev/null
	for whom in vm-cp vm-exec; do
		setsid vm-cp :/tmp/large here 3>&- 2>err </dev/null &
		job=$!
		read -r _ <begun
		case $whom in
		vm-cp) kill -TERM $job && expected=143 ;;
		vm-exec) kill -KILL "$(pgrep -s $job -x $whom)" && expected=1 ;;
		esac
		status=0
		wait $job || status=$?
		echo "$whom: $status: $(cat err)"
		[ $status -eq $expected ]
		[ "$(find . -name '.vm-cp*' -o -name here)" = '' ]
	done
}
