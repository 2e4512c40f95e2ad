// SPDX-License-Identifier: ISC
/*
 * exec_server.c - a stand-in for vm-boot with an agent and nothing else.
 *
 *	exec_server [OPTION]...
 *
 * Serves `ready agent`, `vsock 1 N`, `wait` and `dial` in a runtime directory like vm-boot's, with the
 * handle on stdout; it ends when the reader of that pipe goes away. A process serves each client, one
 * more plays the agent for each command: for real, on this host, or as --mode has it (exec/modes.c).
 * Parents' deaths kill: the server's end ends all.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "exec/agent.h"
#include "handle.h"
#include "log.h"
#include "opts.h"
#include "rundir.h"
#include "util.h"

enum { OPT_NAME = OPT_LONG, OPT_MODE, OPT_LOG, OPT_WITH };

static const struct opt table[] = {
	{ OPT_NAME, "name", "NAME", "name of the VM" },
	{ OPT_MODE, "mode", "MODE", "what the agent does wrong" },
	{ OPT_LOG, "log", "FILE", "write down what the client says" },
	{ OPT_WITH, "with", NULL, "the operands are a program to become" },
};

static const struct opts opts = {
	.tool = "exec_server", .synopsis = "[OPTION]... [-- PROG [ARG]...]", .about = "An agent for tests.",
	.table = table, .count = ARRAY_SIZE(table), .usage_status = 2,
};

static const char *name, *mode = "real", *log_path;
static struct rundir dir = RUNDIR_INIT;
static volatile sig_atomic_t done;
static sigset_t awake;                 /* signals blocked while it waits, and in its children */

static void on_term(int sig)
{
	(void)sig;
	done = 1;
}

/* Fork a process that dies with us. */
static pid_t spawn(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		sigprocmask(SIG_SETMASK, &awake, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	return pid;
}

static void make_pair(int type, int *pair)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		die(1, "socketpair: %s", errstr(errno));
}

/* Answer `vsock 1 N`; an agent process has the other ends. */
static void vsock(int client, int count, struct msg *reply)
{
	int fd[MSG_FDS], i, pair[2], given = count, type = SOCK_STREAM;

	given += is_mode(mode, "fewer-fds") ? -1 : is_mode(mode, "more-fds") ? 1 : 0;
	type = is_mode(mode, "packet-fds") ? SOCK_SEQPACKET : type;
	for (i = 0; i < given; i++) {
		make_pair(type, pair);
		if (is_mode(mode, "no-sockets") && (close(pair[0]) || close(pair[1]) || pipe(pair)))
			die(1, "pipe");
		fd[i] = pair[0];
		msg_add_fd(reply, &pair[1]);
	}
	if (spawn() == 0) {
		close(client);
		msg_drop(reply);
		exit(agent_main(fd, MIN(given, count), mode, log_path));
	}
	for (i = 0; i < given; i++)
		close(fd[i]);
}

static void serve_client(int client);

static void dial(int client, struct msg *reply)
{
	int pair[2];

	make_pair(SOCK_SEQPACKET, pair);
	if (spawn() == 0) {
		close(client);
		close(pair[1]);
		serve_client(pair[0]);
	}
	close(pair[0]);
	msg_add_fd(reply, &pair[1]);
}

static void refuse(struct msg *reply, const char *why)
{
	msg_drop(reply);
	msg_add(reply, "error");
	msg_add(reply, "ENODEV");
	msg_add(reply, why);
}

