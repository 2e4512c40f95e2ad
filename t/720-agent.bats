#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The agent in a real guest: shells, whom it trusts, and vsock without it.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/agent

# How much and how often: larger in `make soak`.
REPEAT=${VM_REPEAT:-1}

setup_file() {
	vm_file || return 0
	export PATH="$ROOT/.build/t/unit:$PATH"
	start agent -m 256M
	ctl -V agent ready agent
	limit vm-exec -V agent -i sh -c 'cat >/tmp/guest_vsock; chmod +x /tmp/guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
}

setup() {
	vm_setup
	export VM=agent
}

teardown() {
	no_leak agent
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/agent" ] || return 0
	ctl -V agent stop >/dev/null
	ctl -V agent wait >/dev/null
	no_leak
}

# census: zombies, processes of the kinds that tests start, the agent's descriptors.
census() {
	# shellcheck disable=SC2016 # the guest's
	ex sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status
		cat /proc/[0-9]*/comm | grep -xE "sh|sleep|true|cat|vm-agent serve" | sort | uniq -c
		ls /proc/$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)/fd | wc -l' 2>/dev/null
}

# settled: a census is as the one in the file before, now or soon.
settled() {
	local end=$((SECONDS + 30))
	until census >now && cmp -s before now || [ $SECONDS -gt $end ]; do :; done
	diff before now
}

# at_prompt KEYS: a shell in a terminal that gets KEYS when it asks for them; ends with it.
at_prompt() {
	local job status=0
	[ -p keys ] || mkfifo keys screen
	ex -it sh <keys >screen 2>&1 &
	job=$!
	exec 7>keys
	{
		read -r -d '#' _
		printf %b "$1" >&7
		cat >/dev/null
	} <screen
	exec 7>&-
	wait $job || status=$?
	return $status
}

# -- shells --

@test "the exit storm: shells that are left by exit, by Ctrl-D, and killed" {
	census >before
	rounds=$(share $((34 * REPEAT)) 10)
	for ((i = 0; i < rounds; i++)); do
		status=0
		echo "exit $i" | ex -i sh || status=$?
		[ $status -eq $((i % 256)) ]
		status=0
		printf 'exit %d\n' $((i % 200)) | ex -it sh >/dev/null || status=$?
		[ $status -eq $((i % 200)) ]
		at_prompt '\004'
		status=0
		# shellcheck disable=SC2016 # the guest's
		echo 'kill -KILL $$' | ex -i sh || status=$?
		[ $status -eq 137 ]
	done
	[ "$(ctl status | grep ^agent=)" = agent=ready ]
	settled
}

@test "a shell that leaves a background job, with a terminal and without" {
	census >before
	echo 'sleep 98765 & exit 4' | job_status 4 -i sh
	echo 'sleep 98765 & exit 5' | job_status 5 -it sh
	run -6 at_prompt 'sleep 98765 &\nexit 6\n'
	ex killall sleep || :
	settled
}

job_status() {
	local want=$1 status=0
	shift
	ex "$@" >out 2>err || status=$?
	[ $status -eq "$want" ] || { echo "status $status, not $want: $(cat out err)" && return 1; }
}

@test "a shell that prints a megabyte and exits: every byte arrives" {
	echo 'seq 160000 | head -c 1048576; exit 3' | job_status 3 -i sh
	seq 160000 | head -c 1048576 | cmp - out
	# cat, because head writes to a terminal line by line, and each is a packet.
	job_status 3 -t sh -c 'stty -opost; seq 160000 | head -c 1048576 | cat; exit 3'
	seq 160000 | head -c 1048576 | cmp - out
}

@test "no zombie stays of many short processes, of orphans neither" {
	census >before
	count=$(share 10000 1000)
	LIMIT=600 ex sh -c 'i=0; while [ $i -lt $1 ]; do (true &); i=$((i + 1)); done' sh $count
	LIMIT=600 ex sh -c 'i=0; while [ $i -lt $1 ]; do true & true & true & true & wait; i=$((i + 4)); done' sh "$(share 10000 1000)"
	settled
}

@test "file systems and names that programs take for granted are there" {
	diff - <(ex awk '$2 ~ "^/(proc|sys|dev|run|tmp)(/|$)" { print $3, $2 }' /proc/mounts | grep -v cgroup) <<-'END'
		devtmpfs /dev
		proc /proc
		sysfs /sys
		devpts /dev/pts
		tmpfs /dev/shm
		tmpfs /run
		tmpfs /tmp
	END
	[ "$(echo out | ex -i sh -c 'cat /dev/stdin /dev/fd/0 >/dev/stdout')" = out ]
	# shellcheck disable=SC2016 # the guest's
	[ "$(ex -u 1000 sh -c 'touch /tmp/mine /dev/shm/mine && rm /tmp/mine /dev/shm/mine && { touch /run/mine || echo no; }' 2>/dev/null)" = no ]
}

