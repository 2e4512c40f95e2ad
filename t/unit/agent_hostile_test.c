// SPDX-License-Identifier: ISC
/*
 * agent_hostile_test.c - the exec server and clients that are many, late, or mean it harm.
 *
 * Connections that must be closed after a time are made first and looked at last.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include "exec_server.h"

static void test_many(void)
{
	enum { MANY = 100 };
	static struct client c[MANY];
	struct job j = { .argv = SH("read -r x; echo $x; exit 5"), .streams = ALL, .input = "go\n",
			 .input_len = 3 };
	int i, good = 0;

	for (i = 0; i < MANY; i++)
		client_start(&c[i], &j);
	/* All of them run at the same time: nobody got input yet. */
	for (i = 0; i < MANY; i++)
		while (!c[i].started && !c[i].failed) {
			struct job quiet = { .streams = ALL };

			if (!client_step(&c[i], &quiet))
				break;
		}
	for (i = 0; i < MANY; i++) {
		client_finish(&c[i], &j);
		good += c[i].exited && c[i].status == 5 && client_said(&c[i], PROTO_STDOUT, "go\n");
		client_free(&c[i]);
	}
	CHECK(good == MANY, "100 sessions at once");
}

/* What /proc/PID/status says of memory, KiB; how many descriptors are open. */
static long agent_memory(void)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)agent);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static int agent_fds(void)
{
	char path[64];
	int i, n = 0;

	for (i = 0; i < 1024; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)agent, i);
		n += lstat(path, &st) == 0;
	}
	return n;
}

static void test_growth(void)
{
	struct job j = { .argv = { "true" }, .streams = ALL };
	bool sanitized = getenv("VM_AGENT") && strstr(getenv("VM_AGENT"), "asan");
	long memory = agent_memory(), after;
	int fds = agent_fds(), i, good = 0;

	for (i = 0; i < 1000; i++) {
		struct client c;

		client_run(&c, &j);
		good += c.exited && !c.status;
		client_free(&c);
	}
	after = agent_memory();
	printf("# memory %ld -> %ld KiB, descriptors %d -> %d\n", memory, after, fds, agent_fds());
	CHECK(good == 1000, "1000 commands one after another");
	CHECK(agent_fds() <= fds, "no descriptor is left open");
	CHECK(sanitized || after <= memory + 128, "no memory is left behind");
}

static void test_hellos(void)
{
	static const uint8_t bad[][8] = {
		{ 'x', 'v', 'm', 1 }, { 'p', 'v', 'm', 2 }, { 'p', 'v', 'm', 0 }, { 'p', 'v', 'm', 1, 5 },
		{ 'p', 'v', 'm', 1, 255 }, { 'p', 'v', 'm', 1, 0, 1 }, { 'p', 'v', 'm', 1, 0, 0, 0, 1 },
	};
	bool good = true;
	struct client c;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t hello[PROTO_HELLO] = { 0 };

		memcpy(hello, bad[i], sizeof(bad[i]));
		fd = server_connect();
		send_all(fd, hello, sizeof(hello));
		good = closes(&fd) && good;
	}
	CHECK(good, "a wrong hello is closed at once");
	client_open(&c, OUT);
	fd = server_hello(PROTO_CONTROL, c.id);
	CHECK(closes(&fd), "a second control connection is closed");
	fd = server_hello(PROTO_STDOUT, c.id);
	CHECK(closes(&fd), "a second stream of a kind is closed");
	client_free(&c);
}

/* Whether these bytes on a fresh control connection, perhaps after a good `exec`, have it closed. */
static bool kills(const void *bytes, size_t len, bool running)
{
	struct job j = { .argv = { "sleep", "1000" } };
	struct client c;
	bool closed;

	if (running)
		client_start(&c, &j);
	else
		client_open(&c, 0);
	while (running && !c.started && client_step(&c, &j))
		;
	send_all(c.fd[PROTO_CONTROL], bytes, len);
	closed = closes(&c.fd[PROTO_CONTROL]) && (!running || process_ends((pid_t)c.pid));
	client_free(&c);
	return closed;
}

