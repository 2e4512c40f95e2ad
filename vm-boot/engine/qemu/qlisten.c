// SPDX-License-Identifier: ISC
/*
 * qlisten.c - find out when the guest's serial driver takes input.
 *
 * A driver that starts throws away what the UART's FIFO holds, so input must not come before it;
 * and a guest whose console has a driver is what people call up. QEMU does not tell, but it can be
 * asked for the UART's interrupt enable register, in which such a driver has switched "received
 * data" on.
 *
 *	ASLEEP --output, or time--> ASKED --"not yet"--> ASLEEP, for twice as long
 *	                            ASKED --"on"--> done
 *
 * It is asked soon after there was output, because the first thing that user space prints mostly
 * follows its opening the terminal; and seldom without, for guests that print nothing.
 *
 * Linux opens its console for init, which starts the driver for good: from then on it is init's to
 * keep the terminal open, or lose what was typed ahead.
 */
#include "qlisten.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "json.h"
#include "log.h"
#include "loop.h"
#include "qmp.h"
#include "qport.h"
#include "util.h"

enum { SOON_MSEC = 20, SELDOM_MSEC = 2000 };

/* COM1's interrupt enable register, and what Linux writes to it while it looks for a UART. */
enum { IER_ADDRESS = 0x3f9, IER_RDI = 1, IER_PROBING = 0x0f };

static void done(struct qlisten *l)
{
	qlisten_stop(l);
	qport_listens(l->port);
}

static void ask_in(struct qlisten *l, uint64_t msec)
{
	l->msec = msec;
	loop_timer_set(l->loop, l->timer, msec);
}

static void on_timer(void *arg, uint32_t events)
{
	struct qlisten *l = arg;
	char command[64];
	int id;

	(void)events;
	if (l->question || l->done)
		return;
	snprintf(command, sizeof(command), "{\"command-line\":\"i /b %#x\"}", IER_ADDRESS);
	id = qmp_send(l->qmp, "human-monitor-command", command);
	if (id > 0)
		l->question = (unsigned int)id;
	else
		ask_in(l, SELDOM_MSEC);
}

static void on_printed(void *arg, uint32_t events)
{
	struct qlisten *l = arg;
	uint64_t n;

	(void)events;
	/* Already set to ask soon: output that goes on must not put it off. */
	if (read(l->printed, &n, sizeof(n)) > 0 && l->msec > SOON_MSEC && !l->done)
		ask_in(l, SOON_MSEC);
}

/**
 * qlisten_reply() - an answer came on the monitor
 * @l: started
 * @id: its number; that of another command is ignored
 * @line, @len: the whole message
 */
void qlisten_reply(struct qlisten *l, unsigned int id, const char *line, size_t len)
{
	unsigned int ier;
	char text[64];

	if (!l->question || id != l->question || l->done)
		return;
	l->question = 0;
	if (json_get(line, len, "return", text, sizeof(text)) != JSON_STRING ||
	    sscanf(text, "portb[0x03f9] = %x", &ier) != 1) {
		debug("qemu: does not tell about its UART: input goes there from now on");
		done(l);
	} else if ((ier & IER_RDI) && ier != IER_PROBING) {
		done(l);
	} else {
		ask_in(l, MIN(2 * l->msec, (uint64_t)SELDOM_MSEC));
	}
}

/** qlisten_init() - make what qlisten_start() needs. @l: QLISTEN_INIT. Return: 0 or -errno. */
int qlisten_init(struct qlisten *l, struct loop *loop)
{
	l->loop = loop;
	l->printed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->printed < 0)
		return -errno;
	l->timer = loop_timer(loop, on_timer, l);
	if (l->timer < 0)
		return l->timer;
	l->printed_id = loop_add(loop, l->printed, EPOLLIN, on_printed, l);
	return l->printed_id < 0 ? l->printed_id : 0;
}

/** qlisten_start() - the guest runs. @l: initialized. @qmp: negotiated. @port: the console. */
void qlisten_start(struct qlisten *l, struct qmp *qmp, struct qport *port)
{
	l->qmp = qmp;
	l->port = port;
	ask_in(l, SELDOM_MSEC);
}

/** qlisten_stop() - ask no more. @l: initialized. */
void qlisten_stop(struct qlisten *l)
{
	l->done = true;
	loop_timer_set(l->loop, l->timer, 0);
	loop_del(l->loop, &l->printed_id);
}

/** qlisten_free() - give it up; after the port, which writes to it. @l: QLISTEN_INIT or more. */
void qlisten_free(struct qlisten *l)
{
	loop_del(l->loop, &l->printed_id);
	loop_timer_del(l->loop, &l->timer);
	cleanup_fd(&l->printed);
}
