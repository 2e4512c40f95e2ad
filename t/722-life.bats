#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The link between agent and host: how it is lost, what outlives it, and the main command.

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

@test "a link that is taken and closed at once: few dials, and an idle agent" {
	with_agent closing -m 192M -v
	# The one that follows has no token.
	# shellcheck disable=SC2016 # the guest's
	con --run 'old=$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); kill $old; while kill -0 $old; do :; done 2>/dev/null
		vm-agent serve & pid=$!; sleep 8; cut -d " " -f 14,15 /proc/$pid/stat' >ticks
	[ $(($(sed 's/ / + /' ticks))) -lt 20 ]
	# 20 ms, and each time twice as late: 8 or 9 in 8 s.
	dials=$(grep -c 'agent: a link is closed' closing.err)
	echo "$dials dials"
	[ "$dials" -ge 4 ]
	[ "$dials" -le 10 ]
	says agent=lost
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

# -- losing it --

@test "the agent is killed: said, told, and what runs is 125" {
	with_agent lost -m 192M
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{
		read -r _
		# shellcheck disable=SC2016 # the guest's
		con --wait-for '# ' --send 'kill -9 $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)\n' >/dev/null
		cat
	} <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: agent: lost: it hung up before the command ended' ]
	says agent=lost
	run -1 ctl ready agent
	[ "$output" = 'vm-ctl: the agent in the guest was lost' ]
	run -125 ex true
	[ "${#lines[@]}" -eq 1 ]
	echo "$output"
	grep -qx 'vm-boot: the agent in the guest was lost' lost.err
	# The machine goes on, and can be stopped: by its power button.
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

@test "an agent that is lost does not take the main command's status along" {
	# shellcheck disable=SC2016 # the guest's
	agent='$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)'
	fore told -m 192M -- sh -c 'mkfifo /tmp/end; read -r x </tmp/end; exit 5'
	ctl ready agent
	ex -d sh -c "until [ -p /tmp/end ]; do :; done; kill -9 $agent; echo >/tmp/end"
	ends exited 5
	with_agent shell -m 192M
	con --wait-for '# ' --send "kill -9 $agent; exit 7\\n" >/dev/null
	ends exited 7
	with_agent silent -m 192M
	con --wait-for '# ' --send "kill -STOP $agent; exit 7\\n" >/dev/null
	ends exited 7
}

@test "a status that nobody can be told of is a failure, a power-off and a stop without an agent are not" {
	# There can be no other agent: this one has no token.
	# shellcheck disable=SC2016 # the guest's
	agent='old=$(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); kill -9 $old; while kill -0 $old; do :; done 2>/dev/null
		vm-agent serve & until grep -q " $! " /proc/locks; do :; done'
	with_agent untold -m 192M
	con --wait-for '# ' --send "$agent; exit 0\\n" >/dev/null
	ends agent-lost 125
	with_agent off -m 192M
	con --wait-for '# ' --send "$agent; poweroff\\n" >/dev/null
	ends poweroff 0
}

@test "a host that is slow hears how the main command ended" {
	fore slow -m 192M -- sh -c 'mkfifo /tmp/end; read -r x </tmp/end; exit 5'
	ctl ready agent
	# Time itself is what is tested: longer than the agent may be silent. On kvm the guest is stopped as well.
	ex -d sh -c 'sleep 2; until [ -p /tmp/end ]; do :; done; echo >/tmp/end'
	kill -STOP "$BOOT"
	read -r -t 16 <> <(:) || :
	kill -CONT "$BOOT"
	ends exited 5
}

@test "stop: an agent that does not act is followed by the power button" {
	with_agent frozen -m 192M
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'kill -STOP $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9); echo frozen-$((6*7))\n' \
		--wait-for frozen-42 >/dev/null
	ctl status | grep -qx agent=ready
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

@test "the guest crashes under a command: 125, one clear line" {
	fore crash -m 192M
	run -125 ex sh -c 'echo c >/proc/sysrq-trigger; sleep 98765'
	echo "$output"
	[ "$output" = 'vm-exec: VM: it ended before the command did: panic' ]
	ends panic 125
	fore killed -m 192M
	ctl ready agent
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{ read -r _ && kill -KILL "$BOOT"; cat; } <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: VM: it ended before the command did: vm-boot was killed' ]
	wait "$JOB" || :
	for job in $WAITERS; do wait "$job" || :; done
	# shellcheck disable=SC2086 # numbers
	gone $BOOT $KIDS
	run -1 ctl status
}

@test "watchdog: a silent agent is the end, a paused guest is not" {
	with_agent dog -m 192M --watchdog 4
	ctl pause
	# Time itself is what is tested.
	read -r -t 6 <> <(:) || :
	ctl resume
	ex true
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'kill -STOP $(grep -lx "vm-agent serve" /proc/[0-9]*/comm | tr -cd 0-9)\n' >/dev/null
	ends agent-lost 125
	grep -qx 'vm-boot: the agent in the guest has been silent for 4000 ms: ended' dog.err
}

@test "the guest's driver goes away and comes back: what ran is over, the agent returns" {
	with_agent rebound -m 192M
	mkfifo up
	ex sh -c 'echo up; exec sleep 98765' >up 2>err &
	job=$!
	{
		read -r _
		con --wait-for '# ' --send 'cd /sys/bus/virtio/drivers/vmw_vsock_virtio_transport; d=$(ls | grep virtio); echo $d >unbind; echo $d >bind; echo bound-$((6*7))\n' \
			--wait-for bound-42 >/dev/null
		cat
	} <up
	job_ends 125 $job
	[ "$(cat err)" = 'vm-exec: agent: lost: it hung up before the command ended' ]
	ctl ready agent
	until ex true; do [ $SECONDS -lt 300 ]; done
	[ "$(ctl stop)" = $'stopped\n0' ]
	ends stopped 0
}

# -- the main command --

@test "the main command's end is the VM's, with its status" {
	main() {
		local want=$1 cause=$2 status=0
		shift 2
		boot -m 192M --status-fd 8 "$@" >handle 2>err 8>status </dev/null || status=$?
		echo "status $status, $(cat status err)"
		[ "$status" -eq "$want" ]
		[ "$(cat status)" = "{\"cause\":\"$cause\",\"status\":$want}" ]
	}
	# shellcheck disable=SC2016 # the guest's
	while IFS='|' read -r tty want command; do
		# shellcheck disable=SC2086 # none or one
		main "$want" exited --linger $tty -- sh -c "$command"
	done < <(few 3 '|42|exit 42' '-t|143|kill -TERM $$' '|127|exec nosuch' '-t|0|true')
	main 127 exited -- nosuch
	main 9 exited --linger -u user -e A=b -w /tmp -- sh -c '[ "$(id -u) $A $PWD" = "1000 b /tmp" ] && exit 9'
}

@test "the main command's console is a plain line, which every byte passes; with -t it is a terminal" {
	local all='' i
	for ((i = 0; i < 256; i++)); do all+=$(printf '\\x%02x' $i); done
	printf %b "$all" >bytes
	[ "$(wc -c <bytes)" -eq 256 ]
	export BARE='in herited'
	unset ABSENT
	# shellcheck disable=SC2016 # the guest's
	fore main -m 192M -e BARE -e ABSENT -e 'WITH=a b' -- sh -c 'mkfifo /tmp/end; true </dev/tty || printf "no-%s " tty
		printf "<%s|%s|%s>main-%d." "$BARE" "$WITH" "${ABSENT-unset}" $((6 * 7)); head -c 256 >/tmp/in; cat /tmp/in; printf END
		read -r x </tmp/end; exit 5'
	con --wait-for 'main-42\.' --send "$all" --wait-for 'END' >out
	grep -qaF 'no-tty <in herited|a b|unset>main-42.' out
	tail -c 259 out | cmp - <(cat bytes && printf END)
	ctl ready agent
	ex -d sh -c 'echo >/tmp/end'
	ends exited 5
	export VM=main
	boot -d -n main -t -m 192M -- sh -c 'until [ "$x" = go ]; do printf "?-"; read x; done; true </dev/tty && tty
		echo main-$((6 * 7)); cat; exit 6' >/dev/null
	con --wait-for '\?-' --send 'go\n' --wait-for main-42 --send 'typed\n' --wait-for 'typed' --send '\x04' >out
	[ "$(ctl wait)" = $'exited\n6' ]
	grep -q ^/dev/ out
}

@test "stop asks the agent: the main command gets TERM and may finish" {
	fore graceful -m 192M -- sh -c 'trap "echo good-$((6*7))-bye; exit 3" TERM; echo trap-$((6*7)); while :; do sleep 0.1; done'
	: >seen
	limit vm-console --wait-for trap-42 --wait-for good-42-bye >seen &
	watcher=$!
	ctl ready agent
	until grep -q trap-42 seen; do kill -0 $watcher; done
	[ "$(ctl stop)" = $'stopped\n0' ]
	wait $watcher
	ends stopped 0
}