static void test_records(void)
{
	static const struct { uint8_t bytes[24]; size_t len; const char *name; } bad[] = {
		{ { 1, 0, 33, 0, PROTO_EXEC }, 8, "longer than allowed" },
		{ { 255, 255, 255, 255, PROTO_EXEC }, 8, "4 GiB long" },
		{ { 0, 0, 0, 0, PROTO_SIGNAL }, 8, "not `exec` first" },
		{ { 0, 0, 0, 0, PROTO_STARTED }, 8, "an agent's" },
		{ { 0, 0, 0, 0, 99 }, 8, "of unknown type" },
		{ { 0, 0, 0, 0, PROTO_EXEC, 0, 1 }, 8, "with a reserved bit" },
		{ { 4, 0, 0, 0, PROTO_EXEC }, 12, "with half a field" },
		{ { 8, 0, 0, 0, PROTO_EXEC, 0, 0, 0, 9, 0, 0, 0, 1 }, 16, "with a field that is too long" },
		{ { 8, 0, 0, 0, PROTO_EXEC, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1 }, 16,
		  "with a reserved bit in a field" },
	};
	static const uint8_t large[] = { 1, 16, 0, 0, PROTO_SIGNAL, 0, 0, 0 };
	static const uint8_t exec[] = { 0, 0, 0, 0, PROTO_EXEC, 0, 0, 0 };
	char name[80];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(name, sizeof(name), "a record %s ends the connection", bad[i].name);
		CHECK(kills(bad[i].bytes, bad[i].len, false), name);
	}
	CHECK(kills(large, sizeof(large), true), "a large record that is no `exec` ends command and all");
	CHECK(kills(exec, sizeof(exec), true), "a second `exec`, too");
}

/* What has to be closed, made long before it is looked at. */
static struct { int silent, dribbling, stream, control; struct client waiting; } late;

static void begin_late(void)
{
	static const uint8_t id[PROTO_ID] = "nobody knows me";
	struct job j = { .argv = { "true" }, .streams = OUT | ERR };
	struct wire_out w;

	late.silent = server_connect();
	late.dribbling = server_connect();
	send_all(late.dribbling, "pvm\1\0", 5);
	late.stream = server_hello(PROTO_STDOUT, id);
	client_open(&late.waiting, OUT);
	late.control = server_hello(PROTO_CONTROL, (const uint8_t *)"silent as a fish");
	put_exec(&w, &j);
	send_record(late.waiting.fd[PROTO_CONTROL], &w);
}

static void end_late(void)
{
	struct job j = { .streams = OUT };

	send_all(late.dribbling, "\0", 1);
	CHECK(closes(&late.silent), "a silent connection is closed");
	CHECK(closes(&late.dribbling), "a dribbling one, too");
	CHECK(closes(&late.stream), "a stream that nobody claims, too");
	CHECK(closes(&late.control), "a control connection without a request, too");
	client_finish(&late.waiting, &j);
	CHECK(late.waiting.failed && late.waiting.status == 125 &&
	      !strcmp(late.waiting.text, "the command's streams did not come"),
	      "a command whose streams do not come fails");
	client_free(&late.waiting);
}

/* Without descriptors to spare the server waits until one is free, and works on. */
static void test_few_descriptors(void)
{
	enum { FDS = 40, CLIENTS = 60 };
	struct rlimit few, before;
	int fd[CLIENTS], i;

	if (prlimit(agent, RLIMIT_NOFILE, NULL, &before) < 0)
		abort();
	few = (struct rlimit){ FDS, before.rlim_max };
	if (prlimit(agent, RLIMIT_NOFILE, &few, NULL) < 0)
		abort();
	for (i = 0; i < CLIENTS; i++)
		fd[i] = server_connect();
	for (i = 0; i < CLIENTS; i++)
		cleanup_fd(&fd[i]);
	CHECK(says("echo hi", ALL, "hi\n", 0), "more connections than descriptors: it goes on later");
	prlimit(agent, RLIMIT_NOFILE, &before, NULL);
}

/* Too few to start a command: it says so, and how things are. */
static void test_lack(void)
{
	struct job j = { .argv = { "true" }, .streams = ALL };
	struct rlimit few, before;
	struct wire_out w;
	struct client c;
	int second;

	client_open(&c, ALL);
	/* When this one is closed, those before it have been accepted. */
	second = server_hello(PROTO_CONTROL, c.id);
	CHECK(closes(&second), "four connections are there");
	if (prlimit(agent, RLIMIT_NOFILE, NULL, &before) < 0)
		abort();
	few = (struct rlimit){ (rlim_t)agent_fds(), before.rlim_max };
	prlimit(agent, RLIMIT_NOFILE, &few, NULL);
	put_exec(&w, &j);
	send_record(c.fd[PROTO_CONTROL], &w);
	client_finish(&c, &j);
	CHECK(c.failed && c.status == 125 && strstr(c.text, "Too many open files (memory: "),
	      "a lack of descriptors fails with 125 and vital signs");
	printf("# %u %s\n", c.status, c.text);
	client_free(&c);
	prlimit(agent, RLIMIT_NOFILE, &before, NULL);
}

int main(void)
{
	set_up();
	begin_late();
	test_many();
	test_hellos();
	test_records();
	end_late();
	test_growth();
	test_lack();
	test_few_descriptors();
	clean_up();
	return tap_done();
}
