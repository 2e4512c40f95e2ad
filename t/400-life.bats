#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The life of a VM: who may end it, how it ends, what is told of it, and that nothing of it stays.

bats_require_minimum_version 1.5.0
load lib/vm-test

# A guest with nothing but a shell: up sooner, and deaf to the power button.
BARE=(-m 128M -a 'console=ttyS0 rdinit=/bin/sh')

setup_file() {
	vm_file || return 0
	start shared -m 256M
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

# type LINE: into the guest's shell, once its prompt is there.
type_in() {
	con --wait-for '# ' --send "$1\n" >/dev/null
}

# first FILE PID: the first line that process PID writes to FILE.
first() {
	local line
	read -r line < <(timeout -s KILL 120 tail -s 0.05 --pid="$2" -n +1 -f --retry "$1" 2>/dev/null 3>&-)
	echo "$line"
}

# told WORD: until `status` has this line.
told() {
	local end=$((SECONDS + 60))
	until ctl status | grep -qx "$1"; do [ $SECONDS -lt $end ]; done
}

# -- how it ends --

@test "power-off is the one end of a guest's own that is 0" {
	fore off
	type_in 'poweroff'
	ends poweroff 0
	[ ! -s off.err ]
}

@test "a reboot that init announced" {
	fore again
	type_in 'reboot'
	ends reboot 125
	grep -qx 'vm-boot: the VM ended: reboot' again.err
}

@test "a reset that nobody announced" {
	fore reset "${BARE[@]}"
	type_in 'mount -t proc proc /proc; echo b >/proc/sysrq-trigger'
	ends reset 125
}

@test "a panic, whose words reach the console" {
	fore panic
	con --wait-for '# ' --send 'echo c >/proc/sysrq-trigger\n' --wait-for 'Kernel panic - not syncing: sysrq triggered crash' >/dev/null
	ends panic 125
}

@test "a triple fault" {
	[ "$VM_ENGINE" = kvm ] || skip 'the kvm engine alone tells it from a reset'
	fore fault -m 128M -a 'console=ttyS0 rdinit=/bin/sh reboot=t'
	type_in 'mount -t proc proc /proc; echo b >/proc/sysrq-trigger'
	ends triple-fault 125
}

@test "TERM lets the guest end in order" {
	fore term -m 256M
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send '(trap "echo good-$((6*7))-bye; exit" TERM; echo trap-$((6*7)); while :; do sleep 1; done)\n' \
		--wait-for trap-42 >/dev/null
	limit vm-console --read-only >seen &
	watcher=$!
	first seen $watcher >/dev/null
	kill -TERM "$BOOT"
	ends stopped 0
	wait $watcher
	grep -q good-42-bye seen
	[ ! -s term.err ]
}

@test "a second TERM ends it at once" {
	fore twice "${BARE[@]}"
	ctl ready
	kill -TERM "$BOOT"
	told state=stopping
	kill -TERM "$BOOT"
	ends killed 125
}

@test "stop has a limit, after which the guest is killed" {
	fore deaf "${BARE[@]}"
	ctl ready
	[ "$(ctl stop 0.5)" = $'killed\n125' ]
	ends killed 125
	grep -qx 'vm-boot: the guest did not stop in time: killed' deaf.err
}

@test "TERM before the guest could hear of it ends it, and so does kill" {
	fore early
	kill -TERM "$BOOT"
	ends stopped 0
	fore killed
	[ "$(ctl kill)" = $'killed\n125' ]
	ends killed 125
}

@test "HUP stops it; INT and QUIT do where no reader holds its pipe" {
	for signal in HUP INT QUIT; do
		export VM=sig
		rm -f out
		# Its stdout is a file, and a shell's background job ignores INT and QUIT.
		env --default-signal=INT,QUIT timeout -s KILL 60 vm-boot --engine "$VM_ENGINE" -n sig >out 2>err 3>&- &
		job=$!
		first out $job >/dev/null
		kill "-$signal" "$(ctl status | sed -n 's/^pid=//p')"
		wait $job
		# The handle's line, and nothing after it.
		[ "$(od -c out)" = "$(echo "$VM_RUNTIME_DIR/sig/ctl" | od -c)" ]
	done
}

@test "a service manager hears of readiness and of the stop" {
	socat -u "UNIX-RECV:$PWD/notify" - >heard 3>&- &
	manager=$!
	until [ -S notify ]; do kill -0 $manager; done
	NOTIFY_SOCKET=$PWD/notify fore service -m 256M
	ctl ready agent
	until grep -q READY=1 heard; do kill -0 $manager; done
	ctl stop >/dev/null
	ends stopped 0
	until grep -qx READY=1STOPPING=1 heard; do kill -0 $manager; done
	kill $manager
	NOTIFY_SOCKET=/nonexistent/x run -124 --separate-stderr boot --timeout 0.1
	grep -qx 'vm-boot: NOTIFY_SOCKET: /nonexistent/x: No such file or directory' <<<"$stderr"
}

@test "--timeout ends it with 124" {
	run -124 --separate-stderr boot --timeout 0.5 --status-fd 8 8>status
	[ "$(cat status)" = '{"cause":"timeout","status":124}' ]
	[ "$stderr" = 'vm-boot: time is up' ] || [ "$stderr" = $'vm-boot: time is up\nvm-boot: the VM ended: timeout' ]
}

# -- whom it belongs to --

@test "the end of stdout's reader ends it, --linger and -d do not care" {
	boot --status-fd 8 2>err 8>status | { read -r VM && echo "$VM" >handle; }
	[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
	[ ! -s err ]
	[ ! -e "$(cat handle)" ]

	mkfifo out
	boot --linger >out 2>err &
	job=$!
	read -r VM <out
	export VM
	ctl ready
	ctl status | grep -qx state=running
	ctl kill
	job_ends 125 $job

	boot -d -n daemon | { read -r VM && echo "$VM" >handle; }
	export VM=daemon
	ctl status | grep -qx state=running
	ctl kill >/dev/null
	[ "$(ctl wait)" = $'killed\n125' ]
}

@test "SIGKILL of vm-boot leaves no process, and the next tool sweeps" {
	fore victim
	ctl ready || :
	kill -KILL "$BOOT"
	job_ends 137 "$JOB"
	for job in $WAITERS; do run wait "$job"; done
	# shellcheck disable=SC2086 # numbers
	gone $BOOT $KIDS
	[ "$(cat victim.told.1 victim.told.2)" = '' ]
	[ -S "$VM_RUNTIME_DIR/victim/ctl" ]
	run -1 ctl status
	[[ $output == *'no such VM'* ]]
	[ ! -e "$VM_RUNTIME_DIR/victim" ]
}

@test "-d: the parent's death before it is ready ends it" {
	mkfifo out
	vm-boot --engine "$VM_ENGINE" -d -n orphan >out 2>err 3>&- &
	parent=$!
	exec 7<out
	until ctl -V orphan status >words 2>/dev/null; do kill -0 $parent; done
	child=$(sed -n 's/^pid=//p' words)
	kill -KILL $parent
	job_ends 137 $parent
	gone "$child"
	[ -z "$(cat <&7)" ]
	exec 7<&-
	# It was ended, not lost: it says how, once.
	run ctl -V orphan wait
	echo "$output"
	run ctl list
	[ "$output" = "$VM_RUNTIME_DIR/shared/ctl" ]
}

@test "-d leaves the caller's session, descriptors and terminal" {
	pid=$(ctl -V shared status | sed -n 's/^pid=//p')
	[ "$(cut -d' ' -f6 "/proc/$pid/stat")" -eq "$pid" ]
	for fd in 0 1; do [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]; done
	[ "$(readlink "/proc/$pid/fd/2")" = "$VM_RUNTIME_DIR/shared/log" ]
}

# -- names --

@test "a name in use is refused, with how to end it" {
	run -125 boot -n shared
	[ "$output" = 'vm-boot: -n: shared: a VM of this name is running (vm-ctl -V shared stop ends it)' ]
	ctl -V shared status | grep -qx state=running
}

@test "the name of a dead VM can be taken: killed, or ended and never asked" {
	for how in KILL:137 TERM:0; do
		vm-boot --engine "$VM_ENGINE" --linger -n name >out 2>&1 3>&- &
		job=$!
		first out $job >/dev/null
		pid=$(ctl -V name status | sed -n 's/^pid=//p')
		kids=$(pgrep -P "$pid") || :
		kill -${how%:*} "$pid"
		job_ends ${how#*:} $job
		# shellcheck disable=SC2086 # numbers
		gone $kids
	done
	# Ended under -d: its exit is kept, but not the name.
	start name "${BARE[@]}"
	ctl -V name kill >/dev/null
	pid=$(ctl -V name status 2>&1) || :
	run boot --timeout 0.1 -n name
	[ "$status" -eq 124 ]
	[ ! -e "$VM_RUNTIME_DIR/name" ]
}

# -- what is told --

@test "list has the living; vm-ls, too" {
	[ "$(ctl list)" = "$VM_RUNTIME_DIR/shared/ctl" ]
	[ "$(ctl -V shared handle)" = "$VM_RUNTIME_DIR/shared/ctl" ]
	[ "$(VM_RUNTIME_DIR=$PWD/none ctl list)" = '' ]
	command -v vm-ls >/dev/null || skip 'no vm-ls yet'
	run -0 limit vm-ls
	[[ $output == *shared* ]]
}

@test "status says what it is" {
	ctl -V shared status >words
	for word in version=1 name=shared state=running booted=1 "engine=$VM_ENGINE" cpus=1 memory=268435456 "console=$CONSOLE"; do
		grep -qx "$word" words
	done
	started=$(sed -n 's/^started=//p' words)
	[ "$started" -le "$(date +%s)" ]
}

@test "a paused guest prints nothing, answers on its control socket, and goes on where it was" {
	export VM=shared
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'stty -opost -echo; i=0; while :; do i=$((i+1)); echo "n=$i="; done\n' --wait-for 'n=5='
	coproc CON { exec timeout -s KILL 120 vm-console --no-replay --read-only 3>&-; }
	reader=$CON_PID
	read -r -t 60 _ <&"${CON[0]}"
	ctl pause
	ctl status | grep -qx state=paused
	before=
	# What was on its way comes to an end, perhaps within a line.
	while read -r -t 3 line <&"${CON[0]}"; do before=$line; done
	part=$line
	[[ $before == n=* ]]
	ctl pause
	ctl ready
	for _ in 1 2 3; do ctl status | grep -qx state=paused; done
	run ! read -r -t 1 line <&"${CON[0]}"
	ctl resume
	ctl status | grep -qx state=running
	ctl resume
	read -r -t 60 after <&"${CON[0]}"
	after=$part$after
	before=${before//[!0-9]/} after=${after//[!0-9]/}
	echo "$before, then $after"
	[ "$after" -eq $((before + 1)) ]
	kill $reader
	con --send '\x03stty sane\n' --wait-for '# '
	[ "$(con --run 'echo it goes on')" = 'it goes on' ]
}

@test "nothing of a client stays in the VM" {
	export VM=shared
	pid=$(ctl status | sed -n 's/^pid=//p')
	ls "/proc/$pid/fd" >before
	for _ in {1..20}; do ctl status >/dev/null; done
	con --send 'echo a-$((2*2))-b\n' --wait-for a-4-b >/dev/null
	for _ in {1..5}; do
		mkfifo pipe
		vm-console --read-only >pipe 2>/dev/null 3>&- &
		reader=$!
		exec 7<pipe
		read -r -N 1 _ <&7
		exec 7<&-
		kill $reader || :
		wait $reader || :
		rm pipe
	done
	ctl status >/dev/null
	# The VM hears of the last reader's end at some time.
	end=$((SECONDS + 30))
	until ls "/proc/$pid/fd" >after && cmp -s before after || [ $SECONDS -gt $end ]; do :; done
	diff before after
}

@test "a paused VM can be stopped, and is resumed for it" {
	fore lame -m 256M
	ctl ready
	ctl pause
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

@test "many wait; --ready-fd says when; -d leaves the exit where nobody waited" {
	mkfifo ready
	exec 7<>ready
	boot -d -n crowd --ready-fd 7 "${BARE[@]}" >/dev/null
	read -r -t 60 line <&7
	[ "$line" = ready ]
	exec 7<&-
	export VM=crowd
	ctl status | grep -qx booted=1
	for i in {1..12}; do
		limit vm-ctl wait >"told.$i" &
		waiters+=" $!"
	done
	# They ask before it ends: each one's connection is among its descriptors.
	pid=$(ctl status | sed -n 's/^pid=//p')
	until [ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" -ge 13 ]; do kill -0 "$pid"; done
	ctl kill >/dev/null
	for job in $waiters; do wait "$job"; done
	for i in {1..12}; do [ "$(cat "told.$i")" = $'killed\n125' ]; done
	gone "$pid"
	[ ! -e "$VM_RUNTIME_DIR/crowd" ]

	# Nobody waited: it is kept, and told once.
	boot -d -n crowd "${BARE[@]}" >/dev/null
	pid=$(ctl status | sed -n 's/^pid=//p')
	ctl kill >/dev/null
	gone "$pid"
	[ "$(cat "$VM_RUNTIME_DIR/crowd/exit")" = 'killed 125' ]
	[ "$(ctl list | grep -c /crowd/)" -eq 1 ]
	[ "$(ctl wait)" = $'killed\n125' ]
	[ ! -e "$VM_RUNTIME_DIR/crowd" ]
	run -1 ctl wait
	[[ $output == 'vm-ctl: crowd: no such VM'* ]]
}

@test "who waits for a boot that never comes is told so" {
	fore never -a 'rdinit=/bin/sh console=ttyS0 initcall_debug=x'
	ctl pause
	before=$(find "/proc/$BOOT/fd" -lname 'socket:*' | wc -l)
	limit vm-ctl ready >out 2>err &
	job=$!
	until [ "$(find "/proc/$BOOT/fd" -lname 'socket:*' | wc -l)" -gt "$before" ]; do kill -0 "$BOOT"; done
	ctl kill
	status=0
	wait $job || status=$?
	[ "$status" -eq 1 ]
	grep -qxE 'vm-ctl: the VM (ended before it was ready|has ended)' err
	ends killed 125
}

@test "many VMs start and stop at once" {
	many=${VM_MANY:-4}
	before=$(ls -A "$VM_RUNTIME_DIR")
	memory_for $((many * 200))
	LIMIT=$((120 + 30 * many))      # they share the processors
	for ((i = 0; i < many; i++)); do
		boot -d -n "many$i" -m 128M >"handle.$i" 2>"err.$i" &
		starters+=" $!"
	done
	for job in $starters; do wait "$job"; done
	[ "$(cat handle.* | sort -u | wc -l)" -eq "$many" ]
	[ "$(ctl list | grep -c /many)" -eq "$many" ]
	for ((i = 0; i < many; i++)); do
		ctl -V "many$i" status | sed -n 's/^pid=//p' >>pids
		limit vm-ctl -V "many$i" stop 60 >"stop.$i" &
		stoppers+=" $!"
	done
	for job in $stoppers; do wait "$job"; done
	# shellcheck disable=SC2046 # numbers
	gone $(cat pids)
	for ((i = 0; i < many; i++)); do
		[ "$(cat "stop.$i")" = $'stopped\n0' ]
		[ "$(ctl -V "many$i" wait)" = $'stopped\n0' ]
	done
	[ "$(ctl list)" = "$VM_RUNTIME_DIR/shared/ctl" ]
	[ "$(ls -A "$VM_RUNTIME_DIR")" = "$before" ]
}
