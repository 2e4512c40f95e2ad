// SPDX-License-Identifier: ISC
/*
 * config.c - what vm-boot put into the initial file system for us (vm-boot's seed.c): a record, read and removed before
 * anything else runs. Without one, or without a command in it, the main command is a login shell. Where the init is
 * another program the record comes over the link, and without a command in it there is none.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "util.h"
#include "wire.h"

#define FILE_PATH "/" PROTO_CONFIG_FILE

/* The file's record in @in. Return: whether there is one. */
static bool read_record(struct wire_in *in, struct wire_record *r)
{
	autoclose int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int found = 0;

	if (fd < 0)
		return false;
	unlink(FILE_PATH);
	while (!found) {
		size_t room;
		void *p = wire_room(in, &room);
		ssize_t n = p ? read(fd, p, room) : -1;

		if (n < 0 && p && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		wire_got(in, (size_t)n);
		found = wire_next(in, r);
	}
	if (found != 1 || r->type != PROTO_CONFIG) {
		kmsg(KMSG_ERR, FILE_PATH ": is damaged: ignored");
		return false;
	}
	return true;
}

/* TERM for a console: what the kernel's command line says (the kernel hands TERM=... to init), else vt220: what a
 * serial line can promise, which every emulator at the other end honours and every terminfo knows. */
static void put_term(struct wire_out *w)
{
	const char *given = getenv("TERM");
	char variable[80] = "TERM=vt220";

	/* "linux" is what the kernel says when nobody did; only a VT is one. */
	if (given && strcmp(given, "linux") != 0)
		snprintf(variable, sizeof(variable), "TERM=%s", given);
	wire_put_text(w, PROTO_K_ENV, variable);
}

/* Copy the fields of @r that make a request; defaults come first, for the last of a name counts. */
static void put_request(struct wire_out *w, const struct wire_record *r)
{
	bool command = false, streams = false;
	struct wire_field f;
	size_t at = 0;

	put_term(w);
	while (r && wire_field(r, &at, &f)) {
		if (f.kind == PROTO_K_TOKEN || f.kind == PROTO_K_NET)
			continue;
		command |= f.kind == PROTO_K_ARG;
		streams |= f.kind == PROTO_K_STREAMS;
		wire_put(w, f.kind, f.data, f.len);
	}
	if (command)
		return;
	/* PS1 is expanded by every shell; the image's /etc/profile may do better. */
	wire_put_text(w, PROTO_K_ENV, "PS1=vm:${PWD}# ");
	wire_put_text(w, PROTO_K_ARG, "/bin/sh");
	wire_put_text(w, PROTO_K_ARG, "-l");
	if (!streams)
		wire_put_u32(w, PROTO_K_STREAMS, 1 << PROTO_TTY);
}

static int parse(struct request *main, const struct wire_record *file)
{
	struct wire_in in;
	struct wire_record r;
	struct wire_out w;
	const char *why = "out of memory";
	int err = -ENOMEM;

	wire_begin(&w, PROTO_EXEC);
	put_request(&w, file);
	wire_in_init(&in, WIRE_LARGE);
	if (wire_end(&w) == 0) {
		in.data = w.data;	/* @w owns it */
		in.len = w.len;
		err = wire_next(&in, &r) == 1 ? request_parse(main, &r, &why) : -EBADMSG;
	}
	wire_drop(&w);
	if (err < 0) {
		request_free(main);
		kmsg(KMSG_ERR, "main command: %s", why);
	}
	return err;
}

static void take_nets(struct config *c, const struct wire_record *r)
{
	struct wire_field f;
	size_t at = 0;

	while (c->nets < CONFIG_NETS && wire_field(r, &at, &f)) {
		if (f.kind != PROTO_K_NET || f.len >= NETWORDS_SIZE)
			continue;
		memcpy(c->net[c->nets], f.data, f.len);
		c->net[c->nets++][f.len] = '\0';
	}
}

/**
 * config_load() - read the config and remove it
 * @c: filled in; what is damaged is logged, and a shell is started instead
 */
void config_load(struct config *c)
{
	struct wire_record r;
	struct wire_in in;
	bool there;

	*c = (struct config){ 0 };
	wire_in_init(&in, WIRE_LARGE);
	there = read_record(&in, &r);
	if (there)
		take_nets(c, &r);
	if (there)
		c->has_token = wire_get_bytes(&r, PROTO_K_TOKEN, c->token, sizeof(c->token));
	if (parse(&c->main, there ? &r : NULL) < 0 && there)
		parse(&c->main, NULL);
	wire_in_free(&in);
}

/**
 * config_command() - the main command in a config that came over the link
 * @r: filled in; the caller frees it, on failure too
 * @record: PROTO_CONFIG, valid
 *
 * Return: 0; -ENOENT: it names none; -EINVAL, -ENOMEM, logged.
 */
int config_command(struct request *r, const struct wire_record *record)
{
	struct wire_field f;
	size_t at = 0;

	*r = (struct request){ 0 };
	while (wire_field(record, &at, &f))
		if (f.kind == PROTO_K_ARG)
			return parse(r, record);
	return -ENOENT;
}
