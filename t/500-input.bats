#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input: one clear line and the documented status, before anything is made; bad clients: an error and no more.

bats_require_minimum_version 1.5.0
load lib/vm-test

setup_file() {
	vm_file || return 0
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -o ctl_send "$ROOT/t/unit/ctl_send.c"
	# What is refused must be refused whether or not the guest would boot.
	start target -m 128M -a 'console=ttyS0 rdinit=/bin/sh'
}

setup() {
	vm_setup
	PATH=$BATS_FILE_TMPDIR:$PATH
}

teardown() {
	chmod 700 "$VM_RUNTIME_DIR" "$VM_RUNTIME_DIR/target"
	[ -z "${home-}" ] || rm -rf "$home"
	no_leak target
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/target" ] || return 0
	ctl -V target kill >/dev/null
	ctl -V target wait >/dev/null
	no_leak
}

# refused WORDS OPTION...: vm-boot says one line with WORDS (a pattern) in it, and ends with 125.
refused() {
	local words=$1
	shift
	LIMIT=20 run -125 --separate-stderr boot "$@"
	echo "$stderr"
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	# shellcheck disable=SC2053 # a pattern
	[[ $stderr == 'vm-boot: '$words ]]
}

# no_engine: for what is refused before any engine is looked at, and takes long where processes start slowly.
no_engine() {
	[ -z "${LAB-}" ] || skip 'no engine is in this: it is tested outside of the lab'
}

# alive: the VM still does what it should.
alive() {
	ctl -V target status | grep -qx state=running
}

@test "no kernel" {
	no_engine
	refused 'kernel: none: No such file or directory' -k none
	refused 'kernel: .: is not a regular file' -k .
	refused 'kernel: /dev/zero: is not a regular file' -k /dev/zero
	mkfifo fifo
	refused 'kernel: fifo: is not a regular file' -k fifo
	refused "image 'none' is not there: make it with 'vm-image build --name none'" --image none
	mkdir empty
	refused "image './empty' has no kernel: *" --image ./empty
	refused 'kernel: descriptor 9 is not open*' -k fd:9
	refused 'initrd: none: No such file or directory' -k "$IMAGE/vmlinux" -r none
}

@test "an empty, short or random kernel" {
	no_engine
	: >empty
	refused 'kernel: empty: is empty' -k empty
	refused 'initrd: empty: is empty' -k "$IMAGE/vmlinux" -r empty
	printf x >byte
	refused 'byte: is neither a bzImage nor an ELF vmlinux' -k byte
	# Its first byte is no ELF's, and there is no bzImage's magic: chance makes no kernel of it.
	{ printf '\0' && head -c 999999 /dev/urandom; } >random
	printf '\0\0' | dd of=random bs=1 seek=510 conv=notrunc status=none
	refused 'random: is neither a bzImage nor an ELF vmlinux' -k random
	refused '/etc/passwd: is neither a bzImage nor an ELF vmlinux' -k /etc/passwd
}

@test "a kernel that is cut short" {
	for kernel in vmlinux bzImage; do
		size=$(stat -c %s "$IMAGE/$kernel")
		for bytes in 600 5000 $((size / 2)); do
			head -c "$bytes" "$IMAGE/$kernel" >"cut"
			echo "$kernel: $bytes of $size"
			case $kernel.$bytes in
			bzImage.600) refused 'cut: is neither a bzImage nor an ELF vmlinux' -k cut ;;
			*) refused 'cut: is *' -k cut -r "$IMAGE/initrd" ;;
			esac
		done
	done
}

@test "a kernel for another machine" {
	# ELF: 64-bit ARM, 32-bit; an ELF file that is no kernel; a bzImage without its 64-bit entry point
	cp "$IMAGE/bzImage" old
	head -c 8192 "$IMAGE/vmlinux" >arm
	cp arm small
	printf '\267\0' | dd of=arm bs=1 seek=18 conv=notrunc status=none
	printf '\1' | dd of=small bs=1 seek=4 conv=notrunc status=none
	printf '\0' | dd of=old bs=1 seek=$((0x236)) conv=notrunc status=none
	refused 'arm: is an ELF file for another architecture, not x86-64' -k arm
	refused 'small: is an ELF file for another architecture, not x86-64' -k small
	refused '/bin/sh: is an ELF file without a PVH entry*' -k /bin/sh
	refused 'old: is a Linux kernel, but not an x86-64 one that can start in 64-bit mode' -k old
}