@test "a driver is loaded where its device is; overlay and fuse when somebody wants them" {
	ex lsmod >before
	grep -q ^virtio_rng before
	run -1 grep -E '^(virtio_net|virtio_blk|virtiofs|virtio_balloon|overlay|fuse) ' before
	[ "$(ex stat -c '%a %t:%T' /dev/fuse)" = 666\ a:e5 ]
	ex sh -c 'cd "$(mktemp -d)" && mkdir low up work all && echo low >low/file &&
		mount -t overlay -o lowerdir=low,upperdir=up,workdir=work all all && cat all/file && umount all' >out
	[ "$(cat out)" = low ]
	# Whoever may open it: the kernel calls modprobe, not the user.
	ex -u user sh -c 'exec 3<>/dev/fuse'
	ex modprobe virtio_net
	ex lsmod >after
	for name in overlay fuse virtio_net net_failover; do grep -q "^$name " after; done
}

# -- trust --

@test "a second agent, started by hand, says so and leaves" {
	run -1 ex vm-agent serve
	[[ $output == *'an exec server is running already: nothing done'* ]]
	run -1 ex -u user vm-agent serve
	[ "$(ctl status | grep ^agent=)" = agent=ready ]
	ex true
}

@test "a guest's user gets at neither the agent nor the host's side of it" {
	# The exec port, by our own CID, by the local one, by the host's.
	for cid in 1 3; do
		for user in root user; do
			run -1 ex -u $user /tmp/guest_vsock connect $cid 1
			[[ $output == connect:\ * ]]
			[[ $output != *connected* ]]
		done
	done
	run -1 ex -u user /tmp/guest_vsock connect 2 1
	[ "$output" = 'connect: ECONNRESET' ]
	run -1 ex -u user /tmp/guest_vsock bind 1023
	[ "$output" = 'bind: EACCES' ]
	run -0 ex -u user /tmp/guest_vsock bind 1024
	run -1 ex /tmp/guest_vsock bind 1
	[ "$output" = 'bind: EADDRINUSE' ]
	# The life-cycle port, from a user's port: taken, and closed at once.
	run -0 ex -u user /tmp/guest_vsock connect 2 1024
	[ "$output" = connected ]
	run -1 ex -u user /tmp/guest_vsock connect 2 1024 1000
	[ "$output" = 'bind: EACCES' ]
	run -1 ex -u user /tmp/guest_vsock life 00000000000000000000000000000000
	[ "$output" = 'bind: EACCES' ]
	[ "$(ctl status | grep ^agent=)" = agent=ready ]
}

