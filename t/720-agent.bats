#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The agent in a real guest: its life and death, the main command, whom it trusts, and vsock without it.

bats_require_minimum_version 1.5.0
load lib/vm-test

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

# ex [OPTION]... COMMAND...: vm-exec, with an end to patience.
ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# says VALUE: what `status` says, now or soon.
says() {
	local end=$((SECONDS + 60))
	until ctl status | grep -qx "$1"; do [ $SECONDS -lt $end ]; done
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

# with_agent NAME [OPTION]...: a VM of this test's own, as fore() has it, whose agent is ready.
with_agent() {
	fore "$@"
	ctl ready agent
}

# service NAME SCRIPT [OPTION]...: a VM as fore() has it, whose init is a shell on its console, with a poweroff of its
# own that says `off-42`; there SCRIPT runs, for which $WORD is looked for on the console.
service() {
	local name=$1 script=$2
	shift 2
	fore "$name" -m 192M -a 'console=ttyS0 rdinit=/bin/sh' "$@"
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mkdir -p /run/bin /tmp
		while read -r m; do insmod $m; done </etc/vm-agent/modules; rm /.pipevm; export PATH=/run/bin:$PATH
		cat >/run/bin/poweroff <<"END"
#!/bin/sh
echo off-$((6*7)) >/dev/console
exec busybox poweroff -f
END
		chmod +x /run/bin/poweroff
		'"$script"'\n' --wait-for "$WORD" >"$name.con"
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
	run ! grep -vxE 'quiet|earlycon=uart8250,io,0x3f8|console=(hvc0|ttyS0)|panic=-1|no_timer_check|(cryptomgr\.notests|initcall_blacklist=[a-z0-9_]+)' words
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

# with_service NAME: a VM of this test's own whose init is a shell and whose agent is a service without a token, with
# guest_vsock.
with_service() {
	fore "$1" -m 192M -a 'console=ttyS0 rdinit=/bin/sh'
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
		while read -r m; do insmod $m; done </etc/vm-agent/modules; rm /.pipevm; vm-agent serve &\n' >/dev/null
	ctl ready agent
	ex -i sh -c 'cat >/guest_vsock; chmod +x /guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
}

@test "output that breaks off half-way, and then a good end: 125, never success" {
	with_service broken
	# One who means harm in the agent's place.
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $(pidof vm-agent); until /guest_vsock bind 1 >/dev/null; do :; done
		/guest_vsock truncate >/up </dev/null & until grep -q listening /up; do :; done'
	run -125 --separate-stderr ex --status-fd 8 x 8>status
	[ "$stderr" = 'vm-exec: stdout: output truncated: 5000 of 10000 bytes came' ]
	[ "$output" = "$(head -c 5000 /dev/zero | tr '\0' x)" ]
	grep -q '^{"error":"stdout: output truncated' status
	ctl kill >/dev/null
	ends killed 125
}

@test "a service in a system with an init of its own: it has no token, and is believed" {
	with_service service
	[ "$(echo in | ex -i sh -c 'cat; exec cat /proc/1/comm')" = $'in\nsh' ]
	# So is one that means harm, and gets no further than that.
	before=$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)
	anon=$(own_memory "$BOOT" 192)
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $(pidof vm-agent); ulimit -n 4096
		for deed in huge too-long bad-field short unknown exec hello-again status-256 signal-0 signal-65 no-status bad-pong flood crowd; do
			echo $deed $(/guest_vsock hostile $deed)
		done' >deeds
	diff deeds - <<-'END'
		huge closed
		too-long closed
		bad-field closed
		short closed
		unknown closed
		exec closed
		hello-again closed
		status-256 closed
		signal-0 closed
		signal-65 closed
		no-status closed
		bad-pong closed
		flood open
		crowd open
	END
	ctl status | grep -qx state=running
	[ "$(sort -u service.err)" = 'vm-boot: further messages of this kind are dropped
vm-boot: the agent in the guest sent what it must not: its link is closed' ]
	end=$((SECONDS + 60))
	until [ "$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)" -le "$before" ] || [ $SECONDS -gt $end ]; do :; done
	[ "$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)" -le "$before" ]
	now=$(own_memory "$BOOT" 192)
	echo "$anon KiB before, $now after"
	[ "$now" -le $((anon + 2048)) ]
	# Nor do those that say nothing keep one out that does, for longer than they may.
	# shellcheck disable=SC2016 # the guest's
	con --run 'mkfifo /said; /guest_vsock mute >/said & { read -r x; echo $x; vm-agent serve & cat; } </said' >muted
	cat muted
	[ "$(cat muted)" = $'full\nclosed' ]
	says agent=ready
	ex true
	ctl kill >/dev/null
	ends killed 125
}

@test "a service runs the command, once, and the machine ends with its status" {
	WORD='main-42 1000 b /tmp' service command 'vm-agent serve &' -u user -e A=b -w /tmp -- \
		sh -c 'read -r x </dev/tty || echo main-$((6*7)) $(id -u) $A $PWD; exit 5'
	ends exited 5
	# It belongs to the boot: an agent that was killed finds it running, another one finds it over.
	# shellcheck disable=SC2016 # the guest's
	WORD='off-42' service again 'mkfifo /run/end; vm-agent serve & a=$!; while ! read -r x </run/end; do :; done; kill -9 $a; vm-agent serve & echo on >/run/go' -- \
		sh -c 'echo run >>/run/runs; until [ -p /run/go ]; do mkfifo /run/go; done; echo up >/run/end; read -r x </run/go; exit $((6 + $(wc -l </run/runs)))'
	ends exited 7
}

@test "a service that is given a terminal, a long command, one that is not there" {
	WORD='tty-42 /dev/ttyS0' service tty 'vm-agent serve &' -t -- sh -c 'read -r x </dev/tty & kill $!; echo tty-$((6*7)) $(tty)'
	ends exited 0
	# Longer than a socket takes at once.
	long=$(head -c 100000 /dev/zero | tr '\0' x)
	WORD='long-1000000' service long 'vm-agent serve &' -- \
		sh -c 'echo "long-$(printf %s "$@" | wc -c)"' sh "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long"
	ends exited 0
	WORD=off-42 service nothing 'vm-agent serve &' -- nosuch
	ends exited 127
}

@test "a service gets the time and chance for a start, and stop is the system's own poweroff" {
	before=$(date +%s)
	WORD=2001 service polite 'date -s @1000000000; vm-agent serve &'
	ctl ready agent
	now=$(ex date +%s)
	[ "$now" -ge $((before - 2)) ]
	[ "$now" -le $(($(date +%s) + 2)) ]
	limit vm-console --no-replay --wait-for off-42 >seen &
	watcher=$!
	[ "$(ctl stop)" = $'stopped\n0' ]
	wait $watcher
	ends stopped 0
}

@test "an agent that breaks the protocol is not one that was lost" {
	WORD=up-42 service broken 'vm-agent serve & export a=$!' -- sh -c 'echo up-$((6*7)); exec sleep 98765'
	ctl ready agent
	ex -i sh -c 'cat >/guest_vsock; chmod +x /guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $a; while kill -0 $a; do :; done 2>/dev/null; /guest_vsock seed 701; /guest_vsock seed 702; /guest_vsock hostile unknown' >out
	cat out
	# What each welcome brings for the guest's entropy; and the deed.
	grep -xE '[0-9a-f]{64}' out >seeds
	[ "$(wc -l <seeds)" -eq 2 ]
	[ "$(sort -u seeds | wc -l)" -eq 2 ]
	[ "$(tail -n 1 out)" = closed ]
	says agent=broken
	run -1 ctl ready agent
	[ "$output" = 'vm-ctl: the agent in the guest broke the protocol, and did not come back' ]
	con --send '/run/bin/poweroff\n'
	ends agent-broken 125
	[ "$(cat broken.err)" = 'vm-boot: the agent in the guest sent what it must not: its link is closed
vm-boot: the agent in the guest broke the protocol, and did not come back
vm-boot: the VM ended: agent-broken' ]
}

@test "a link that is taken and closed at once: few dials, and an idle agent" {
	with_agent closing -m 192M -v
	# The one that follows has no token.
	# shellcheck disable=SC2016 # the guest's
	con --run 'old=$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); kill $old; while kill -0 $old; do :; done 2>/dev/null
		vm-agent serve & pid=$!; sleep 8; cut -d " " -f 14,15 /proc/$pid/stat' >ticks
	[ $(($(sed 's/ / + /' ticks))) -lt 20 ]
	# 20 ms, and each time twice as late: 8 or 9 in 8 s.
	dials=$(grep -c 'agent: a link is closed' closing.err)
	echo "$dials dials"
	[ "$dials" -ge 4 ]
	[ "$dials" -le 10 ]
	says agent=lost
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

# -- losing it --

@test "the agent is killed: said, told, and what runs is 125" {
	with_agent lost -m 192M
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{
		read -r _
		# shellcheck disable=SC2016 # the guest's
		con --wait-for '# ' --send 'kill -9 $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)\n' >/dev/null
		cat
	} <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: agent: lost: it hung up before the command ended' ]
	says agent=lost
	run -1 ctl ready agent
	[ "$output" = 'vm-ctl: the agent in the guest was lost' ]
	run -125 ex true
	[ "${#lines[@]}" -eq 1 ]
	echo "$output"
	grep -qx 'vm-boot: the agent in the guest was lost' lost.err
	# The machine goes on, and can be stopped: by its power button.
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

@test "an agent that is lost does not take the main command's status along" {
	# shellcheck disable=SC2016 # the guest's
	agent='$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)'
	fore told -m 192M -- sh -c 'mkfifo /tmp/end; read -r x </tmp/end; exit 5'
	ctl ready agent
	ex -d sh -c "until [ -p /tmp/end ]; do :; done; kill -9 $agent; echo >/tmp/end"
	ends exited 5
	with_agent shell -m 192M
	con --wait-for '# ' --send "kill -9 $agent; exit 7\\n" >/dev/null
	ends exited 7
	with_agent silent -m 192M
	con --wait-for '# ' --send "kill -STOP $agent; exit 7\\n" >/dev/null
	ends exited 7
}

@test "a status that nobody can be told of is a failure, a power-off and a stop without an agent are not" {
	# There can be no other agent: this one has no token.
	# shellcheck disable=SC2016 # the guest's
	agent='old=$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); kill -9 $old; while kill -0 $old; do :; done 2>/dev/null
		vm-agent serve & until grep -q " $! " /proc/locks; do :; done'
	with_agent untold -m 192M
	con --wait-for '# ' --send "$agent; exit 0\\n" >/dev/null
	ends agent-lost 125
	with_agent off -m 192M
	con --wait-for '# ' --send "$agent; poweroff\\n" >/dev/null
	ends poweroff 0
}

@test "a host that is slow hears how the main command ended" {
	fore slow -m 192M -- sh -c 'mkfifo /tmp/end; read -r x </tmp/end; exit 5'
	ctl ready agent
	# Time itself is what is tested: longer than the agent may be silent. On kvm the guest is stopped as well.
	ex -d sh -c 'sleep 2; until [ -p /tmp/end ]; do :; done; echo >/tmp/end'
	kill -STOP "$BOOT"
	read -r -t 16 <> <(:) || :
	kill -CONT "$BOOT"
	ends exited 5
}

@test "stop: an agent that does not act is followed by the power button" {
	with_agent frozen -m 192M
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'kill -STOP $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); echo frozen-$((6*7))\n' \
		--wait-for frozen-42 >/dev/null
	ctl status | grep -qx agent=ready
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

@test "the guest crashes under a command: 125, one clear line" {
	fore crash -m 192M
	run -125 ex sh -c 'echo c >/proc/sysrq-trigger; sleep 98765'
	echo "$output"
	[ "$output" = 'vm-exec: VM: it ended before the command did: panic' ]
	ends panic 125
	fore killed -m 192M
	ctl ready agent
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{ read -r _ && kill -KILL "$BOOT"; cat; } <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: VM: it ended before the command did: vm-boot was killed' ]
	wait "$JOB" || :
	for job in $WAITERS; do wait "$job" || :; done
	# shellcheck disable=SC2086 # numbers
	gone $BOOT $KIDS
	run -1 ctl status
}

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

@test "watchdog: a silent agent is the end, a paused guest is not" {
	with_agent dog -m 192M --watchdog 4
	ctl pause
	# Time itself is what is tested.
	read -r -t 6 <> <(:) || :
	ctl resume
	ex true
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'kill -STOP $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)\n' >/dev/null
	ends agent-lost 125
	grep -qx 'vm-boot: the agent in the guest has been silent for 4000 ms: ended' dog.err
}

@test "the guest's driver goes away and comes back: what ran is over, the agent returns" {
	with_agent rebound -m 192M
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{
		read -r _
		con --wait-for '# ' --send 'cd /sys/bus/virtio/drivers/vmw_vsock_virtio_transport; d=$(ls | grep virtio); echo $d >unbind; echo $d >bind; echo bound-$((6*7))\n' \
			--wait-for bound-42 >/dev/null
		cat
	} <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: agent: lost: it hung up before the command ended' ]
	ctl ready agent
	until ex true; do [ $SECONDS -lt 300 ]; done
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

# -- the main command --

@test "the main command's end is the VM's, with its status" {
	main() {
		local want=$1 cause=$2 status=0
		shift 2
		boot -m 192M --status-fd 8 "$@" >handle 2>err 8>status </dev/null || status=$?
		echo "status $status, $(cat status err)"
		[ "$status" -eq "$want" ]
		[ "$(cat status)" = "{\"cause\":\"$cause\",\"status\":$want}" ]
	}
	# shellcheck disable=SC2016 # the guest's
	while IFS='|' read -r tty want command; do
		# shellcheck disable=SC2086 # none or one
		main "$want" exited --linger $tty -- sh -c "$command"
	done < <(few 3 '|42|exit 42' '-t|143|kill -TERM $$' '|127|exec nosuch' '-t|0|true')
	main 127 exited -- nosuch
	main 9 exited --linger -u user -e A=b -w /tmp -- sh -c '[ "$(id -u) $A $PWD" = "1000 b /tmp" ] && exit 9'
}

@test "the main command's console is a plain line, which every byte passes; with -t it is a terminal" {
	local all='' i
	for ((i = 0; i < 256; i++)); do all+=$(printf '\\x%02x' $i); done
	printf %b "$all" >bytes
	[ "$(wc -c <bytes)" -eq 256 ]
	export BARE='in herited'
	unset ABSENT
	# shellcheck disable=SC2016 # the guest's
	fore main -m 192M -e BARE -e ABSENT -e 'WITH=a b' -- sh -c 'mkfifo /tmp/end; true </dev/tty || printf "no-%s " tty
		printf "<%s|%s|%s>main-%d." "$BARE" "$WITH" "${ABSENT-unset}" $((6 * 7)); head -c 256 >/tmp/in; cat /tmp/in; printf END
		read -r x </tmp/end; exit 5'
	con --wait-for 'main-42\.' --send "$all" --wait-for 'END' >out
	grep -qaF 'no-tty <in herited|a b|unset>main-42.' out
	tail -c 259 out | cmp - <(cat bytes && printf END)
	ctl ready agent
	ex -d sh -c 'echo >/tmp/end'
	ends exited 5
	export VM=main
	boot -d -n main -t -m 192M -- sh -c 'until [ "$x" = go ]; do printf "?-"; read x; done; true </dev/tty && tty
		echo main-$((6 * 7)); cat; exit 6' >/dev/null
	con --wait-for '\?-' --send 'go\n' --wait-for main-42 --send 'typed\n' --wait-for 'typed' --send '\x04' >out
	[ "$(ctl wait)" = $'exited\n6' ]
	grep -q ^/dev/ out
}

@test "stop asks the agent: the main command gets TERM and may finish" {
	fore graceful -m 192M -- sh -c 'trap "echo good-$((6*7))-bye; exit 3" TERM; echo trap-$((6*7)); while :; do sleep 0.1; done'
	: >seen
	limit vm-console --wait-for trap-42 --wait-for good-42-bye >seen &
	watcher=$!
	ctl ready agent
	until grep -q trap-42 seen; do kill -0 $watcher; done
	[ "$(ctl stop)" = $'stopped\n0' ]
	wait $watcher
	ends stopped 0
}
