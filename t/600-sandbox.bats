#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Confinement, seen from outside: what a running machine holds of the host, and what it can do with that.

bats_require_minimum_version 1.5.0
load lib/vm-test

BARE=(-m 128M -a 'console=ttyS0 rdinit=/bin/sh')

setup_file() {
	vm_file || return 0
	start cell "${BARE[@]}"
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -o inject "$ROOT/t/unit/inject.c"
}

setup() {
	vm_setup
	PATH=$BATS_FILE_TMPDIR:$PATH
	pid=$(ctl -V cell status | sed -n 's/^pid=//p')
}

teardown() {
	if [ -n "${home-}" ]; then
		[ ! -d "$home/rt" ] || rmdir "$home/rt"
		rm -rf "$home"
	fi
	no_leak cell
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/cell" ] || return 0
	ctl -V cell kill >/dev/null
	ctl -V cell wait >/dev/null
	no_leak
}

# confined PID [calls]: every thread of it is, in all the ways that /proc shows, or without the namespaces.
confined() {
	local task
	for task in "/proc/$1/task"/*; do
		grep -E '^(Seccomp|NoNewPrivs|Cap[A-Z][a-z]*):' "$task/status" | tr -s '\t\n' ' ' >shown
		echo "${task##*/} ($(cat "$task/comm")): $(cat shown)"
		grep -q 'NoNewPrivs: 1 ' shown
		grep -q 'Seccomp: 2 ' shown
		for set in CapInh CapPrm CapEff CapAmb; do grep -q "$set: 0000000000000000 " shown; done
	done
	[ "${2-}" != calls ] || return 0
	[ -d "/proc/$1/root/" ]
	[ -z "$(ls -A "/proc/$1/root/")" ]
	[ -z "$(ls -A "/proc/$1/cwd/")" ]
	for ns in net mnt ipc uts; do
		[ "$(readlink "/proc/$1/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ]
	done
}

@test "every thread is confined: calls, privileges, capabilities, an empty root, namespaces of its own" {
	confined "$pid"
	[ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" -ge 2 ]
	grep -q "^CapBnd:.0*\$" "/proc/$pid/status" || [ "$(id -u)" -ne 0 ]
}

@test "its network has a loopback that is down, and nothing else" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to look into a network namespace'
	nsenter -t "$pid" -n ip -o link >links
	cat links
	[ "$(wc -l <links)" -eq 1 ]
	grep -q ' lo: <LOOPBACK> .*state DOWN' links
	[ "$(wc -l <"/proc/$pid/net/unix")" -le 1 ] || cat "/proc/$pid/net/unix"
}

@test "its root cannot be written to" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to look into a mount namespace'
	run ! touch "/proc/$pid/root/file"
	grep -c . "/proc/$pid/mountinfo"
	[ "$(wc -l <"/proc/$pid/mountinfo")" -eq 1 ]
	grep -q ' / / ro,' "/proc/$pid/mountinfo"
}

@test "it holds what it works with, and none of its files" {
	exec 9</etc/passwd
	# Descriptors that leak into it are closed at its start.
	fore holder "${BARE[@]}"
	exec 9<&-
	ctl ready
	for fd in "/proc/$BOOT/fd"/*; do
		# The connection of `ready` may be closed meanwhile.
		to=$(readlink "$fd") || continue
		case $to in
		anon_inode:* | socket:* | pipe:*) ;;
		/dev/null | /dev/kvm) ;;
		/memfd:* | "/dev/shm/"*) [ "$VM_ENGINE" = qemu ] ;;
		"$VM_RUNTIME_DIR" | "$VM_RUNTIME_DIR/holder") ;;
		"$PWD"/holder.*) ;;
		*) echo "$fd: $to" && false ;;
		esac
	done
	# stdout, and --status-fd
	[ "$(find "/proc/$BOOT/fd" -lname 'pipe:*' | wc -l)" -le 3 ]
	ctl kill
	ends killed 125
}

@test "its child is confined, too" {
	[ "$VM_ENGINE" = qemu ] || skip 'the kvm engine has no child'
	child=$(pgrep -P "$pid")
	grep -qx $'Seccomp:\t2' "/proc/$child/status"
	grep -qx $'NoNewPrivs:\t1' "/proc/$child/status"
	[ "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):.0+$' "/proc/$child/status")" -eq 4 ]
}

# tries WANT NUMBER ARG...: system call NUMBER in the running machine gives WANT.
tries() {
	local want=$1 got
	shift
	got=$(inject "$pid" "$@")
	echo "call $*: $got"
	[ "$got" -eq "$want" ]
}

@test "a machine that was taken over can open, connect, execute and start nothing" {
	[ "$(uname -m)" = x86_64 ] || skip 'numbers are those of x86-64'
	# getpid(2) works and shows that the others really are its own
	tries "$pid" 39
	tries -1 2 =/etc/passwd 0
	tries -1 257 -100 =/etc/passwd 0
	tries -1 257 -100 =/dev/kvm 2
	tries -1 41 2 1 0
	tries -1 41 1 1 0
	tries -1 41 16 3 0
	tries -1 42 0 0 0
	tries -1 59 =/bin/sh 0 0
	tries -1 57
	tries -1 56 17 0 0 0 0
	tries -38 435 0 88
	tries -1 101 16 1 0 0
	tries -1 165 =x =/ =tmpfs 0 0
	tries -1 272 0x10000000
	tries -1 161 =/
	tries -1 425 4 0
	# It may remove files, but finds none outside its own directory.
	[ "$(inject "$pid" 263 -100 =/etc/passwd 0)" -lt 0 ]
	[ -e /etc/passwd ]
	# Nor can it signal others: whatever the host's Landlock is, kill(2) is not for it.
	[ "$(inject "$pid" 62 1 0)" -lt 0 ]
	ctl -V cell status | grep -qx state=running
}

@test "a guest that writes garbage to every register of its devices gets no further than that" {
	[ "$VM_ENGINE" = kvm ] || skip 'the devices are ours on kvm only'
	fore garbage -m 192M --net plug -a 'iomem=relaxed quiet'
	ctl ready agent
	# All but the console, which is to say how it went: first in order, without a driver, then whatever comes.
	# shellcheck disable=SC2016 # the guest's
	con --run 'n=0
		for d in /sys/bus/pci/devices/*; do
			case $(cat $d/vendor $d/class | tr "\n" " ") in "0x1af4 0x078000 "*) continue ;; 0x1af4*) ;; *) continue ;; esac
			echo ${d##*/} >$d/driver/unbind
			echo $(cat $d/device) $(readlink $d/driver)
			read -r bar rest <$d/resource
			for off in 0 4 8 c 10 12 14 16 18 1a 1c 20 24 28 2c 30 34 1000 2000 2008 3000 3004 3008 300c \
				4000 4004 4008 400c 4030 5000 7ff8; do
				for value in 0xffffffffffffffff 1 $((RANDOM * 65537)); do
					devmem $((bar + 0x$off)) $((8 << n % 4)) $value || exit 1
					n=$((n + 1))
				done
			done
			# A status of DRIVER_OK whatever the queues are, and a kick of each.
			for status in 0 1 3 11 15 79; do devmem $((bar + 0x14)) 8 $status; done
			for queue in 0 4 8; do devmem $((bar + 0x3000 + queue)) 16 0; done
		done
		echo $n writes' >out
	cat out
	# entropy, vsock, network, none of which has a driver then
	[ "$(sed '$d' out | sort)" = $'0x1041\n0x1044\n0x1053' ]
	[ "$(tail -n 1 out)" = '279 writes' ]
	ctl status | grep -qx state=running
	[ "$(con --run 'echo $((6 * 7))')" = 42 ]
	ctl kill >/dev/null
	ends killed 125
}

