#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A VM on vm-net, in the namespaces' world (lib/netns): what its users do, on the engine under test.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/netns
load lib/examples

setup_file() {
	world_file || return 0
	rmdir "$VM_RUNTIME_DIR"
	vm_file || return 0
	world
	printf 'allow tcp www.example.test port 7,19,80,86\nallow udp 203.0.113.9\nallow icmp *\n' >policy
	in_host vm-net -P policy -p 8007:7 -p 8007:7/udp --log "$PWD/net.log" -- \
		vm-boot --engine "$VM_ENGINE" -d -n net -m 256M >handle
	ctl -V net ready agent
}

setup() {
	[ -z "$LACKS" ] || skip "$LACKS"
	world_setup
	export VM=net
}

teardown() {
	[ -n "$LACKS" ] || { end_all && no_leak net; }
}

teardown_file() {
	[ -d "$WORLD" ] || return 0
	[ ! -d "$VM_RUNTIME_DIR/net" ] || { ctl -V net stop && ctl -V net wait; } >/dev/null
	world_end
}

ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# plug OPTION...: vm-net in the background, $plugged, which has plugged itself in when this returns; it speaks into `said`.
plug() {
	mkfifo -m 600 up
	enter host vm-net --ready-fd 1 "$@" >up 2>said 3>&- &
	plugged=$!
	read -r said <up && [ "$said" = ready ] || { cat said && false; }
	rm up
}

no_carrier() {
	# shellcheck disable=SC2016 # the guest's
	ex sh -c 'until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do :; done'
}