@test "an initrd that is too large, a kernel that memory does not hold" {
	truncate -s 200M large
	refused 'large: 200 MiB of initrd do not fit beside the kernel in 128 MiB of memory: give more with -m' \
		-k "$IMAGE/vmlinux" -r large -m 128M
	truncate -s 4G large
	refused 'large: 4096 MiB of initrd do not fit*' -k "$IMAGE/bzImage" -r large -m 6G
	cp "$IMAGE/bzImage" greedy
	printf '\0\0\0\20' | dd of=greedy bs=1 seek=$((0x260)) conv=notrunc status=none
	refused 'greedy: needs 272 MiB of memory to start, has 128: give more with -m' -k greedy -m 128M
}

@test "a command that is too long" {
	no_engine
	for bytes in 99800 110000; do
		words=()
		for _ in {1..21}; do words+=("$(printf "%0${bytes}d" 0)"); done
		ulimit -S -s 65536
		refused 'COMMAND: with its environment it is too long: 2093056 bytes at most' -- "${words[@]}"
	done
}

@test "memory and processors out of range" {
	no_engine
	for m in 0 63M 1025G 99999999999999999999 -1; do refused '-m: *is not *' -m $m; done
	for m in '' x 12X 1.5G 128MM ' 128M'; do refused "-m: '$m' is not a size*" -m "$m"; done
	refused '-m: 129M is not a multiple of 2M*' -m 129M
	for c in 0 65 100000000000000000000; do refused '-c: *is not between 1 and 64*' -c $c; done
	for c in '' x 2x -1 +2 1.5 0x2; do refused "-c: '$c' is not a number*" -c "$c"; done
}

@test "more memory than there is" {
	# 1024G is within the range, but this machine has it not.
	[ "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)" -lt 500000000 ] || skip 'has half a TiB of memory'
	[ "$(cat /proc/sys/vm/overcommit_memory)" != 1 ] || skip 'memory can be overcommitted here'
	run -125 --separate-stderr boot -m 1024G
	echo "$stderr"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *emory* || $stderr == *phys-bits* ]]
}

@test "unknown and misused options" {
	no_engine
	refused '*--help*' --no-such-option
	refused '*--help*' -Z
	refused '*--help*' --mem 1G
	refused '*--help*' -m
	refused '*--help*' --linger=yes
	refused "--engine: 'x' is none of auto, kvm, qemu, qemu:kvm*" --engine x
	refused '--with: needs a program to become*' --with
	refused '--with: goes with neither -d nor --ctl-fd*' -d --with true
	refused '--ctl-fd: descriptor 7 is not a SOCK_SEQPACKET socket*' --ctl-fd 7 7<>"$BATS_FILE_TMPDIR/ctl_send"
	refused '--linger: goes with neither -d nor --with, nor with --ctl-fd without -n*' -d --linger
	refused '--linger: goes with neither -d nor --with, nor with --ctl-fd without -n*' -n name --linger --with true
	refused '--probe: goes with nothing else*' --probe -v
	refused '--probe: goes with nothing else*' --probe -- x
	for words in '-d: does not go with --ctl-fd| -d' '--with: goes with neither -d nor --ctl-fd| --with true' \
		'--linger: goes with neither -d nor --with, nor with --ctl-fd without -n| --linger'; do
		# shellcheck disable=SC2086 # options
		run -125 --separate-stderr limit ctl_send 7 -- vm-boot --ctl-fd 7 ${words#*|}
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "vm-boot: ${words%%|*}"* ]]
	done
	for fd in x -1 '' 99999999999; do
		refused "*: '$fd' is not a descriptor number*" --ready-fd "$fd"
		refused "*: '$fd' is not a descriptor number*" --status-fd "$fd"
	done
	refused '--ready-fd: descriptor 77 is not open*' --ready-fd 77
	for time in x 0 -1 '' 1e3; do refused "--timeout: '$time' is not a time in seconds*" --timeout "$time"; done
	for time in x 0 0.9 ''; do refused "--watchdog: '$time' is not a time of at least 1 second*" --watchdog "$time"; done
	for name in '' . .. .hidden -x a/b 'a b' "$(printf '%065d' 1)" $'a\nb' ä; do
		# A name that breaks lines does so in the message, too: that one is not held to one line.
		run -125 --separate-stderr boot -n "$name"
		[ -z "$output" ]
		[[ $stderr == "vm-boot: -n: '"*"' is not a name "* ]]
	done
	refused '--log-console: none/log: No such file or directory' --log-console none/log
}

