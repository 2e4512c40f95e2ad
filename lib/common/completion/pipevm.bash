# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Completion of pipevm's tools for bash: source this file, or let bash-completion find it.
#
# Options, their arguments, verbs and engines are taken from what `TOOL --help` says when a key is
# pressed; there is no second list to go stale.

# _pipevm_options HELP: every option in it, one a line.
_pipevm_options() {
	grep -oE '(^|[[:space:],|[])--?[A-Za-z46][A-Za-z0-9-]*' <<<"$1" | tr -d ' \t,|[' | sort -u
}

# _pipevm_argument HELP OPTION: the word that stands for its argument there; nothing if it takes none.
_pipevm_argument() {
	sed -nE "s/^ +(-., )?$2 ([A-Z]+)([^A-Z].*)?\$/\\2/p; s/^ +$2, --[a-z-]+ ([A-Z]+)([^A-Z].*)?\$/\\1/p" <<<"$1" |
		head -n 1
}

# _pipevm_choices HELP OPTION: the values that its description lists: `--x NAME   a, b, or c (default: a)`.
_pipevm_choices() {
	sed -nE "s/^ +$2 [A-Z]+ +//p" <<<"$1" | sed 's/ (.*//; s/,* or /, /; s/, /\n/g'
}

# _pipevm_commands HELP: the verbs or commands that begin its lines.
_pipevm_commands() {
	sed -nE 's/^  ([a-z][a-z, -]*[a-z])( [A-Z[].*|  .*)?$/\1/p' <<<"$1" | sed 's/  .*//; s/, /\n/g'
}

_pipevm_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	# A colon divides words for readline, which then wants what is behind the last one alone.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
	fi
}

_pipevm_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# _pipevm_value OPTION: complete the argument of OPTION; fails if it takes none.
_pipevm_value() {
	local argument
	argument=$(_pipevm_argument "$help" "$1")
	case $tool:$1:$argument in
	*:*:) return 1 ;;
	*:--engine:*) _pipevm_words "$(_pipevm_choices "$help" "$1")" ;;
	*:--image:* | vm-image:--name:*) _pipevm_words "$("${dir}vm-image" ls 2>/dev/null | cut -d ' ' -f 1)" ;;
	vm-image:--kernel:*)
		_pipevm_files
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W 'package host' -- "$cur")
		;;
	vm-boot:--net:*)
		_pipevm_files
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W plug -- "$cur")
		;;
	*:*:VM | *:-V:*) _pipevm_words "$("${dir}vm-ls" -q 2>/dev/null)" ;;
	*:*:FILE | *:*:PLACE) _pipevm_files ;;
	esac
}

# _pipevm_operands FIRST: complete operand; the words from FIRST on are operands, cur among them.
_pipevm_operands() {
	case $tool in
	vm-boot | vm-exec | vm-net | vm-run)
		[[ $tool != vm-boot || " ${words[*]} " == *" --with "* ]] || return 0
		if (($1 < last)); then
			_pipevm_files
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		fi
		;;
	vm-rsh)
		if (($1 == last)); then
			_pipevm_words "$("${dir}vm-ls" -q 2>/dev/null)"
		elif (($1 + 1 == last)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			_pipevm_files
		fi
		;;
	vm-cp)
		_pipevm_files
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -S : -W "$("${dir}vm-ls" -q 2>/dev/null)" -- "$cur")
		;;
	vm-ctl | vm-image)
		if (($1 == last)); then
			_pipevm_words "$(_pipevm_commands "$help")"
		elif [[ $tool == vm-image && ${words[$1]} =~ ^(path|rm)$ ]]; then
			_pipevm_words "$("${dir}vm-image" ls 2>/dev/null | cut -d ' ' -f 1)"
		elif [[ $tool == vm-image && ${words[last - 1]} == -* ]] && _pipevm_value "${words[last - 1]}"; then
			:
		elif [[ $tool == vm-image && $cur == -* ]]; then
			_pipevm_words "$(_pipevm_options "$help")"
		fi
		;;
	esac
}

_pipevm() {
	local tool=${COMP_WORDS[0]##*/} dir='' help cur i last words=()

	COMPREPLY=()
	[[ ${COMP_WORDS[0]} != */* ]] || dir=${COMP_WORDS[0]%/*}/
	help=$("${COMP_WORDS[0]}" --help 2>/dev/null) || return 0
	# Put together again what = and : divided: --engine = qemu : kvm.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		if ((i > 1)) && [[ ${COMP_WORDS[i]} == : || ${COMP_WORDS[i - 1]} == : ]]; then
			words[${#words[@]} - 1]+=${COMP_WORDS[i]}
		elif ((i > 1)) && [[ ${COMP_WORDS[i]} == '=' && ${COMP_WORDS[i - 1]} == --* ]]; then
			words+=('')
		elif ((i > 2)) && [[ ${COMP_WORDS[i - 1]} == '=' && ${COMP_WORDS[i - 2]} == --* ]]; then
			words[${#words[@]} - 1]=${COMP_WORDS[i]}
		else
			words+=("${COMP_WORDS[i]}")
		fi
	done
	last=$((${#words[@]} - 1)) cur=${words[-1]}
	for ((i = 1; i <= last; i++)); do
		if [[ ${words[i]} != -* || (${words[i]} == - && i -lt last) ]]; then
			_pipevm_operands "$i"
			return 0
		elif ((i == last)); then
			_pipevm_words "$(_pipevm_options "$help")"
		elif ((i + 1 == last)) && _pipevm_value "${words[i]}"; then
			return 0
		elif [[ $(_pipevm_argument "$help" "${words[i]}") ]]; then
			((++i))
		fi
	done
}

complete -F _pipevm vm-boot vm-check vm-console vm-cp vm-ctl vm-exec vm-image vm-ls vm-net vm-rsh vm-run vm-shell
