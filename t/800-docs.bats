#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What is written: --help against the manual, the manual's examples, README, completion, vm-ls.
# A VM called box is there for the examples (lib/examples); those of vm-net(1) need a network, and are in 740.

bats_require_minimum_version 1.5.0
load lib/pty
load lib/examples

TOOLS='vm-agent vm-boot vm-check vm-console vm-cp vm-ctl vm-exec vm-image vm-ls vm-net vm-rsh vm-run vm-shell'

setup_file() {
	local wrapper="$BATS_FILE_TMPDIR/bin" engine
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BIN=$(realpath "${BIN:-$ROOT/bin}")
	engine=${VM_ENGINE:-auto}
	wrappers "$wrapper" "$engine"
	export ROOT BIN USER_PATH="$PATH" PATH="$wrapper:$BIN:$PATH" LC_ALL=C VM_RUNTIME_DIR="$BATS_FILE_TMPDIR/rt"
	unset VM
	mkdir -m 700 "$VM_RUNTIME_DIR"
	NO_VM=
	vm-image path default >/dev/null 2>&1 || NO_VM='no image: vm-image build'
	[ -z "${LAB-}" ] || [ "$engine" = kvm ] || NO_VM='no TCG within TCG'
	command -v qemu-system-x86_64 >/dev/null || "$BIN/vm-boot" --probe | grep -qx kvm=usable ||
		NO_VM='neither KVM nor qemu-system-x86_64'
	export NO_VM
}

teardown_file() {
	local vm
	for vm in $(vm-ls -q); do vm-ctl -V "$vm" kill || vm-ctl -V "$vm" wait; done >/dev/null 2>&1
	vm-ctl list >/dev/null
}

setup() {
	unset VM
	cd "$BATS_TEST_TMPDIR" || return
}

# need_box: the VM called box runs. It serves one page after the other, so the limit of the examples is not for it.
need_box() {
	[ -z "$NO_VM" ] || skip "$NO_VM"
	case $(vm-ctl -V box status 2>/dev/null) in
	*state=running*) return ;;
	*state=*) vm-ctl -V box wait >/dev/null || : ;;
	esac
	"$BIN/vm-boot" --engine "${VM_ENGINE:-auto}" --timeout 3600 -d -n box >/dev/null 3>&-
}

# usage_status TOOL: its status for wrong usage.
usage_status() {
	case $1 in vm-boot | vm-console | vm-exec | vm-rsh | vm-run | vm-shell) echo 125 ;; *) echo 2 ;; esac
}

# page TOOL: its manual page.
page() {
	echo "$ROOT/man/$1".[18]
}

# help_options TOOL, page_options TOOL: the options in each, one a line, sorted.
help_options() {
	"$1" --help | grep -oE '(^|[[:space:],|[])--?[A-Za-z46][A-Za-z0-9-]*' | tr -d ' \t,|[' | sort -u
}
page_options() {
	awk '/^\.Sh / { options = $2 == "OPTIONS" }
		options && /^\.It Fl/ {
			for (i = 3; i <= NF && $i != "Ar" && $i != "Cm"; i++) if ($i != "," && $i != "Fl") print "-" $i
		}' "$(page "$1")" | tr -d , | sort -u
}

@test "every tool explains itself with --help, on stdout" {
	for tool in $TOOLS; do
		run -0 --separate-stderr "$tool" --help
		echo "$tool: $output$stderr"
		[[ $output == "usage: $tool"* ]]
		[ -z "$stderr" ]
	done
}

@test "every tool knows its version" {
	for tool in $TOOLS; do
		run -0 --separate-stderr "$tool" --version
		[[ $output == "$tool (pipevm) 0.1" ]]
		[ "${#lines[@]}" -eq 1 ]
		[ -z "$stderr" ]
	done
}

@test "an unknown option is refused with the documented status, and named on stderr" {
	for tool in $TOOLS; do
		run "-$(usage_status "$tool")" --separate-stderr "$tool" --no-such-option </dev/null
		echo "$tool: $output$stderr"
		[ -z "$output" ]
		case $tool in
		vm-agent) [ -n "$stderr" ] ;;
		vm-image) [[ $stderr == "$tool: --no-such-option: unknown command (try '$tool --help')" ]] ;;
		*) [[ $stderr == "$tool: --no-such-option: unknown option (try '$tool --help')" ]] ;;
		esac
	done
}

