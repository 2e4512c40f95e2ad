// SPDX-License-Identifier: ISC
/*
 * guest.c - the guest's half of --run: what is typed into its shell.
 *
 * Three things are typed, each the means to the next:
 *  - the probe: prints a record. Its answer says that a shell reads the console.
 *  - the loader: one line that starts an `sh` of our own, which turns echo off and takes the helper
 *    in, piece by piece, each acknowledged by the length so far. An empty line ends it.
 *  - the helper: the rest of the conversation (run.c), without echo and line editing from here on.
 *
 * The first two are read by the user's interactive shell, with its echo, editing and history: they
 * begin with ^U, which wipes what may already stand there, and a blank, which keeps them out of a
 * history that is set so; they hold no control characters, exclamation marks or tabs. `\036` and
 * `\037` are printed as the bytes that frame a record, and typed as eight visible characters.
 *
 * The helper's variables start with an underscore, because the command inherits the environment and
 * must not find one of its variables changed. It needs: sh, printf, stty, mktemp, dd, wc, cat, rm,
 * sha256sum, and base64 or od; setsid if it is there. Busybox and coreutils have them all.
 *
 *	_n nonce, _g terminal modes to restore, _d directory for files, _e code, _h command as sent,
 *	_c command, _w the listener, _s status of the command
 *
 * The command runs in the foreground, or it would start with SIGINT ignored, and in a subshell, or a
 * shell that redirects before it forks would write "Killed" into the output. A listener in the
 * background reads the terminal meanwhile. With setsid the command has no terminal, so nothing it
 * does can read our lines, and a process group, so that all of it can be killed.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* One line in the end: no newline is lost in it because none is there. */
const char guest_helper[] =
	"for _t in \"$TMPDIR\" /tmp /run /dev/shm /var/tmp /dev .;do "
		"[ -w \"$_t\" ]&&_d=$(mktemp -d \"$_t/.vm-console.XXXXXX\")&&break;"
	"done;"
	"[ -d \"$_d\" ]||{ r E no-directory-to-write-in;exit;};"
	"_w=;trap 'kill $_w;rm -rf \"$_d\";stty $_g' 0;"
	"command -v sha256sum >/dev/null||{ r E no-sha256sum;exit;};"
	"_e=b;command -v base64 >/dev/null||_e=x;"
	"[ $_e = b ]||command -v od >/dev/null||{ r E no-base64-and-no-od;exit;};"
	"_k=;command -v setsid >/dev/null&&_k=setsid;"
	"exec 3<&0;"
	/* kill the command's process group, once it has told its number */
	"k(){ until [ -s \"$_d/p\" -o -s \"$_d/s\" ];do :;done;_p=$(cat \"$_d/p\");"
		"kill -$1 -$_p||kill -$1 $_p;};"
	/* the listener: reads while the command runs, until the host has heard that it ended; cannot
	 * read on when somebody kills the helper, because it is in the background then */
	"l(){ while IFS= read -r _l;do case $_l in "
		"\"$_n e\")[ -s \"$_d/s\" ]&&exit 0;;"
		"\"$_n i\")k 2;;"
		"\"$_n k\")k 9;;"
		"\"$_n z\")k 9;exit 1;;"
		"\"$_n \"*)if [ -s \"$_d/s\" ];then r $(cat \"$_d/s\");else r X;fi;;"
		"*)[ -s \"$_d/s\" ]&&exit 1;;"
	"esac;done;kill -0 $$||{ rm -rf \"$_d\";r E our-helper-was-killed;};exit 1;};"
	/* run the command and say how it ended */
	"x(){ rm -f \"$_d/s\" \"$_d/p\";(l)<&3& _w=$!;r X;"
		"(exec $_k sh -c 'echo $$ >\"$0\";exec sh -c \"$1\"' \"$_d/p\" \"$_c\")"
			"</dev/null >\"$_d/o\" 2>&1 3<&-;"
		"_s=$?;_z=$(($(wc -c <\"$_d/o\")));"
		"echo D $_s $_z $((_s+_z)) >\"$_d/t\";mv \"$_d/t\" \"$_d/s\";r $(cat \"$_d/s\");"
		"wait $_w||exit;_w=;r e;};"
	/* chunk $1 of $2 bytes */
	"g(){ dd if=\"$_d/o\" of=\"$_d/k\" bs=$2 skip=$1 count=1;"
		"printf '\\036%s' \"$_n g $1 $(($(wc -c <\"$_d/k\"))) $(sha256sum <\"$_d/k\") $_e \";"
		"if [ $_e = b ];then base64 \"$_d/k\";else od -An -v -tx1 \"$_d/k\";fi;"
		"printf '\\037';};"
	"_h=;_s=;r H;"
	"while IFS= read -r _l;do case $_l in "
		"\"$_n c \"*)_l=${_l#\"$_n c \"};[ ${_l%% *} = ${#_h} ]&&_h=$_h${_l#* };r c ${#_h};;"
		"\"$_n v\")_c=$(printf \"$_h\";echo x);_c=${_c%x};"
			"r v $(printf %s \"$_c\"|sha256sum);;"
		"\"$_n x\")if [ \"$_s\" ];then r $(cat \"$_d/s\");else x;fi;;"
		"\"$_n e\")r e;;"
		"\"$_n g \"*)_l=${_l#\"$_n g \"};g ${_l% *} ${_l#* };;"
		"\"$_n f\")_h=;_s=;rm -f \"$_d/o\" \"$_d/k\" \"$_d/s\";r f;;"
		"\"$_n q\")rm -rf \"$_d\";stty $_g;trap - 0;r Q;exit;;"
		"\"$_n z\")exit;;"
		"\"$_n \"*);;"
		"*)exit;;"
	"esac;done";

/**
 * guest_probe() - the line that asks whether a shell is there
 * @line: set to it, with its newline
 * @nonce: of the session, 8 characters
 * @number: of the probe, so that the newest answer is known
 */
void guest_probe(char line[GUEST_LINE], const char *nonce, unsigned int number)
{
	snprintf(line, GUEST_LINE, "\025 printf '\\036%s P %u\\037'\n", nonce, number);
}

/**
 * guest_loader() - the line that starts the loader
 * @line: set to it, with its newline
 * @nonce: of the session
 */
void guest_loader(char line[GUEST_LINE], const char *nonce)
{
	snprintf(line, GUEST_LINE, "\025 sh -c '_n=$0;exec 2>/dev/null;_g=$(stty -g);"
		 "trap \"stty $_g\" 0;trap exit 1 2 15;stty sane -echo;"
		 "r(){ printf \"\\036%%s\\037\" \"$_n $*\";};_c=;r L;"
		 "while IFS= read -r _l&&[ \"$_l\" ];do _c=$_c$_l;r a ${#_c};done;"
		 "[ ${#_c} = %zu ]&&eval \"$_c\"' %s\n", strlen(guest_helper), nonce);
}

/**
 * guest_quote() - a command as printf(1) prints it from visible characters alone
 * @command: any bytes
 * Return: the format, the caller frees it; NULL when there is no memory.
 */
char *guest_quote(const char *command)
{
	char *out = malloc(4 * strlen(command) + 1), *to = out;

	for (; out && *command; command++) {
		unsigned char c = (unsigned char)*command;

		if (c <= ' ' || c >= 0x7f || strchr("\\%-", c))
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = (char)c;
	}
	if (out)
		*to = 0;
	return out;
}
