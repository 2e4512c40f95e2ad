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
	# shellcheck disable=SC2016 # the guest's
	for program; do limit vm-exec -V "$vm" sh -c '"$0" --version || "$0" -V || "$0" version' "$program" >/dev/null 2>&1; done
}
