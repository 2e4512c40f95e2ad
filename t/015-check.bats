#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-check on hosts that are made up: its tools, vm-boot's probe and PATH are stand-ins.

bats_require_minimum_version 1.5.0

setup() {
	unset XDG_RUNTIME_DIR
	export VM_RUNTIME_DIR="$BATS_TEST_TMPDIR/rt" LC_ALL=C
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -m 700 rt
	mkdir bin path
	cp "$(realpath "${BIN:-$BATS_TEST_DIRNAME/../bin}")/vm-check" bin
	for tool in sh cat tr sed grep head tail stat id dirname realpath awk jq unshare true; do
		ln -s "$(command -v $tool)" path
	done
	stand_in path/apt-get ''
	stand_in path/qemu-system-x86_64 'echo "QEMU emulator version 7.2.9 (Debian)"'
	stand_in bin/vm-image 'echo /images/default'
	probe usable '' 3
}

# stand_in FILE SCRIPT: a new file, for what has this name may be a link to the system's own.
stand_in() {
	rm -f "$1"
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod +x "$1"
}

# probe KVM REASON LANDLOCK: what vm-boot --probe finds.
probe() {
	stand_in bin/vm-boot "[ \"\$*\" = --probe ] && printf 'kvm=%s\\nkvm_reason=%s\\nlandlock=%s\\n' '$1' '$2' '$3'"
}

# check STATUS: vm-check ends with it; its text and its JSON say the same.
check() {
	run "-$1" --separate-stderr env PATH="$PWD/path" bin/vm-check
	# shellcheck disable=SC2154 # run --separate-stderr sets it
	[ -z "$stderr" ]
	text=$output
	echo "$text"
	run "-$1" --separate-stderr env PATH="$PWD/path" bin/vm-check --json
	[ -z "$stderr" ]
	json=$output
	jq -r '.checks | to_entries[] | (.key, .value.found, .value.fix // "-", (.value.ok | tostring))' <<<"$json" >all
	while read -r name && read -r found && read -r fix && read -r ok; do
		case $ok in true) ok='ok ' ;; false) ok='no ' ;; null) ok='?  ' ;; esac
		grep -qxF "$(printf '%-12s %s %s' "$name" "$ok" "$found")" <<<"$text"
		[ "$fix" = - ] || grep -qxF "$(printf '%-12s     fix: %s' '' "$fix")" <<<"$text"
	done <all
	[ "$(jq -r '.checks | keys | length' <<<"$json")" -eq 8 ]
	[ "$(jq -r .runs <<<"$json")" = "$([ "$1" -eq 0 ] && echo true || echo false)" ]
}

# found NAME: what was found of it, and the fix.
found() {
	jq -r ".checks.$1 | \"\(.ok): \(.found)\" + (if .fix then \" (\(.fix))\" else \"\" end)" <<<"$json"
}

@test "KVM is usable: VMs run on it" {
	check 0
	[ "$(found kvm)" = 'true: usable' ]
	[ "$(jq -r .engine <<<"$json")" = kvm ]
	[ "$(tail -n 1 <<<"$text")" = 'VMs run here, on KVM.' ]
	[ "$(found image)" = 'true: default: /images/default' ]
	[ "$(found runtime)" = "true: $VM_RUNTIME_DIR" ]
	[ "$(found landlock)" = 'true: ABI 3' ]
	[ "$(found qemu)" = 'true: version 7.2.9' ]
}

@test "KVM is not: why, what to do, and QEMU instead" {
	for kvm in emulating denied failed; do
		probe $kvm "because of $kvm" 3
		check 0
		[[ $(found kvm) == "false: $kvm: because of $kvm ("*')' ]]
		[ "$(jq -r .engine <<<"$json")" = qemu ]
		[ "$(tail -n 1 <<<"$text")" = 'VMs run here, emulated by QEMU: slower than on KVM.' ]
	done
	probe denied '' 3
	stand_in path/stat 'echo kvm'
	check 0
	[[ $(found kvm) == "false: denied: /dev/kvm is not for you (sudo usermod -aG kvm "*", then log in again)" ]]
	probe absent '' 3
	for flag in vmx svm none; do
		# It stands for grep on /proc/cpuinfo alone.
		stand_in path/grep "case \$* in */proc/cpuinfo) echo $flag ;; *) exec $(command -v grep) \"\$@\" ;; esac"
		check 0
		case $flag in
		vmx) want='false: absent: its module is not loaded (sudo modprobe kvm-intel)' ;;
		svm) want='false: absent: its module is not loaded (sudo modprobe kvm-amd)' ;;
		none) want='false: absent: the processor offers no virtualization (*firmware*)' ;;
		esac
		# shellcheck disable=SC2053 # a pattern
		[[ $(found kvm) == $want ]]
	done
}

@test "neither KVM nor QEMU: VMs do not run" {
	probe emulating '' 0
	rm path/qemu-system-x86_64
	check 1
	[[ $(found kvm) == 'false: emulating: it opens, but runs guests one instruction at a time '* ]]
	[ "$(found qemu)" = 'false: qemu-system-x86_64 is not installed (sudo apt-get install qemu-system-x86)' ]
	[[ $(found landlock) == 'false: this kernel has no Landlock'* ]]
	[ "$(jq -r .engine <<<"$json")" = null ]
	[ "$(tail -n 1 <<<"$text")" = 'VMs do not run here: kvm or qemu is needed.' ]
	stand_in path/qemu-system-x86_64 'exit 1'
	check 1
	[[ $(found qemu) == 'false: qemu-system-x86_64 does not run '* ]]
	# Nothing is built, so nobody knows.
	rm bin/vm-boot bin/vm-image
	check 1
	[ "$(found kvm)" = 'null: vm-boot, which finds out, is not there (make)' ]
	[ "$(found landlock)" = 'null: vm-boot, which finds out, is not there (make)' ]
	[ "$(found image)" = 'null: vm-image, which knows, is not there (make)' ]
}

@test "no image, a bad runtime directory: said, and no reason why VMs would not run" {
	stand_in bin/vm-image 'exit 1'
	chmod 770 rt
	check 0
	[ "$(found image)" = 'false: there is no image called default (vm-image build)' ]
	[ "$(found runtime)" = "false: $VM_RUNTIME_DIR: others may enter it (chmod 700 $VM_RUNTIME_DIR)" ]
	chmod 700 rt
	ln -s rt link
	VM_RUNTIME_DIR=$PWD/link check 0
	[[ $(found runtime) == "false: $PWD/link: is not a directory (a symbolic link is refused) "* ]]
	VM_RUNTIME_DIR=$PWD/none/none check 0
	[[ $(found runtime) == "false: $PWD/none/none: cannot be written or made "* ]]
}
