/* SPDX-License-Identifier: ISC */
/*
 * proto.h - the words that vm-agent shares with vm-exec and vm-boot (vm-agent(7)); wire.h packs them.
 *
 * Exec, agent port 1. Every connection begins with a hello:
 *
 *	0	"pvm", version
 *	4	which: enum proto_stream
 *	5	three bytes of 0
 *	8	session, 16 bytes: chosen at random by the client, the same for a command's connections
 *
 * On a PROTO_CONTROL connection records follow. The others are raw streams: stdin flows to the
 * agent, stdout and stderr from it, a tty both ways; shutdown(2) is their end of file.
 *
 *	client	exec			once, first: ARG one or more, ENV "NAME=VALUE", CWD, USER
 *					"USER[:GROUP]", STREAMS the streams to wait for (bit: 1 <<
 *					enum proto_stream), FLAGS, SIZE of the tty
 *		signal			NAME, as in "INT": to the command's process group
 *		winsize			SIZE
 *	agent	started			PID: the command runs. Comes when all its streams are there
 *		failed			STATUS 125-127, TEXT: it does not, and this is the last record
 *		exit			STATUS 0-255 or SIGNAL, BYTES_OUT and BYTES_ERR that were sent: last
 *
 * A session ends with its control connection: HUP, then KILL to the command's process group; not with
 * PROTO_DETACH, where the command has no streams and `started` is the last record.
 *
 * Life cycle, host port 1024, from a source port below 1024: records both ways.
 *
 *	agent	hello			VERSION, BOOT_ID; of an init TOKEN, of a service FLAGS
 *		ready
 *		exited			STATUS or SIGNAL of the main command; repeated until acknowledged
 *		pong			COOKIE
 *		net-set			COOKIE of the `net` that was heard: the card is so
 *	host	welcome			the link is taken; TIME now, SEED for the guest's entropy
 *		config			after it, to a service that asks with PROTO_ASKS_CONFIG, if there is a command to
 *					run: as in the file below, without TOKEN
 *		acknowledged		`exited` was heard
 *		stop			end the machine
 *		ping			COOKIE
 *		winsize			SIZE of the console
 *		net			COOKIE, NET: what a network card is to be from now on, see below; said again, with
 *					the same cookie, on each new link
 *
 * Config, one record in a file that vm-boot adds to the initrd, read and removed by the agent as init before
 * anything else runs: TOKEN; and for a main command other than a shell ARG, ENV, CWD, USER, STREAMS (PROTO_TTY: the
 * console is its terminal; the others: it gets the console as a plain line); and NET, one a network card: words
 * divided by blanks, first the card's MAC, then "mtu=N" if it is told, and in any order "addr=", "addr6=", "gateway=",
 * "gateway6=" and "dns=" with addresses divided by commas, those of addr with a prefix length.
 */
#ifndef PROTO_H
#define PROTO_H

enum {
	PROTO_VERSION = 1,
	PROTO_EXEC_PORT = 1,            /* of the agent */
	PROTO_LIFE_PORT = 1024,         /* of the host, CID 2 */
	PROTO_HELLO = 24,               /* bytes */
	PROTO_ID = 16,                  /* bytes */
	PROTO_SEED = 32,                /* bytes */
};

enum proto_stream {
	PROTO_CONTROL,
	PROTO_STDIN,
	PROTO_STDOUT,
	PROTO_STDERR,
	PROTO_TTY,
	PROTO_STREAMS
};

enum proto_type {
	PROTO_EXEC = 1, PROTO_SIGNAL, PROTO_WINSIZE,
	PROTO_STARTED, PROTO_FAILED, PROTO_EXIT,
	PROTO_LIFE_HELLO, PROTO_LIFE_READY, PROTO_LIFE_EXITED, PROTO_LIFE_PONG,
	PROTO_LIFE_WELCOME, PROTO_LIFE_ACKNOWLEDGED, PROTO_LIFE_STOP, PROTO_LIFE_PING,
	PROTO_CONFIG,
	PROTO_LIFE_NET, PROTO_LIFE_NET_SET,
};

enum proto_kind {
	PROTO_K_ARG = 1,                /* bytes without NUL */
	PROTO_K_ENV,                    /* likewise, with a '=' not at its head */
	PROTO_K_CWD,
	PROTO_K_USER,
	PROTO_K_STREAMS,                /* u32 */
	PROTO_K_FLAGS,                  /* u32: exec: PROTO_DETACH; hello: PROTO_ASKS_CONFIG */
	PROTO_K_SIZE,                   /* le16 columns, le16 rows */
	PROTO_K_NAME,                   /* of a signal, without SIG */
	PROTO_K_PID,                    /* u32 */
	PROTO_K_STATUS,                 /* u32 */
	PROTO_K_SIGNAL,                 /* u32, the guest's number */
	PROTO_K_TEXT,
	PROTO_K_BYTES_OUT,              /* u64; a tty's, too */
	PROTO_K_BYTES_ERR,              /* u64 */
	PROTO_K_VERSION,                /* u32 */
	PROTO_K_BOOT_ID,                /* 16 bytes */
	PROTO_K_TOKEN,                  /* 16 bytes */
	PROTO_K_COOKIE,                 /* u64 */
	PROTO_K_TIME,                   /* u64, ns since 1970 */
	PROTO_K_SEED,                   /* 32 bytes */
	PROTO_K_NET,                    /* text */
};

/* Bits of PROTO_K_FLAGS. */
enum { PROTO_DETACH = 1, PROTO_ASKS_CONFIG = 1 };

#define PROTO_CONFIG_FILE ".pipevm"     /* in the root of the initial file system */

#endif
