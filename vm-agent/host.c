// SPDX-License-Identifier: ISC
/*
 * host.c - what pid 1 and the host tell each other, through the agent.
 *
 * How the main process ended is worth some patience: while the agent lives, and has not said that there is no host to
 * hear it, the host may be slow, or stopped. Time is counted in steps, each of which is one however long it was, since
 * the clock leaps when the machine itself was stopped. An agent that was lost, or is silent for AGENT_STEPS, is
 * replaced, once and for that alone. After TELL_STEPS nobody will hear, which is told in another way (power.c).
 */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "kmsg.h"
#include "serve.h"
#include "session.h"
#include "util.h"

enum { AGENT_STEPS = 10, TELL_STEPS = 30 };

/* The exec server, with a socket between it and us. */
static void start_agent(struct host *h)
{
	struct session *s = h->session;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		kmsg(KMSG_ERR, "exec server: %s", strerror(errno));
		return;
	}
	h->life.init = pair[1];
	s->agent = serve_fork(&h->life);
	close(pair[1]);
	s->agent_socket = pair[0];
	if (s->agent < 0)
		kmsg(KMSG_ERR, "exec server: fork: %s", strerror(-s->agent));
}

/**
 * host_start() - start the agent
 * @h: filled in
 * @s: borrowed; its agent is set
 * @config: has what the host shall know it by
 */
void host_start(struct host *h, struct session *s, const struct config *config)
{
	*h = (struct host){ .session = s, .life.has_token = config->has_token };
	memcpy(h->life.token, config->token, sizeof(h->life.token));
	start_agent(h);
}

/**
 * host_says_stop() - do what the host says
 * @h: started
 * @console: whose size it may set
 * @revents: of poll(2) on the socket to the agent
 *
 * Return: whether it asks for the end.
 */
bool host_says_stop(struct host *h, int console, short revents)
{
	struct session *s = h->session;
	struct life_packet p;
	struct winsize size;
	ssize_t n;

	if (!revents)
		return false;
	n = recv(s->agent_socket, &p, sizeof(p), MSG_DONTWAIT);
	if (n == 0)
		cleanup_fd(&s->agent_socket);
	if (n != (ssize_t)sizeof(p))
		return false;
	if (p.word == LIFE_SIZE) {
		size = (struct winsize){ .ws_col = p.value & 0xffff, .ws_row = (uint32_t)p.value >> 16 };
		ioctl(console, TIOCSWINSZ, &size);
	}
	h->told |= p.word == LIFE_TOLD;
	return p.word == LIFE_STOP;
}

/* Whoever hears how it ended does so from this agent. */
static void say(struct host *h)
{
	struct life_packet p = { .word = LIFE_EXITED, .value = h->session->status };

	h->said = true;
	if (send(h->session->agent_socket, &p, sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		cleanup_fd(&h->session->agent_socket);
}

/* Have another agent try, once this one is gone: there is one at a time. */
static void renew(struct host *h)
{
	struct session *s = h->session;

	if (s->agent > 0) {
		kill(s->agent, SIGKILL);
		return;
	}
	h->renewed = true;
	h->said = false;
	cleanup_fd(&s->agent_socket);
	start_agent(h);
	if (s->agent_socket >= 0)
		say(h);
}

/**
 * host_tell() - have the host hear how the main process ended
 * @h: started; its session has ended
 *
 * Return: whether there is nothing more to wait for. Else call again after HOST_STEP_MS, or when the socket or a child
 * wants something.
 */
bool host_tell(struct host *h)
{
	struct session *s = h->session;
	long long now = clock_ms();
	bool lost;

	if (now - h->since >= HOST_STEP_MS) {
		h->steps += h->since != 0;
		h->since = now;
	}
	if (!h->said && s->agent_socket >= 0)
		say(h);
	if (h->told)
		return true;
	lost = s->agent_socket < 0;
	if (s->agent_absent || h->steps >= TELL_STEPS || (lost && h->renewed)) {
		kmsg(KMSG_WARNING, "the host did not hear how the main process ended");
		return true;
	}
	if (!h->renewed && (lost || h->steps >= AGENT_STEPS))
		renew(h);
	return false;
}

/** host_untold() - whether there was anything to hear, after host_tell(). @h. Return: so; without vsock 0 is nothing. */
bool host_untold(const struct host *h)
{
	return !h->told && !(h->session->agent_absent && h->session->status == 0);
}
