# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# The manual's examples, as tests.
#
# In a page's EXAMPLES, displays (.Bd -literal, .Dl) whose lines start with `$ ' are commands: all of them
# in one display are one script, in which lines that begin with a blank go on with the one before. Each is run in
# a directory of its own, and must end with 0; unless a line `.\" not run: REASON' comes right before it.

# wrappers DIR ENGINE: the programs by which examples start VMs as people do; here they get an engine, and a limit.
wrappers() {
	mkdir "$1"
	cat >"$1/vm-boot" <<-END
		#!/bin/sh
		exec "$BIN/vm-boot" --engine '$2' --timeout 120 "\$@"
	END
	printf '#!/bin/sh\nexec "%s/vm-run" --engine "%s" "$@"\n' "$BIN" "$2" >"$1/vm-run"
	chmod +x "$1"/vm-*
}

# examples PAGE DIR: write each display of commands in its EXAMPLES to DIR/NUMBER.sh; NUMBER.not is why it is not run.
examples() {
	awk -v dir="$2" '
		function flush() {
			if (script != "") {
				n++
				file = sprintf("%s/%02d", dir, n)
				printf "%s", script >(file ".sh")
				if (why != "") print why >(file ".not")
				close(file ".sh")
			}
			script = why = ""
		}
		function take(line) {
			gsub(/\\e/, "\\", line)
			gsub(/\\&/, "", line)
			gsub(/\\-/, "-", line)
			if (line ~ /^\$ / || (script != "" && line ~ /^[ \t]/)) {
				sub(/^\$ /, "", line)
				script = script line "\n"
			}
		}
		/^\.Sh / { inside = $2 == "EXAMPLES"; next }
		!inside { next }
		/^\.\\" not run: / { sub(/^\.\\" not run: /, ""); reason = $0; next }
		/^\.Bd -literal/ { display = 1; why = reason; reason = ""; next }
		/^\.Ed/ { display = 0; flush(); next }
		/^\.Dl / { why = reason; reason = ""; take(substr($0, 5)); flush(); next }
		display { take($0); next }
		{ reason = "" }' "$1"
}

# run_examples PAGE [BEFORE [COMMAND...]]: run those of a page that may be, each after BEFORE, by COMMAND.
run_examples() {
	local script name="${1##*/}" before=${2:-:} ran=0
	$before
	mkdir scripts
	examples "$1" scripts
	for script in scripts/*.sh; do
		[ -e "$script" ] || skip "no commands in the examples of $name"
		if [ -e "${script%.sh}.not" ]; then
			echo "# $name: not run, $(cat "${script%.sh}.not"): $(head -n 1 "$script")" >&3
			continue
		fi
		# An earlier one may have stopped it.
		$before
		mkdir "$script.d"
		echo "$name: $(cat "$script")"
		(cd "$script.d" && "${@:3}" timeout 60 bash -e "../../$script") </dev/null 3>&-
		ran=$((ran + 1))
	done
	[ "$ran" -gt 0 ]
}
