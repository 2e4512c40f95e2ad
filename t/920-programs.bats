#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real programs with a VM as their other machine: rsync, git, tar, make.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/lend

setup_file() {
	vm_file || return 0
	start box -m 512M
}

setup() {
	vm_setup
}

teardown() {
	no_leak box
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/box" ] || return 0
	ctl -V box stop >/dev/null
	ctl -V box wait >/dev/null
	no_leak
}

# forest: small files in directories of 100, 5,000 of them (in the lab 800).
forest() {
	local dir file
	mkdir forest
	DIRS=$(share 50 8)
	for ((dir = 0; dir < DIRS; dir++)); do
		mkdir "forest/$dir"
		for file in {0..99}; do printf "%$((file * 3))d\n" "$dir" >"forest/$dir/$file"; done
	done
	ln -s 1/2 forest/link
}

@test "rsync -a -e vm-rsh: a tree of 5,000 files, both ways" {
	lend box rsync
	forest
	limit rsync -a -e vm-rsh forest box:/tmp/
	limit rsync -a -e vm-rsh root@box:/tmp/forest/ back
	diff -r --no-dereference forest back
	[ "$(find back -type f | wc -l)" -eq $((DIRS * 100)) ]
	# Nothing is left to do, in one way or the other; and what changes is seen.
	[ -z "$(limit rsync -ai -e 'vm-rsh -l root' forest box:/tmp/)" ]
	echo changed >forest/7/7
	[ "$(limit rsync -ai -e vm-rsh forest box:/tmp/ | grep -c '^<f')" -eq 1 ]
	limit vm-exec -V box rm -r /tmp/forest
}

@test "tar c | vm-exec -i tar x: a tree of 5,000 files, both ways" {
	forest
	tar c forest | limit vm-exec -V box -i tar x -C /tmp
	limit vm-exec -V box tar c -C /tmp forest | tar x --transform 's,^forest,back,'
	diff -r --no-dereference forest back
	[ "$(find back -type f | wc -l)" -eq $((DIRS * 100)) ]
	# vm-cp does the same.
	limit vm-cp box:/tmp/forest again
	diff -r --no-dereference forest again
	limit vm-exec -V box rm -r /tmp/forest
}

@test "git clone and push with GIT_SSH=vm-rsh" {
	lend box git
	limit vm-exec -V box sh -c 'for p in git-upload-pack git-receive-pack; do ln -sf git /bin/$p; done'
	export GIT_SSH=vm-rsh GIT_CONFIG_NOSYSTEM=1 HOME=$PWD GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n \
		GIT_COMMITTER_EMAIL=e
	limit vm-rsh box 'git init -q --bare project'
	git init -q mine
	head -c 300000 /dev/urandom >mine/file
	git -C mine add file
	git -C mine commit -qm first
	limit git -C mine push -q box:project HEAD:refs/heads/main
	limit git clone -q -b main root@box:project clone
	cmp mine/file clone/file
	[ "$(git -C clone rev-parse HEAD)" = "$(git -C mine rev-parse HEAD)" ]
	# As a program that knows ssh's options, it has a newer protocol.
	[ "$(GIT_SSH_VARIANT=ssh GIT_TRACE_PACKET=1 limit git ls-remote box:project 2>&1 | grep -c 'version 2')" -ge 1 ]
	run ! limit git clone -q box:none
}

@test "ssh to an sshd in the guest through a ProxyCommand" {
	command -v ssh >/dev/null || skip 'no ssh: install openssh-client'
	lend box dropbear
	ssh-keygen -q -t ed25519 -N '' -f key
	# It listens when it has gone into the background.
	limit vm-exec -V box -i sh -c 'mkdir -p -m 700 /root/.ssh /etc/dropbear; cat >/root/.ssh/authorized_keys
		dropbear -R -p 127.0.0.1:22' <key.pub
	ssh_box() {
		limit ssh -F none -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
			-o ProxyCommand='vm-exec -V box -i nc 127.0.0.1 22' root@box "$@"
	}
	run -3 --separate-stderr ssh_box 'echo out; echo err >&2; exit 3' </dev/null
	[ "$output" = out ]
	[ "$stderr" = err ]
	seq 100000 | ssh_box 'cat; uname -n' >out
	{ seq 100000 && echo vm; } | cmp - out
}

@test "make with a guest as its shell" {
	printf 'all: one two\n\t@cat one two; exit 0\none two:\n\t@echo $@ >$@; uname -n >>$@; test -w /etc/passwd\nbad:\n\texit 7\n' >Makefile
	run -0 --separate-stderr limit make -s -j2 SHELL=vm-rsh .SHELLFLAGS='-n box'
	echo "$output$stderr"
	[ "$output" = $'one\nvm\ntwo\nvm' ]
	[ ! -e one ]
	run -2 limit make bad SHELL=vm-rsh .SHELLFLAGS='-n box'
	[[ $output == *'Error 7'* ]]
}

@test "vm-rsh: one line for the shell, status, stdin, users, options of ssh" {
	run -3 limit vm-rsh box 'printf "<%s>"' '"a  b"' 'a  b;' 'exit 3'
	[ "$output" = '<a  b><a><b>' ]
	[ "$(echo in | limit vm-rsh box cat)" = in ]
	[ "$(echo in | limit vm-rsh -n box 'cat; echo out')" = out ]
	[ "$(limit vm-rsh user@box 'id -un; pwd')" = $'user\n/home/user' ]
	[ "$(limit vm-rsh -l user box 'id -un')" = user ]
	[ "$(limit vm-rsh -p 22 -4 -6 -T -x -q -oBatchMode=yes box id -u)" = 0 ]
	[ "$(limit vm-rsh -V box any id -u)" = 0 ]
	[ "$(limit vm-rsh "$VM_RUNTIME_DIR/box/ctl" id -u)" = 0 ]
	[ "$(VARIABLE='a b' limit vm-rsh -o SendEnv=VARIABLE box 'echo "$VARIABLE"')" = 'a b' ]
	[ "$(echo 'id -u; exit' | limit vm-rsh box)" = 0 ]
	[ "$(limit vm-boot --engine "$VM_ENGINE" -m 128M --with sh -c 'vm-rsh "$VM" echo chain')" = chain ]
	run -143 limit vm-rsh box 'kill $$'
	while IFS='|' read -r words said; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr limit vm-rsh $words </dev/null
		echo "vm-rsh $words: $output$stderr"
		[ -z "$output" ]
		# shellcheck disable=SC2053 # a pattern
		[[ $stderr == $said ]]
	done <<-'END'
		-G box|vm-rsh: -G: unknown option *
		-A box id|vm-rsh: -A: unknown option *
		-o ProxyCommand=id box id|vm-rsh: -o ProxyCommand=id: not an option that a VM has *
		-o SendEnv=A* box id|vm-rsh: -o SendEnv=A*: not the name of a variable *
		|vm-rsh: HOST is missing *
		-l|vm-rsh: -l: needs an argument *
		- id|vm-rsh: -: stdin is for the command: name the VM *
		none id|vm-exec: *none: no such VM*
	END
	run -126 limit vm-rsh nobody-there@box id
}
