#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Every form of a policy's rules, seen from outside: the server heard, or never heard (vm-policy(5)).

bats_require_minimum_version 1.5.0
load lib/world

# policy [OPTION]... <<END: vm-net with this policy, and a guest.
policy() {
	cat >policy
	guest_of vm-net -P policy "$@" --
}

# opens ADDR [PORT]: the server hears a connection.
opens() {
	run -0 client echo "$1" "${2:-7}" 100
}

# refused ADDR [PORT]: at once, with a reset.
refused() {
	PATIENCE=5000 run -1 client open "$1" "${2:-7}"
	[ "$output" = 'Connection refused' ] || { echo "$1 ${2:-7}: $output" && false; }
}

# denied ADDR [PORT]: so, and nobody hears.
denied() {
	refused "$@"
	never_heard "(wire syn|host tcp) .* \[?${1//./\\.}]?:${2:-7}( |\$)"
}

# prohibited udp|ping ADDR WORD...: at once, with an ICMP message, which the kernel has these words for.
prohibited() {
	local said='No route to host'
	[[ $2 != *:* ]] || said='Permission denied'
	PATIENCE=5000 run -1 client "$@"
	[ "$output" = "$said" ] || { echo "$*: $output" && false; }
}

# raw ADDR...: to the gateway's MAC whatever the address, which an honest stack does not: a datagram to port 9, a SYN to 7.
raw() {
	local to ip
	for to; do
		ip=v4=10.0.2.15,$to
		[[ $to != *:* ]] || ip=v6=fd00::f,$to
		in_guest world_frame eth0 to=52:55:0a:00:02:02 "$ip" udp=4000,9 data=10 || return
		in_guest world_frame eth0 to=52:55:0a:00:02:02 "$ip" tcp=4000,7,S || return
	done
}

# raw_never: none of those has gone anywhere, nor anything else.
raw_never() {
	never_heard '((net|host) udp .*:9 10|(net|host) tcp .*|wire syn .*)$'
}

# names NAME: look it up, so that its address is known.
names() {
	run -0 in_guest world_ask 10.0.2.3 "$1" "${2:-A}"
	[[ $output == NOERROR* ]] || { echo "$1: $output" && false; }
}

no_name() {
	run -0 in_guest world_ask 10.0.2.3 "$1" A
	[ "$output" = REFUSED ] || { echo "$1: $output" && false; }
	never_heard "dns query .* $1 1\$"
}

@test 'an address, a prefix, a range, a list; all else is denied' {
	policy <<-'END'
		allow tcp 203.0.113.9
		allow tcp 203.0.113.32/28,203.0.113.80-203.0.113.82
		allow tcp 2001:db8::9,2001:db8:1::/48 port 7
	END
	opens 203.0.113.9
	denied 203.0.113.8
	opens 203.0.113.32
	opens 203.0.113.47
	denied 203.0.113.48
	denied 203.0.113.31
	opens 203.0.113.82
	denied 203.0.113.83
	opens 2001:db8::9
	denied 2001:db8::8
	opens 2001:db8:1::1234
	denied 2001:db8:2::1
	denied 2001:db8::9 80
}

@test 'ports and protocols' {
	policy <<-'END'
		allow tcp 203.0.113.9 port 7,80-82
		allow udp 203.0.113.9 port 7
		allow icmp 203.0.113.10
	END
	opens 203.0.113.9 7
	run -0 client turn 203.0.113.9 80 100
	run -0 client turn 203.0.113.9 81 100
	denied 203.0.113.9 83
	denied 203.0.113.9 9
	run -0 client udp 203.0.113.9 7 100
	prohibited udp 203.0.113.9 9 100
	prohibited udp 2001:db8::9 7 100
	never_heard 'udp .* (203\.0\.113\.9:9|\[2001:db8::9]:7) 100$'
	run -0 client ping 203.0.113.10 100
	prohibited ping 203.0.113.9 100
	never_heard 'wire icmp .* 203\.0\.113\.9:0'
	denied 203.0.113.10
}

@test 'names: after they were looked up, and no others; the address by itself is not enough' {
	policy <<<'allow tcp www.example.test port 7'
	denied 203.0.113.9
	names www.example.test
	opens 203.0.113.9
	denied 203.0.113.9 80
	names www.example.test AAAA
	opens 2001:db8::9
	no_name short.example.test
	no_name x.www.example.test
	no_name secret-stuff.evil.test
	denied 203.0.113.10
}

