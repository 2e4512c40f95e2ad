#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vm-net in a world of its own (lib/netns) when much goes on at a time, or slowly, or to the end of one side alone.

bats_require_minimum_version 1.5.0
load lib/world

# network OPTION...: the guest joins it.
network() {
	background vmnet host vm-net --ready-fd 1 -l "$PWD/net" "$@"
	guest_up "$PWD/net"
}

# serves: the guest does, as net and host do; its log is ./log.
serves() {
	background server.guest guest world_server "$PWD/log" guest
}

# told REGEX N: the guest's servers have logged so many such lines, now or soon.
told() {
	world_client await "$PWD/log" "$1" >/dev/null
	until [ "$(grep -Ec "$1" log)" -ge "$2" ]; do :; done
	[ "$(grep -Ec "$1" log)" -eq "$2" ]
}

# at_ease: what another flow does now is not delayed by whatever goes on.
at_ease() {
	PATIENCE=2000 run -0 client talk 203.0.113.9 7 100 50
	PATIENCE=2000 run -0 client talk 2001:db8::9 7 100 50
	PATIENCE=2000 run -0 client ping 203.0.113.9 100 5
	PATIENCE=2000 run -0 in_guest world_ask 10.0.2.3 www.example.test A
}

@test 'HTTPS: certificates of 90 KB each way, and a body of 100 MB' {
	local i to signer='' tls
	network
	# A chain of nine, with a comment of nearly 9 KB in each: the most that either side takes is 100 KB.
	openssl ecparam -genkey -name prime256v1 -out key.pem
	printf '[e]\nbasicConstraints=critical,CA:TRUE\nnsComment="%s"\n' "$(head -c 9000 /dev/zero | tr '\0' c)" >e.cnf
	printf '[req]\ndistinguished_name=n\n[n]\n' | cat - e.cnf >req.cnf
	for i in 0 1 2 3 4 5 6 7 8; do
		openssl req -x509 -config req.cnf -extensions e -key key.pem -subj "/CN=$i" -days 30 -out $i.pem \
			${signer:+-CA "$signer" -CAkey key.pem}
		signer=$i.pem
	done
	cat 7.pem 6.pem 5.pem 4.pem 3.pem 2.pem 1.pem 0.pem >chain.pem
	tls=(-CAfile 0.pem -cert 8.pem -key key.pem -cert_chain chain.pem -verify_return_error)
	# -HTTP takes a file for a whole answer.
	{ printf 'HTTP/1.0 200 OK\r\n\r\n' && head -c "$(share 100000000 10000000)" /dev/zero |
		openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null; } >body
	head -c 5000000 body >small
	background tls net sh -c 'echo ready; exec openssl s_server "$@"' sh -accept 443 -HTTP -Verify 20 "${tls[@]}"
	world_client await bg/tls.says '^ACCEPT$'
	for to in '203.0.113.9:443 body' '[2001:db8::9]:443 small'; do
		run -0 in_guest openssl s_client -connect "${to% *}" "${tls[@]}" </dev/null
		[[ $output =~ 'has read '([0-9]+)' bytes and written '([0-9]+)' bytes' ]]
		[ "${BASH_REMATCH[1]}" -gt 80000 ]
		[ "${BASH_REMATCH[2]}" -gt 80000 ]
		printf 'GET /%s HTTP/1.0\r\n\r\n' "${to#* }" |
			in_guest openssl s_client -quiet -connect "${to% *}" "${tls[@]}" 2>client.err | cmp - "${to#* }"
		grep -qx "FILE:${to#* }" bg/tls.err
	done
}

@test 'programs of the guest that read slowly: memory has a bound, and nobody else waits' {
	network
	memory_mark
	PACE=16384 background sip guest sh -c 'echo ready; exec world_client get 203.0.113.9 19 3000000 40'
	heard '^net tcp .* 203.0.113.9:19 source$'
	at_ease
	world_client await bg/sip.says '^3000000 bytes got, 40 times$'
	memory_grew 60000
	[ "$(grep -Ec '^net end .* 203.0.113.9:19 8 3000000 ' "$WORLD/log")" -eq 40 ]
}

@test 'servers that read slowly: the same' {
	local i
	network
	memory_mark
	for i in 1 2 3 4 5 6 7 8; do
		# shellcheck disable=SC2016 # the inner shell's
		background "pour$i" guest sh -c 'echo ready; exec world_client turn "$0" 81 1000000' \
			"$([ $((i % 2)) -eq 0 ] && echo 203.0.113.9 || echo 2001:db8::9)"
	done
	heard '^net tcp .* 203.0.113.9:81 slow$'
	at_ease
	for i in 1 2 3 4 5 6 7 8; do
		world_client await "bg/pour$i.says" '^1000000 [0-9a-f]+$'
	done
	memory_grew 16000
	[ "$(grep -Ec '^net end .*:81 1000000 [0-9]+ [0-9a-f]+ right$' "$WORLD/log")" -eq 8 ]
}