@test "a kernel command line that is too long, or a console that is not there" {
	refused 'kernel command line: *' -a "$(printf '%03000d' 1)"
	refused 'kernel command line: console=tty0: *' -a console=tty0
	[ "$VM_ENGINE" = kvm ] || refused 'kernel command line: console=hvc0: this engine has ttyS0' -a console=hvc0
}

@test "a name in use" {
	refused '-n: target: a VM of this name is running (vm-ctl -V target stop ends it)' -n target
	alive
}

@test "a runtime directory that others could reach" {
	no_engine
	mkdir -m 700 real
	ln -s real link
	VM_RUNTIME_DIR=$PWD/link refused "$PWD/link: is not a directory (a symbolic link is refused)*"
	: >file
	VM_RUNTIME_DIR=$PWD/file refused "$PWD/file: is not a directory*"
	for mode in 770 707 720 701 777 1777; do
		chmod "$mode" real
		VM_RUNTIME_DIR=$PWD/real refused "$PWD/real: others may enter it: chmod 700 it"
	done
	chmod 700 real
	VM_RUNTIME_DIR=$PWD/none/none refused "$PWD/none/none: No such file or directory: set VM_RUNTIME_DIR*"
	[ "$(id -u)" -eq 0 ] || skip 'needs root for a directory of another user'
	chown 65534 real
	VM_RUNTIME_DIR=$PWD/real refused "$PWD/real: belongs to uid 65534: set VM_RUNTIME_DIR to a directory of yours"
	[ -z "$(ls -A real)" ]
}

@test "the runtime directory under /tmp is not taken from another user" {
	no_engine
	# Where there is neither VM_RUNTIME_DIR nor XDG_RUNTIME_DIR it is /tmp/pipevm-UID.
	[ "$(id -u)" -eq 0 ] || skip 'needs root for a mount namespace'
	# The checkout may itself be below /tmp: the program is held.
	cat >attack <<-'EOF'
		exec 8<"$1"
		shift
		mount -t tmpfs -o mode=1777 tmp /tmp || exit 99
		mkdir -m 777 /tmp/pipevm-0
		chown 65534 /tmp/pipevm-0
		unset VM_RUNTIME_DIR XDG_RUNTIME_DIR VM
		exec /proc/self/fd/8 "$@"
	EOF
	run -125 --separate-stderr limit unshare -m sh "$PWD/attack" "$BIN/vm-boot" --engine "$VM_ENGINE"
	echo "$stderr"
	[ "$stderr" = 'vm-boot: /tmp/pipevm-0: belongs to uid 65534: set VM_RUNTIME_DIR to a directory of yours' ]
}

@test "a runtime directory whose path is too long" {
	long=$PWD
	for _ in {1..25}; do long+=/$(printf '%0160d' 1); done
	VM_RUNTIME_DIR=$long refused 'runtime directory: its path is too long: *'
	# Long, but not too long: more than a socket's address holds.
	long=$PWD
	for i in {1..10}; do long+=/$(printf '%0100d' "$i") && mkdir -m 700 "$long"; done
	export VM_RUNTIME_DIR=$long
	# shellcheck disable=SC2016
	boot --linger | { read -r VM && export VM && ctl status | grep -qx state=running && ctl kill && ctl list; } >out
	[ "$(cat out)" = $'killed\n125' ] || [[ $(cat out) == $'killed\n125\n'* ]]
	[ -z "$(ls -A "$long")" ]
}

# in_dev SETUP COMMAND...: in a mount namespace of its own, after SETUP
in_dev() {
	local script=$1
	shift
	limit unshare -m sh -c "mount --make-rprivate / && $script && exec \"\$@\"" - "$@"
}