@test 'a name that is refused tells nobody anything: by UDP, TCP, IPv4, IPv6, nor can another server be asked' {
	local how
	policy <<<'allow any *.example.test,203.0.113.9'
	for how in '203.0.113.53 No route to host' '2001:db8::53 Permission denied'; do
		PATIENCE=5000 run -1 in_guest world_ask "${how%% *}" secret-stuff.evil.test A
		[ "$output" = "${how#* }" ] || { echo "$how: $output" && false; }
		PATIENCE=5000 run -1 in_guest world_ask -t "${how%% *}" secret-stuff.evil.test A
		[ "$output" = 'Connection refused' ] || { echo "$how: $output" && false; }
	done
	never_heard '^wire (syn|udp .*\[2001:db8::53])'
	for how in 10.0.2.3 fd00::3 '-t 10.0.2.3' '-t fd00::3'; do
		# shellcheck disable=SC2086 # words
		run in_guest world_ask $how secret-stuff.evil.test A
		[ "$output" = REFUSED ] || { echo "$how: $output" && false; }
		# shellcheck disable=SC2086 # words
		run in_guest world_ask $how www.example.test A
		[[ $output == NOERROR* ]] || { echo "$how: $output" && false; }
	done
	never_heard '^dns .*(secret|evil)'
}

@test 'wildcards, aliases, several addresses, what a name shares' {
	policy <<-'END'
		allow tcp *.wild.example.test
		allow tcp alias.example.test,many.example.test
	END
	names a.b.wild.example.test
	opens 203.0.113.11
	no_name wild.example.test
	denied 203.0.113.9
	names alias.example.test
	opens 203.0.113.9
	names many.example.test
	opens 203.0.113.4
	opens 203.0.113.1
	denied 203.0.113.5
}

@test 'two names with one address: each opens it for itself, and one that is denied closes it once it was asked for' {
	policy <<<'allow tcp one.example.test'
	denied 203.0.113.40
	no_name two.example.test
	denied 203.0.113.40
	names one.example.test
	opens 203.0.113.40
	guest_down
	policy <<-'END'
		deny tcp two.example.test
		allow tcp one.example.test
		allow dns *
	END
	refused 203.0.113.40
	names one.example.test
	opens 203.0.113.40
	names two.example.test
	denied 203.0.113.40 80
}

@test 'an alias is asked for by its own name, and opened or denied by either' {
	policy <<<'allow tcp www.example.test'
	no_name alias.example.test
	denied 203.0.113.9
	names www.example.test
	opens 203.0.113.9
	guest_down
	policy <<-'END'
		deny tcp www.example.test port 80
		allow tcp alias.example.test
	END
	names alias.example.test
	opens 203.0.113.9
	denied 203.0.113.9 80
}

@test 'a flow goes on when its name expires, and no other begins until it was asked for again' {
	echo 000 >ahead
	echo 'allow any short.example.test' >policy
	background vmnet host env AHEAD="$PWD/ahead" LD_PRELOAD="$ROOT/.build/t/lib/ahead.so" \
		vm-net -P policy --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	names short.example.test
	mkfifo words
	background talk guest sh -c 'echo ready; exec socat -t 10 - TCP:203.0.113.10:7 <words'
	exec 7>words
	echo before >&7
	world_client await bg/talk.says '^before$'
	# Its TTL of a second was over long ago, but the least is five minutes.
	echo 200 1<>ahead
	opens 203.0.113.10
	echo 301 1<>ahead
	denied 203.0.113.10 80
	echo after >&7
	world_client await bg/talk.says '^after$'
	exec 7>&-
	heard '^net end .* 203.0.113.10:7 13 13 '
	names short.example.test
	run -0 client turn 203.0.113.10 80 100
}

