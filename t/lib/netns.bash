# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A world for user-mode networks, without a VM (load lib/vm-test, then lib/netns): three network namespaces, or four.
#
#	guest                host                                net: the internet
#	eth0, a TAP device,  h0 192.168.77.2/24 fd77::2/64  ---  n0 192.168.77.1 fd77::1, and every other address:
#	by frames_tap        lo                                  192.168.77.128-254 and fd77::99 are on the LAN, all
#	       |                                                 others behind the gateway: 203.0.113.0/24,
#	       +-- frames socket -- vm-net, in host              2001:db8::/32, 169.254.169.254, ... Of those,
#	                                                         203.0.113.66 and 2001:db8::66 swallow what they get,
#	                                                         .67 and ::67 are unreachable, .68 and ::68 prohibited.
#
# world_server serves all addresses of net, and all of host, each port its own way (see there). world_dns serves
# 203.0.113.53 and 2001:db8::53 in net, which host's resolv.conf names, from the file $WORLD/zone. world_sniff sees on
# n0 what begins: SYNs, first datagrams, echo requests. All of them append to $WORLD/log: `net tcp FROM TO echo`,
# `host ...`, `dns query ...`, `wire syn ...`. Each namespace has an /etc of its own, whose resolv.conf can be changed.
#
#	in_net, in_host, in_guest COMMAND...	run it there, for at most $LIMIT seconds (60)
#	background NAME NAMESPACE COMMAND...	... until the test ends, or: end NAME
#	guest_up PATH [NAME]			the guest joins a VM_NET socket: until the test ends, or: guest_down
#	guest_of COMMAND...			... that of a network which becomes another program
#	guest_raw PATH WORD...			... a plain frames socket
#	other_guest				a second guest is there from now on, in_other; other_up PATH NAME joins it to
#						the network, as guest_up does, by that name, or: other_down
#	heard REGEX, never_heard REGEX		what the log says since the test began
#	zone <<END				what the DNS says from now on
#
# A namespace has no name but a process that holds it; that, and what runs there, dies with the shell that started it.
# A file's setup_file is `world_file || return 0; world`, its setup world_setup, its teardown world_teardown, its
# teardown_file world_end; lib/world has these for files that need no other.

# world_file: first in setup_file, then world; false when this machine cannot, which world_setup says then.
world_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BIN=$(realpath "${BIN:-$ROOT/bin}")
	export ROOT BIN PATH="$BIN:$ROOT/.build/t/unit:$PATH" LC_ALL=C LACKS='' USERNS=''
	export VM_TEST="$BATS_FILE_TMPDIR" VM_RUNTIME_DIR="$BATS_FILE_TMPDIR/rt" WORLD="$BATS_FILE_TMPDIR/world"
	unset VM VM_NET
	[ "$(id -u)" -eq 0 ] || USERNS=yes
	if [ ! -r /dev/net/tun ] || [ ! -w /dev/net/tun ]; then
		LACKS='no access to /dev/net/tun'
	elif ! unshare ${USERNS:+-Ur} -nm ip link add v0 type veth peer name v1 2>/dev/null; then
		LACKS='no network namespaces'
	fi
	[ -z "$LACKS" ] || return 1
	mkdir -m 700 "$VM_RUNTIME_DIR" "$WORLD"
	cd "$BATS_FILE_TMPDIR" || return
}

# world_setup: first in setup: nothing was heard yet.
world_setup() {
	[ -z "$LACKS" ] || skip "$LACKS"
	export VM_TEST="$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	: >"$WORLD/log"
	kill -HUP "$(cat "$BATS_FILE_TMPDIR/bg/wire.pid")"
}

# world_teardown: last in teardown: ends what the test has in the background, and sees that nothing else is left.
world_teardown() {
	[ -z "$LACKS" ] || return 0
	end_all && no_leak
}

