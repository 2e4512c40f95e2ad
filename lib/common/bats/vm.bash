# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# VMs in tests for bats-core: see vm-bats(7).
#
# A VM ends with the shell that called vm_start, which holds the reading end of vm-boot's stdout: the process of one
# test if that was in the test or in setup, that of the file if it was in setup_file. Nothing needs to be torn down,
# and nothing is left behind when bats is killed. Descriptor 3 is bats' own and is kept from all that is started.

declare -gA vm_held # handle -> that descriptor, in the shell that called vm_start

vm_here=${BASH_SOURCE[0]%/*}
if ! command -v vm-boot >/dev/null; then
	for vm_here in "$vm_here/../../bin" "$vm_here/../../../bin"; do
		[ ! -x "$vm_here/vm-boot" ] || PATH=$PATH:$vm_here
	done
fi
unset vm_here

# vm_start [OPTION]...: boot a VM with these options of vm-boot, wait until its console is up; it is $VM then.
vm_start() {
	local fd handle
	VM_LOG=$(mktemp "${BATS_TEST_TMPDIR:-${BATS_FILE_TMPDIR:-${TMPDIR:-/tmp}}}/vm-boot.XXXXXX") || return 1
	exec {fd}< <(exec env -u VM vm-boot ${VM_ENGINE:+--engine "$VM_ENGINE"} "$@" 2>"$VM_LOG" </dev/null 3>&-)
	if IFS= read -r handle <&"$fd" && vm-ctl -V "$handle" ready >/dev/null 2>&1 3>&-; then
		vm_held[$handle]=$fd
		VM=$handle
		export VM VM_LOG
		return 0
	fi
	read -r _ <&"$fd" || : # until it has ended
	exec {fd}<&-
	vm_say 'vm_start: the VM did not start'
	return 1
}

# vm_run [OPTION]... [--] COMMAND [ARG]...: vm-exec in $VM, VM_TIMEOUT (60) seconds at most.
vm_run() {
	local status=0
	[ "${VM-}" ] || { echo 'vm_run: no VM: call vm_start first' >&2 && return 125; }
	vm-exec --timeout "${VM_TIMEOUT:-60}" "$@" 3>&- || status=$?
	[ $status -ne 125 ] || vm_say "vm_run: failed in $VM"
	return $status
}

# vm_wait_for REGEX: wait until the console of $VM shows it, or did already; VM_TIMEOUT (60) seconds at most.
vm_wait_for() {
	local console
	[ "${VM-}" ] || { echo 'vm_wait_for: no VM: call vm_start first' >&2 && return 125; }
	console=$(vm-console --timeout "${VM_TIMEOUT:-60}" --wait-for "$1" </dev/null 2>&1 3>&-) && return
	vm_say "vm_wait_for: $1: did not come. The console:"
	printf '%s\n' "$console" >&2
	return 1
}

# vm_stop: have $VM power off, see that it has gone, and forget it; fails if it ended in another way.
vm_stop() {
	local told fd=${vm_held[${VM-}]-} status=0
	[ "${VM-}" ] || { echo 'vm_stop: no VM: call vm_start first' >&2 && return 125; }
	told=$(vm-ctl stop 3>&-) || status=$?
	if [ "$fd" ]; then
		read -r _ <&"$fd" || :
		exec {fd}<&-
		unset "vm_held[$VM]"
	fi
	[ $status -eq 0 ] || vm_say "vm_stop: it ended like this: ${told:-nobody knows}"
	unset VM
	return $status
}

# vm_say LINE: it, and what vm-boot had to say.
vm_say() {
	printf '%s\n' "$1" >&2
	[ ! -s "${VM_LOG-}" ] || sed 's/^/  /' "$VM_LOG" >&2
}