@test "--no-sandbox says so, and is what it says" {
	boot -d -n free --no-sandbox "${BARE[@]}" 2>err >/dev/null
	[ "$(cat err)" = 'vm-boot: --no-sandbox: the machine is not confined' ]
	free=$(ctl -V free status | sed -n 's/^pid=//p')
	grep -qx $'Seccomp:\t0' "/proc/$free/status"
	[ -e "/proc/$free/root/etc/passwd" ]
	run ! confined "$free"
	pid=$free
	[ "$(inject "$pid" 2 =/etc/passwd 0)" -gt 2 ]
	ctl -V free kill >/dev/null
	[ "$(ctl -V free wait)" = $'killed\n125' ]
}

@test "an ordinary user has it all: a VM, and its confinement" {
	[ "$(id -u)" -eq 0 ] || skip 'is an ordinary user already'
	if [ "$VM_ENGINE" = kvm ] && ! as_nobody test -w /dev/kvm; then skip '/dev/kvm is not for ordinary users'; fi
	# In a chroot there are no user namespaces: what remains of the confinement must hold then.
	stages=
	as_nobody unshare -Un true || stages=calls
	home=$(mktemp -d /tmp/pipevm-test.XXXXXX)
	mkdir -p "$home/images/default"
	cp -L "$IMAGE"/{vmlinux,initrd,image} "$home/images/default"
	cp "$BIN"/vm-{boot,ctl,console} "$home"
	chown -R 65534:65534 "$home"
	cd "$home"
	env=(env -i PATH="$home:/usr/bin:/bin" HOME="$home" VM_RUNTIME_DIR="$home/rt" VM_IMAGE_DIR="$home/images"
		VM_TEST="$VM_TEST")
	me=(setpriv --reuid=65534 --regid=65534 --clear-groups "${env[@]}")
	limit "${me[@]}" vm-boot --engine "$VM_ENGINE" -d -n mine -m 256M >handle
	[ "$(cat handle)" = "$home/rt/mine/ctl" ]
	[ "$(limit "${me[@]}" vm-console -V mine --run 'echo a guest of nobody')" = 'a guest of nobody' ]
	pid=$(limit "${me[@]}" vm-ctl -V mine status | sed -n 's/^pid=//p')
	grep -q $'^Uid:\t65534\t' "/proc/$pid/status"
	confined "$pid" $stages
	[ -n "$stages" ] || [ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
	# root may speak with it
	VM_RUNTIME_DIR=$home/rt ctl -V mine status | grep -qx state=running
	[ "$(limit "${me[@]}" vm-ctl -V mine stop)" = $'stopped\n0' ]
	gone "$pid"
	[ "$(limit "${me[@]}" vm-ctl -V mine wait)" = $'stopped\n0' ]
	[ -z "$(ls -A "$home/rt")" ]
}

@test "the unit test of it says the same" {
	[ -x "$ROOT/.build/t/unit/sandbox_test" ] || skip 'not built: make unit'
	run -0 limit "$ROOT/.build/t/unit/sandbox_test"
	[ "$(grep -c '^ok' <<<"$output")" -ge 40 ]
}