@test 'the first rule counts; deny before allow; log goes on; a default that allows' {
	policy --log "$PWD/log" <<-'END'
		deny tcp 203.0.113.10
		log tcp 203.0.113.0/24 port 7
		allow tcp 203.0.113.10
		deny dns *.evil.test
		default allow
	END
	denied 203.0.113.10
	opens 203.0.113.9
	no_name a.evil.test
	names www.example.test
	guest_down
	[ "$(jq -r 'select(.event == "flow" and .addr == "203.0.113.9") | "\(.verdict) \(.log_line)"' log)" = 'allow 2' ]
	[ "$(jq -r 'select(.event == "flow" and .addr == "203.0.113.10") | "\(.verdict) \(.line)"' log | sort -u)" = 'deny 1' ]
}

@test 'an empty policy denies all, and still answers the ping of the gateway' {
	policy </dev/null
	denied 203.0.113.9
	denied 2001:db8::9
	prohibited udp 203.0.113.9 7 10
	prohibited udp 2001:db8::9 7 10
	never_heard 'udp .*:7 10$'
	prohibited ping 203.0.113.9 10
	prohibited ping 2001:db8::9 10
	never_heard 'wire icmp'
	no_name www.example.test
	run -0 client ping 10.0.2.2 10
}

@test 'protected space is denied in every notation, without a policy and under default allow' {
	local to with
	echo 'default allow' >policy
	for with in '' '-P policy'; do
		# shellcheck disable=SC2086 # words or none
		guest_of vm-net $with --
		for to in 10.0.2.2 fd00::2 169.254.169.254 192.168.77.2 fd77::2; do
			refused $to
			prohibited udp $to 9 10
		done
		raw 127.0.0.1 127.1.2.3 0.0.0.0 255.255.255.255 10.0.2.2 10.0.2.77 10.0.2.255 224.0.0.1 169.254.169.254 \
			192.168.77.2 240.0.0.1
		raw ::1 :: ::ffff:127.0.0.1 ::ffff:192.168.77.2 ::127.0.0.1 fe80::1 ff02::1 fd00::2 fd00::77 fd77::2 \
			64:ff9b::7f00:1 2002:7f00:1::1
		raw_never
		guest_down
	done
	# The LAN's neighbours are no part of it: that is what `deny` is for.
	guest_of vm-net --
	opens 192.168.77.130
}

@test 'where a policy has protected addresses, raw frames arrive there, so that silence elsewhere says something' {
	local to
	policy <<<'allow any 127.0.0.0/8,::1,192.168.77.2,203.0.113.9,2001:db8::9'
	raw 127.0.0.1 ::1 192.168.77.2 203.0.113.9 2001:db8::9
	for to in '127\.0\.0\.1' '\[::1]' '192\.168\.77\.2'; do
		heard "^host tcp .* $to:7 echo\$"
		heard "^host udp .* $to:9 10\$"
	done
	for to in '203\.0\.113\.9' '\[2001:db8::9]'; do
		heard "^net tcp .* $to:7 echo\$"
		heard "^net udp .* $to:9 10\$"
	done
}

@test 'the LAN is denied by its prefixes, also to a name that has an address there' {
	policy <<-'END'
		deny any 192.168.0.0/16,fd77::/64
		allow any *.example.test
	END
	names lan.example.test
	names lan.example.test AAAA
	denied 192.168.77.130
	denied fd77::99
	prohibited udp 192.168.77.130 9 10
	prohibited udp fd77::99 9 10
	raw 192.168.77.130 192.168.77.1 fd77::99 fd77::1
	raw_never
	guest_down
	# Without that rule it is a name like others.
	policy <<<'allow any *.example.test'
	names lan.example.test
	names lan.example.test AAAA
	opens 192.168.77.130
	opens fd77::99
}

@test 'names never open protected space: rebinding' {
	policy <<<'allow any *.example.test'
	local name
	for name in 'rebind A' 'rebind AAAA' 'metadata A'; do
		run -0 in_guest world_ask 10.0.2.3 "${name% *}.example.test" "${name#* }"
		[ "$output" = NOERROR ] || { echo "$name: $output" && false; }
	done
	# The host's own addresses are told, for rules with `host`, and opened no more than the others.
	names self.example.test
	names self.example.test AAAA
	for name in 169.254.169.254 192.168.77.2 fd77::2; do
		refused $name
		prohibited udp $name 9 10
	done
	raw 127.0.0.1 ::1 169.254.169.254 192.168.77.2 fd77::2
	raw_never
}

