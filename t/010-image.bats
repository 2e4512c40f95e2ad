#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-image: images are the same for the same inputs, whole or absent, and bootable.

bats_require_minimum_version 1.5.0

setup_file() {
	PATH=$(realpath "${BIN:-$BATS_TEST_DIRNAME/../bin}"):$PATH
	printf '#!/bin/sh\nexec sh\n' >"$BATS_FILE_TMPDIR/agent"
	KERNEL=$(vm-image kernel) || skip 'no kernel package: vm-image kernel failed'
	export PATH KERNEL VM_AGENT=$BATS_FILE_TMPDIR/agent VM_IMAGE_DIR=$BATS_FILE_TMPDIR/images
	vm-image build >"$BATS_FILE_TMPDIR/path"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	image=$(cat "$BATS_FILE_TMPDIR/path")
	BZIMAGE=$(echo "$KERNEL"/boot/vmlinuz-*)
}

teardown() {
	[ -z "$(find "$VM_IMAGE_DIR" -maxdepth 1 -name '.tmp.*')" ]
}

# an image directory of this test alone
own_dir() {
	export VM_IMAGE_DIR=$BATS_TEST_TMPDIR/images
}

@test "an image has the kernel twice, an initrd and a description" {
	[ "$image" = "$(vm-image path default)" ]
	cmp "$BZIMAGE" "$image/bzImage"
	[ "$(head -c 4 "$image/vmlinux" | od -An -tx1 | tr -d ' ')" = 7f454c46 ]
	grep -qx version=1 "$image/image"
	grep -qx "kernel=${BZIMAGE##*/vmlinuz-}" "$image/image"
	grep -qx console=hvc0 "$image/image"
	grep -qx "hash=${image##*/}" "$image/image"
	grep -qx "initrd_bytes=$(stat -c %s "$image/initrd")" "$image/image"
	[ $(($(stat -c %s "$image/initrd") % 4)) -eq 0 ]
}

@test "cpio reads the initrd, with device nodes, links and modes" {
	cpio -tv --quiet <"$image/initrd" >"$BATS_TEST_TMPDIR/list"
	grep -q '^crw-------.* root .* 5, *1 .* dev/console$' "$BATS_TEST_TMPDIR/list"
	grep -q '^crw-rw-rw-.* root .* 1, *3 .* dev/null$' "$BATS_TEST_TMPDIR/list"
	grep -q '^drwxrwxrwt.* tmp$' "$BATS_TEST_TMPDIR/list"
	grep -q ' init -> sbin/vm-agent$' "$BATS_TEST_TMPDIR/list"
	grep -q ' bin/sh -> busybox$' "$BATS_TEST_TMPDIR/list"
	cd "$BATS_TEST_TMPDIR"
	cpio -id --quiet sbin/vm-agent etc/passwd 'bin/busybox' <"$image/initrd"
	cmp sbin/vm-agent "$VM_AGENT"
	grep -q '^user:x:1000:' etc/passwd
	bin/busybox true
}

