#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The VM's side of a network: cards, their peers, addresses. Peers are frames_peer, and passt in a namespace of its own:
# nothing leaves this machine.

# shellcheck disable=SC2030,SC2031 # each test has its own VM

bats_require_minimum_version 1.5.0
load lib/vm-test

setup_file() {
	vm_file || return 0
	export PATH="$ROOT/.build/t/unit:$PATH" NETS="$BATS_FILE_TMPDIR"
	control
	second
	VM_NET="$NETS/control" start net -m 256M --net "$NETS/second,mtu=1400,mac=02:00:00:00:00:aa"
	ctl -V net ready agent
	limit vm-exec -V net -i sh -c 'cat >/tmp/guest_udp; chmod +x /tmp/guest_udp' <"$ROOT/.build/t/unit/guest_udp"
	ex -V net ip addr add 192.0.2.15/24 dev eth1
	ex -V net ip link set eth1 up
}

setup() {
	vm_setup
	export VM=net
}

teardown() {
	no_leak net
}

teardown_file() {
	[ -d "$VM_RUNTIME_DIR/net" ] || return 0
	ctl -V net stop >/dev/null
	ctl -V net wait >/dev/null
	kill "$(cat "$NETS/control.pid")" "$(cat "$NETS/second.pid")"
	no_leak
}

# peer NAME VERB [WORD]...: frames_peer at the file's socket NAME, in the background until its process NAME.pid is killed;
# it serves when this returns.
peer() {
	local name=$1 verb=$2
	shift 2
	rm -f "$NETS/$name.says"
	mkfifo "$NETS/$name.says"
	VM_TEST=$NETS frames_peer "$verb" "$NETS/$name" "$@" >"$NETS/$name.says" 2>&1 3>&- &
	echo $! >"$NETS/$name.pid"
	exec 9<"$NETS/$name.says"
	read -r -t 10 line <&9
	[ "$line" = ready ]
	VM_TEST=$NETS cat <&9 >/dev/null 3>&- &
	exec 9<&-
}

control() {
	peer control control mac=02:11:22:33:44:55 mtu=9000 addr=10.0.2.15/24 addr6=fd00::15/64 \
		gateway=10.0.2.2,fd00::2 dns=10.0.2.3,fd00::3
}

second() { peer second listen; }

ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# carrier CARD VALUE: the guest sees the cable so, now or soon.
carrier() {
	# shellcheck disable=SC2016 # the guest's
	ex sh -c 'n=0; while [ "$(cat /sys/class/net/$0/carrier)" != $1 ]; do
		n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done' "$1" "$2"
}

# says CARD WORD: what `status` says of a card, now or soon.
says() {
	local end=$((SECONDS + 30))
	until ctl status | grep "^$1=" | grep -q ",$2,"; do [ $SECONDS -lt $end ]; done
}

