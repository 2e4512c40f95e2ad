#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The agent as a service of another init: believed without a token, and not trusted; the main command there.

bats_require_minimum_version 1.5.0
load lib/vm-test
load lib/agent

setup_file() {
	vm_file || return 0
	export PATH="$ROOT/.build/t/unit:$PATH"
}

setup() {
	vm_setup
}

teardown() {
	no_leak
}

# with_service NAME: a VM of this test's own whose init is a shell and whose agent is a service without a token, with
# guest_vsock.
with_service() {
	fore "$1" -m 192M -a 'console=ttyS0 rdinit=/bin/sh'
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
		while read -r m; do insmod /${m#*/}; done </etc/vm-agent/modules; rm /.pipevm; vm-agent serve &\n' >/dev/null
	ctl ready agent
	ex -i sh -c 'cat >/guest_vsock; chmod +x /guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
}

@test "output that breaks off half-way, and then a good end: 125, never success" {
	with_service broken
	# One who means harm in the agent's place.
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $(pidof vm-agent); until /guest_vsock bind 1 >/dev/null; do :; done
		/guest_vsock truncate >/up </dev/null & until grep -q listening /up; do :; done'
	run -125 --separate-stderr ex --status-fd 8 x 8>status
	[ "$stderr" = 'vm-exec: stdout: output truncated: 5000 of 10000 bytes came' ]
	[ "$output" = "$(head -c 5000 /dev/zero | tr '\0' x)" ]
	grep -q '^{"error":"stdout: output truncated' status
	ctl kill >/dev/null
	ends killed 125
}

@test "a service in a system with an init of its own: it has no token, and is believed" {
	with_service service
	[ "$(echo in | ex -i sh -c 'cat; exec cat /proc/1/comm')" = $'in\nsh' ]
	# So is one that means harm, and gets no further than that.
	before=$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)
	anon=$(own_memory "$BOOT" 192)
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $(pidof vm-agent); ulimit -n 4096
		for deed in huge too-long bad-field short unknown exec hello-again status-256 signal-0 signal-65 no-status bad-pong flood crowd; do
			echo $deed $(/guest_vsock hostile $deed)
		done' >deeds
	diff deeds - <<-'END'
		huge closed
		too-long closed
		bad-field closed
		short closed
		unknown closed
		exec closed
		hello-again closed
		status-256 closed
		signal-0 closed
		signal-65 closed
		no-status closed
		bad-pong closed
		flood open
		crowd open
	END
	ctl status | grep -qx state=running
	[ "$(sort -u service.err)" = 'vm-boot: further messages of this kind are dropped
vm-boot: the agent in the guest sent what it must not: its link is closed' ]
	end=$((SECONDS + 60))
	until [ "$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)" -le "$before" ] || [ $SECONDS -gt $end ]; do :; done
	[ "$(find "/proc/$BOOT/fd" -mindepth 1 | wc -l)" -le "$before" ]
	now=$(own_memory "$BOOT" 192)
	echo "$anon KiB before, $now after"
	[ "$now" -le $((anon + 2048)) ]
	# Nor do those that say nothing keep one out that does, for longer than they may.
	# shellcheck disable=SC2016 # the guest's
	con --run 'mkfifo /said; /guest_vsock mute >/said & { read -r x; echo $x; vm-agent serve & cat; } </said' >muted
	cat muted
	[ "$(cat muted)" = $'full\nclosed' ]
	says agent=ready
	ex true
	ctl kill >/dev/null
	ends killed 125
}

@test "a service runs the command, once, and the machine ends with its status" {
	WORD='main-42 1000 b /tmp' service command 'vm-agent serve &' -u user -e A=b -w /tmp -- \
		sh -c 'read -r x </dev/tty || echo main-$((6*7)) $(id -u) $A $PWD; exit 5'
	ends exited 5
	# It belongs to the boot: an agent that was killed finds it running, another one finds it over.
	# shellcheck disable=SC2016 # the guest's
	WORD='off-42' service again 'mkfifo /run/end; vm-agent serve & a=$!; while ! read -r x </run/end; do :; done; kill -9 $a; wait $a; vm-agent serve & echo on >/run/go' -- \
		sh -c 'echo run >>/run/runs; until [ -p /run/go ]; do mkfifo /run/go; done; echo up >/run/end; read -r x </run/go; exit $((6 + $(wc -l </run/runs)))'
	ends exited 7
}

@test "a service that is given a terminal, a long command, one that is not there" {
	WORD='tty-42 /dev/ttyS0' service tty 'vm-agent serve &' -t -- sh -c 'read -r x </dev/tty & kill $!; echo tty-$((6*7)) $(tty)'
	ends exited 0
	# Longer than a socket takes at once.
	long=$(head -c 100000 /dev/zero | tr '\0' x)
	WORD='long-1000000' service long 'vm-agent serve &' -- \
		sh -c 'echo "long-$(printf %s "$@" | wc -c)"' sh "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long"
	ends exited 0
	WORD=off-42 service nothing 'vm-agent serve &' -- nosuch
	ends exited 127
}

@test "a service gets the time and chance for a start, and stop is the system's own poweroff" {
	before=$(date +%s)
	WORD=2001 service polite 'date -s @1000000000; vm-agent serve &'
	ctl ready agent
	now=$(ex date +%s)
	[ "$now" -ge $((before - 2)) ]
	[ "$now" -le $(($(date +%s) + 2)) ]
	limit vm-console --no-replay --wait-for off-42 >seen &
	watcher=$!
	[ "$(ctl stop)" = $'stopped\n0' ]
	wait $watcher
	ends stopped 0
}

@test "an agent that breaks the protocol is not one that was lost" {
	WORD=up-42 service broken 'vm-agent serve & export a=$!' -- sh -c 'echo up-$((6*7)); exec sleep 98765'
	ctl ready agent
	ex -i sh -c 'cat >/guest_vsock; chmod +x /guest_vsock' <"$ROOT/.build/t/unit/guest_vsock"
	# shellcheck disable=SC2016 # the guest's
	con --run 'kill $a; while kill -0 $a; do :; done 2>/dev/null; /guest_vsock seed 701; /guest_vsock seed 702; /guest_vsock hostile unknown' >out
	cat out
	# What each welcome brings for the guest's entropy; and the deed.
	grep -xE '[0-9a-f]{64}' out >seeds
	[ "$(wc -l <seeds)" -eq 2 ]
	[ "$(sort -u seeds | wc -l)" -eq 2 ]
	[ "$(tail -n 1 out)" = closed ]
	says agent=broken
	run -1 ctl ready agent
	[ "$output" = 'vm-ctl: the agent in the guest broke the protocol, and did not come back' ]
	con --send '/run/bin/poweroff\n'
	ends agent-broken 125
	[ "$(cat broken.err)" = 'vm-boot: the agent in the guest sent what it must not: its link is closed
vm-boot: the agent in the guest broke the protocol, and did not come back
vm-boot: the VM ended: agent-broken' ]
}