@test "modules are listed in load order and are all there" {
	cd "$BATS_TEST_TMPDIR"
	cpio -id --quiet 'lib/*' etc/vm-agent/modules <"$image/initrd"
	sed 's,^[^/]*,,' etc/vm-agent/modules >paths
	sed 's,.*/,,; s/\.ko$//' paths >names
	[ "$(head -n 6 names | tr '\n' ' ')" = \
		'virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_console ' ]
	while read -r path; do
		[ -s ".$path" ]
		deps=$(sed -n "s,^${path#/lib/modules/*/}: *,,p" "$KERNEL"/lib/modules/*/modules.dep)
		for dep in $deps; do
			sed "\\,^$path\$,q" paths | grep -q "/$dep\$"
		done
	done <paths
	for name in virtio_net vmw_vsock_virtio_transport virtiofs pvpanic-pci virtio-rng virtio_blk virtio_balloon \
		button evdev ptp_kvm; do grep -qx "$name" names; done
	! grep -q '/vmgenid\.ko' "$KERNEL"/lib/modules/*/modules.dep || grep -qx vmgenid names
}

@test "what a device's driver alone needs has the device's alias in front, the rest has none" {
	cd "$BATS_TEST_TMPDIR"
	cpio -id --quiet etc/vm-agent/modules <"$image/initrd"
	pattern_of() { sed -n "s,^\(.*\)/lib/modules/.*/$1\.ko$,\1,p" etc/vm-agent/modules; }
	# virtio 1.2, section 5: device IDs
	for name in failover net_failover virtio_net; do [ "$(pattern_of $name)" = 'virtio:d00000001v* ' ]; done
	for name in fuse virtiofs; do [ "$(pattern_of $name)" = 'virtio:d0000001Av* ' ]; done
	[ "$(pattern_of virtio_blk)" = 'virtio:d00000002v* ' ]
	[ "$(pattern_of virtio_console)" = 'virtio:d00000003v* ' ]
	[ "$(grep -vc '^virtio:' etc/vm-agent/modules)" -eq "$(grep -c '^/lib/modules/' etc/vm-agent/modules)" ]
	for name in virtio_ring virtio virtio_pci vsock button evdev; do grep -q "^/lib/modules/.*/$name\\.ko$" etc/vm-agent/modules; done
}

@test "the modules are those of the lists and what they need, and no others; modprobe knows them all" {
	dep=$(echo "$KERNEL"/lib/modules/*/modules.dep)
	# By name, not by file: some have - where others have _.
	words=$(sed -n "/^\(modules\|on_demand\)='/,/'\$/p" "$(command -v vm-image)" | sed "s/^[a-z_]*='//" | tr -d "'" |
		tr -s '\n\t -' '\n\n\n_' | grep .)
	[ "$(wc -l <<<"$words")" -gt 12 ]
	# The closure, by asking again until nothing is added.
	declare -A needs wanted
	while IFS=: read -r file needed; do
		file=${file##*/}
		needs[$(tr - _ <<<"${file%%.ko*}")]=$needed
	done <"$dep"
	todo=$words
	while [ "$todo" ]; do
		more=
		for name in $todo; do
			[ -z "${wanted[$name]-}" ] && [ "${needs[$name]+known}" ] || continue
			wanted[$name]=1
			for file in ${needs[$name]}; do
				file=${file##*/}
				more+=" $(tr - _ <<<"${file%%.ko*}")"
			done
		done
		todo=$more
	done
	cd "$BATS_TEST_TMPDIR"
	cpio -id --quiet 'lib/*' <"$image/initrd"
	find lib -name '*.ko' | sed 's,.*/,,; s/\.ko$//' | tr - _ | sort >held
	diff <(printf '%s\n' "${!wanted[@]}" | sort) held
	[ "$(sed -n 's/^modules=//p' "$image/image")" -eq "$(wc -l <held)" ]
	cd lib/modules/*
	diff <(find . -name '*.ko' -printf '%P\n' | sort) <(sed 's/:.*//' modules.dep | sort)
	diff <(sed 's/.*: *//; s/ /\n/g' modules.dep | grep . | sort -u) <(sed 's/.*: *//; s/ /\n/g' modules.dep | grep . | sort -u | xargs ls)
	for alias in fs-overlay fs-fuse char-major-10-229 fs-virtiofs 'virtio:d00000001v\*'; do grep -q "^alias $alias " modules.alias; done
	[ "$(sed 's/.* //' modules.alias | sort -u | comm -23 - "$BATS_TEST_TMPDIR/held")" = '' ]
}

@test "a second build changes nothing and is silent in a pipe" {
	before=$(stat -c '%i %Y' "$image" "$image"/*)
	vm-image build >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = "$image" ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	[ "$(stat -c '%i %Y' "$image" "$image"/*)" = "$before" ]
	run --separate-stderr vm-image build -v
	[[ $stderr == *'up to date'* ]]
}

@test "the same inputs give the same bytes elsewhere, another agent another hash" {
	own_dir
	(umask 077 && vm-image build) >"$BATS_TEST_TMPDIR/path"
	cmp "$(cat "$BATS_TEST_TMPDIR/path")/initrd" "$image/initrd"
	[ "$(basename "$(cat "$BATS_TEST_TMPDIR/path")")" = "${image##*/}" ]
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/agent"
	[ "$(VM_AGENT=$BATS_TEST_TMPDIR/agent vm-image build)" != "$(cat "$BATS_TEST_TMPDIR/path")" ]
}

@test "an ordinary user builds the same image" {
	[ "$(id -u)" -eq 0 ] || skip 'is an ordinary user'
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	mkdir -p "$home/.cache/pipevm/kernels"
	cp -r "$KERNEL" "$home/.cache/pipevm/kernels/"
	basename "$KERNEL" >"$home/.cache/pipevm/kernels/.newest"
	cp "$VM_AGENT" "$home/agent"
	chown -R 65534:65534 "$home"
	run setpriv --reuid=65534 --regid=65534 --clear-groups env -u VM_IMAGE_DIR -u XDG_CACHE_HOME -u XDG_DATA_HOME \
		HOME="$home" VM_AGENT="$home/agent" vm-image build
	[ ! -f "$output/initrd" ] || cmp "$output/initrd" "$image/initrd"
	rm -rf "$home"
	[ "$status" -eq 0 ]
	[ "$output" = "$home/.local/share/pipevm/images/.store/${image##*/}" ]
}

@test "builds at the same time both succeed" {
	own_dir
	vm-image build >"$BATS_TEST_TMPDIR/a" 3>&- & a=$!
	vm-image build >"$BATS_TEST_TMPDIR/b" 3>&- & b=$!
	wait $a
	wait $b
	cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	[ "$(ls "$VM_IMAGE_DIR/.store")" = "${image##*/}" ]
}

# start a build that stops in its middle, in a busybox that waits on a pipe; sets $pid
stopped_build() {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	printf '#!/bin/sh\necho here >"%s"\nexec cat "%s"\n' "$BATS_TEST_TMPDIR/pipe" "$BATS_TEST_TMPDIR/pipe" \
		>"$BATS_TEST_TMPDIR/busybox"
	chmod +x "$BATS_TEST_TMPDIR/busybox"
	VM_BUSYBOX=$BATS_TEST_TMPDIR/busybox vm-image build >"$BATS_TEST_TMPDIR/out" 3>&- & pid=$!
	read -r _ <"$BATS_TEST_TMPDIR/pipe"
}

@test "a killed build leaves no image, and gc removes what it left" {
	own_dir
	stopped_build
	kill -KILL $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 137 ]
	: >"$BATS_TEST_TMPDIR/pipe"
	[ -n "$(find "$VM_IMAGE_DIR" -maxdepth 1 -name '.tmp.*')" ]
	[ -z "$(ls "$VM_IMAGE_DIR/.store")$(vm-image ls)" ]
	vm-image gc
	[ -z "$(find "$VM_IMAGE_DIR" -maxdepth 1 -name '.tmp.*')" ]
}

@test "a terminated build cleans up by itself" {
	own_dir
	stopped_build
	kill -TERM $pid
	: >"$BATS_TEST_TMPDIR/pipe"
	status=0
	wait $pid || status=$?
	[ $status -eq 143 ]
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
	[ -z "$(find "$VM_IMAGE_DIR" -maxdepth 1 -name '.tmp.*')" ]
}

@test "ls, path and rm know names, gc removes what has none" {
	own_dir
	a=$(vm-image build --name=one)
	b=$(vm-image build --name two --kernel "$image/vmlinux" 2>/dev/null)
	[ ! -e "$b/bzImage" ]
	[ -s "$b/vmlinux" ]
	[ "$(vm-image ls | awk '{ print $1, $4 }')" = "one ${a##*/}
two ${b##*/}" ]
	vm-image rm two
	run -1 vm-image path two
	vm-image gc
	[ "$(ls "$VM_IMAGE_DIR/.store")" = "${a##*/}" ]
	[ "$(vm-image kernel)" = "$KERNEL" ]
}

@test "a bzImage by its name: beside its modules it is the package's image, alone it has no modules" {
	own_dir
	run -0 --separate-stderr vm-image build --kernel "$BZIMAGE"
	[ "$(basename "$output")" = "${image##*/}" ]
	[ -z "$stderr" ]
	cp "$BZIMAGE" mine
	run -0 --separate-stderr vm-image build --name mine --kernel mine
	cmp "$output/bzImage" "$BZIMAGE"
	cmp "$output/vmlinux" "$image/vmlinux"
	grep -qx "kernel=${BZIMAGE##*/vmlinuz-}" "$output/image"
	! [ -d "/lib/modules/${BZIMAGE##*/vmlinuz-}" ] || return 0
	[ "$stderr" = "vm-image: $PWD/mine: no modules for ${BZIMAGE##*/vmlinuz-}: drivers must be built in" ]
	grep -qx modules=0 "$output/image"
}

@test "modules without a part of their index are refused, and no image is made of what is left" {
	own_dir
	mkdir -p tree/boot
	cp "$BZIMAGE" tree/boot/
	release=${BZIMAGE##*/vmlinuz-}
	for part in alias builtin; do
		rm -rf tree/lib
		mkdir -p tree/lib/modules
		cp -r "$KERNEL/lib/modules/$release" tree/lib/modules/
		rm "tree/lib/modules/$release/modules.$part"
		run -1 --separate-stderr vm-image build --kernel "tree/boot/${BZIMAGE##*/}"
		[[ $stderr == "vm-image: "*"/lib/modules/$release/modules.$part: not found: make it with depmod" ]]
		[ -z "$(find "$VM_IMAGE_DIR/.store" -mindepth 1)" ]
	done
}

@test "--kernel host: the one in /boot that bears the running one's name" {
	own_dir
	unshare --map-root-user --mount mount --bind "$BATS_TEST_TMPDIR" /boot || skip 'cannot mount over /boot in a namespace'
	mkdir boot
	ln -s "$BZIMAGE" "boot/vmlinuz-$(uname -r)"
	run -0 --separate-stderr unshare --map-root-user --mount sh -c 'mount --bind boot /boot && vm-image build --kernel host'
	[ "$(basename "$output")" = "${image##*/}" ]
	[ -z "$stderr" ]
	rm boot/*
	run -1 unshare --map-root-user --mount sh -c 'mount --bind boot /boot && vm-image build --kernel host'
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "vm-image: /boot/vmlinuz-$(uname -r): cannot be read: "* ]]
}

@test "no program for the kernel's compression: one line, and an image of the bzImage alone" {
	own_dir
	mkdir path
	# Links to all programs but those; nothing is written through one. Of two with one name the first stays.
	(IFS=: && find -H $PATH -maxdepth 1 ! -type d ! -name gzip ! -name lz4 ! -name xz ! -name zstd ! -name bzip2 \
		-exec ln -s -t path {} + 2>/dev/null) || :
	PATH=$PWD/path run -0 --separate-stderr vm-image build --kernel "$BZIMAGE"
	[[ $stderr =~ ^"vm-image: $BZIMAGE: no "(gzip|lz4|xz|zstd|bzip2)": leaving out vmlinux"$ ]]
	cmp "$output/bzImage" "$BZIMAGE"
	[ ! -e "$output/vmlinux" ]
	cmp "$output/initrd" "$image/initrd"
}

@test "progress is for terminals: one line at the start, one at the end; a pipe hears none of it" {
	own_dir
	run -0 script -qec 'vm-image build --name seen' /dev/null </dev/null
	mapfile -t lines < <(tr -d '\r' <<<"$output")
	[ "${lines[0]}" = "vm-image: seen: building from $BZIMAGE" ]
	[[ ${lines[1]} =~ ^"vm-image: seen: kernel ${BZIMAGE##*/vmlinuz-}, initrd of "[0-9]+" KiB"$ ]]
	[ "${lines[2]}" = "$VM_IMAGE_DIR/.store/${image##*/}" ]
	[ "${#lines[@]}" -eq 3 ]
	rm -r "$VM_IMAGE_DIR"
	vm-image build --name seen 2>&1 | cat >out
	[ "$(cat out)" = "$VM_IMAGE_DIR/.store/${image##*/}" ]
}

@test "XDG_DATA_HOME is where images are when VM_IMAGE_DIR does not say" {
	export XDG_DATA_HOME=$BATS_TEST_TMPDIR/data
	run -0 env -u VM_IMAGE_DIR vm-image build
	[ "$output" = "$XDG_DATA_HOME/pipevm/images/.store/${image##*/}" ]
	[ "$(env -u VM_IMAGE_DIR vm-image path default)" = "$output" ]
	cmp "$output/initrd" "$image/initrd"
	# VM_IMAGE_DIR goes before it.
	[ "$(vm-image path default)" = "$image" ]
}

@test "a kernel that is none, or damaged, is refused with one line and leaves nothing" {
	own_dir
	bad=$BATS_TEST_TMPDIR/kernel
	head -c 5000000 "$BZIMAGE" >"$bad.short"
	{ head -c 100000 "$BZIMAGE" && head -c 20000 /dev/zero && tail -c +120001 "$BZIMAGE"; } >"$bad.zero"
	head -c 100000 /dev/zero >"$bad.none"
	: >"$bad.empty"
	for f in short zero none empty absent; do
		run -1 vm-image build --kernel "$bad.$f"
		[ "${#lines[@]}" -eq 1 ]
		[[ $output == "vm-image: $bad.$f: "*:* ]]
	done
	[ -z "$(ls "$VM_IMAGE_DIR/.store")" ]
}

@test "an agent that is absent or not static is refused" {
	VM_AGENT=/nonexistent run -1 vm-image build
	[ "${#lines[@]}" -eq 1 ]
	VM_AGENT=$(realpath "$(command -v bash)") run -1 vm-image build
	[[ $output == *'not a statically linked program'* ]]
}

@test "wrong usage is 2, help is 0" {
	run -2 vm-image
	run -2 vm-image frobnicate
	run -2 vm-image build --kernel
	run -2 vm-image build --name ../x
	run -2 vm-image build extra
	run -2 vm-image path
	run -2 vm-image ls extra
	run -0 vm-image --help
	[[ $output == usage:* ]]
	run -0 vm-image --version
}

@test "the image boots: the agent runs, modules load, devices are there" {
	command -v qemu-system-x86_64 >/dev/null || skip 'no qemu-system-x86_64'
	own_dir
	cat >"$BATS_TEST_TMPDIR/agent" <<-'EOF'
		#!/bin/sh
		mount -t devtmpfs dev /dev
		exec >/dev/ttyS0 2>&1
		while read -r m; do insmod "/${m#*/}"; done </etc/vm-agent/modules
		[ -c /dev/hvc0 ] && [ "$(id -un)" = root ] && echo "guest is fine"
		poweroff -f
	EOF
	VM_AGENT=$BATS_TEST_TMPDIR/agent vm-image build >/dev/null
	run -0 timeout 120 qemu-system-x86_64 -nodefaults -display none -no-reboot -M q35 -accel tcg -m 256 -serial stdio \
		-kernel "$VM_IMAGE_DIR/default/vmlinux" -initrd "$VM_IMAGE_DIR/default/initrd" -device virtio-serial-pci \
		-chardev null,id=c -device virtconsole,chardev=c -append 'console=ttyS0 quiet panic=-1' </dev/null
	[[ $output == *'guest is fine'* ]]
}
