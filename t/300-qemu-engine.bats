#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The qemu engine: how its guests end, what is left of QEMU then, what its console carries.

bats_require_minimum_version 1.5.0

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BIN=$(realpath "${BIN:-$ROOT/bin}")
	export ROOT BIN PATH="$BIN:$PATH" LC_ALL=C
	IMAGE=$(vm-image path default 2>/dev/null) || IMAGE=
	export IMAGE
}

setup() {
	[ -z "${LAB-}" ] || skip 'no TCG within TCG'
	command -v qemu-system-x86_64 >/dev/null || skip 'no qemu-system-x86_64: install qemu-system-x86'
	[ -n "$IMAGE" ] || skip 'no image: vm-image build'
	export VM_RUNTIME_DIR="$BATS_TEST_TMPDIR/rt"
	unset VM
	cd "$BATS_TEST_TMPDIR" || return
	BOOT='' QEMU='' JOB=''
}

# No vm-boot, no QEMU and no runtime directory outlives its test.
teardown() {
	local left
	[ -n "${VM-}" ] || return 0
	# Its number is its own as long as its parent was not waited for.
	if [ -n "$JOB" ] && pgrep -P "$JOB" >/dev/null; then
		kill -9 "$BOOT"
		KILLED=1
	fi
	gone "$BOOT" "$QEMU"
	# What a killed vm-boot leaves, the next tool that looks removes.
	[ -z "${KILLED-}" ] || vm-ctl list >/dev/null
	left=$(find "$VM_RUNTIME_DIR" -mindepth 1 2>/dev/null) || :
	[ -z "$left" ] || { echo "left over: $left"; return 1; }
}

# gone PID...: wait until none of them runs.
gone() {
	local pid
	for pid; do
		[ -n "$pid" ] || continue
		timeout 20 tail --pid="$pid" -f /dev/null
	done
}

# boot [OPTION]...: a VM in the background; sets VM, BOOT and QEMU (process ids), and has somebody wait.
boot() {
	mkfifo handle
	timeout 120 vm-boot --engine qemu --linger --status-fd 8 "$@" >handle 2>stderr 8>status 3>&- &
	JOB=$!
	read -r VM <handle
	export VM
	timeout 120 vm-ctl wait >told 3>&- &
	WAITER=$!
	BOOT=$(sed -n 's/^pid=//p' <<<"$(vm-ctl status)")
	[ -n "$BOOT" ]
	QEMU=$(pgrep -P "$BOOT")
	[ -n "$QEMU" ]
}

con() {
	timeout 60 vm-console "$@" 3>&-
}

# ends CAUSE STATUS: the VM ends so, all witnesses agree, and QEMU is no more.
ends() {
	local exited=0
	wait "$WAITER"
	wait "$JOB" || exited=$?
	JOB=
	gone "$QEMU"
	echo "exit $exited; wait: $(tr '\n' ' ' <told); status: $(cat status); stderr: $(cat stderr)"
	[ "$exited" -eq "$2" ]
	[ "$(cat told)" = "$1"$'\n'"$2" ]
	[ "$(cat status)" = "{\"cause\":\"$1\",\"status\":$2}" ]
}

# tell COMMAND: type it at the guest's prompt, and see that it was taken.
tell() {
	con --wait-for '[#$] ' --send "$1\n" --wait-for "${1##* }" >/dev/null
}

@test "a guest that powers off ends it with 0" {
	boot
	tell poweroff
	ends poweroff 0
	[ ! -s stderr ]
}

@test "a reboot that init announces is told as such" {
	boot
	tell reboot
	ends reboot 125
}

@test "a reset that nobody announced is told as such" {
	boot
	tell 'echo b >/proc/sysrq-trigger'
	ends reset 125
}

@test "a panic is told as such, and its words reach the console" {
	boot
	con --wait-for '[#$] ' --send 'echo c >/proc/sysrq-trigger\n' --wait-for 'Kernel panic[^\n]*' >out
	grep -q 'Kernel panic' out
	ends panic 125
}

@test "the power button ends it in order" {
	boot
	vm-ctl ready
	vm-ctl stop
	ends stopped 0
}

