# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Programs of this machine in a guest (load lib/lend, with lib/vm-test).

# lend VM PROGRAM...: put these programs of this machine, and what they are linked with, into its guest. They take the
# place of busybox's.
lend() {
	local vm=$1 program libraries=()
	shift
	for program; do command -v "$program" >/dev/null || skip "no $program: install $program"; done
	for program; do
		limit vm-cp "$(realpath "$(command -v "$program")")" "$vm:/bin/$program"
		mapfile -t -O ${#libraries[@]} libraries < <(ldd "$(command -v "$program")" | grep -oE '/[^ ]+')
	done
	tar chP --transform 's,.*/,lib/,' --transform 's,^lib/ld-linux,lib64/ld-linux,' "${libraries[@]}" | limit vm-exec -V "$vm" -i tar x -C /
	for program; do starts "$vm" "$program"; done
}

# starts VM PROGRAM: it says what version it is. No shell of the guest's is asked, which may have one of that name built in.
starts() {
	local word
	for word in --version -V version; do
		limit vm-exec -V "$1" "$2" $word >/dev/null 2>&1 && return
	done
	echo "$2 does not start in the guest"
	return 1
}
