#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A VM on vm-net, in the namespaces' world (lib/netns): what passes, in every way, through the engine under test.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/netns
load lib/traffic
load lib/lend

setup_file() {
	local program
	world_file || return 0
	rmdir "$VM_RUNTIME_DIR"
	vm_file || return 0
	world
	network
	VM_NET=$PWD/net start net -m 256M
	ctl -V net ready agent
	export VM=net
	for program in world_ask world_client world_server; do
		# shellcheck disable=SC2016 # the guest's
		limit vm-exec -i sh -c 'cat >"/bin/$0"; chmod +x "/bin/$0"' $program <"$ROOT/.build/t/unit/$program"
	done
	guest sh -c 'echo 0 0 >/proc/sys/net/ipv4/ping_group_range'
	vm-exec -d world_server /tmp/log guest 3>&-
	guest sh -c 'until netstat -lnt | grep -q :87; do :; done'
}

setup() {
	[ -z "$LACKS" ] || skip "$LACKS"
	world_setup
	export VM=net PATIENCE
	PATIENCE=$(share 10000 30000)
}

teardown() {
	[ -n "$LACKS" ] || { end_all && no_leak net; }
}

teardown_file() {
	[ -d "$WORLD" ] || return 0
	[ ! -d "$VM_RUNTIME_DIR/net" ] || { ctl -V net stop && ctl -V net wait; } >/dev/null
	world_end
}

# network: the file's.
network() {
	VM_TEST=$BATS_FILE_TMPDIR background vmnet host vm-net --ready-fd 1 -l "$BATS_FILE_TMPDIR/net" \
		-p 8007:7 -p 8007:7/udp -p 8080:80 -p 8087:87
}

guest() {
	timeout -s KILL "${LIMIT:-60}" vm-exec -e PATIENCE -e PACE -w /tmp "$@" 3>&-
}

client() {
	guest world_client "$@"
}

guest_background() {
	# shellcheck disable=SC2016 # the inner shell's
	background "$1" host sh -c 'echo ready; exec vm-exec -e PATIENCE -e PACE -w /tmp "$@"' sh "${@:2}"
}

guest_files() {
	tar c "$@" | limit vm-exec -i tar x -C /tmp
}

serves() {
	guest sh -c ': >log'
}

forward() {
	run -0 ctl net forward "$@"
}

# of SOAK CHECK LAB: how many.
of() {
	if [ "${VM_REPEAT:-1}" -gt 1 ]; then echo "$1"; else share "$2" "$3"; fi
}

@test 'ping: the gateway, and beyond' {
	pings
}

@test 'TCP: every way to behave, IPv4 and IPv6' {
	tcp_ways "$(of 10000000 1000000 200000)"
}

@test 'TCP: so much both ways, with checksums, IPv4 and IPv6' {
	tcp_bulk "$(of 200000000 10000000 1000000)"
}

@test 'TCP: 500 connections at once' {
	LIMIT=120 PATIENCE=60000 tcp_many 500 100
}

@test 'UDP of every size' {
	datagrams 203.0.113.9 0 1 512 1472 1473 8000 30000 65492 65493 65507
	datagrams 2001:db8::9 0 1 512 1452 1453 8000 30000 65472
	heard '^net udp 192.168.77.2:[0-9]+ 203.0.113.9:7 65507$'
	heard '^net udp \[fd77::2]:[0-9]+ \[2001:db8::9]:7 65472$'
}

@test 'UDP in fragments, of which the guest makes many' {
	guest ip link set eth0 mtu 1500
	datagrams 203.0.113.9 1472 1473 8000 30000 65507
	datagrams 2001:db8::9 1 1452
	guest ip link set eth0 mtu 65520
}

@test 'a connect that nobody answers delays nobody' {
	nobody_answers
}

@test 'HTTPS: certificates of 90 KB each way, and a large body' {
	lend net openssl
	https "$(of 100000000 3000000 100000)" "$(of 5000000 300000 20000)"
}

@test 'programs of the guest that read slowly, and nobody else waits' {
	slow_readers "$(of 3000000 1000000 100000)" "$(of 40 40 20)"
}

@test 'servers that read slowly: the same' {
	slow_servers "$(of 1000000 400000 200000)"
}

@test 'who writes slowly, on either side' {
	slow_writers
}

@test 'the end of one side alone, by either, outwards and through forwards' {
	one_end "$(of 1000000 300000 100000)"
}

@test 'a forward has a hundred clients at once' {
	forward_clients "$(of 100000 100000 3000)"
}

@test 'UDP there and back through a forward' {
	forward_datagrams 0 1 1000 9000 30000
}

@test 'forwards come and go while another is busy, which loses nothing' {
	forwards_busy "$(of 200000000 10000000 1000000)" "$(of 1000 300 50)" "$(of 8 4 2)"
}

@test 'vm-net killed: the link goes down; started again at the same path, it comes back, and all goes on' {
	local pid
	pid=$(cat "$BATS_FILE_TMPDIR/bg/vmnet.pid")
	guest_background lost world_client talk 203.0.113.9 7 100 1000000000
	heard '^net tcp .* 203.0.113.9:7 echo$'
	kill -KILL "$pid"
	gone "$pid"
	# shellcheck disable=SC2016 # the guest's
	guest sh -c 'until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do :; done'
	[ "$(guest echo alive)" = alive ]
	network
	# shellcheck disable=SC2016 # the guest's
	guest sh -c 'until [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do :; done'
	run -0 guest ip addr show dev eth0
	[[ $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
	run -0 client echo 203.0.113.9 7 100000
	run -0 client echo 2001:db8::9 7 100000
	run -0 in_host world_client echo 127.0.0.1 8007 1000
	end lost
}
