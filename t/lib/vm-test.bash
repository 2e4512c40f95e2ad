# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the tests of whole VMs share (load lib/vm-test): start, speak, stop, and see that nothing is left.
#
# A file's directory of VMs is $VM_RUNTIME_DIR, fresh. Everything that a test starts carries VM_TEST in its
# environment, by which it is found afterwards: the test's directory, or the file's for VMs that tests share.

# engine_here: the engine to test on this machine.
engine_here() {
	if [ -n "${VM_ENGINE-}" ]; then
		echo "$VM_ENGINE"
	elif vm-boot --probe | grep -qx kvm=usable; then
		echo kvm
	else
		echo qemu
	fi
}

# vm_file: first in setup_file; false when this machine lacks what the file needs, which vm_setup says then: bats 1.8
# takes a skip in setup_file for a failure.
vm_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export ROOT PATH="$ROOT/bin:$PATH" LC_ALL=C
	unset VM
	VM_ENGINE=$(engine_here)
	if [ "$VM_ENGINE" != kvm ] && [ -n "${LAB-}" ]; then
		LACKS='no TCG within TCG'
	elif [ "$VM_ENGINE" != kvm ] && ! command -v qemu-system-x86_64 >/dev/null; then
		LACKS='no qemu-system-x86_64: install qemu-system-x86'
	elif ! IMAGE=$(vm-image path default 2>/dev/null); then
		LACKS='no image: vm-image build'
	fi
	export LACKS
	[ -z "${LACKS-}" ] || return 1
	# One name for what the other port is called, as the engine has it.
	if [ "$VM_ENGINE" = kvm ]; then CONSOLE=hvc0 OTHER=ttyS0; else CONSOLE=ttyS0 OTHER=hvc0; fi
	export VM_ENGINE IMAGE CONSOLE OTHER VM_RUNTIME_DIR="$BATS_FILE_TMPDIR/rt" VM_TEST="$BATS_FILE_TMPDIR"
	mkdir -m 700 "$VM_RUNTIME_DIR"
	cd "$BATS_FILE_TMPDIR" || return
}

# vm_setup: first in setup.
vm_setup() {
	[ -z "${LACKS-}" ] || skip "$LACKS"
	export VM_TEST="$BATS_TEST_TMPDIR"
	unset VM
	cd "$BATS_TEST_TMPDIR" || return
}

# marked DIR: the processes whose VM_TEST is DIR.
marked() {
	grep -lzxsF "VM_TEST=$1" /proc/[0-9]*/environ | tr -cd "0-9\n"
}

# gone PID...: wait until none of them runs; those that do not end are named, and killed.
gone() {
	local pid bad=0
	for pid; do
		timeout 30 tail -s 0.05 --pid="$pid" -f /dev/null 2>/dev/null && continue
		echo "still there: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		kill -KILL "$pid"
		bad=1
	done
	return $bad
}

# no_leak [NAME...]: no process of this test or file, and nothing in the runtime directory but the VMs named.
no_leak() {
	local left name bad=0
	# shellcheck disable=SC2046 # numbers
	gone $(marked "$VM_TEST") || bad=1
	left=$(find "$VM_RUNTIME_DIR" -mindepth 1 -maxdepth 1 2>/dev/null) || :
	for name; do left=$(grep -vxF "$VM_RUNTIME_DIR/$name" <<<"$left") || :; done
	[ -z "$left" ] || { echo "left over: $left" && rm -rf "$left" && bad=1; }
	return $bad
}

# job_ends STATUS PID: a job of this shell ends so. (`run wait` would ask a subshell, whose job it is not.)
job_ends() {
	local status=0
	wait "$2" || status=$?
	[ "$status" -eq "$1" ] || { echo "job ended with $status, not $1" && return 1; }
}

# limit COMMAND...: run it with an end to patience; its own death by a signal is a crash, and no status.
limit() {
	local status=0
	timeout -s KILL "${LIMIT:-120}" "$@" 3>&- || status=$?
	case $status in
	132 | 133 | 134 | 135 | 136 | 139 | 159) echo "CRASHED with signal $((status - 128)): $*" ;;
	137) echo "KILLED, perhaps after ${LIMIT:-120} s: $*" ;;
	*) return $status ;;
	esac >&2
	return 250
}