# world_end: in teardown_file: everything ends, and nobody is left in a namespace that was ours.
world_end() {
	local life fd ns left held=() bad=0
	[ -d "$WORLD" ] || return 0
	export VM_TEST="$BATS_FILE_TMPDIR"
	# A namespace is known by a number, which is another's as soon as nobody has it open.
	for life in "$WORLD"/*.life; do
		exec {fd}<"/proc/$(cat "${life%.life}.pid")/ns/net" && held+=("$fd") || bad=1
	done
	end_all || bad=1
	for fd in "${held[@]}"; do
		ns=$(readlink "/proc/$BASHPID/fd/$fd")
		left=$(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "${ns//[\[\]]/?}" 2>/dev/null | tr -cd '0-9\n') || :
		# shellcheck disable=SC2086 # numbers
		[ -z "$left" ] || { echo "still in $ns:" && ps -o pid=,args= $left && kill -KILL $left && bad=1; }
	done
	grep . "$VM_TEST"/bg/*.err && bad=1
	no_leak || bad=1
	return $bad
}

# world: make it.
world() {
	: >"$WORLD/log"
	echo 0 >"$WORLD/serial"
	hold net unshare ${USERNS:+-Ur} -nm
	hold host enter net unshare -nm
	hold guest enter net unshare -nm
	own_etc net 203.0.113.53
	own_etc host 203.0.113.53 2001:db8::53
	own_etc guest
	plug_net "$(cat "$WORLD/host.pid")"
	plug_host
	in_guest ip link set lo up
	zone_default >"$WORLD/zone"
	background server.net net world_server "$WORLD/log" net
	background server.host host world_server "$WORLD/log" host
	background dns net world_dns "$WORLD/log" dns "$WORLD/zone" 203.0.113.53 2001:db8::53
	background wire net world_sniff "$WORLD/log" wire n0
}

# other_guest: in setup_file, after world.
other_guest() {
	hold other enter net unshare -nm
	own_etc other
	in_other ip link set lo up
}

# hold NAME COMMAND...: COMMAND makes a namespace and runs a program, by which NAME is known from now on.
hold() {
	local name=$1
	shift
	mkdir -p "$VM_TEST/bg"
	mkfifo "$WORLD/$name.up" "$WORLD/$name.life"
	# shellcheck disable=SC2016 # the inner shell's
	"$@" setpriv --pdeathsig KILL sh -c '
		echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra
		echo 0 0 >/proc/sys/net/ipv4/ping_group_range
		echo up >"$0.up"
		exec cat "$0.life"' "$WORLD/$name" 3>&- >/dev/null 2>"$VM_TEST/bg/$name.err" &
	echo $! | tee "$VM_TEST/bg/$name.pid" >"$WORLD/$name.pid"
	disown $!
	read -r -t 10 _ <>"$WORLD/$name.up"
}

# enter NAME COMMAND...: become COMMAND there.
enter() {
	local pid
	pid=$(cat "$WORLD/$1.pid")
	shift
	# shellcheck disable=SC2016 # the inner shell's
	exec ${LIMITED:+timeout -s KILL "$LIMITED"} nsenter -t "$pid" \
		${USERNS:+--user --preserve-credentials} --net --mount --root --wdns=/ -- sh -c 'cd "$0" && exec "$@"' "$PWD" "$@" 3>&-
}

in_net() { (LIMITED=${LIMIT:-60} enter net "$@"); }
in_host() { (LIMITED=${LIMIT:-60} enter host "$@"); }
in_other() { (LIMITED=${LIMIT:-60} enter other "$@"); }
in_guest() { (LIMITED=${LIMIT:-60} enter guest "$@"); }

# own_etc NAME [NAMESERVER]...: /etc there is a directory of links to what it was, and resolv.conf is a file.
own_etc() {
	local name=$1
	shift
	mkdir "$WORLD/etc.$name"
	# shellcheck disable=SC2016 # the inner shell's
	(enter "$name" sh -e -c 'mount --rbind /etc "$0"; mount -t tmpfs -o mode=755 tmpfs /etc; ln -s "$0"/* /etc
		rm -f /etc/resolv.conf; for a; do echo "nameserver $a"; done >/etc/resolv.conf' "$WORLD/etc.$name" "$@")
}

# plug_net HOST: the cable from net to the namespace of HOST, a process; all addresses that are not on it are net's own.
# IPv4's local table is one with main, so that the longest prefix counts; IPv6's comes before.
plug_net() {
	in_net sh -e -s "$1" <<-'END'
		ip link set lo up
		ip link add n0 type veth peer name h0 netns "$1"
		ip addr add 192.168.77.1/24 dev n0
		ip addr add fd77::1/64 dev n0
		ip addr add fd77::99/64 dev n0
		echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		ip link set n0 up
		ip route add table local local 192.168.77.128/25 dev lo
		ip route add table local local default dev lo
		ip -6 route add table local fd77::/64 dev n0
		ip -6 route add table local fe80::/10 dev n0
		ip -6 route add table local local default dev lo
		for a in 203.0.113. 2001:db8::; do
			ip route add table local blackhole ${a}66
			ip route add table local unreachable ${a}67
			ip route add table local prohibit ${a}68
		done
	END
}

plug_host() {
	in_host sh -e -s <<-'END'
		ip link set lo up
		ip addr add 192.168.77.2/24 dev h0
		ip addr add fd77::2/64 dev h0
		ip link set h0 up
		ip route add default via 192.168.77.1
		ip route add default via fd77::1
	END
}

# background NAME NAMESPACE COMMAND...: it says `ready` on a line when it is; what it says is in $VM_TEST/bg/NAME.says,
# and NAME.err. It dies with this shell, and by KILL: what is to end well is told so by the test.
background() {
	local at="$VM_TEST/bg/$1" where=$2
	shift 2
	mkdir -p "$VM_TEST/bg"
	: >"$at.says"
	enter "$where" setpriv --pdeathsig KILL "$@" >"$at.says" 2>"$at.err" &
	echo $! >"$at.pid"
	disown $!
	world_client await "$at.says" '^ready$' >/dev/null || { cat "$at.err" && false; }
}

# end NAME: what background or hold started, if it did.
end() {
	local pid
	[ -e "$VM_TEST/bg/$1.pid" ] || return 0
	pid=$(cat "$VM_TEST/bg/$1.pid")
	rm "$VM_TEST/bg/$1.pid"
	kill -KILL "$pid" 2>/dev/null || :
	gone "$pid"
}

# end_all: whatever they started for this test, or in setup_file.
end_all() {
	local pid bad=0
	for pid in "$VM_TEST"/bg/*.pid; do
		[ ! -e "$pid" ] || end "$(basename "$pid" .pid)" || bad=1
	done
	return $bad
}

# guest_up PATH [NAME]: the guest joins the VM_NET socket PATH, and has the addresses and name servers that it says.
guest_up() {
	background tap guest frames_tap ${2:+-N "$2"} control "$1"
	guest_resolves
}

# other_up PATH [NAME]: the other guest does.
other_up() {
	background tap.other other frames_tap ${2:+-N "$2"} control "$1"
	resolves other tap.other
}

other_down() {
	end tap.other
}

# guest_raw PATH WORD...: it joins a plain frames socket; WORDs (mac= mtu= addr= gateway= dns=) say what it is to know.
guest_raw() {
	background tap guest frames_tap raw "$@"
	guest_resolves
}

# guest_of COMMAND...: the guest of a network that becomes another program, which finds it in VM_NET: `guest_of vm-net
# --`. The network is a child then, and ends when guest_down ends the program.
guest_of() {
	local pid
	pid=$(cat "$WORLD/guest.pid")
	# shellcheck disable=SC2016 # the inner shell's
	background tap host "$@" nsenter -t "$pid" --net --mount --root --wdns=/ -- sh -c 'exec frames_tap control "$VM_NET"'
	guest_resolves
}

# guest_down: the cable is pulled, the device gone.
guest_down() {
	end tap
}

guest_resolves() {
	resolves guest tap
}

# resolves NAME TAP: its name servers are those that its network told.
resolves() {
	sed -n 's/.*\bdns=\([^ ]*\).*/\1/p' "$VM_TEST/bg/$2.says" | tr , '\n' | sed 's/^/nameserver /' |
		"in_$1" sh -c 'cat >/etc/resolv.conf'
}