@test "no /dev/kvm, one that is not allowed, and one that is no KVM" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root for a mount namespace'
	run -125 --separate-stderr in_dev 'mount -t tmpfs dev /dev' vm-boot --engine kvm
	[ "$stderr" = 'vm-boot: /dev/kvm is not there: load kvm-intel or kvm-amd, or enable virtualization in the firmware' ]
	run -125 --separate-stderr in_dev 'mount -t tmpfs dev /dev && mkdir /dev/kvm' vm-boot --engine kvm
	[[ $stderr == 'vm-boot: /dev/kvm: '* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[ -e /dev/kvm ] || skip 'no /dev/kvm'
	run -125 --separate-stderr in_dev 'mount --bind /dev/null /dev/kvm' vm-boot --engine kvm
	[[ $stderr == 'vm-boot: /dev/kvm: is not the KVM this program speaks to'* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	cp "$IMAGE/vmlinux" "$BIN/vm-boot" "$home"
	chown -R 65534:65534 "$home"
	run -125 --separate-stderr in_dev "mount -t tmpfs dev /run && mknod -m 600 /run/kvm c 10 232 &&
			mount --bind /run/kvm /dev/kvm" setpriv --reuid=65534 --regid=65534 --clear-groups \
		env VM_RUNTIME_DIR="$home/rt" "$home/vm-boot" --engine kvm -k "$home/vmlinux"
	echo "$stderr"
	[ "$stderr" = 'vm-boot: /dev/kvm: Permission denied: join the group that owns it (usually kvm)' ]
	[ -z "$(ls -A "$home/rt")" ]
}

@test "without KVM it takes QEMU and says why; without both it says what to do" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root for a mount namespace'
	mkdir none
	run -125 --separate-stderr in_dev 'mount -t tmpfs dev /dev && mknod -m 666 /dev/null c 1 3' env PATH="$PWD/none" "$BIN/vm-boot"
	echo "$stderr"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == 'vm-boot: /dev/kvm is not there: '*'; '*'qemu-system-x86_64 is not installed: install'* ]]
	run -125 --separate-stderr env PATH="$PWD/none" "$BIN/vm-boot" --engine qemu
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == 'vm-boot: qemu-system-x86_64 is not installed: install'* ]]
	command -v qemu-system-x86_64 >/dev/null || skip 'no qemu-system-x86_64'
	run -124 --separate-stderr in_dev 'mount -t tmpfs dev /dev && mknod -m 666 /dev/null c 1 3 &&
			mknod -m 666 /dev/urandom c 1 9' vm-boot --timeout 0.2
	echo "$stderr"
	[ "${stderr_lines[0]}" = 'vm-boot: /dev/kvm is not there: load kvm-intel or kvm-amd, or enable virtualization in the firmware; using qemu without it, which is slower' ]
}

# -- the control socket --

@test "malformed packets are answered with an error, and the connection goes on" {
	handle=$VM_RUNTIME_DIR/target/ctl
	pid=$(ctl -V target status | sed -n 's/^pid=//p')
	before=$(ls "/proc/$pid/fd")
	while read -r want step; do
		# shellcheck disable=SC2086 # steps
		LIMIT=30 run -0 limit ctl_send "$handle" $step recv send:status recv
		echo "$step: ${lines[0]}"
		# shellcheck disable=SC2053
		[[ ${lines[0]} == error\|$want\|* && ${lines[0]} != *+* ]]
		[[ ${lines[1]} == 'ok|version=1|'* ]]
	done <<-'EOF'
		ENOSYS send:nonsense
		ENOSYS send:STATUS
		ENOSYS send:status\n
		EINVAL send:net-plug
		EINVAL fd:1 send:net-plug
		ENOTCONN loop:1 send:net-plug
		ENOSYS send:\0status
		ENOSYS send:\xff\xfe\x80
		ENOSYS send:\0
		ENOSYS fill:4096
		ENOSYS words:128
		EINVAL send:status\0x
		EINVAL send:ready\0nonsense
		EINVAL send:ready\0boot\0boot
		EINVAL send:console\0nonsense
		EINVAL send:console\0ro\0ro\0ro\0ro
		EINVAL send:console-size\080
		EINVAL send:console-size\00\00
		EINVAL send:console-size\080\099999
		EINVAL send:console-size\080\0x
		EINVAL send:stop\0soon
		EINVAL send:stop\0-1
		EINVAL fd:1 send:status
		EINVAL fd:16 send:kill
		EINVAL loop:3 send:wait
		EBADMSG fd:17 send:status
		EBADMSG fd:250 send:status
		EBADMSG fill:4097
		EBADMSG fill:100000
		EBADMSG words:129
		EBADMSG words:4000
	EOF
	alive
	# What came with them was closed.
	[ "$(ls "/proc/$pid/fd")" = "$before" ]
}

