/* SPDX-License-Identifier: ISC */
/*
 * exec_server.h - an exec server for tests: `vm-agent serve --socket fd:N` in a scratch directory.
 *
 * VM_AGENT names another binary, a sanitized one for instance.
 */
#ifndef EXEC_SERVER_H
#define EXEC_SERVER_H

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "exec_client.h"
#include "tap.h"

#define SH(script) { "sh", "-c", script, NULL }

static char scratch[] = "/tmp/agent-exec-XXXXXX";
static pid_t agent;

static inline pid_t agent_start(const char *where)
{
	const char *binary = getenv("VM_AGENT");
	pid_t pid = fork();

	if (pid == 0) {
		execl(binary ? binary : "bin/vm-agent", "vm-agent", "serve", "--socket", where, (char *)NULL);
		perror("# vm-agent");
		_exit(127);
	}
	return pid;
}

/* A listening socket that the agent inherits: it is there before the agent is. */
static inline void set_up(void)
{
	char spec[16];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(scratch))
		abort();
	snprintf(server_address.sun_path, sizeof(server_address.sun_path), "%s/s", scratch);
	if (bind(fd, (struct sockaddr *)&server_address, sizeof(server_address)) < 0 || listen(fd, 4096) < 0)
		abort();
	snprintf(spec, sizeof(spec), "fd:%d", fd);
	agent = agent_start(spec);
	close(fd);
}

static inline int exit_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void clean_up(void)
{
	kill(agent, SIGTERM);
	CHECK(exit_of(agent) == 0, "TERM ends the server with 0");
	unlink(server_address.sun_path);
	CHECK(rmdir(scratch) == 0, "nothing else is left behind");
}

/* Whether the peer closes: end of file or reset, in WAIT_MS. */
static inline bool closes(int *fd)
{
	struct pollfd p = { .fd = *fd, .events = POLLIN };
	char scrap[4096];
	ssize_t n = -1;

	while (poll(&p, 1, WAIT_MS) > 0 && (n = read(*fd, scrap, sizeof(scrap))) > 0)
		;
	cleanup_fd(fd);
	return n == 0 || (p.revents && n < 0 && errno == ECONNRESET);
}

/* Whether a process ends in WAIT_MS; none, or one that nobody reaped yet, has. */
static inline bool process_ends(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool ended = fd < 0 ? errno == ESRCH : poll(&p, 1, WAIT_MS) > 0;

	cleanup_fd(&fd);
	return ended;
}

/* Run a script. Return: whether its stdout and status are these. */
static inline bool says(const char *script, uint32_t streams, const char *out, uint32_t status)
{
	struct job j = { .argv = SH(script), .streams = streams };
	int which = streams & TTY ? PROTO_TTY : PROTO_STDOUT;
	struct client c;
	bool ok;

	client_run(&c, &j);
	ok = c.exited && c.status == status && client_said(&c, which, out) && c.bytes_out == c.len[which];
	if (!ok)
		printf("# status %u signal %u text %s out %s\n", c.status, c.signal, c.text,
		       c.data[which] ? c.data[which] : "");
	client_free(&c);
	return ok;
}

#endif