# heard REGEX: a line of the log is so, now or soon; prints it.
heard() {
	world_client await "$WORLD/log" "$1" || { echo "never heard $1; but:" && cat "$WORLD/log" && false; }
}

# never_heard REGEX: none is, after all that was sent so far has been heard: datagrams that are sent now come behind it.
never_heard() {
	local to port
	for to in 203.0.113.254 203.0.113.53 127.0.0.1 203.0.113.254 127.0.0.1; do
		port=$(in_host world_client datagram "$to" "$([ "$to" = 203.0.113.53 ] && echo 53 || echo 9)" 1)
		heard "^(net|host|dns) .*udp [0-9.]*:${port#port } $to:" >/dev/null || return
		[ "$to" = 127.0.0.1 ] || heard "^wire udp [0-9.]*:${port#port } $to:" >/dev/null || return
	done
	! grep -E "$1" "$WORLD/log"
}

# zone: what the DNS serves from now on, from standard input: see world_zone.h. `zone < <(zone_default)` is what it was.
zone() {
	local serial=$(($(cat "$WORLD/serial") + 1))
	echo $serial >"$WORLD/serial"
	cat >"$WORLD/zone"
	kill -HUP "$(cat "$BATS_FILE_TMPDIR/bg/dns.pid")"
	heard "^dns zone $serial " >/dev/null
}

zone_default() {
	cat <<-'END'
		www.example.test	A	300	203.0.113.9
		www.example.test	AAAA	300	2001:db8::9
		alias.example.test	CNAME	300	www.example.test
		short.example.test	A	1	203.0.113.10
		*.wild.example.test	A	300	203.0.113.11
		many.example.test	A	300	203.0.113.1 203.0.113.2 203.0.113.3 203.0.113.4
		rebind.example.test	A	300	127.0.0.1
		rebind.example.test	AAAA	300	::1
		metadata.example.test	A	300	169.254.169.254
		lan.example.test	A	300	192.168.77.130
		lan.example.test	AAAA	300	fd77::99
		self.example.test	A	300	192.168.77.2
		self.example.test	AAAA	300	fd77::2
		one.example.test	A	300	203.0.113.40
		two.example.test	A	300	203.0.113.40
		text.example.test	TXT	300	so-it-is
		slow.example.test	A	300	203.0.113.9
		slow.example.test	delay	300
		silent.example.test	drop
		large.example.test	A	300	203.0.113.9
		large.example.test	truncate
		wrongid.example.test	A	300	203.0.113.9
		wrongid.example.test	wrongid
		forged.example.test	A	300	203.0.113.9
		forged.example.test	forge
		garbage.example.test	garbage
		broken.example.test	servfail
		refused.example.test	refuse
	END
}