@test "--ctl-fd: an inherited connection answers dial alone, and its end is the VM's" {
	boot=(vm-boot --engine "$VM_ENGINE" -m 192M --ctl-fd 7)
	run -0 --separate-stderr limit ctl_send 7 send:status recv send:dial recv send:kill recv \
		use send:status recv 'send:ready\0agent' recv -- "${boot[@]}" --status-fd 8 8>status
	# The steps' replies, and nothing of vm-boot's.
	[ -z "$stderr" ]
	[ "${#lines[@]}" -eq 5 ]
	[[ ${lines[0]} == 'error|EPERM|'* ]]
	[ "${lines[1]}" = 'ok +1' ]
	[[ ${lines[2]} == 'error|EPERM|'* ]]
	[[ ${lines[3]} == 'ok|version=1|'*'|state=running|'* ]]
	[[ ${lines[4]} == ok* ]]
	[ "$(cat status)" = '{"cause":"stopped","status":0}' ]
	[ "$(ls "$VM_RUNTIME_DIR")" = target ]

	# With a name it has a handle, too, and may be reached by it.
	mkfifo handle
	exec 9<>handle
	local status=0 line=
	limit ctl_send 7 send:dial recv use send:wait recv -- "${boot[@]}" -n named >&9 9>&- &
	job=$!
	until [ "$line" = "$VM_RUNTIME_DIR/named/ctl" ]; do read -r -t 60 line <&9; done
	ctl -V "$line" status >out
	grep -qx name=named out
	ctl -V named kill >/dev/null
	wait $job || status=$?
	[ "$status" -eq 125 ]
	exec 9<&-
}

@test "an empty packet, with or without descriptors, ends that connection alone" {
	handle=$VM_RUNTIME_DIR/target/ctl
	run -0 ctl_send "$handle" fill:0 end
	run -0 ctl_send "$handle" send:status recv fill:0 end
	alive
}