# boot [OPTION]...: vm-boot on this engine.
boot() {
	limit env -u VM vm-boot --engine "$VM_ENGINE" "$@"
}

con() {
	limit vm-console "$@"
}

ctl() {
	limit vm-ctl "$@"
}

# start NAME [OPTION]...: a VM in the background that is ready when this returns.
start() {
	local name=$1
	shift
	boot -d -n "$name" "$@" >"$BATS_FILE_TMPDIR/handle.$name"
	[ "$(cat "$BATS_FILE_TMPDIR/handle.$name")" = "$VM_RUNTIME_DIR/$name/ctl" ]
}

# fore NAME [OPTION]...: a VM as a job of this shell, JOB, with two more who wait for its end; sees to VM, BOOT (its
# process) and KIDS (that one's children). Files: NAME.out .err .status .told.1 .told.2
fore() {
	export VM=$1
	shift
	mkfifo "$VM.out"
	timeout -s KILL 300 env -u VM vm-boot --engine "$VM_ENGINE" -n "$VM" --linger --status-fd 8 "$@" \
		>"$VM.out" 2>"$VM.err" 8>"$VM.status" 3>&- &
	JOB=$!
	read -r HANDLE <"$VM.out"
	[ "$HANDLE" = "$VM_RUNTIME_DIR/$VM/ctl" ]
	limit vm-ctl wait >"$VM.told.1" &
	WAITERS=$!
	limit vm-ctl -V "$HANDLE" wait >"$VM.told.2" &
	WAITERS+=" $!"
	BOOT=$(ctl status | sed -n 's/^pid=//p')
	KIDS=$(pgrep -P "$BOOT") || :
}

# ends CAUSE STATUS: the VM that fore() started ends so; exit status, those who wait and --status-fd agree.
ends() {
	local status=0 job bad=0
	for job in $WAITERS; do wait "$job" || bad=1; done
	wait "$JOB" || status=$?
	echo "exit $status; told: $(cat "$VM".told.* | tr '\n' ' '); status: $(cat "$VM.status"); said: $(cat "$VM.err")"
	[ $bad -eq 0 ]
	[ "$status" -eq "$2" ]
	[ "$(cat "$VM.told.1" "$VM.told.2")" = "$1"$'\n'"$2"$'\n'"$1"$'\n'"$2" ]
	[ "$(cat "$VM.status")" = "{\"cause\":\"$1\",\"status\":$2}" ]
	# shellcheck disable=SC2086 # numbers
	gone $BOOT $KIDS
	[ ! -e "$VM_RUNTIME_DIR/$VM" ]
	unset VM
}

# share WHOLE PART: how many of something; PART in the lab, where everything takes its time, unless this is a soak.
share() {
	if [ -n "${LAB-}" ] && [ "${VM_REPEAT:-1}" -eq 1 ]; then echo "$2"; else echo "$1"; fi
}

# few N WORD...: the words, of which the lab, unless this is a soak, takes the first N.
few() {
	local n
	n=$(share $(($# - 1)) "$1")
	shift
	printf '%s\n' "${@:1:n}"
}

# own_memory PID MIB: KiB of anonymous memory of a vm-boot whose guest has MIB: without the guest's, which on kvm is its
# own and the largest of its mappings.
own_memory() {
	awk -v guest="$2" '/^[0-9a-f]+-[0-9a-f]+ / { size = 0 }
		/^Size:/ { size = $2 }
		/^Anonymous:/ && size < guest * 1024 - 2048 { kib += $2 }
		END { print kib + 0 }' "/proc/$1/smaps"
}

# as_nobody COMMAND...
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# memory_for MIB: skip when this machine has not that much beside what it needs itself.
memory_for() {
	local have
	have=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo) / 1024))
	[ "$have" -ge $(($1 + 1024)) ] || skip "needs $(($1 + 1024)) MiB of memory, has $have"
}
