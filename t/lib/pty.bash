# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What tests with a terminal share (load lib/pty): a shell under expect(1), and words for it.

# pty_prelude [SECONDS]: an expect script's beginning: dash in a terminal, at its prompt. In the script: `want RE` waits for
# it, `prompt` for the prompt, `shell COMMAND` runs a command and waits for the prompt, `gone` waits for the end. PTY_TERM is
# its TERM; PTY_SHELL another shell: bash, which edits no lines then, or busybox sh, which may ask where the cursor is.
pty_prelude() {
	local shell=${PTY_SHELL:-dash}
	[ "$shell" != bash ] || shell='bash --noprofile --norc --noediting'
	cat <<-EOF
		set timeout ${1:-20}
		match_max 1000000
		proc want {re} {
			expect {
				-re \$re {}
				timeout { puts "\nNEVER CAME: \$re"; exit 1 }
				eof { puts "\nEOF BEFORE: \$re"; exit 1 }
			}
		}
		proc gone {} { expect { eof {} timeout { puts "\nNO END"; exit 1 } } }
		proc prompt {} { want {READY> (\e\[6n)?$} }
		proc shell {cmd} { send "\$cmd\r"; prompt }
		set stty_init {rows 31 columns 91}
		spawn -noecho env PS1=READY>\\  TERM=${PTY_TERM:-dumb} $shell
		prompt
	EOF
}

# pty_same [SECONDS]: run the script on stdin; the terminal must be afterwards as it was before.
pty_same() {
	{
		pty_prelude "$@"
		echo 'shell {stty -g >before}'
		cat
		printf '%s\n' 'shell {stty -g >after}' 'send "exit\r"' gone
	} >script.exp
	rm -f before after
	timeout -s KILL 90 expect -f script.exp 3>&-
	[ -s before ]
	diff before after
}
