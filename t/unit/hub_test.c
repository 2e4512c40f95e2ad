// SPDX-License-Identifier: ISC
/* hub_test.c - the console's hub and the ports before it, without a guest. */
#include "hub.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "port.h"
#include "tap.h"
#include "worker.h"

/* One take of a port's input, on the hub's worker. */
struct take {
	struct port_sink sink;
	size_t most, got;
	char buf[4096];
};

static void take_now(void *arg)
{
	struct take *t = arg;

	t->got = t->sink.input(t->sink.arg, t->buf, t->most);
}

/* What the port gives, @most bytes at a time: waits for the first ones, as a driver does. */
static size_t take(struct worker *w, struct take *t, size_t most)
{
	time_t end = time(NULL) + 10;

	t->most = most;
	do {
		worker_call(w, take_now, t);
	} while (!t->got && time(NULL) < end);
	return t->got;
}

static void up(void *arg)
{
	hub_port_up(arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void test_sysrq(struct worker *w, struct hub *hub, int client)
{
	struct take serial = { .sink = port_to_hub(hub) }, hvc = { .sink = port_to_hub_hvc(hub) };

	CHECK(write(client, "a\x0f" "b", 3) == 3 && take(w, &serial, 16) == 3 &&
	      !memcmp(serial.buf, "a\x0f" "b", 3), "a serial port gives what was typed");
	CHECK(write(client, "a\x0f" "b", 3) == 3 && take(w, &hvc, 16) == 4 &&
	      !memcmp(hvc.buf, "a\x0f\x0f" "b", 4), "hvc0 gives ^O twice: Linux takes one");
	CHECK(write(client, "\x0f\x0f\x0f", 3) == 3 && take(w, &hvc, 5) == 4 &&
	      !memcmp(hvc.buf, "\x0f\x0f\x0f\x0f", 4), "a pair is not cut at a buffer's end");
	CHECK(take(w, &hvc, 5) == 2 && !memcmp(hvc.buf, "\x0f\x0f", 2), "and the rest comes next");
}

int main(void)
{
	struct hub_port port = { nothing, nothing, NULL };
	struct worker *w = worker_new("test");
	struct hub *hub = hub_new(w);
	int client, second;

	hub_set_port(hub, &port);
	/* No thread yet, so nobody has noticed that the first one left. */
	if (hub_attach(hub, HUB_HOLD, 1, &client))
		return 1;
	CHECK(hub_attach(hub, HUB_HOLD, 2, &second) == -EBUSY, "one reader holds");
	close(client);
	CHECK(hub_attach(hub, HUB_HOLD, 3, &client) == 0, "... and the next one when it has left");
	close(client);
	worker_start(w);
	worker_call(w, up, hub);
	if (hub_attach(hub, 0, 1, &client))
		return 1;
	test_sysrq(w, hub, client);
	close(client);
	worker_stop(w);
	hub_free(hub);
	worker_free(w);
	return tap_done();
}
