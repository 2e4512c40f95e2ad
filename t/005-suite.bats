#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# t/check: which tests it runs where. Nothing is run here.

bats_require_minimum_version 1.5.0

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	mkdir "$BATS_TEST_TMPDIR/bin"
}

# list KVM [OPTION|FILE]...: what would run on a host whose probe says kvm=KVM.
list() {
	printf '#!/bin/sh\necho kvm=%s\n' "$1" >"$BATS_TEST_TMPDIR/bin/vm-boot"
	chmod +x "$BATS_TEST_TMPDIR/bin/vm-boot"
	shift
	run -0 env BIN="$BATS_TEST_TMPDIR/bin" "$ROOT/t/check" --list "$@"
	echo "$output"
}

@test "without KVM: every file with qemu, and those of an engine with kvm in the lab" {
	cd "$ROOT"
	list emulating
	for f in t/[0-9]*.bats; do grep -qxF "${f##*/} (qemu)" <<<"$output"; done
	[ "$(grep -c 'bats (kvm, lab)$' <<<"$output")" -gt 8 ]
	[ "$(grep -cE '^(0|3|8).*bats \(kvm' <<<"$output")" -eq 0 ]
	[ "$(grep -c 'bats (kvm)$' <<<"$output")" -eq 0 ]
	grep -qx '400-life.bats (kvm, lab)' <<<"$output"
	[ "$(grep -c '^750-world.bats' <<<"$output")" -eq 1 ]
}

@test "with KVM: every file with kvm, and those of an engine with qemu; no lab" {
	cd "$ROOT"
	list usable
	for f in t/[0-9]*.bats; do grep -qxF "${f##*/} (kvm)" <<<"$output"; done
	[ "$(grep -c 'bats (qemu)$' <<<"$output")" -gt 8 ]
	[ "$(grep -cE '^(0|3|8).*bats \(qemu' <<<"$output")" -eq 0 ]
	[ "$(grep -c lab\) <<<"$output")" -eq 0 ]
	grep -qx '400-life.bats (qemu)' <<<"$output"
	[ "$(grep -c '^750-world.bats' <<<"$output")" -eq 1 ]
}

@test "unit tests and fuzz entries are for all files alone" {
	cd "$ROOT"
	list absent t/400-life.bats
	[ "$output" = $'400-life.bats (kvm, lab)\n400-life.bats (qemu)' ]
	list usable t/800-docs.bats t/400-life.bats
	[ "$output" = $'400-life.bats (qemu)\n400-life.bats (kvm)\n800-docs.bats (kvm)' ]
	list absent
	[ -z "$(find .build/t/unit -name '*_test' 2>/dev/null)" ] || grep -qx hub_test <<<"$output"
}

@test "sanitized programs run the bats files, and in a soak after the others" {
	cd "$ROOT"
	[ -x .build/asan/bin/vm-boot ] || skip 'not built: make asan'
	list absent --asan t/800-docs.bats
	[ "$output" = '800-docs.bats (qemu, asan)' ] || [ "$output" = '800-docs.bats (kvm, asan)' ]
	list usable --soak t/800-docs.bats
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = '800-docs.bats (kvm)' ]
	[[ ${lines[1]} == '800-docs.bats ('*', asan)' ]]
}
