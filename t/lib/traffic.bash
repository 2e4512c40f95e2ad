# shellcheck shell=bash disable=SC2154 # bats sets output
# SPDX-License-Identifier: ISC
# What passes through vm-net, in every way: bodies of tests (after lib/netns), for a guest that a namespace plays, 760 and
# 761, and for one that is a VM, 741. Numbers are the caller's, whose guest takes its time or does not. It has said how to
# reach the guest, as lib/world does for the namespace:
#
#	client WORD...			world_client there
#	guest COMMAND...		... anything, in a directory of the test's
#	guest_background NAME COMMAND...	as background
#	guest_files FILE...		they are in that directory, too
#	serves				from now on, world_server answers in the guest, and `log` there is what it hears
#	forward add|del SPEC		done by vm-net

# told REGEX N: the guest's servers have logged so many such lines, now or soon.
told() {
	guest world_client await log "$1" >/dev/null
	# shellcheck disable=SC2016 # the inner shell's
	guest sh -c 'until [ "$(grep -Ec "$0" log)" -ge "$1" ]; do :; done; [ "$(grep -Ec "$0" log)" -eq "$1" ]' "$1" "$2"
}

# heard_times REGEX N: the log of the world has so many, now or soon.
heard_times() {
	heard "$1" >/dev/null
	until [ "$(grep -Ec "$1" "$WORLD/log")" -ge "$2" ]; do :; done
	[ "$(grep -Ec "$1" "$WORLD/log")" -eq "$2" ]
}

# at_ease: what another flow does now is not delayed by whatever goes on.
at_ease() {
	local -x PATIENCE
	PATIENCE=$(share 2000 5000)
	run -0 client talk 203.0.113.9 7 100 "$(share 50 10)"
	run -0 client talk 2001:db8::9 7 100 "$(share 50 10)"
	run -0 client ping 203.0.113.9 100 5
	run -0 guest world_ask 10.0.2.3 www.example.test A
}

pings() {
	run -0 client ping 10.0.2.2 100 3
	run -0 client ping fd00::2 1000 3
	run -0 client ping 203.0.113.9 1000 3
	heard '^wire icmp 8.0 192.168.77.2:0 203.0.113.9:0$'
}

# tcp_ways BYTES: every way to behave.
tcp_ways() {
	local net
	for net in 203.0.113. 2001:db8::; do
		run -0 client echo ${net}9 7 "$1"
		run -0 client echo ${net}9 7 0
		run -0 client send ${net}9 9 $(($1 / 10))
		run -0 client turn ${net}9 80 $(($1 / 10 + 1))
		run -0 client get ${net}9 19 "$1"
		run -0 client turn ${net}9 81 20000
		run -0 client get ${net}9 82 3000
		run -1 client echo ${net}9 84 10
		[[ $output == 'Connection reset by peer'* ]]
		run -1 client open ${net}9 99
		[ "$output" = 'Connection refused' ]
		run -1 client open ${net}67 7
		[ "$output" = 'Connection refused' ]
	done
	heard "^net end .* 203.0.113.9:7 $1 $1 [0-9a-f]+ right\$"
	heard "^net end .* \[2001:db8::9]:7 $1 $1 [0-9a-f]+ right\$"
}

# tcp_bulk BYTES: so many each way, with checksums.
tcp_bulk() {
	local to
	for to in 203.0.113.9 2001:db8::9; do
		run -0 client turn $to 80 "$1"
		run -0 client get $to 19 "$1"
	done
}

# tcp_many N N6: so many connections at once.
tcp_many() {
	run client echo 203.0.113.9 7 1000 "$1"
	[ "$output" = "1000 bytes back, $1 times" ] || { echo "$output" && false; }
	run client echo 2001:db8::9 7 1000 "$2"
	[ "$output" = "1000 bytes back, $2 times" ] || { echo "$output" && false; }
}

# datagrams TO SIZE...: two of each size come back.
datagrams() {
	local size
	for size in "${@:2}"; do
		run -0 client udp "$1" 7 "$size" 2
	done
}

# nobody_answers: a connect that nobody answers delays nobody.
nobody_answers() {
	local -x PATIENCE=60000
	guest_background deaf world_client open 203.0.113.66 7
	heard '^wire syn .* 203.0.113.66:7$'
	at_ease
	end deaf
}

# https BODY SMALL: certificates of 90 KB each way, and bodies of so many bytes over IPv4 and IPv6.
https() {
	local LIMIT=$((60 + $1 / 500000)) i to signer='' tls
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
	guest_files 0.pem 8.pem key.pem chain.pem
	# A guest's clock is its own.
	tls=(-CAfile 0.pem -cert 8.pem -key key.pem -cert_chain chain.pem -verify_return_error -no_check_time)
	# -HTTP takes a file for a whole answer.
	{ printf 'HTTP/1.0 200 OK\r\n\r\n' && head -c "$1" /dev/zero |
		openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null; } >body
	head -c "$2" body >small
	background tls net sh -c 'echo ready; exec openssl s_server "$@"' sh -accept 443 -HTTP -Verify 20 "${tls[@]}"
	world_client await bg/tls.says '^ACCEPT$'
	for to in '203.0.113.9:443 body' '[2001:db8::9]:443 small'; do
		run -0 guest openssl s_client -connect "${to% *}" "${tls[@]}" </dev/null
		[[ $output =~ 'has read '([0-9]+)' bytes and written '([0-9]+)' bytes' ]]
		[ "${BASH_REMATCH[1]}" -gt 80000 ]
		[ "${BASH_REMATCH[2]}" -gt 80000 ]
		# shellcheck disable=SC2016 # the inner shell's
		guest sh -c 'printf "GET /%s HTTP/1.0\r\n\r\n" "$0" | openssl s_client -quiet "$@" 2>client.err' "${to#* }" \
			-connect "${to% *}" "${tls[@]}" | cmp - "${to#* }"
		grep -qx "FILE:${to#* }" bg/tls.err
	done
}