@test "nor by the local CID, with vsock_loopback loaded" {
	module=$(echo "$(vm-image kernel)"/lib/modules/*/kernel/net/vmw_vsock/vsock_loopback.ko)
	ex -i sh -c 'cat >/tmp/vsock_loopback.ko; insmod /tmp/vsock_loopback.ko' <"$module"
	for user in user root; do
		# Now it connects, and the agent hangs up on whoever is not the host.
		run ex -u $user /tmp/guest_vsock exec 1 touch /tmp/owned
		[ "$output" = refused ]
	done
	run -1 ex ls /tmp/owned
	[ "$(ctl status | grep ^agent=)" = agent=ready ]
	ex rmmod vsock_loopback
	ex true
}

@test "root with a wrong token is refused, and the old link stays" {
	fore token
	ctl ready agent
	ex -i sh -c 'cat >/tmp/guest_vsock; chmod +x /tmp/guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
	run -1 ex /tmp/guest_vsock life 00000000000000000000000000000000
	[ "$output" = refused ]
	run -1 ex /tmp/guest_vsock life ffffffffffffffffffffffffffffffff
	[ "$output" = refused ]
	ctl status | grep -qx agent=ready
	# It is the link that stops it in order: the answer comes before the power button's.
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
	[ "$(sort -u token.err)" = 'vm-boot: an agent without the token was refused' ]
}

@test "the token is nowhere in the guest for a user to read" {
	run ex sh -c 'ls /.pipevm'
	[ "$status" -ne 0 ]
	# Its bytes are random: what it is not is one of the words that are known.
	ex -u user cat /proc/cmdline | tr ' ' '\n' >words
	grep -qx "console=$CONSOLE" words
	run ! grep -vxE 'quiet|earlycon=uart8250,io,0x3f8|console=(hvc0|ttyS0)|panic=-1|no_timer_check|possible_cpus=1|(cryptomgr\.notests|initcall_blacklist=[a-z0-9_]+)' words
	[ -z "$output" ]
}

# -- vsock without the agent --

@test "vsock: a port where nobody listens refuses; one where somebody does answers" {
	run -0 ctl_send "$(ctl handle)" 'send:vsock\05555' recv
	[[ $output == 'error|ECONNREFUSED|'* ]]
	run -0 ctl_send "$(ctl handle)" 'send:vsock\01\017' recv 'send:vsock\0x' recv
	[[ ${lines[0]} == 'error|EINVAL|'* && ${lines[1]} == 'error|EINVAL|'* ]]
	mkfifo up
	ex /tmp/guest_vsock echo 5555 >up &
	job=$!
	read -r line <up
	[ "$line" = listening ]
	run -0 ctl_send "$(ctl handle)" 'send:vsock\05555' recv
	[ "$output" = 'ok +1' ]
	wait $job
}

@test "vsock-listen: a guest's connection arrives; reserved and taken ports are refused" {
	run -0 ctl_send "$(ctl handle)" 'send:vsock-listen\01024' recv
	[[ $output == 'error|EPERM|'* ]]
	run -1 ex /tmp/guest_vsock connect 2 6666
	[ "$output" = 'connect: ECONNRESET' ]
	mkfifo said
	limit ctl_send "$(ctl handle)" 'send:vsock-listen\06666' recv use recv use echo >said &
	job=$!
	{
		read -r ok
		[ "$ok" = 'ok +1' ]
		run -0 ctl_send "$(ctl handle)" 'send:vsock-listen\06666' recv
		[[ $output == 'error|EADDRINUSE|'* ]]
		[ "$(echo 'from the guest' | ex -i /tmp/guest_vsock send 2 6666)" = 'from the guest' ]
		read -r from fds
		[ "$fds" = +1 ]
		[ "$from" -ge 1024 ]
	} <said
	wait $job
	# The listener is gone, and the port with it.
	end=$((SECONDS + 30))
	until run ex /tmp/guest_vsock connect 2 6666 && [ "$output" = 'connect: ECONNRESET' ]; do [ $SECONDS -lt $end ]; done
}

@test "--vsock-path: programs that know Firecracker's sockets, both ways" {
	command -v socat >/dev/null || skip 'no socat: install socat'
	with_agent paths -m 192M --vsock-path "$PWD/v"
	ex -i sh -c 'cat >/tmp/guest_vsock; chmod +x /tmp/guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
	# The host's programs dial.
	mkfifo up
	ex /tmp/guest_vsock echo 5555 >up &
	job=$!
	read -r line <up
	[ "$line" = listening ]
	{ echo CONNECT 5555 && seq 20000; } | limit socat -t 60 - UNIX-CONNECT:v >out
	[[ $(head -n 1 out) =~ ^OK\ [0-9]+$ ]]
	tail -n +2 out | cmp - <(seq 20000)
	wait $job
	[ -z "$(echo CONNECT 5556 | limit socat -t 60 - UNIX-CONNECT:v)" ]
	[ -z "$(echo CONNECT all | limit socat -t 60 - UNIX-CONNECT:v)" ]
	# The guest's do.
	limit socat UNIX-LISTEN:v_7777 SYSTEM:'tr 0-9 a-j' &
	job=$!
	until [ -S v_7777 ]; do kill -0 $job; done
	seq 20000 | ex -i /tmp/guest_vsock send 2 7777 >out
	seq 20000 | tr 0-9 a-j | cmp - out
	wait $job
	run -1 ex /tmp/guest_vsock connect 2 7778
	[ "$output" = 'connect: ECONNRESET' ]
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
	[ ! -e v ]
}

# -- time that stands still --

@test "vm-boot is stopped for a while, with commands under way" {
	pid=$(ctl status | sed -n 's/^pid=//p')
	mkfifo up
	ex -i sh -c 'echo up; cat; seq 100000; exit 6' <"$BATS_FILE_TMPDIR/handle.agent" >up &
	job=$!
	exec 8<up
	read -r _ <&8
	kill -STOP "$pid"
	for i in {1..5}; do
		ex sh -c 'echo "$1"; exit $1' sh "$i" >"out.$i" 2>&1 &
		jobs[i]=$!
	done
	# Time itself is what is tested.
	read -r -t $((5 * (REPEAT > 1 ? 6 : 1))) <> <(:) || :
	kill -CONT "$pid"
	{ cat "$BATS_FILE_TMPDIR/handle.agent" && seq 100000; } | cmp - <(cat <&8)
	exec 8<&-
	job_ends 6 $job
	for i in {1..5}; do
		job_ends "$i" "${jobs[i]}"
		[ "$(cat "out.$i")" = "$i" ]
	done
	ctl status | grep -qx agent=ready
}

@test "a guest that is paused for a while, with commands under way" {
	mkfifo up
	ex mkfifo /tmp/paused
	ex sh -c 'echo up; read x </tmp/paused; echo "$x"; exit 6' >up &
	job=$!
	exec 8<up
	read -r _ <&8
	ctl pause
	# Longer than the agent's absence may last; time itself is what is tested.
	read -r -t 5 <> <(:) || :
	run -125 ex true
	[ "$output" = 'vm-exec: agent: no connection: vsock: the VM is paused' ]
	ctl resume
	ex sh -c 'echo on >/tmp/paused'
	[ "$(cat <&8)" = on ]
	exec 8<&-
	job_ends 6 $job
	ctl status | grep -qx agent=ready
}