static void request(int client, const struct msg *m)
{
	const char *verb = m->word[0];
	struct msg reply;

	msg_init(&reply);
	msg_add(&reply, "ok");
	if (!strcmp(verb, "ready") && m->words == 2 && !strcmp(m->word[1], "agent")) {
		if (is_mode(mode, "silent"))
			return;
		if (is_mode(mode, "no-agent"))
			refuse(&reply, "there is no agent in this guest");
		if (is_mode(mode, "vm-dies"))
			kill(getppid(), SIGTERM);
	} else if (!strcmp(verb, "vsock") && m->words == 3 && !strcmp(m->word[1], "1")) {
		if (is_mode(mode, "no-vsock"))
			refuse(&reply, "nobody listens");
		else
			vsock(client, atoi(m->word[2]), &reply);
	} else if (!strcmp(verb, "dial")) {
		dial(client, &reply);
	} else if (!strcmp(verb, "wait")) {
		if (!is_mode(mode, "vm-ends"))
			return;         /* it goes on */
		msg_add(&reply, "poweroff");
		msg_add(&reply, "0");
	} else {
		refuse(&reply, "unknown verb");
	}
	msg_send(client, &reply);
}

static void serve_client(int client)
{
	struct msg m;

	while (msg_recv(client, &m, true) > 0) {
		request(client, &m);
		msg_drop(&m);
	}
	close(client);
	while (wait(NULL) > 0)
		;
	exit(0);
}

static int publish(void)
{
	char err[256], unnamed[32];
	int sock;

	snprintf(unnamed, sizeof(unnamed), "test%d", (int)getpid());
	name = name ? name : unnamed;
	if (rundir_base(&dir, true, err, sizeof(err)))
		die(1, "%s", err);
	if (rundir_make(&dir) || (sock = rundir_bind(dir.dir, "ctl", SOCK_SEQPACKET)) < 0 ||
	    rundir_publish(&dir, name))
		die(1, "%s: cannot make it", name);
	if (dprintf(STDOUT_FILENO, "%s/%s/ctl\n", dir.path, name) < 0)
		die(1, "stdout: %s", errstr(errno));
	return sock;
}

/* Become the program; a child goes on as the server and returns. */
static void become(char *const argv[])
{
	int pair[2];
	char vm[24];

	make_pair(SOCK_SEQPACKET, pair);
	if (fork() == 0) {
		close(pair[1]);
		if (fork())
			_exit(0);
		serve_client(pair[0]);
	}
	wait(NULL);
	snprintf(vm, sizeof(vm), "fd:%d", dup(pair[1]));
	setenv("VM", vm, 1);
	execvp(argv[0], argv);
	die(127, "%s: %s", argv[0], errstr(errno));
}

int main(int argc, char *argv[])
{
	struct sigaction term = { .sa_handler = on_term };
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = -1 } };
	const char *arg;
	struct stat st;
	sigset_t asleep;
	bool with = false;
	int id;

	log_init("exec_server", false);
	while ((id = opts_next(&opts, argc, argv, &arg)) != -1) {
		name = id == OPT_NAME ? arg : name;
		mode = id == OPT_MODE ? arg : mode;
		log_path = id == OPT_LOG ? arg : log_path;
		with |= id == OPT_WITH;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);        /* in a pipeline ^C and ^Z are for the reader */
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	if (with)
		become(argv + opts_end());
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGHUP, &term, NULL);
	sigemptyset(&asleep);
	sigaddset(&asleep, SIGTERM);
	sigaddset(&asleep, SIGHUP);
	sigprocmask(SIG_BLOCK, &asleep, &awake);
	p[0].fd = publish();
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		p[1].fd = STDOUT_FILENO;
	while (!done && (ppoll(p, 2, NULL, &awake) > 0 || errno == EINTR)) {
		int client = p[0].revents && !done ? accept4(p[0].fd, NULL, NULL, SOCK_CLOEXEC) : -1;

		if (p[1].revents)
			break;
		if (client >= 0 && spawn() == 0) {
			close(STDOUT_FILENO);
			close(p[0].fd);
			rundir_close(&dir);
			serve_client(client);
		}
		cleanup_fd(&client);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		p[0].revents = 0;
	}
	rundir_remove(&dir, false);
	rundir_close(&dir);
	return 0;
}