@test "clients that do not listen, and too many of them" {
	handle=$VM_RUNTIME_DIR/target/ctl
	run -0 ctl_send "$handle" burst:100000
	alive
	for _ in {1..20}; do timeout 20 ctl_send "$handle" burst:300 send:console 2>/dev/null || [ $? -eq 1 ]; done
	alive
	# 256 connections at once, each held by a `wait`; those beyond are closed, and when they go there is room.
	ctl -V target status | sed -n 's/^pid=//p' >pid
	ctl_send "$handle" send:dial recv >out
	grep -qx 'ok +1' out
	for _ in {1..300}; do
		ctl_send "$handle" send:wait recv >/dev/null 2>&1 3>&- &
		clients+=" $!"
	done
	pid=$(cat pid)
	end=$((SECONDS + 60))
	until [ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" -ge 256 ] || [ $SECONDS -gt $end ]; do :; done
	# shellcheck disable=SC2086 # numbers
	kill $clients 2>/dev/null || :
	# shellcheck disable=SC2086
	wait $clients || :
	alive
}

@test "few descriptors: who finds none is hung up, nothing spins, and there is room again" {
	(ulimit -n 64 && start few -m 128M -a 'console=ttyS0 rdinit=/bin/sh')
	pid=$(ctl -V few status | sed -n 's/^pid=//p')
	for _ in {1..64}; do
		timeout -s KILL 120 vm-ctl -V few wait >/dev/null 2>&1 3>&- &
		clients+=" $!"
	done
	end=$((SECONDS + 60))
	until ! ctl -V few status >/dev/null 2>err || [ $SECONDS -gt $end ]; do :; done
	[ "$(wc -l <err)" -eq 1 ]
	before=$(cut -d ' ' -f 14,15 "/proc/$pid/stat")
	# Time itself is what is tested.
	read -r -t 1 <> <(:) || :
	after=$(cut -d ' ' -f 14,15 "/proc/$pid/stat")
	[ $((${after/ / + } - (${before/ / + }))) -lt 50 ]
	# shellcheck disable=SC2086 # numbers
	kill $clients
	until ctl -V few status >/dev/null 2>&1 || [ $SECONDS -gt $end ]; do :; done
	ctl -V few kill >/dev/null
	[ "$(ctl -V few wait)" = $'killed\n125' ]
}

@test "a peer of another uid is refused" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to be another user'
	handle=$VM_RUNTIME_DIR/target/ctl
	# bats's directories let nobody in: it gets its view through a descriptor of ours.
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	chmod 755 "$home"
	cp "$BIN/vm-ctl" "$BATS_FILE_TMPDIR/ctl_send" "$home"
	mkdir "$home/rt"
	cat >view <<-'EOF'
		mount --bind "$1" "$2/rt" && shift && cd / && home=$1 && shift &&
		exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	EOF
	# The directory's mode keeps others out ...
	run -1 --separate-stderr limit unshare -m sh view "$VM_RUNTIME_DIR" "$home" "$home/vm-ctl" -V "$home/rt/target/ctl" status
	[[ $stderr == "vm-ctl: $home/rt/target/ctl: belongs to another user: run this as who started the VM"* ]]
	# ... and where it is open, the VM does.
	chmod 755 "$VM_RUNTIME_DIR" "$VM_RUNTIME_DIR/target"
	chmod 666 "$handle"
	run -1 --separate-stderr limit unshare -m sh view "$VM_RUNTIME_DIR" "$home" "$home/vm-ctl" -V "$home/rt/target/ctl" status
	echo "$output $stderr"
	[ -z "$output" ]
	run -1 --separate-stderr limit unshare -m sh view "$VM_RUNTIME_DIR" "$home" "$home/ctl_send" "$home/rt/target/ctl" send:kill recv
	echo "$output $stderr"
	[ -z "$output" ]
	chmod 600 "$handle"
	chmod 700 "$VM_RUNTIME_DIR" "$VM_RUNTIME_DIR/target"
	alive
	grep -q 'control: a connection of another user was refused' "$VM_RUNTIME_DIR/target/log"
}

@test "a handle that somebody else serves is refused" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to be other users'
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	chmod 1777 "$home"
	cp "$BIN/vm-ctl" "$home"
	setpriv --reuid=65534 --regid=65534 --clear-groups socat "UNIX-LISTEN:$home/ctl,socktype=5,fork,mode=666" 'SYSTEM:cat >/dev/null' 3>&- &
	other=$!
	until [ -S "$home/ctl" ]; do kill -0 $other; done
	run -1 --separate-stderr limit setpriv --reuid=65533 --regid=65533 --clear-groups "$home/vm-ctl" -V "$home/ctl" status
	kill $other
	rm -rf "$home"
	[ "$stderr" = "vm-ctl: $home/ctl: is served by uid 65534, not by you" ]
	[ -z "$output" ]
}

@test "a client dies in the middle" {
	handle=$VM_RUNTIME_DIR/target/ctl
	for verb in wait ready status console dial 'stop\x000'; do
		[ "$verb" = 'stop\x000' ] || ctl_send "$handle" "send:$verb"
	done
	alive
}

# -- the tools --

@test "vm-ctl: bad handles, names and verbs" {
	no_engine
	while IFS='|' read -r status words vm verb; do
		run "-$status" --separate-stderr limit vm-ctl ${vm:+-V "$vm"} $verb </dev/null
		echo "$vm $verb: $stderr"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		# shellcheck disable=SC2053
		[[ $stderr == vm-ctl:\ $words ]]
	done <<-'EOF'
		1|nobody: no such VM*|nobody|status
		1|/nowhere/ctl: no such VM*|/nowhere/ctl|status
		1|a/b: is neither a handle, nor fd:N, nor a VM's name|a/b|status
		1|fd:88: no such open descriptor was inherited|fd:88|status
		1|fd:x: no such open descriptor was inherited|fd:x|status
		1|no VM given: *||status
		2|*verb*|target|
		2|console: is no verb*|target|console
		2|nonsense: is no verb*|target|nonsense
		2|status: wrong number of arguments*|target|status x
		1|stop: takes a time in seconds|target|stop soon
	EOF
	alive
}