@test 'addresses that this host gets meanwhile are protected, and no more once they are gone' {
	local end=$((SECONDS + 10)) to
	policy <<<'default allow'
	for to in 192.168.77.131 fd77::99; do
		opens $to
	done
	in_host ip addr add 192.168.77.131/24 dev h0
	in_host ip addr add fd77::99/64 dev h0 nodad
	# When it has heard of both; from then on, every time.
	for to in 192.168.77.131 fd77::99; do
		until [ "$(client open $to 7)" = 'Connection refused' ]; do [ $SECONDS -lt $end ]; done
		refused $to 80
		prohibited udp $to 9 10
	done
	never_heard '^host (tcp .*:80|udp .*:9 10)'
	in_host ip addr del 192.168.77.131/24 dev h0
	in_host ip addr del fd77::99/64 dev h0
	for to in 192.168.77.131 fd77::99; do
		until [ "$(client open $to 7)" = connected ]; do [ $SECONDS -lt $end ]; done
	done
}

@test 'deliberate ways in: host, a literal address, --map-host' {
	policy --map-host metadata.example.test=169.254.169.254 <<-'END'
		allow tcp host port 7
		allow udp host port 7
		allow tcp metadata.example.test port 7
	END
	opens 10.0.2.2
	opens fd00::2
	opens 192.168.77.2
	run -0 client udp 10.0.2.2 7 100
	heard '^host tcp 127.0.0.1:[0-9]+ 127.0.0.1:7 echo$'
	run -0 in_guest world_ask 10.0.2.3 metadata.example.test A
	[[ $output == *169.254.169.254* ]]
	opens 169.254.169.254
	denied 203.0.113.9
	run -1 client open 10.0.2.2 9
	[ "$output" = 'Connection refused' ]
	guest_down
	echo 'allow tcp 127.0.0.0/8,169.254.169.254 port 7' >policy
	guest_of vm-net -P policy --
	opens 169.254.169.254
}

@test 'fragments, extension headers, tags, bad checksums, short headers and false neighbours do not pass a deny' {
	local mac=52:55:0a:00:02:02 drop other
	echo 'allow udp 203.0.113.9 port 7' >policy
	background vmnet host vm-net -P policy --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	frame() { in_guest world_frame eth0 to=$mac "$@"; }
	dropped() { ctl_send "$PWD/net" send:status recv | tr '|' '\n' | sed -n "s/^guest_$1=//p"; }
	# Its kernel has said by then which multicast it wants, with such a header; it may say so again.
	other=$(dropped ipv6-extension)
	frame v4=10.0.2.15,203.0.113.10 id=1 more udp=4000,9 len=56 sum=none data=24
	frame v4=10.0.2.15,203.0.113.10 id=1 frag=32 proto=17 data=24
	# The same pair to whom it may.
	frame v4=10.0.2.15,203.0.113.9 id=1 more udp=4001,7 len=56 sum=none data=24
	frame v4=10.0.2.15,203.0.113.9 id=1 frag=32 proto=17 data=24
	heard '^net udp .* 203\.0\.113\.9:7 48$'
	frame v4=10.0.2.15,203.0.113.10 id=2 frag=8 proto=17 data=24
	frame v6=fd00::f,2001:db8::9 hop udp=4000,9 data=10
	frame v6=fd00::f,2001:db8::9 dest udp=4000,9 data=10
	frame v6=fd00::f,2001:db8::9 route udp=4000,9 data=10
	frame v6=fd00::f,2001:db8::9 frag6=0,1,7 udp=4000,9 data=16
	frame vlan=5 v4=10.0.2.15,203.0.113.10 udp=4000,9 data=10
	frame v4=10.0.2.15,203.0.113.9 udp=4000,7 data=10 sum=bad
	frame v4=10.0.2.15,203.0.113.10 cut=30 udp=4000,9 data=10
	frame v4=10.0.2.99,203.0.113.9 udp=4000,7 data=10
	frame v4=203.0.113.1,203.0.113.9 udp=4000,7 data=10
	frame arp=2,52:55:0a:00:02:02,10.0.2.2,10.0.2.15
	frame arp=1,52:55:0a:00:02:02,10.0.2.3,10.0.2.2
	frame v6=fd00::f,ff02::1 ttl=255 na=fd00::2,52:55:0a:00:02:02
	never_heard '(udp .*:9 (10|16|24|48)|udp .* 203\.0\.113\.9:7 10)$'
	# Each for what it is.
	for drop in fragment=2 vlan=1 checksum=1 truncated=1 source-address=2 arp=2 spoof=1 denied=1; do
		[ "$(dropped "${drop%=*}")" = "${drop#*=}" ] || { echo "not $drop" && false; }
	done
	[ $(($(dropped ipv6-extension) - ${other:-0})) -ge 4 ]
	run -0 client udp 203.0.113.9 7 100
}

