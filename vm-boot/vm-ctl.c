// SPDX-License-Identifier: ISC
/*
 * vm-ctl.c - the control socket's verbs from the shell.
 *
 * One request, one answer: words go to stdout, one a line; an error is one line on stderr. Two verbs
 * are local: `list` prints the handles of live VMs and sweeps what dead ones left; `wait` on a VM that
 * was started with -d and has ended, or ends before it answers, tells what the file it left says, once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "fdio.h"
#include "handle.h"
#include "log.h"
#include "msg.h"
#include "opts.h"
#include "rundir.h"
#include "util.h"

static const struct opt table[] = {
	{ 'V', "vm", "VM", "handle, name, fd:N, or - for a handle line on stdin" },
};

static const struct opts opts = {
	.tool = "vm-ctl",
	.synopsis = "[-V VM] VERB [ARG]...",
	.about = "Ask a VM something, or tell it to do something.",
	.epilog = "verbs:\n"
		  "  status                name, state, engine and so on, as key=value lines\n"
		  "  ready [boot|agent]    wait until the guest's console is up, or its agent takes commands\n"
		  "  wait                  wait until the VM ends; print cause and status\n"
		  "  pause, resume         stop the guest where it is; go on\n"
		  "  stop [SEC]            ask the guest to power off; after SEC (10), kill it\n"
		  "  kill                  end it at once\n"
		  "  console-size C R      tell the guest its console's size\n"
		  "  net VERB [ARG]...     ask its network: status, guests, forward add|del|list, policy FILE [live]\n"
		  "  handle                print the VM's handle\n"
		  "  list                  print the handles of all your VMs\n\n"
		  "Without -V the variable VM is used, or a handle line on stdin. See vm-ctl(1).",
	.table = table,
	.count = ARRAY_SIZE(table),
	.usage_status = 2,
};

/* Verbs, and how many words may follow. */
static const struct {
	const char *name;
	int min, max;
} verbs[] = {
	{ "status", 0, 0 }, { "ready", 0, 1 }, { "wait", 0, 0 }, { "pause", 0, 0 }, { "resume", 0, 0 },
	{ "stop", 0, 1 }, { "kill", 0, 0 }, { "console-size", 2, 2 }, { "net", 1, 3 },
	{ "handle", 0, 0 },
	{ "list", 0, 0 },
};

/* Refuse a command line that no VM would take, before looking for one. */
static void check_verb(int words, char *const word[])
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(word[0], verbs[i].name))
			continue;
		if (words - 1 < verbs[i].min || words - 1 > verbs[i].max)
			opts_usage(&opts, "%s: wrong number of arguments", word[0]);
		return;
	}
	opts_usage(&opts, "%s: is no verb", word[0]);
}

static void print_handle(const char *name, const char *handle, void *arg)
{
	(void)name;
	(void)arg;
	puts(handle);
}

static int list(void)
{
	struct rundir r = RUNDIR_INIT;
	char err[512] = "";
	int e = rundir_base(&r, false, err, sizeof(err));

	if (e == -ENOENT)
		return 0;       /* no directory, no VMs */
	if (e)
		die(1, "%s", err);
	e = rundir_list(&r, print_handle, NULL);
	rundir_close(&r);
	if (e)
		die(1, "%s: %s", r.path, errstr(e));
	return fflush(stdout) ? 1 : 0;
}

/* `wait` for a VM that ended under -d: its directory tells, and goes. Return -ENOENT if it does not. */
static int wait_ended(const char *handle)
{
	struct rundir r = RUNDIR_INIT;
	char name[65], ours[PATH_MAX + 80], err[512], text[64] = "", *space;
	const char *end = strrchr(handle, '/'), *start = end;
	int e;

	/* .../NAME/ctl */
	while (start && start > handle && start[-1] != '/')
		start--;
	snprintf(name, sizeof(name), "%.*s", (int)(end - start), start ? start : "");
	if (!rundir_name_ok(name) || rundir_base(&r, false, err, sizeof(err)))
		return -ENOENT;
	snprintf(ours, sizeof(ours), "%s/%s/ctl", r.path, name);
	e = strcmp(ours, handle) ? -ENOENT : rundir_take_exit(&r, name, text, sizeof(text));
	rundir_close(&r);
	if (e)
		return e;
	space = strchr(text, ' ');
	if (!space)
		return -ENOENT;
	*space = '\n';
	printf("%s", text);
	return fflush(stdout) ? -EIO : 0;
}

