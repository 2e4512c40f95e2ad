# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the tests of the agent share (load lib/agent, after lib/vm-test).

# ex [OPTION]... COMMAND...: vm-exec, with an end to patience.
ex() {
	timeout -s KILL "${LIMIT:-60}" vm-exec "$@" 3>&-
}

# says VALUE: what `status` says, now or soon.
says() {
	local end=$((SECONDS + 60))
	until ctl status | grep -qx "$1"; do [ $SECONDS -lt $end ]; done
}

# with_agent NAME [OPTION]...: a VM of this test's own, as fore() has it, whose agent is ready.
with_agent() {
	fore "$@"
	ctl ready agent
}

# service NAME SCRIPT [OPTION]...: a VM as fore() has it, whose init is a shell on its console, with a poweroff of its
# own that says `off-42`; there SCRIPT runs, for which $WORD is looked for on the console.
service() {
	local name=$1 script=$2
	shift 2
	fore "$name" -m 192M -a 'console=ttyS0 rdinit=/bin/sh' "$@"
	# shellcheck disable=SC2016 # the guest's
	con --wait-for '# ' --send 'mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mkdir -p /run/bin /tmp
		while read -r m; do insmod /${m#*/}; done </etc/vm-agent/modules; rm /.pipevm; export PATH=/run/bin:$PATH
		cat >/run/bin/poweroff <<"END"
#!/bin/sh
echo off-$((6*7)) >/dev/console
exec busybox poweroff -f
END
		chmod +x /run/bin/poweroff
		'"$script"'\n' --wait-for "$WORD" >"$name.con"
}