@test "QEMU killed from outside is a failure" {
	boot
	vm-ctl ready
	kill -9 "$QEMU"
	ends failed 125
	grep -q 'qemu: was killed by signal 9' stderr
}

@test "QEMU asked to end from outside is a failure" {
	boot
	kill "$QEMU"
	ends failed 125
	grep -q 'qemu: was ended from outside' stderr
}

@test "QEMU dies with a vm-boot that is killed" {
	boot
	vm-ctl ready
	kill -9 "$BOOT"
	gone "$BOOT" "$QEMU"
	KILLED=1
}

@test "kill ends it at once, with nothing left" {
	boot
	vm-ctl kill
	ends killed 125
}

@test "a paused guest prints nothing, and goes on where it was" {
	boot
	con --wait-for '[#$] ' --send 'stty -opost -echo; i=0; while :; do i=$((i+1)); echo "n=$i="; done\n' --wait-for 'n=5='
	coproc CON { exec timeout 60 vm-console --no-replay --read-only 3>&-; }
	read -r -t 20 <&"${CON[0]}"
	vm-ctl pause
	vm-ctl status | grep -qx state=paused
	before=
	# What was printed before comes to an end, perhaps within a line, which stays in $line.
	while read -r -t 2 line <&"${CON[0]}"; do before=$line; done
	[[ $before == n=* ]]
	vm-ctl pause
	vm-ctl resume
	vm-ctl status | grep -qx state=running
	vm-ctl resume
	read -r -t 20 after <&"${CON[0]}"
	after=$line$after
	before=${before//[!0-9]/} after=${after//[!0-9]/}
	echo "$before, then $after"
	[ "$after" -eq $((before + 1)) ]
	kill "$CON_PID"
	vm-ctl kill
	ends killed 125
}

@test "a VM that is paused can be killed" {
	boot
	vm-ctl ready
	vm-ctl pause
	vm-ctl kill
	ends killed 125
}

@test "its status says what it is" {
	boot -n box -m 256M -c 2
	vm-ctl status >words
	grep -qx name=box words
	grep -qx engine=qemu words
	grep -qx console=ttyS0 words
	grep -qx cpus=2 words
	grep -qx memory=268435456 words
	[ "$(con --run nproc)" -eq 2 ]
	tell 'poweroff -f'
	ends poweroff 0
}

@test "a machine of one processor has room for a second, or TCG leaves out memory barriers; the guest knows of one" {
	boot -n box -m 256M
	tr '\0' '\n' <"/proc/$QEMU/cmdline" | grep -q '^1,maxcpus=2,'
	[ "$(con --run 'nproc; cat /sys/devices/system/cpu/possible')" = $'1\n0' ]
	[[ $(con --run 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource') == tsc* ]]
	vm-ctl kill >/dev/null
	ends killed 125
}

@test "what is typed before the guest listens is not lost" {
	boot
	con --send 'echo "typed-$((6*7))-early"\n' --wait-for 'typed-42-early' >out
	grep -q typed-42-early out
	vm-ctl kill
	ends killed 125
}

@test "every byte printed before power-off arrives" {
	boot
	# stty waits until the guest's own buffer is empty, which a power-off does not.
	con --wait-for '[#$] ' --send 'stty -opost; echo START; seq 30000; stty opost; poweroff -f\n' --wait-for START
	con --read-only >out || :
	ends poweroff 0
	tr -d '\r' <out | sed '1,/^START$/d' | grep -x '[0-9]*' >got
	seq 30000 | cmp - got
}

@test "the console carries a megabyte" {
	boot
	con --run 'head -c 750000 /dev/urandom >/tmp/r; base64 /tmp/r | md5sum' >expected
	con --run 'base64 /tmp/r' | md5sum >got
	cmp expected got
	vm-ctl kill
	ends killed 125
}

@test "the other terminal port goes to --log-console, whole" {
	boot --log-console log
	con --wait-for '[#$] ' --run '{ stty raw; seq 50000 >/tmp/s; cat /tmp/s; } <>/dev/hvc0 >&0'
	tell 'poweroff -f'
	ends poweroff 0
	seq 50000 | cmp - log
}

@test "without --log-console there is no other terminal port" {
	boot
	[ "$(con --run 'ls /sys/class/virtio-ports 2>/dev/null | wc -l')" -eq 0 ]
	vm-ctl kill
	ends killed 125
}

@test "a compressed kernel boots, too" {
	[ -f "$IMAGE/bzImage" ] || skip 'the image has no bzImage'
	boot -k "$IMAGE/bzImage" -r "$IMAGE/initrd"
	vm-ctl ready
	vm-ctl kill
	ends killed 125
}

@test "QEMU is confined and holds nothing of ours" {
	boot -n box
	grep -qx $'Seccomp:\t2' "/proc/$QEMU/status"
	grep -qx $'NoNewPrivs:\t1' "/proc/$QEMU/status"
	readlink "/proc/$QEMU"/fd/* >held
	[ "$(grep -c "$VM_RUNTIME_DIR" held)" -eq 0 ]
	# monitor, console, vsock
	[ "$(grep -c '^socket:' held)" -eq 3 ]
	[ "$(grep -c '^pipe:' held)" -eq 1 ]
	vm-ctl kill
	ends killed 125
}

@test "without QEMU it says what to install" {
	mkdir none
	run env PATH="$PWD/none" "$BIN/vm-boot" --engine qemu -k "$IMAGE/vmlinux"
	[ "$status" -eq 125 ]
	[[ $output == *'qemu-system-x86_64 is not installed: install'* ]]
}

@test "what QEMU says of its end before it was ready is what the user reads" {
	mkdir none
	printf '#!/bin/sh\necho "qemu-system-x86_64: warning: x" >&2; echo "qemu-system-x86_64: no such" >&2; exit 1\n' \
		>none/qemu-system-x86_64
	chmod +x none/qemu-system-x86_64
	run env PATH="$PWD/none:/usr/bin:/bin" "$BIN/vm-boot" --engine qemu -k "$IMAGE/vmlinux"
	[ "$status" -eq 125 ]
	[ "$output" = 'vm-boot: qemu: no such' ]
}

# A QEMU that the guest has taken over may say anything on the monitor.
# fake SCRIPT: what stands in for QEMU; its monitor is descriptor 3.
fake() {
	mkdir -p fake
	printf '#!/bin/sh\n%s\nexec cat <&3 >/dev/null\n' "$1" >fake/qemu-system-x86_64
	chmod +x fake/qemu-system-x86_64
	run timeout 20 env PATH="$PWD/fake:$PATH" vm-boot --engine qemu --linger --status-fd 8 \
		-k "$IMAGE/vmlinux" 8>status 3>&-
	echo "$1: $output"
	[ "$status" -eq 125 ]
}

@test "a monitor that talks nonsense from the start is why there is no VM" {
	for words in '{"QMP":{}' 'x' '{"QMP":[]}' '[1]'; do
		fake "echo '$words' >&3"
		[[ $output == *'qemu: its monitor cannot be followed: Bad message'* ]]
		[ ! -s status ]
	done
}

@test "a monitor that turns to nonsense ends the VM" {
	start='echo "{\"QMP\":{}}" >&3
		for id in 1 2; do read -r _ <&3; echo "{\"return\":{},\"id\":$id}" >&3; done'
	for words in 'echo x' 'echo "{\"return\":{}}"' 'echo "{\"return\":{},\"id\":77}"' \
		'printf "{\"event\":\"A\0\"}\n"' 'echo "{\"event\":1}"' 'head -c 70000 /dev/zero'; do
		fake "$start; $words >&3"
		[[ $output == *'qemu: its monitor cannot be followed: '* ]]
		[ "$(cat status)" = '{"cause":"failed","status":125}' ]
	done
}

@test "a QEMU that says it will end, and does not, is made to" {
	fake 'echo "{\"QMP\":{}}" >&3
		for id in 1 2; do read -r _ <&3; echo "{\"return\":{},\"id\":$id}" >&3; done
		echo "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}" >&3'
	[ "$(cat status)" = '{"cause":"reset","status":125}' ]
}