# slow_readers BYTES N: so many of the guest read so much, slowly.
slow_readers() {
	PACE=16384 guest_background sip world_client get 203.0.113.9 19 "$1" "$2"
	heard '^net tcp .* 203.0.113.9:19 source$'
	at_ease
	PATIENCE=60000 world_client await bg/sip.says "^$1 bytes got, $2 times\$"
	heard_times "^net end .* 203.0.113.9:19 [0-9]+ $1 " "$2"
}

# slow_servers BYTES: eight of them do.
slow_servers() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		guest_background "pour$i" world_client turn "$([ $((i % 2)) -eq 0 ] && echo 203.0.113.9 || echo 2001:db8::9)" 81 "$1"
	done
	heard '^net tcp .* 203.0.113.9:81 slow$'
	at_ease
	for i in 1 2 3 4 5 6 7 8; do
		PATIENCE=60000 world_client await "bg/pour$i.says" "^$1 [0-9a-f]+\$"
	done
	heard_times "^net end .*:81 $1 [0-9]+ [0-9a-f]+ right\$" 8
}

# slow_writers: on either side.
slow_writers() {
	local to
	for to in 203.0.113.9 2001:db8::9; do
		PACE=500 run -0 client turn $to 80 10000
		PACE=500 run -0 client echo $to 7 10000
		run -0 client get $to 82 20000
	done
	heard '^net end .* 203.0.113.9:80 10000 [0-9]+ [0-9a-f]+ right$'
	heard '^net end .* \[2001:db8::9]:82 6 20000 '
}

# one_end BYTES: the end of one side alone, by either, outwards and through forwards: 8080:80, 8087:87.
one_end() {
	local to
	serves
	for to in 203.0.113.9 2001:db8::9; do
		run -0 client turn $to 80 "$1"
		run -0 client answer $to 87 "$1"
	done
	for to in 127.0.0.1 ::1; do
		run -0 in_host world_client turn $to 8080 "$1"
		run -0 in_host world_client answer $to 8087 "$1"
	done
	heard "^net end .* 203.0.113.9:87 $1 1000 [0-9a-f]+ right\$"
	heard "^net end .* \[2001:db8::9]:87 $1 1000 [0-9a-f]+ right\$"
	told "^guest end .*:80 $1 [0-9]+ [0-9a-f]+ right\$" 2
	told "^guest end .*:87 $1 1000 [0-9a-f]+ right\$" 2
}

# forward_clients BYTES: a hundred at once of 8007:7.
forward_clients() {
	serves
	run -0 in_host world_client echo 127.0.0.1 8007 "$1" 100
	run -0 in_host world_client echo ::1 8007 "$1" 100
	told "^guest end 10.0.2.2:[0-9]+ 10.0.2.15:7 $1 $1 [0-9a-f]+ right\$" 100
	told "^guest end \[fd00::2]:[0-9]+ \[fd00::f]:7 $1 $1 [0-9a-f]+ right\$" 100
}

# forward_datagrams SIZE...: five of each come back through 8007:7/udp.
forward_datagrams() {
	local to size
	serves
	for to in 127.0.0.1 ::1; do
		for size; do
			run -0 in_host world_client udp $to 8007 "$size" 5
		done
	done
	told "^guest udp 10.0.2.2:[0-9]+ 10.0.2.15:7 ${*: -1}\$" 5
	told "^guest udp \[fd00::2]:[0-9]+ \[fd00::f]:7 ${*: -1}\$" 5
}

# forwards_busy BYTES TALKS LEAST: while 8080:80 carries so much and 8007:7 an exchange, others come and go, at least so often.
forwards_busy() {
	local n=0
	serves
	# shellcheck disable=SC2016 # the inner shell's
	background busy host sh -c 'echo ready; exec world_client turn 127.0.0.1 8080 "$0"' "$1"
	# shellcheck disable=SC2016 # the inner shell's
	background talk host sh -c 'echo ready; exec world_client talk ::1 8007 1000 "$0"' "$2"
	told '^guest tcp 10.0.2.2:[0-9]+ 10.0.2.15:80 turn$' 1
	until [ $n -ge "$3" ] && grep -q "^$1 " bg/busy.says && grep -q "^$2 times" bg/talk.says; do
		forward add 9000-9015:7-22
		forward add 9000:7/udp
		run -0 in_host world_client echo 127.0.0.1 9000 1000 3
		forward del 9000:7/udp
		forward del 9000-9015:7-22
		run -1 in_host world_client open 127.0.0.1 9000
		[ "$output" = 'Connection refused' ]
		n=$((n + 1))
	done
	told "^guest end .* 10.0.2.15:80 $1 [0-9]+ [0-9a-f]+ right\$" 1
	told "^guest end .* \[fd00::f]:7 $(($2 * 1000)) $(($2 * 1000)) [0-9a-f]+ right\$" 1
}
