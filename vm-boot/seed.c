// SPDX-License-Identifier: ISC
/*
 * seed.c - what the guest's init must know before any driver is up: a file added to the initrd.
 *
 * The kernel unpacks any number of cpio archives one after the other into its first file system (Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst), so one more with one small file follows
 * the user's initrd, whatever that is compressed with. It starts at a multiple of 4 or the kernel drops it.
 * The file is a record (proto.h): no limit to lengths, and nothing of the user's on the kernel's command line.
 *
 * An agent that is a service of another init never sees it; it gets the same over its link (agent.c).
 */
#include "seed.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>

#include "config.h"
#include "log.h"
#include "proto.h"
#include "util.h"
#include "wire.h"

/* Of a record, so that the agent's own few fields fit beside it (vm-agent's config.c). */
enum { CONFIG_MAX = WIRE_LARGE - 4096 };

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy(int to, int from, uint64_t size)
{
	off_t at = 0;

	while ((uint64_t)at < size) {
		ssize_t n = sendfile(to, from, &at, size - (uint64_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;       /* it was cut while we read it */
	}
	return 0;
}

/* One entry of a newc archive: header, name, data, each padded to 4. The archive starts at a multiple of 4. */
static int entry(int fd, const char *name, unsigned int mode, const void *data, size_t len)
{
	static const uint8_t zeros[4];
	char head[256];
	int n = snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
			 0, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, strlen(name) + 1, 0, name);
	size_t padded = align_up((uint64_t)n + 1, 4);
	int err;

	memset(head + n, 0, padded - (size_t)n);
	err = write_all(fd, head, padded);
	if (!err)
		err = write_all(fd, data, len);
	return err ? err : write_all(fd, zeros, (size_t)(align_up(len, 4) - len));
}

/* What the guest is to know of a card, if there is anything. */
static void put_net(struct wire_out *w, const struct net_config *n)
{
	char text[NETCONF_WORDS];

	netconf_words(n, text, sizeof(text));
	if (*text)
		wire_put_text(w, PROTO_K_NET, text);
}

static void put_config(const struct vm_config *c, struct wire_out *w)
{
	unsigned int i;

	for (i = 0; c->command && c->command[i]; i++)
		wire_put_text(w, PROTO_K_ARG, c->command[i]);
	for (i = 0; i < c->envs; i++)
		wire_put_text(w, PROTO_K_ENV, c->env[i]);
	for (i = 0; i < c->nets; i++)
		put_net(w, &c->net[i]);
	if (c->workdir)
		wire_put_text(w, PROTO_K_CWD, c->workdir);
	if (c->user)
		wire_put_text(w, PROTO_K_USER, c->user);
	if (c->command)
		wire_put_u32(w, PROTO_K_STREAMS, c->tty ? 1 << PROTO_TTY : 1 << PROTO_STDIN | 1 << PROTO_STDOUT |
			     1 << PROTO_STDERR);
}

/**
 * seed_record() - make the config for an agent that our file did not reach: without the token, which is for an init
 * @c: planted
 * @w: begun and filled; the caller ends and drops it
 */
void seed_record(const struct vm_config *c, struct wire_out *w)
{
	wire_begin(w, PROTO_CONFIG);
	put_config(c, w);
}

static int record(const struct vm_config *c, struct wire_out *w)
{
	wire_begin(w, PROTO_CONFIG);
	wire_put(w, PROTO_K_TOKEN, c->token, sizeof(c->token));
	put_config(c, w);
	return wire_end(w) || w->len > CONFIG_MAX ? -E2BIG : 0;
}

static int plant(struct vm_config *c)
{
	static const uint8_t zeros[4];
	autoclose int fd = -1;
	struct wire_out w;
	int err;

	if (getrandom(c->token, sizeof(c->token), 0) != sizeof(c->token))
		return -EIO;
	/* What is larger than any memory below the hole is refused later, with the reason; it is not copied for that. */
	if (c->initrd < 0 || c->initrd_size >= MIN(c->memory, 3 * GIB))
		return 0;
	fd = memfd_create("initrd", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = record(c, &w);
	if (!err)
		err = copy(fd, c->initrd, c->initrd_size);
	if (!err)
		err = write_all(fd, zeros, (size_t)(align_up(c->initrd_size, 4) - c->initrd_size));
	if (!err)
		err = entry(fd, PROTO_CONFIG_FILE, 0100600, w.data, w.len);
	if (!err)
		err = entry(fd, "TRAILER!!!", 0, NULL, 0);
	if (!err) {
		c->initrd_size = (uint64_t)lseek(fd, 0, SEEK_CUR);
		close(c->initrd);
		c->initrd = steal_fd(&fd);
	}
	wire_drop(&w);
	return err;
}

/**
 * seed_plant() - add the config to the initrd
 * @c: its token is made; its initrd, if there is one, becomes a copy in memory with the config behind it
 * @err, @errsize: what is wrong
 * Return: 0 or -errno.
 */
int seed_plant(struct vm_config *c, char *err, size_t errsize)
{
	int e = plant(c);

	if (e == -E2BIG)
		snprintf(err, errsize, "COMMAND: with its environment it is too long: %d bytes at most", CONFIG_MAX);
	else if (e)
		snprintf(err, errsize, "initrd: cannot be copied: %s", errstr(e));
	return e;
}