@test 'addresses, routes and names are there before any command' {
	run -0 ex ip addr show dev eth0
	[[ $output == *'mtu 65520'* && $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
	[ "$(ex cat /etc/resolv.conf)" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
	ex ping -c 2 -i 0.2 -W 10 10.0.2.2
	ex ping -c 2 -i 0.2 -W 10 fd00::2
	# In one piece: no fragment of IPv6 passes.
	ex ping -c 1 -W 10 -s 65000 fd00::2
	ex ping -c 1 -W 10 203.0.113.200
	heard '^wire icmp 8.0 192.168.77.2:0 203.0.113.200:0$'
}

@test 'what the policy names is reached, and nothing else' {
	run -1 ex nc -w 5 203.0.113.9 80
	[[ $output == *refused* ]]
	run -0 ex nslookup www.example.test
	[[ $output == *203.0.113.9* && $output == *2001:db8::9* ]]
	[ "$(ex sh -c 'echo 1000000 | nc www.example.test 19 | wc -c')" -eq 1000000 ]
	[[ $(ex sh -c 'head -c 1000000 /dev/zero | nc 203.0.113.9 80') == 1000000* ]]
	run -1 ex nslookup secret.evil.test
	[[ $output == *REFUSED* ]]
	run -1 ex nc -w 5 10.0.2.2 7
	never_heard '(evil.test|host tcp)'
}

@test 'DHCP gives what the agent has set' {
	run -0 ex sh -c 'printf "#!/bin/sh\n[ \$1 != bound ] || env\n" >/tmp/d; chmod +x /tmp/d; udhcpc -i eth0 -n -q -f -s /tmp/d'
	[[ $output == *ip=10.0.2.15* && $output == *router=10.0.2.2* && $output == *dns=10.0.2.3* ]]
}

@test 'forwards: from the start, and at run time' {
	vm-exec -d sh -c 'while nc -l -p 7 -e cat; do :; done' 3>&-
	ex sh -c 'until netstat -lnt | grep -q :7; do :; done'
	[ "$(in_host sh -c 'echo hello | socat -t 5 - TCP:127.0.0.1:8007')" = hello ]
	run -0 ctl net forward list
	[[ $output == *8007:7* && $output == *8007:7/udp* ]]
	run -0 ctl net forward add 127.0.0.1:0:7
	[[ $output =~ ^127.0.0.1:([0-9]+):7/tcp$ ]]
	port=${BASH_REMATCH[1]}
	ex sh -c 'until netstat -lnt | grep -q :7; do :; done'
	[ "$(in_host sh -c "echo again | socat -t 5 - TCP:127.0.0.1:$port")" = again ]
	ctl net forward del "$output"
	run -1 in_host socat - "TCP:127.0.0.1:$port"
	run -1 ctl net forward add 1:2:3:4
	run -1 ctl net forward del 127.0.0.1:1:2
}

@test 'vm-ctl net: status, another policy, also for flows that are under way' {
	run -0 ctl net status
	[[ $output == *guest=up* && $output == *mtu=65520* && $output == *dns_queries=* ]]
	ex nslookup www.example.test
	printf 'allow udp 203.0.113.9\n' >strict
	mkfifo silent
	vm-exec -i nc 203.0.113.9 86 <>silent 3>&- &
	local open=$!
	heard '^net tcp .* 203.0.113.9:86 hold$'
	run -0 ctl net policy strict
	[ "$output" = ended=0 ]
	run -1 ex nc -w 5 203.0.113.9 80
	kill -0 "$open"
	run -0 ctl net policy strict live
	[[ $output == ended=[1-9]* ]] || { echo "$output" && false; }
	wait "$open" || :
	heard '^net (end|reset) .* 203.0.113.9:86 '
	printf 'allow tcp\n' >wrong
	run -1 ctl net policy wrong
	[[ $output == *:1:* ]]
	run -1 ex nc -w 5 203.0.113.9 80
	run -2 ctl net policy nowhere
	run -0 ctl net policy "$BATS_FILE_TMPDIR/policy" live
	run -1 ctl net nonsense
}

@test 'two VMs on one wire: each by its name, and both out of it' {
	local boot="vm-boot --engine $VM_ENGINE -d -m 256M"
	# At the same time: they have one control socket, and each has an answer of its own.
	run -0 in_host vm-net --switch -P "$BATS_FILE_TMPDIR/policy" -- sh -c "$boot -n one & $boot -n two; wait; vm-ctl -V one net guests"
	[[ $output == *name=one,* && $output == *name=two,* ]]
	VM=one ex ping -c 1 -W 10 two
	VM=two ex ping -c 1 -W 10 one
	[ "$(VM=two ex sh -c 'echo hello >h; nc -l -p 9 <h & until netstat -lnt | grep -q :9; do :; done; echo up')" = up ]
	[ "$(VM=one ex sh -c 'nc two 9')" = hello ]
	for VM in one two; do
		[ "$(ex sh -c 'echo 100000 | nc www.example.test 19 | wc -c')" -eq 100000 ]
		ctl stop
		ctl wait
	done
}

@test 'a network is plugged into a VM that runs; it ends, and another is plugged in' {
	VM=plug
	in_host vm-boot --engine "$VM_ENGINE" -d -n plug -m 256M --net plug >/dev/null
	ctl ready agent
	run -0 ctl status
	[[ $output == *,down,* ]]
	run -1 ctl net status
	[[ $output == *'vm-net is not there'* ]]
	plug -P "$BATS_FILE_TMPDIR/policy" -V plug
	run -0 ex ip addr show dev eth0
	[[ $output == *'mtu 65520'* && $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]] || { echo "$output" && false; }
	[ "$(ex cat /etc/resolv.conf)" = $'nameserver 10.0.2.3\nnameserver fd00::3' ]
	[ "$(ex sh -c 'echo 1000000 | nc www.example.test 19 | wc -c')" -eq 1000000 ]
	[[ $(ex sh -c 'head -c 1000000 /dev/zero | nc 203.0.113.9 80') == 1000000* ]]
	run -1 ex nc -w 5 203.0.113.9 81
	[[ $output == *refused* ]]
	run -0 ctl net status
	[[ $output == *guest=up* ]]
	run -0 ctl status
	[[ $output == *,up,* ]]
	run -125 in_host vm-net -V plug
	[ "$output" = 'vm-net: -V plug: net-plug: its card has a network already' ]
	kill -KILL "$plugged"
	gone "$plugged"
	no_carrier
	run -1 ctl net status
	[[ $output == *'vm-net is not there'* ]]
	plug -4 --subnet 10.9.8.0/24 -V "$(ctl handle)"
	run -0 ex ip addr show dev eth0
	[[ $output == *'inet 10.9.8.15/24 '* && $output != *10.0.2.15* && $output != *fd00::f* ]]
	[ "$(ex cat /etc/resolv.conf)" = 'nameserver 10.9.8.3' ]
	run -0 ex sh -c '{ ip route; ip -6 route; } | grep default'
	[[ $output == 'default via 10.9.8.2 dev eth0'* && ${#lines[@]} -eq 1 ]]
	[ "$(ex sh -c 'echo 100000 | nc www.example.test 19 | wc -c')" -eq 100000 ]
	ctl stop
	wait "$plugged"
	ctl wait
	[ ! -s said ]
}

# its NAME: this test's processes of that name.
its() {
	local p
	for p in $(marked "$VM_TEST"); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" != "$1" ] || echo "$p"; done
}

@test 'vm-net, a shell between and vm-boot, killed in any order: nothing stays' {
	local boot="vm-boot --engine $VM_ENGINE -d -n killed -m 256M && echo ready && read -r _ <life" order orders left who net prog vm
	VM=killed
	mkfifo life
	orders=('prog vm net' 'net vm prog')
	# The others in a soak.
	[ "${VM_REPEAT:-1}" -eq 1 ] || orders+=('prog net vm' 'net prog vm' 'vm prog net' 'vm net prog')
	for order in "${orders[@]}"; do
		PATIENCE=60000 background chain host vm-net -- sh -c "$boot"
		prog=$(cat bg/chain.pid) net=$(its vm-net | sort -n | head -n 1)
		ctl ready agent
		vm=$(ctl status | sed -n 's/^pid=//p') left=' prog vm net '
		for who in $order; do
			# The network ends with the last one that has it.
			[ "$left" != ' net ' ] || break
			echo "$order: $who; left:$left"
			kill "-$([ "$who" = net ] && echo TERM || echo KILL)" "${!who}"
			gone "${!who}"
			left=${left/ $who / }
			case $left in
			' vm net ') [ "$(ex sh -c 'echo 100000 | nc 203.0.113.9 19 | wc -c')" -eq 100000 ] ;;
			' prog net ') kill -0 "$net" ;;
			*vm*) no_carrier ;;
			esac
		done
		gone "$prog" "$vm" "$net"
		run -0 vm-ls -q
		[ "$output" = net ]
		no_leak net
	done
}

@test "vm-run with a policy, a forward and a log: each does what it says, and the status is the command's" {
	echo 'allow tcp 203.0.113.9 port 19' >policy
	# shellcheck disable=SC2016 # the guest's, and the inner shell's
	PATIENCE=60000 background run host sh -c 'vm-run "$@"; echo "status $?"' sh --engine "$VM_ENGINE" -m 256M \
		-P "$PWD/policy" -p 127.0.0.1:8008:7 --net-log "$PWD/run.log" sh -c '
			nc -l -p 7 -e cat & until netstat -lnt | grep -q :7; do :; done; echo ready; wait
			nc -w 5 203.0.113.9 7; echo 100000 | nc 203.0.113.9 19 | wc -c; exit 7'
	[ "$(in_host sh -c 'echo hello | socat -t 5 - TCP:127.0.0.1:8008')" = hello ]
	PATIENCE=60000 world_client await bg/run.says '^status 7$'
	grep -qx 100000 bg/run.says
	grep -q refused bg/run.err
	# shellcheck disable=SC2046 # numbers
	gone $(its vm-net)
	run -0 jq -r 'select(.event == "flow") | "\(.verdict) \(.proto) \(.addr) \(.port) \(.line)"' run.log
	[ "$output" = $'deny tcp 203.0.113.9 7 null\nallow tcp 203.0.113.9 19 1' ]
	never_heard '^net tcp .* 203.0.113.9:7 '
	echo 'allow tcp' >wrong
	run -2 in_host vm-run --engine "$VM_ENGINE" -P wrong true
	[[ $output == *wrong:1:* ]]
	run -2 in_host vm-run --engine "$VM_ENGINE" -p 1:2:3:4 true
}

@test 'vm-run with a network, killed: nothing of it stays' {
	# shellcheck disable=SC2016 # the guest's
	PATIENCE=60000 background run host vm-run --engine "$VM_ENGINE" -m 256M --net sh -c '
		[ "$(echo 100000 | nc 203.0.113.9 19 | wc -c)" -eq 100000 ] && echo ready; exec sleep 1000'
	[ "$(its vm-net | wc -l)" -ge 1 ]
	kill -KILL "$(cat bg/run.pid)"
	no_leak net
}

@test 'the examples of vm-net(1)' {
	local name
	unset VM
	wrappers "$PWD/bin" "$VM_ENGINE"
	PATH="$PWD/bin:$PATH" run_examples "$ROOT/man/vm-net.1" : in_host
	# Those that stopped are there until somebody asks.
	for name in $(vm-ls -q); do [ "$name" = net ] || ctl -V "$name" wait >/dev/null; done
}

@test "QEMU's -netdev stream, with no vm-boot between" {
	[ "$VM_ENGINE" = qemu ] || skip 'the qemu engine alone needs what this needs: QEMU without KVM'
	background vmnet host vm-net --ready-fd 1 --frames "$PWD/frames"
	cat >script <<-END
		set timeout 60
		proc want {re} { expect -re \$re {} timeout { puts "NEVER CAME: \$re"; exit 1 } eof { puts "EOF: \$re"; exit 1 } }
		spawn -noecho qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -M q35 -m 256M \
			-kernel $IMAGE/bzImage -initrd $IMAGE/initrd -append {console=ttyS0 quiet} -serial stdio \
			-device virtio-net-pci,netdev=n -netdev stream,id=n,server=off,addr.type=unix,addr.path=$PWD/frames
		want {~# }
		send "ip link set eth0 up; udhcpc -i eth0 -n -q -f -s /bin/true\r"
		want {lease of 10.0.2.15 obtained}
		send "ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2; echo 100000 | nc 203.0.113.9 19 | wc -c\r"
		want {\n100000\r}
		send "poweroff -f\r"
		expect eof
	END
	LIMIT=90 run -0 in_host expect -f script
	heard '^wire syn 192.168.77.2:[0-9]+ 203.0.113.9:19$'
}

@test 'vm-net killed: the link goes down, and nothing hangs' {
	pid=$(marked "$BATS_FILE_TMPDIR" | while read -r p; do [ "$(cat "/proc/$p/comm")" != vm-net ] || echo "$p"; done | head -n 1)
	kill -KILL "$pid"
	no_carrier
	run -0 ctl status
	[[ $output == *,down,* ]]
	run -1 ctl net status
	[[ $output == *'vm-net is not there'* ]]
	[ "$(ex echo alive)" = alive ]
	# Its card takes another network.
	plug -V net
	[ "$(ex sh -c 'echo 100000 | nc 203.0.113.9 19 | wc -c')" -eq 100000 ]
	kill -TERM "$plugged"
	wait "$plugged"
	no_carrier
}