@test 'who writes slowly, on either side' {
	local to
	network
	for to in 203.0.113.9 2001:db8::9; do
		PACE=500 run -0 client turn $to 80 10000
		PACE=500 run -0 client echo $to 7 10000
		run -0 client get $to 82 20000
	done
	heard '^net end .* 203.0.113.9:80 10000 [0-9]+ [0-9a-f]+ right$'
	heard '^net end .* \[2001:db8::9]:82 6 20000 '
}

@test 'the end of one side alone, by either, outwards and through forwards' {
	local to
	network -p 8080:80 -p 8087:87
	serves
	for to in 203.0.113.9 2001:db8::9; do
		run -0 client turn $to 80 1000000
		run -0 client answer $to 87 1000000
	done
	for to in 127.0.0.1 ::1; do
		run -0 in_host world_client turn $to 8080 1000000
		run -0 in_host world_client answer $to 8087 1000000
	done
	heard '^net end .* 203.0.113.9:87 1000000 1000 [0-9a-f]+ right$'
	heard '^net end .* \[2001:db8::9]:87 1000000 1000 [0-9a-f]+ right$'
	told '^guest end .*:80 1000000 [0-9]+ [0-9a-f]+ right$' 2
	told '^guest end .*:87 1000000 1000 [0-9a-f]+ right$' 2
}

@test 'a forward has a hundred clients at once' {
	network -p 8007:7
	serves
	run -0 in_host world_client echo 127.0.0.1 8007 100000 100
	run -0 in_host world_client echo ::1 8007 100000 100
	told '^guest end 10.0.2.2:[0-9]+ 10.0.2.15:7 100000 100000 [0-9a-f]+ right$' 100
	told '^guest end \[fd00::2]:[0-9]+ \[fd00::f]:7 100000 100000 [0-9a-f]+ right$' 100
}

@test 'UDP there and back through a forward' {
	local to size
	network -p 8007:7/udp
	serves
	for to in 127.0.0.1 ::1; do
		for size in 0 1 1000 9000 30000; do
			run -0 in_host world_client udp $to 8007 $size 5
		done
	done
	told '^guest udp 10.0.2.2:[0-9]+ 10.0.2.15:7 30000$' 5
	told '^guest udp \[fd00::2]:[0-9]+ \[fd00::f]:7 30000$' 5
}

@test 'forwards come and go while another is busy, which loses nothing' {
	local n=0 size
	network -p 8080:80 -p 8007:7
	serves
	size=$(share 200000000 20000000)
	# shellcheck disable=SC2016 # the inner shell's
	background busy host sh -c 'echo ready; exec world_client turn 127.0.0.1 8080 "$0"' "$size"
	background talk host sh -c 'echo ready; exec world_client talk ::1 8007 1000 1000'
	told '^guest tcp 10.0.2.2:[0-9]+ 10.0.2.15:80 turn$' 1
	until [ $n -ge 8 ] && grep -q "^$size " bg/busy.says && grep -q '^1000 times' bg/talk.says; do
		run -0 ctl_send "$PWD/net" 'send:forward\0add\0''9000-9015:7-22' recv 'send:forward\0add\0''9000:7/udp' recv
		[[ $output == ok* && $output != *error* ]]
		run -0 in_host world_client echo 127.0.0.1 9000 1000 3
		run -0 ctl_send "$PWD/net" 'send:forward\0del\0''9000:7/udp' recv 'send:forward\0del\0''9000-9015:7-22' recv
		[[ $output == ok* && $output != *error* ]]
		run -1 in_host world_client open 127.0.0.1 9000
		[ "$output" = 'Connection refused' ]
		n=$((n + 1))
	done
	told "^guest end .* 10.0.2.15:80 $size [0-9]+ [0-9a-f]+ right\$" 1
	told '^guest end .* \[fd00::f]:7 1000000 1000000 [0-9a-f]+ right$' 1
}

@test 'killed, it is replaced at the same path, and the guest goes on' {
	network
	run -0 client echo 203.0.113.9 7 1000
	kill -KILL "$(cat bg/vmnet.pid)"
	gone "$(cat bg/vmnet.pid)" "$(cat bg/tap.pid)"
	[ -S net ]
	network
	run -0 client echo 203.0.113.9 7 1000
	run -0 client echo 2001:db8::9 7 1000
	run -0 in_guest ip addr show dev eth0
	[[ $output == *'inet 10.0.2.15/24 '* && $output == *'inet6 fd00::f/64 '* ]]
}