static int print_words(const struct msg *m)
{
	int i;

	for (i = 1; i < m->words; i++)
		puts(m->word[i]);
	return fflush(stdout) ? 1 : 0;
}

/* Open the file that `net policy` names. */
static int open_policy(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		die(2, "%s: %s", path, errstr(errno));
	return fd;
}

/* A connection to the VM's network. */
static int dial_network(int sock, char *err, size_t errsize)
{
	static const char *const words[] = { "net", "dial" };
	size_t i;
	int e;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		struct msg request, reply;

		msg_init(&request);
		msg_add(&request, words[i]);
		e = ctl_call(sock, &request, &reply, err, errsize);
		if (i)
			close(sock);
		if (e)
			return e;
		sock = msg_take_fd(&reply, 0);
		msg_drop(&reply);
		if (sock < 0) {
			snprintf(err, errsize, "net: the answer has no socket");
			return -EBADMSG;
		}
	}
	return sock;
}

/* Ask the network. Forwards and guests come in several answers if there are many. Return: exit status. */
static int ask_network(int sock, int words, char *const word[])
{
	bool policy = words > 1 && !strcmp(word[0], "policy");
	bool list = (words == 2 && !strcmp(word[1], "list")) || (words == 1 && !strcmp(word[0], "guests"));
	char err[512], skip[32] = "";
	struct msg request, reply;
	int i, e, fd, status;

	fd = policy ? open_policy(word[1]) : -1;
	sock = dial_network(sock, err, sizeof(err));
	if (sock < 0)
		die(1, "%s", err);
	do {
		msg_init(&request);
		for (i = 0; i < words; i++)
			if (!policy || i != 1)
				msg_add(&request, word[i]);
		if (*skip)
			msg_add(&request, skip);
		if (fd >= 0)
			msg_add_fd(&request, &fd);
		e = ctl_call(sock, &request, &reply, err, sizeof(err));
		if (e)
			die(1, "%s", err);
		*skip = 0;
		if (list && reply.words > 1 && !strncmp(reply.word[reply.words - 1], "more=", 5))
			snprintf(skip, sizeof(skip), "%s", reply.word[--reply.words] + 5);
		status = print_words(&reply);
		msg_drop(&reply);
	} while (*skip && !status);
	close(sock);
	return status;
}

int main(int argc, char *argv[])
{
	struct vm_link link = VM_LINK_INIT;
	const char *arg, *spec = NULL;
	struct msg request, reply;
	char err[512];
	bool wait;
	int id, i, e, status;

	fdio_std();
	log_init("vm-ctl", false);
	while ((id = opts_next(&opts, argc, argv, &arg)) != -1)
		if (id == 'V' && !*(spec = arg))
			opts_usage(&opts, "-V: is empty: name a VM");
	handle_keep_private();
	i = opts_end();
	if (i == argc)
		opts_usage(&opts, "which verb?");
	check_verb(argc - i, argv + i);
	if (!strcmp(argv[i], "list"))
		return list();
	e = handle_open(&link, spec, err, sizeof(err));
	wait = !strcmp(argv[i], "wait");
	if (e) {
		if (wait && (e == -ENOENT || e == -ECONNREFUSED) && wait_ended(link.handle) == 0)
			return 0;
		die(1, "%s", err);
	}
	if (!strcmp(argv[i], "handle")) {
		puts(link.handle);
		return fflush(stdout) ? 1 : 0;
	}
	if (!strcmp(argv[i], "net"))
		return ask_network(link.sock, argc - i - 1, argv + i + 1);
	msg_init(&request);
	for (; i < argc; i++)
		msg_add(&request, argv[i]);
	e = ctl_call(link.sock, &request, &reply, err, sizeof(err));
	close(link.sock);
	if (wait && e == -ECONNRESET && wait_ended(link.handle) == 0)
		return 0;
	if (e)
		warn("%s", err);
	status = e ? 1 : print_words(&reply);
	msg_drop(&reply);
	return status;
}