@test 'addresses of VM_NET are there before any command' {
	run -0 ex ip addr show dev eth0
	[[ $output == *'mtu 9000'* && $output == *'link/ether 02:11:22:33:44:55'* ]]
	[[ $output == *'inet 10.0.2.15/24 brd 10.0.2.255 scope global'* && $output == *'inet6 fd00::15/64 scope global'* ]]
	[[ $output != *tentative* ]]
	run -0 ex sh -c 'ip route; ip -6 route'
	[[ $output == *'default via 10.0.2.2 dev eth0'* && $output == *'default via fd00::2 dev eth0'* ]]
	run -0 ex cat /etc/resolv.conf
	[ "$output" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
	run -0 ctl status
	[[ $output == *'net0=02:11:22:33:44:55,up,'* && $output == *'net1=02:00:00:00:00:aa,up,'* ]]
}

@test 'ping, IPv4 and IPv6, to the gateway and beyond' {
	ex ping -c 3 -i 0.2 -W 10 10.0.2.2
	ex ping -c 3 -i 0.2 -W 10 203.0.113.9
	ex ping -c 3 -i 0.2 -W 10 fd00::2
	ex ping -c 1 -W 10 -s 60000 10.0.2.2
}

@test '1 MB of UDP there and back, datagrams of all sizes' {
	run -0 ex /tmp/guest_udp 10.0.2.2 1000000 65507
	[[ $output == *'all back' ]]
	run -0 ex /tmp/guest_udp fd00::2 1000000 8900
	[[ $output == *'all back' ]]
	run -0 ex /tmp/guest_udp 10.0.2.2 100000 1000
	[[ $output == *'all back' ]]
}

@test 'two cards are two networks' {
	run -0 ex cat /sys/class/net/eth1/address /sys/class/net/eth1/mtu
	[ "$output" = $'02:00:00:00:00:aa\n1400' ]
	ex ping -c 2 -i 0.2 -W 10 192.0.2.1
	kill "$(cat "$NETS/second.pid")"
	carrier eth1 0
	ex ping -c 1 -W 10 10.0.2.2
	run -1 ex ping -c 1 -W 1 192.0.2.1
	second
	carrier eth1 1
	# The first may be lost: Linux takes its time between a carrier and the first packet (net/core/link_watch.c).
	ex ping -c 5 -i 0.5 -W 10 192.0.2.1
}

@test 'the network goes and comes: the link does, and addresses stay' {
	kill -KILL "$(cat "$NETS/control.pid")"
	carrier eth0 0
	says net0 down
	control
	carrier eth0 1
	says net0 up
	ex ping -c 5 -i 0.5 -W 10 10.0.2.2
	ex ping -c 1 -W 10 fd00::2
	run -0 ex /tmp/guest_udp 10.0.2.2 100000 65507
}

@test 'a peer that does not read holds nobody up for long' {
	# Whose address is forgotten is asked for, and nothing else is sent.
	ex arp -i eth1 -s 192.0.2.1 02:00:00:00:00:01
	kill -USR1 "$(cat "$NETS/second.pid")"
	# shellcheck disable=SC2016 # the guest's
	ex sh -c 'for i in 1 2 3; do ping -c 400 -i 0.01 -W 1 -s 1300 192.0.2.1 >/dev/null & done; wait; true'
	run -0 ctl status
	[[ $output =~ net1=[^,]*,up,in=[0-9]*,out=[0-9]*,dropped=([0-9]*) ]]
	[ "${BASH_REMATCH[1]}" -gt 0 ]
	ex ping -c 1 -W 10 10.0.2.2
	kill -USR2 "$(cat "$NETS/second.pid")"
	ex ping -c 3 -i 0.2 -W 10 192.0.2.1
}

@test 'pause and resume: the network goes on' {
	ctl pause
	ctl resume
	ex ping -c 2 -i 0.2 -W 10 10.0.2.2
}

@test 'a peer that lies about a length loses the link, and nothing else is lost' {
	kill "$(cat "$NETS/second.pid")"
	carrier eth1 0
	printf '\377\377\377\377junk' >junk
	rm -f "$NETS/second"
	timeout 60 socat -u OPEN:junk UNIX-LISTEN:"$NETS/second" 3>&-
	carrier eth1 0
	ex ping -c 1 -W 10 10.0.2.2
	second
	carrier eth1 1
	# The first may be lost: Linux takes its time between a carrier and the first packet (net/core/link_watch.c).
	ex ping -c 5 -i 0.5 -W 10 192.0.2.1
}

@test 'a connected descriptor: up until its peer leaves' {
	unset VM
	# shellcheck disable=SC2016 # the inner shell's
	LIMIT=200 run -0 limit frames_peer fd sh -c 'exec vm-boot --engine "$0" -m 256M --net "$NET_FD" --with vm-exec sh -c "
		ip addr add 192.0.2.15/24 dev eth0; ip link set eth0 up; ping -c 2 -i 0.2 -W 10 192.0.2.1 >/dev/null && echo up"' "$VM_ENGINE"
	[[ $output == *up* ]]
}

@test 'a listening descriptor takes one peer after the other' {
	unset VM
	# shellcheck disable=SC2016 # the inner shell's
	handle=$(limit frames_peer listen-fd sock sh -c 'exec vm-boot --engine "$0" -d -n listens -m 256M --net "$NET_FD"' "$VM_ENGINE")
	export VM=listens
	[ "$handle" = "$VM_RUNTIME_DIR/listens/ctl" ]
	ctl ready agent
	ex sh -c 'ip addr add 192.0.2.15/24 dev eth0; ip link set eth0 up'
	for _ in 1 2; do
		carrier eth0 0
		frames_peer connect sock >/dev/null 3>&- &
		carrier eth0 1
		ex ping -c 1 -W 10 192.0.2.1
		kill $!
	done
	carrier eth0 0
	ctl kill
	ctl wait >/dev/null
}

@test 'what cannot be is refused, with a reason' {
	local bad
	unset VM
	for bad in "$NETS/second,mac=01:00:00:00:00:01" "$NETS/second,mac=nonsense" "$NETS/second,mtu=67" \
		"$NETS/second,mtu=65536" "$NETS/second,speed=1" "$NETS/none" /none/none fd:x fd:900 fd:0; do
		run -125 boot --net "$bad" </dev/null
		[[ $output == 'vm-boot: --net: '* ]]
	done
	VM_NET=/none/none run -125 boot
	[[ $output == 'vm-boot: VM_NET: /none/none: No such file or directory'* ]]
	VM_NET="$NETS/second" run -125 boot
	[[ $output == 'vm-boot: VM_NET: '* ]]
	for bad in addr=1.2.3.4.5 addr=1.2.3.4/33 dns=name mac=ff:ff:ff:ff:ff:ff mtu=x 'gateway=1.1.1.1,'; do
		NET_WORDS=$bad run -125 limit frames_peer control-fd vm-boot
		[[ $output == *"it says '$bad', which means nothing"* ]]
	done
}

# passt needs a network to copy: that of a card which leads nowhere. It is not asked for much: Debian 12's sends little
# more than a window every two seconds here and no end, to a QEMU that holds its socket itself, too.
@test 'passt in place of our own network: DHCP, and TCP to its namespace' {
	local world
	command -v passt >/dev/null || skip 'no passt: install passt'
	unshare -Urn ip link add v0 type veth peer name v1 2>/dev/null || skip 'no network namespaces'
	unset VM
	mkfifo up
	cat >world <<-'END'
		ip link set lo up
		ip link add v0 type veth peer name v1
		ip addr add 198.51.100.2/24 dev v0
		ip link set v0 up
		ip link set v1 up
		ip route add default via 198.51.100.1
		socat -u OPEN:hello TCP4-LISTEN:5001,bind=127.0.0.1,reuseaddr &
		kids=$!
		passt --foreground --ipv4-only --socket "$PWD/passt.sock" >passt.log 2>&1 &
		kids="$kids $!"
		trap 'kill $kids 2>/dev/null' TERM
		until ss -xl | grep -q passt.sock; do :; done
		echo up >up
		wait
	END
	head -c 1000 /dev/urandom >hello
	chmod 755 "$BATS_TEST_TMPDIR"
	unshare -Urn sh world >world.log 2>&1 3>&- &
	world=$!
	read -r -t 20 _ <>up || { cat world.log && false; }
	start passt -m 256M --net "$BATS_TEST_TMPDIR/passt.sock"
	export VM=passt
	ctl ready agent
	ex ip link set eth0 up
	run ex udhcpc -n -q -t 10 -i eth0 -s /bin/true
	[[ $output == *'lease of 198.51.100.2 obtained'* ]]
	ex sh -c 'ip addr add 198.51.100.2/24 dev eth0; ip route add default via 198.51.100.1'
	ex sh -c 'timeout 10 nc 198.51.100.1 5001 </dev/null; true' >got
	cmp got hello
	ctl kill
	ctl wait >/dev/null
	kill $world
	wait $world || :
}
