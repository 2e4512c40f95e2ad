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

# denied ADDR [PORT]: at once, with a reset, and nobody hears.
denied() {
	PATIENCE=5000 run -1 client open "$1" "${2:-7}"
	[ "$output" = 'Connection refused' ] || { echo "$1 ${2:-7}: $output" && false; }
	never_heard "wire syn .* \[?${1//./\\.}]?:${2:-7}\$"
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
	run -1 client udp 203.0.113.9 9 100
	never_heard 'udp .* 203\.0\.113\.9:9 100$'
	run -0 client ping 203.0.113.10 100
	PATIENCE=300 run -1 client ping 203.0.113.9 100
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

@test 'a flow goes on when its name expires' {
	policy <<<'allow any short.example.test'
	names short.example.test
	run -0 client get 203.0.113.10 82 30000
	opens 203.0.113.10
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
	run -1 client udp 203.0.113.9 7 10
	never_heard 'udp .*:7 10$'
	no_name www.example.test
	run -0 client ping 10.0.2.2 10
}

@test 'protected space is denied in every notation, without a policy and under default allow' {
	local to
	policy <<<'default allow'
	for to in 10.0.2.2 fd00::2 169.254.169.254 192.168.77.2 fd77::2 10.0.2.77 fd00::77; do
		PATIENCE=3000 run -1 client open $to 7
	done
	# What no honest stack sends, a raw socket does: to the gateway's MAC, whatever the address.
	for to in 127.0.0.1 127.1.2.3 0.0.0.0 255.255.255.255 10.0.2.255 224.0.0.1 169.254.169.254 192.168.77.2 240.0.0.1; do
		in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,$to udp=4000,9 data=10
		in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,$to tcp=4000,7,S
	done
	for to in ::1 :: ::ffff:127.0.0.1 ::ffff:192.168.77.2 ::127.0.0.1 fe80::1 ff02::1 fd77::2 64:ff9b::7f00:1 \
		2002:7f00:1::1; do
		in_guest world_frame eth0 to=52:55:0a:00:02:02 v6=fd00::f,$to udp=4000,9 data=10
		in_guest world_frame eth0 to=52:55:0a:00:02:02 v6=fd00::f,$to tcp=4000,7,S
	done
	never_heard '(udp .*:9 10|^host tcp .*|^net tcp .*:7 echo|wire syn .*)$'
	# The LAN's neighbours are no part of it: that is what `deny` is for.
	opens 192.168.77.130
}

@test 'names never open protected space: rebinding' {
	policy <<<'allow any *.example.test'
	local name
	for name in rebind metadata; do
		run -0 in_guest world_ask 10.0.2.3 $name.example.test A
		[[ $output != *127.0.0.1* && $output != *169.254* ]]
	done
	in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,127.0.0.1 tcp=4000,7,S
	in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,169.254.169.254 tcp=4000,7,S
	never_heard '(127.0.0.1:7 echo|169.254.169.254:7)$'
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
	local mac=52:55:0a:00:02:02
	policy <<<'allow udp 203.0.113.9 port 7'
	frame() { in_guest world_frame eth0 to=$mac "$@"; }
	frame v4=10.0.2.15,203.0.113.10 id=1 more udp=4000,9 data=24
	frame v4=10.0.2.15,203.0.113.10 id=1 frag=32 proto=17 data=24
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
	frame na=fd00::2,52:55:0a:00:02:02
	never_heard '(udp .*:9 (10|16|24)|udp .* 203\.0\.113\.9:7 10)$'
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

@test 'redirect: a program of the host gets the connection, and is told where it was going' {
	socat UNIX-LISTEN:"$PWD/proxy",fork EXEC:cat 3>&- &
	local proxy=$!
	until [ -S proxy ]; do :; done
	policy <<-END
		redirect tcp 203.0.113.20 port 7 to unix:$PWD/proxy
		redirect tcp 203.0.113.21 port 7 to 203.0.113.9:7
		allow tcp 203.0.113.9
	END
	opens 203.0.113.20
	opens 203.0.113.21
	heard '^net tcp .* 203.0.113.9:7 echo$'
	never_heard '203\.0\.113\.2[01]'
	denied 203.0.113.22
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
	local pid before after
	echo 'allow tcp 203.0.113.9 port 7' >policy
	background vmnet host vm-net -P policy --ready-fd 1 -l "$PWD/net"
	pid=$(cat bg/vmnet.pid)
	guest_up "$PWD/net"
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	in_guest world_frame eth0 to=52:55:0a:00:02:02 v4=10.0.2.15,203.0.113.10 tcp=4000,9,S count=10000
	opens 203.0.113.9
	after=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	[ $((after - before)) -lt 1024 ] || { echo "$before $after" && false; }
	never_heard 'wire syn .* 203\.0\.113\.10:9$'
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