@test 'another policy by SIGHUP; a wrong one, or none, changes nothing' {
	local pid end
	echo 'allow tcp 203.0.113.9' >policy
	background vmnet host vm-net -P policy --ready-fd 1 -l "$PWD/net"
	pid=$(cat bg/vmnet.pid)
	guest_up "$PWD/net"
	opens 203.0.113.9
	denied 203.0.113.10
	echo 'allow tcp' >new && mv new policy
	kill -HUP "$pid"
	in_host world_client await "$PWD/bg/vmnet.err" 'policy:1: .*stays as it was'
	opens 203.0.113.9
	rm policy
	kill -HUP "$pid"
	in_host world_client await "$PWD/bg/vmnet.err" 'No such file.*stays as it was'
	opens 203.0.113.9
	echo 'allow tcp 203.0.113.10' >new && mv new policy
	kill -HUP "$pid"
	end=$((SECONDS + 10))
	until [ "$(client open 203.0.113.10 7)" = connected ]; do [ $SECONDS -lt $end ]; done
	denied 203.0.113.9 9
}

@test 'redirect: a program of the host gets the connection, over IPv4 and IPv6, and is told where it was going' {
	local proxy told told6
	socat UNIX-LISTEN:"$PWD/proxy",fork EXEC:cat 3>&- &
	proxy=$!
	socat -u UNIX-LISTEN:"$PWD/teller" CREATE:told 3>&- &
	told=$!
	socat -u UNIX-LISTEN:"$PWD/teller6" CREATE:told6 3>&- &
	told6=$!
	until [ -S proxy ] && [ -S teller ] && [ -S teller6 ]; do :; done
	policy <<-END
		redirect tcp 203.0.113.20,2001:db8::20 port 7 to unix:$PWD/proxy
		redirect tcp 203.0.113.21 port 7 to 203.0.113.9:7
		redirect tcp 2001:db8::21 port 7 to 203.0.113.10:7
		redirect tcp 203.0.113.22 port 7 to [2001:db8::9]:7
		redirect tcp 2001:db8::22 port 7 to [2001:db8::10]:7
		redirect tcp 203.0.113.23 port 7 to unix:$PWD/teller proxy-v2
		redirect tcp 2001:db8::23 port 7 to unix:$PWD/teller6 proxy-v2
		redirect tcp 203.0.113.24,2001:db8::24 port 7 to unix:$PWD/nobody
		allow tcp 203.0.113.9,2001:db8::9
	END
	opens 203.0.113.20
	opens 2001:db8::20
	opens 203.0.113.21
	heard '^net tcp .* 203\.0\.113\.9:7 echo$'
	opens 2001:db8::21
	heard '^net tcp .* 203\.0\.113\.10:7 echo$'
	opens 203.0.113.22
	heard '^net tcp .* \[2001:db8::9]:7 echo$'
	opens 2001:db8::22
	heard '^net tcp .* \[2001:db8::10]:7 echo$'
	# The header of version 2 for TCP over IPv4: who connected and where to, addresses, then ports. Over IPv6 likewise.
	printf hello | in_guest socat -u - TCP:203.0.113.23:7,sourceport=4001
	wait "$told"
	{ printf '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c' && printf '\x0a\0\x02\x0f\xcb\0\x71\x17\x0f\xa1\0\x07' && printf hello; } |
		cmp - told
	printf hello | in_guest socat -u - TCP6:[2001:db8::23]:7,bind=[fd00::f]:4001
	wait "$told6"
	{
		printf '\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24'
		printf '\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0f\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x23\x0f\xa1\0\x07'
		printf hello
	} | cmp - told6
	run -1 client echo 203.0.113.24 7 100
	run -1 client echo 2001:db8::24 7 100
	never_heard '(203\.0\.113\.|2001:db8::)2[0-4]'
	denied 203.0.113.25
	denied 2001:db8::25
	kill "$proxy"
	wait "$proxy" || :
}