@test "the manual and --help have the same options" {
	local bad=0
	for tool in $TOOLS; do
		diff -u --label "$tool --help" --label "$(basename "$(page "$tool")")" \
			<(help_options "$tool") <(page_options "$tool") || bad=1
	done
	[ $bad -eq 0 ]
}

@test "vm-ctl has the verbs that its page has, and no others" {
	diff <(vm-ctl --help | sed -nE 's/^  ([a-z][a-z, -]*[a-z])( [A-Z[].*|  .*)$/\1/p' | sed 's/  .*//; s/, /\n/' | sort) \
		<(sed -n '/^\.Sh DESC/,/^\.Sh OPT/s/^\.It Cm \([a-z-]*\).*/\1/p' "$(page vm-ctl)" | sort)
}

@test "vm-handle(7) has the verbs that a VM has, vm(7) the causes of its end" {
	diff <(sed -n '/^static const struct verb {/,/^};/s/^\t{ "\([a-z-]*\)".*/\1/p' "$ROOT"/vm-boot/*.c | sort) \
		<(sed -n '/^\.Ss Verbs/,/^\.Ss/s/^\.It Cm \([a-z-]*\).*/\1/p' "$ROOT/man/vm-handle.7" | sort)
	diff <(sed -n 's/^\t\[CAUSE_[A-Z_]*\] = { "\([a-z-]*\)", \([0-9]*\) },/\1 \2/p' "$ROOT/vm-boot/vm.c" |
			grep -v ^none | sort) \
		<(sed -n 's/^\.It Li \([a-z-]*\) Ta \([0-9]*\)[-0-9]* Ta.*/\1 \2/p' "$ROOT/man/vm.7" | sort)
}

@test "vm-net(1) has the verbs of its control socket, and the words of its status" {
	local code="$ROOT/vm-net" page
	page=$(page vm-net)
	# The items of CONTROL's list, and of the one within.
	awk '/^\.Sh / { on = $2 == "CONTROL" } !on { next } /^\.Bl / { deep++ } /^\.El/ { deep-- }
		/^\.It Cm / && deep == 1 { print $3 }
		/^\.It Cm / && deep == 2 { for (i = 3; i <= NF; i++) if ($i != ",") print $i >"words" }
		/^\.Cm truncated/ { drops = 1 } /^\.El/ { drops = 0 }
		drops { for (i = 2; i <= NF; i++) if ($i != ",") print $i >"drops" }' "$page" | sort -u >verbs
	diff <(sed -n '/^} verbs\[] = {/,/^};/s/^\t{ "\([a-z]*\)".*/\1/p' "$code/netverbs.c" | sort) verbs
	# guest_WHY and stack_WHY are add_drops().
	diff <(sed -n '/^static void describe/,/^}/p; /^static void add_\(figures\|dns\|refusals\)/,/^}/p; /^static int verb_status/,/^}/p' \
			"$code/netverbs.c" | sed -nE 's/.*(add_count|add_addr)\(m, "([a-z0-9_]+)".*/\2/p; s/.*msg_addf\(m, "([a-z0-9_]+)=.*/\1/p' |
			sort) <(grep -vxE 'Ns|Ar|why|Cm|guest_|stack_' words | sort)
	diff <(sed -n '/^static const char \*const names/,/^};/s/.*= "\([a-z0-9-]*\)",$/\1/p' "$code/pkt.c" | grep -vx ok | sort) \
		<(sort drops)
	grep -qx 'guest_' words
	[ "$(grep -c 'add_drops(m, "\(guest\|stack\)"' "$code/netverbs.c")" -eq 2 ]
}

@test "mandoc is content with every page" {
	command -v mandoc >/dev/null || skip 'no mandoc'
	mandoc -T lint -W warning "$ROOT"/man/*.[1-9]
}

@test "the service files for guests are what systemd and OpenRC take" {
	sh -n "$ROOT/vm-agent/vm-agent.initd"
	command -v systemd-analyze >/dev/null || skip 'no systemd-analyze: install systemd'
	sed "s,^ExecStart=/usr/local,ExecStart=$ROOT," "$ROOT/vm-agent/vm-agent.service" >vm-agent.service
	run -0 systemd-analyze verify --man=no ./vm-agent.service
	[ -z "$output" ]
}

@test "pages refer to pages that exist" {
	local bad=0
	while read -r name section; do
		[ -e "$ROOT/man/$name.$section" ] || { grep -l "^\.Xr $name $section" "$ROOT"/man/*; bad=1; }
	done < <(sed -nE 's/^\.Xr (vm(-[a-z]+)?) ([1-9]).*/\1 \3/p' "$ROOT"/man/*.[1-9] | sort -u)
	[ $bad -eq 0 ]
}

@test "README speaks of what exists" {
	local file="$ROOT/README.md" word
	# Every block of commands is shell.
	awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$file" >blocks
	bash -n blocks
	for word in $(grep -ohE '\bvm-[a-z]+\b' "$file" | sort -u); do
		[ -x "$ROOT/bin/$word" ] || [ -d "$ROOT/$word" ] || compgen -G "$ROOT/man/$word.*" || { echo "$word"; false; }
	done
	for word in $(sed -n 's/.*`make \([a-z]*\)`.*/\1/p; s/^make \([a-z]*\).*/\1/p' "$file"); do
		make -C "$ROOT" -n "$word" >/dev/null
	done
	# Rooms of the table, and files that are pointed at.
	for word in $(sed -n 's/^| `\([^`]*\)`.*/\1/p' "$file") $(grep -oE '`(man|lib|vm-[a-z]+)/[^`*]*`' "$file" | tr -d '`'); do
		[ -e "$ROOT/$word" ] || { echo "$word"; false; }
	done
	# The options it uses are those of some tool.
	for tool in $TOOLS; do help_options "$tool"; done | sort -u >known
	grep -E '^ *(vm-|.*\| *vm-)' blocks | sed "s/ #.*//; s/'[^']*'//g" | grep -oE '(^| )--?[a-z][a-z-]*' | tr -d ' ' |
		sort -u >used
	[ -z "$(comm -23 used known)" ] || { comm -23 used known; false; }
}

@test "make help has every target" {
	# fuzz-programs is what `fuzzers` asks for, with a compiler of its own.
	diff <(make -C "$ROOT" -s help | awk '{ print $1 }') \
		<(sed -n 's/^\.PHONY: //p' "$ROOT/Makefile" | tr ' ' '\n' | grep -vx fuzz-programs | sort)
}

# make_as_built TARGET...: make, as a user has it, when there is nothing to be built.
make_as_built() {
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" -q all || { echo 'bin/ is not as the source: make' && return 1; }
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" "$@"
}

@test "what is installed works from where it is, and is taken away again" {
	local there=$PWD/root/usr/local tool
	make_as_built install DESTDIR="$PWD/root"
	for tool in $TOOLS; do
		[ "$("$there/bin/$tool" --version)" = "$tool (pipevm) 0.1" ]
		[ "$(find "$there/share/man" -name "$tool.[18]" -size +0 | wc -l)" -eq 1 ]
		[ $tool = vm-agent ] || grep -qw "$tool" "$there/share/bash-completion/completions/$tool"
	done
	make_as_built uninstall DESTDIR="$PWD/root"
	[ -z "$(find root ! -type d)" ]
}

@test "the example of vm-bats(7), with the library that is installed" {
	[ -z "$NO_VM" ] || skip "$NO_VM"
	make_as_built install DESTDIR="$PWD/root"
	sed -n '/^\.Sh EXAMPLES/,$p' "$ROOT/man/vm-bats.7" | sed -n '/^\.Bd/,/^\.Ed/p' | grep -v '^\.' |
		sed "s,/usr/local,$PWD/root/usr/local," >file.bats
	image=$(vm-image path default)
	# As a user has it: nothing of this checkout is in PATH.
	env -i PATH="${USER_PATH//"$BATS_LIBEXEC:"/}" HOME="$PWD" VM_RUNTIME_DIR="$VM_RUNTIME_DIR" VM_IMAGE_DIR="${image%/.store/*}" \
		${VM_ENGINE:+VM_ENGINE="$VM_ENGINE"} timeout 240 bats --tap file.bats >tap </dev/null 3>&- || { cat tap && false; }
	[ "$(grep -c '^ok ' tap)" -eq 3 ]
}

@test "the demo: the guest's uname, or with a terminal its shell" {
	[ -z "$NO_VM" ] || skip "$NO_VM"
	run -0 --separate-stderr timeout 120 "$ROOT/t/demo" </dev/null 3>&-
	echo "$output$stderr"
	[[ $output == 'Linux vm '*' x86_64 GNU/Linux' ]]
	[ "${#lines[@]}" -eq 1 ]
	pty_same 60 <<-END
		send "$ROOT/t/demo; echo status=\\\$?\r"
		want {A guest boots; its shell is yours.*# }
		send "echo gue''st-\\\$((6 * 7))\r"
		want {\nguest-42\r\n.*# }
		send "\004"
		want {\nstatus=0\r\nREADY> \$}
	END
}

@test "no text has the path of a home or of this checkout" {
	run ! grep -nE "/(home|root)/[a-z]+/|$ROOT" "$ROOT/README.md" "$ROOT"/man/*.[1-9]
}

@test "the examples of vm(7)" {
	mkdir scripts
	examples "$ROOT/man/vm.7" scripts
	bash -n scripts/01.sh
	grep -q terminal scripts/01.not
}

@test "the examples of vm-boot(1)" {
	run_examples "$ROOT/man/vm-boot.1" need_box
}

@test "the examples of vm-ctl(1)" {
	run_examples "$ROOT/man/vm-ctl.1" need_box
}

@test "the examples of vm-console(1)" {
	run_examples "$ROOT/man/vm-console.1" need_box
}

@test "the examples of vm-exec(1)" {
	run_examples "$ROOT/man/vm-exec.1" need_box
}

@test "the examples of vm-run(1)" {
	run_examples "$ROOT/man/vm-run.1" need_box
}

@test "the examples of vm-shell(1)" {
	run_examples "$ROOT/man/vm-shell.1" need_box
}

@test "the examples of vm-rsh(1)" {
	run_examples "$ROOT/man/vm-rsh.1" need_box
}

@test "the examples of vm-cp(1)" {
	run_examples "$ROOT/man/vm-cp.1" need_box
}

@test "the examples of vm-image(1)" {
	run_examples "$ROOT/man/vm-image.1" need_box
}

@test "the examples of vm-check(1)" {
	run_examples "$ROOT/man/vm-check.1" need_box
}

@test "the examples of vm-agent(8)" {
	run_examples "$ROOT/man/vm-agent.8" need_box
}

@test "the examples of vm-ls(1)" {
	run_examples "$ROOT/man/vm-ls.1" need_box
}

@test "the examples of vm-handle(7)" {
	run_examples "$ROOT/man/vm-handle.7" need_box
}

@test "vm-ls shows VMs in aligned columns, as JSON, and by name" {
	need_box
	vm-ls >table
	grep -E '^NAME +STATE +PID +ENGINE +CPUS +MEMORY +AGE +CONSOLE$' table
	grep -E '^box +running +[0-9]+ +(kvm|qemu) +1 +512M +[0-9]+[sm] +(hvc0|ttyS0)$' table
	# The second column begins at one place in all lines.
	[ "$(sed -E 's/^([^ ]+ +).*/\1/' table | awk '{ print length }' | sort -u | wc -l)" -eq 1 ]
	[ "$(vm-ls -q)" = box ]
	vm-ls --json | jq -e '.[] | .name == "box" and .state == "running" and .memory == 536870912 and .booted == true'
	kill -0 "$(vm-ls --json | jq '.[0].pid')"
	[ "$(vm-ctl -V "$(vm-ls --json | jq -r '.[0].handle')" handle)" = "$(vm-ctl -V box handle)" ]
}

@test "vm-ls: a VM that does not answer is silent, one that ended in the background is so until asked" {
	need_box
	pid=$(vm-ls --json | jq '.[0].pid')
	kill -STOP "$pid"
	vm-ls | grep -E '^box +silent'
	kill -CONT "$pid"
	vm-ctl -V box kill
	# It answers before it has gone.
	timeout 20 tail --pid="$pid" -s 0.05 -f /dev/null
	vm-ls | grep -E '^box +ended +-'
	vm-ls --json | jq -e '.[0] | .state == "ended" and .cause == "killed" and .status == 125'
	[ "$(vm-ls -q)" = box ]
	vm-ctl -V box wait
	[ -z "$(vm-ls)" ]
	[ "$(vm-ls --json)" = '[]' ]
}

@test "vm-ls fails when it cannot look" {
	mkdir -m 777 open
	chmod 777 open
	VM_RUNTIME_DIR=$PWD/open run -1 vm-ls
	[ "${#lines[@]}" -eq 1 ]
	VM_RUNTIME_DIR=$PWD/none run -0 vm-ls
	[ -z "$output" ]
	run -2 vm-ls operand
	run -2 vm-ls -q --json
}

# complete WORD...: what the last one may become; = and : are words of their own, as readline has it.
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMP_WORDBREAKS=$' \t\n"'"'><=;|&(:"
	COMPREPLY=()
	_pipevm
	printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}

@test "completion: options are those of --help" {
	. "$ROOT/lib/common/completion/pipevm.bash"
	for tool in vm-boot vm-check vm-console vm-cp vm-ctl vm-exec vm-ls vm-net vm-rsh vm-run vm-shell; do
		echo "$tool"
		[ "$(complete_words "$tool" -)" = "$(help_options "$tool" | sort | tr '\n' ' ')" ]
		complete -p "$tool"
	done
	[ "$(complete_words vm-boot --eng)" = '--engine ' ]
	[ "$(complete_words "$BIN/vm-ls" --j)" = '--json ' ]
	[[ $(complete_words vm-image build --n) == '--name ' ]]
	[ "$(complete_words vm-console --timeout 5 --wa)" = '--wait-for ' ]
	[ "$(complete_words no-such-tool -)" = ' ' ]
}

@test "completion: verbs, engines, images, files and programs" {
	. "$ROOT/lib/common/completion/pipevm.bash"
	[ "$(complete_words vm-ctl '')" = 'console-size handle kill list net pause ready resume status stop wait ' ]
	[ "$(complete_words vm-ctl -V box st)" = 'status stop ' ]
	[ "$(complete_words vm-ctl stop '')" = ' ' ]
	[ "$(complete_words vm-boot --engine '')" = 'auto kvm qemu qemu:kvm ' ]
	[ "$(complete_words vm-boot --engine = k)" = 'kvm ' ]
	[ "$(complete_words vm-boot --engine = qemu : k)" = 'kvm ' ]
	[ "$(complete_words vm-image '')" = 'build gc kernel ls path rm ' ]
	touch kernel-1 kernel-2
	[ "$(complete_words vm-boot -k ker)" = 'kernel-1 kernel-2 ' ]
	[ "$(complete_words vm-boot --initrd = kernel-1)" = 'kernel-1 ' ]
	[ "$(complete_words vm-image build --kernel pack)" = 'package ' ]
	[ "$(complete_words vm-boot -c '')" = ' ' ]
	[[ $(complete_words vm-exec -i ca) == *'cat '* ]]
	[ "$(complete_words vm-exec --env-file ker)" = 'kernel-1 kernel-2 ' ]
	[ "$(complete_words vm-exec -V box -- cat ker)" = 'kernel-1 kernel-2 ' ]
	[[ $(complete_words vm-run -m 128M -e A=b ca) == *'cat '* ]]
	[ "$(complete_words vm-run -- cat ker)" = 'kernel-1 kernel-2 ' ]
	[ "$(complete_words vm-cp ker)" = 'kernel-1 kernel-2 ' ]
	[ "$(complete_words vm-rsh box cat ker)" = 'kernel-1 kernel-2 ' ]
	[[ $(complete_words vm-boot -d --with vm-conso) == *'vm-console '* ]]
	[ "$(complete_words vm-boot --with vm-console ker)" = 'kernel-1 kernel-2 ' ]
	mkdir -p images/mine
	touch images/mine/image
	VM_IMAGE_DIR=$PWD/images
	export VM_IMAGE_DIR
	[ "$(complete_words vm-boot --image m)" = 'mine ' ]
	[ "$(complete_words vm-image path '')" = 'mine ' ]
}

@test "completion: names of VMs" {
	. "$ROOT/lib/common/completion/pipevm.bash"
	# As one that ended in the background leaves it.
	export VM_RUNTIME_DIR=$PWD/rt
	mkdir -m 700 rt rt/gone
	echo 'stopped 0' >rt/gone/exit
	[ "$(complete_words vm-ctl -V '')" = 'gone ' ]
	[ "$(complete_words vm-ctl --vm = g)" = 'gone ' ]
	[ "$(complete_words vm-console -V g)" = 'gone ' ]
	[ "$(complete_words vm-shell -V g)" = 'gone ' ]
	[ "$(complete_words vm-rsh -n g)" = 'gone ' ]
	[ "$(complete_words vm-cp g)" = 'gone: ' ]
}