@test 'sni: the name that the client says counts' {
	policy <<<'allow tcp *.example.test port 7 sni'
	zone <<-'END'
		good.example.test A 300 203.0.113.30
		bad.other.test A 300 203.0.113.30
	END
	names good.example.test
	printf 'GET / HTTP/1.1\r\nHost: good.example.test\r\n\r\n' >good
	printf 'GET / HTTP/1.1\r\nHost: bad.other.test\r\n\r\n' >bad
	in_guest timeout 10 socat -t 3 - TCP:203.0.113.30:7 <good >said
	cmp good said
	in_guest timeout 10 socat -t 3 - TCP:203.0.113.30:7 <bad >said2 2>err || :
	[ ! -s said2 ]
	zone < <(zone_default)
}

@test '10,000 connections to denied ports cost no memory, and the network goes on' {
	echo 'allow tcp 203.0.113.9 port 7' >policy
	background vmnet host vm-net -P policy --ready-fd 1 -l "$PWD/net"
	guest_up "$PWD/net"
	# All of them find room on the way there.
	in_guest ip link set eth0 txqueuelen 10000
	memory_mark
	in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,203.0.113.10 tcp=4000,1,S next count=10000
	opens 203.0.113.9
	memory_grew 1024
	run -0 in_host ctl_send "$PWD/net" send:status recv
	[[ "|$output|" == *'|guest_denied=10000|'* ]] || { echo "$output" && false; }
	never_heard 'wire syn .* 203\.0\.113\.10:'
}

# says_hello [OPTION]...: a TLS client's, to the address of good.example.test.
says_hello() {
	in_guest timeout 10 openssl s_client -connect 203.0.113.30:443 -CAfile cert.pem "$@" </dev/null >client.says 2>&1
}

@test 'sni: TLS goes on by the name that is allowed; of another, or none, the server hears no byte' {
	local i
	command -v openssl >/dev/null || skip 'no openssl'
	policy <<<'allow tcp *.example.test port 443 sni'
	zone <<-'END'
		good.example.test A 300 203.0.113.30
		bad.other.test A 300 203.0.113.30
	END
	names good.example.test
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
		-subj /CN=good.example.test -days 30 2>req.err
	# It serves one after the other, and tells each message: what it has not told when the last has come, it never heard.
	background tls net sh -c 'echo ready; exec openssl s_server "$@"' sh -accept 443 -cert cert.pem -key key.pem -msg -quiet
	until in_net world_client open 203.0.113.30 443 >/dev/null; do :; done
	for i in 1 2; do
		says_hello -servername good.example.test -verify_hostname good.example.test
		grep -q 'Verify return code: 0 (ok)' client.says
		run ! says_hello -servername bad.other.test
		grep -q 'errno=104' client.says         # ECONNRESET
		run ! says_hello -noservername
		grep -q 'errno=104' client.says
	done
	says_hello -servername good.example.test
	[ "$(grep -c '^<<< .*, ClientHello' bg/tls.says)" -eq 3 ]
	zone < <(zone_default)
}

@test 'sni: of HTTP whose Host is another, or absent, the server hears no byte' {
	local host
	policy <<<'allow tcp *.example.test port 7 sni'
	zone <<-'END'
		good.example.test A 300 203.0.113.30 203.0.113.31
	END
	names good.example.test
	for host in 'Host: bad.other.test\r\n' ''; do
		run -0 in_guest timeout 10 sh -c "printf 'GET / HTTP/1.1\r\n$host\r\n' | socat -t 3 - TCP:203.0.113.31:7 2>&1 || :"
		[[ $output != *GET* ]]
	done
	printf 'GET / HTTP/1.1\r\nHost: good.example.test\r\n\r\n' >good
	in_guest timeout 10 socat -t 3 - TCP:203.0.113.30:7 <good | cmp good -
	heard '^net end .* 203\.0\.113\.30:7 [1-9]'
	[ "$(grep -Ec '^net end .* 203\.0\.113\.31:7 0 0 ' "$WORLD/log")" -eq 2 ] || { cat "$WORLD/log" && false; }
	never_heard '^net end .* 203\.0\.113\.31:7 [1-9]'
	zone < <(zone_default)
}
