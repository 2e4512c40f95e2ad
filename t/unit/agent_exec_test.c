// SPDX-License-Identifier: ISC
/* agent_exec_test.c - what the exec server does for its clients; agent_hostile_test.c: against them. */
#include <sched.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include "exec_server.h"

static void test_bytes(void)
{
	static const size_t sizes[] = { 0, 1, 5000, 200000, 3 << 20 };
	char name[80], *data = malloc(3 << 20);
	size_t i, n;

	for (i = 0; i < 3 << 20; i++)
		data[i] = (char)(i * 7 + i / 256);
	for (n = 0; n < ARRAY_SIZE(sizes); n++) {
		struct job j = { .argv = SH("tee /dev/stderr"), .streams = ALL, .input = data,
				 .input_len = sizes[n] };
		struct client c;

		client_run(&c, &j);
		snprintf(name, sizeof(name), "%zu bytes there and back, twice, with counts", sizes[n]);
		CHECK(c.exited && !c.status && c.len[PROTO_STDOUT] == sizes[n] && c.bytes_out == sizes[n] &&
		      c.len[PROTO_STDERR] == sizes[n] && c.bytes_err == sizes[n] &&
		      (!sizes[n] || (!memcmp(c.data[PROTO_STDOUT], data, sizes[n]) &&
				     !memcmp(c.data[PROTO_STDERR], data, sizes[n]))), name);
		client_free(&c);
	}
	free(data);
	CHECK(says("echo out; echo err >&2", OUT, "out\n", 0), "stderr that is not asked for is not there");
	CHECK(says("cat; echo end", OUT, "end\n", 0), "stdin that is not asked for is empty");
}

static void test_status(void)
{
	static const struct { const char *name; uint32_t number; } signals[] = {
		{ "TERM", SIGTERM }, { "KILL", SIGKILL }, { "SEGV", SIGSEGV }, { "HUP", SIGHUP },
	};
	char script[40], name[60];
	bool good = true;
	size_t i;

	for (i = 0; i < 256; i++) {
		snprintf(script, sizeof(script), "exit %zu", i);
		good = good && says(script, OUT, "", (uint32_t)i);
	}
	CHECK(good, "all 256 exit statuses");
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		struct job j = { .argv = SH(script), .streams = OUT };
		struct client c;

		snprintf(script, sizeof(script), "ulimit -c 0; kill -%s $$", signals[i].name);
		snprintf(name, sizeof(name), "killed by %s", signals[i].name);
		client_run(&c, &j);
		CHECK(c.exited && c.signal == signals[i].number && c.status == 999, name);
		client_free(&c);
	}
}

static void test_failures(void)
{
	static const struct { struct job j; uint32_t status; const char *text; } cases[] = {
		{ { .argv = { "no-such-command" } }, 127, "no-such-command: No such file or directory" },
		{ { .argv = { "" } }, 127, ": No such file or directory" },
		{ { .argv = { "/no/such/file" } }, 127, "/no/such/file: No such file or directory" },
		{ { .argv = { "/etc/passwd" } }, 126, "/etc/passwd: Permission denied" },
		{ { .argv = { "/tmp" } }, 126, "/tmp: Permission denied" },
		{ { .argv = { "passwd" }, .env = { "PATH=/etc" } }, 126, "passwd: Permission denied" },
		{ { .argv = { "true" }, .cwd = "/no/dir" }, 127,
		  "directory /no/dir: No such file or directory" },
		{ { .argv = { "true" }, .cwd = "/etc/passwd" }, 127,
		  "directory /etc/passwd: Not a directory" },
		{ { .argv = { "true" }, .user = "nobody-such" }, 126, "user nobody-such: no such user" },
		{ { .argv = { "true" }, .user = "0:nogroup-such" }, 126,
		  "group nogroup-such: no such group" },
		{ { .argv = { "true" }, .user = "4294967295" }, 126, "user 4294967295: no such user" },
		{ { .argv = { NULL } }, 125, "no command" },
		{ { .argv = { "true" }, .env = { "X" } }, 125, "an environment variable is not NAME=VALUE" },
		{ { .argv = { "true" }, .env = { "=X" } }, 125, "an environment variable is not NAME=VALUE" },
		{ { .argv = { "true" }, .flags = 2 }, 125, "a flag is not known" },
		{ { .argv = { "true" }, .flags = PROTO_DETACH, .streams = OUT }, 125,
		  "a detached command has no streams" },
		{ { .argv = { "true" }, .streams = OUT | TTY }, 125, "these streams do not go together" },
		{ { .argv = { "true" }, .streams = 1 }, 125, "these streams do not go together" },
	};
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		client_run(&c, &cases[i].j);
		CHECK(c.failed && !c.started && !c.exited && c.status == cases[i].status &&
		      !strcmp(c.text, cases[i].text), cases[i].text);
		if (strcmp(c.text, cases[i].text) != 0)
			printf("# %u %s\n", c.status, c.text);
		client_free(&c);
	}
}

static void test_arguments(void)
{
	enum { ARGS = 10, LEN = 100000 };
	struct job j = { .argv = { "sh", "-c", "printf %s \"$@\" | wc -c", "sh" }, .streams = OUT };
	char *big = malloc(LEN);
	struct wire_out w;
	struct client c;
	int i;

	memset(big, 'x', LEN);
	client_open(&c, OUT);
	put_exec(&w, &j);
	for (i = 0; i < ARGS; i++)
		wire_put(&w, PROTO_K_ARG, big, LEN);
	send_record(c.fd[PROTO_CONTROL], &w);
	client_finish(&c, &j);
	CHECK(c.exited && client_said(&c, PROTO_STDOUT, "1000000\n"), "1 MB of arguments");
	client_free(&c);
	free(big);
}

static void test_surroundings(void)
{
	struct job last = { .argv = { "env" }, .env = { "A=1", "HOME=/x", "B=2", "A=3", "PATH=/bin:/usr/bin",
			    "TERM=y" }, .cwd = "/", .streams = OUT };
	char expect[64];
	struct rlimit files;
	struct client c;

	CHECK(says("cd /proc/self/fd && echo *", OUT, "0 1 2 3\n", 0) ||
	      says("cd /proc/$$/fd && echo *", OUT, "0 1 2\n", 0), "no descriptor leaks into a command");
	CHECK(says("sed -n '/^Sig[BIC]/p' /proc/self/status", OUT, "SigBlk:\t0000000000000000\n"
		   "SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", 0),
	      "no signal is blocked, ignored or caught");
	CHECK(says("umask", OUT, "0022\n", 0), "umask 022");
	getrlimit(RLIMIT_NOFILE, &files);
	snprintf(expect, sizeof(expect), "%llu\n", (unsigned long long)files.rlim_cur);
	CHECK(says("ulimit -n", OUT, expect, 0), "the limit of open files is not the server's");
	CHECK(says("read -r p c s pp g sid r </proc/$$/stat; [ $g = $$ ] && [ $sid = $$ ]", OUT, "", 0),
	      "a command leads its session and group");
	CHECK(says("tty <&1 || [ -t 2 ]", OUT | ERR, "not a tty\n", 1), "no terminal unless asked for");
	CHECK(says("echo ${PATH:+p}${HOME:+h}${USER:+u}${LOGNAME:+l}${SHELL:+s}${TERM-no}", OUT,
		   "phulsno\n", 0),
	      "the environment of a login, without TERM");
	CHECK(says("cd; a=$PWD; cd - >/dev/null; [ \"$a\" = \"$PWD\" ]", OUT, "", 0), "starts in the home");
	client_run(&c, &last);
	CHECK(c.exited && strstr(c.data[PROTO_STDOUT], "A=3\n") && !strstr(c.data[PROTO_STDOUT], "A=1") &&
	      strstr(c.data[PROTO_STDOUT], "HOME=/x\n") && strstr(c.data[PROTO_STDOUT], "TERM=y\n"),
	      "the last variable of a name counts, and goes before the defaults");
	client_free(&c);
}

static void test_terminal(void)
{
	struct job j = { .argv = SH("stty size; echo $TERM; read -r x; stty size; echo \"<$x>\"; exit 7"),
			 .streams = TTY, .cols = 132, .rows = 50, .input = "", .keep_input = true };
	uint8_t size[4] = { 90, 0, 30, 0 };
	struct wire_out w;
	struct client c;
	char *all;

	CHECK(says("tty >/dev/null && [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && : </dev/tty", TTY, "", 0),
	      "a terminal of its own, controlling");
	client_start(&c, &j);
	while (c.len[PROTO_TTY] < strlen("50 132\r\nxterm\r\n") && client_step(&c, &j))
		;
	CHECK(client_said(&c, PROTO_TTY, "50 132\r\nxterm\r\n"), "its size is set before the command starts");
	wire_begin(&w, PROTO_WINSIZE);
	wire_put(&w, PROTO_K_SIZE, size, sizeof(size));
	send_record(c.fd[PROTO_CONTROL], &w);
	/* Records and bytes take different ways, and no record is answered: the size has been set when a
	 * second connection that came later has been. */
	CHECK(says(":", OUT, "", 0), "a command beside it");
	send_all(c.fd[PROTO_TTY], "\xc3\xa9!\n", 4);
	client_finish(&c, &j);
	all = c.data[PROTO_TTY];
	CHECK(c.exited && c.status == 7 && strstr(all, "30 90\r\n") && strstr(all, "<\xc3\xa9!>\r\n") &&
	      c.bytes_out == c.len[PROTO_TTY], "typing, resizing, its status");
	client_free(&c);

	j = (struct job){ .argv = SH("seq 1 20000; printf last"), .streams = TTY };
	client_run(&c, &j);
	CHECK(c.exited && c.len[PROTO_TTY] == 108894 + 20000 + 4 && c.bytes_out == c.len[PROTO_TTY] &&
	      !memcmp(c.data[PROTO_TTY] + c.len[PROTO_TTY] - 4, "last", 4), "all of a terminal's output");
	client_free(&c);
}

/* A command whose background child holds its output. @streams: of what kind. */
static void test_background(uint32_t streams, const char *name)
{
	struct job j = { .argv = SH("trap '' HUP; sleep 1000 & echo $!; printf end"), .streams = streams };
	int which = streams & TTY ? PROTO_TTY : PROTO_STDOUT;
	struct client c;
	pid_t pid;

	client_run(&c, &j);
	pid = c.data[which] ? atoi(c.data[which]) : 0;
	CHECK(c.exited && !c.status && pid > 1 && strstr(c.data[which], "end") && kill(pid, 0) == 0, name);
	if (pid > 1)
		kill(pid, SIGKILL);
	client_free(&c);
}

static void test_last_bytes(void)
{
	struct job j = { .argv = SH("head -c 70000 /dev/zero; printf 'end'"), .streams = OUT };
	int i, good = 0;

	for (i = 0; i < 200; i++) {
		struct client c;

		client_run(&c, &j);
		good += c.exited && c.len[PROTO_STDOUT] == 70003 && c.bytes_out == 70003 &&
			!memcmp(c.data[PROTO_STDOUT] + 70000, "end", 3);
		client_free(&c);
	}
	CHECK(good == 200, "the last bytes, 200 times");
}

/* The client leaves: so does the command and all of its group. */
static void test_gone(uint32_t streams, const char *name)
{
	struct job j = { .argv = SH("trap '' HUP; (exec sleep 1000) & echo $!; wait; sleep 1000"),
			 .streams = streams };
	int which = streams & TTY ? PROTO_TTY : PROTO_STDOUT;
	struct client c;
	pid_t pid;

	client_start(&c, &j);
	while ((!c.len[which] || !memchr(c.data[which], '\n', c.len[which])) && client_step(&c, &j))
		;
	pid = c.data[which] ? atoi(c.data[which]) : 0;
	client_free(&c);
	CHECK(pid > 1 && c.pid > 1 && process_ends(pid) && process_ends((pid_t)c.pid), name);
}

static void test_streams_end(void)
{
	struct job yes = { .argv = { "yes" }, .streams = OUT }, deaf = { .argv = { "sleep", "1000" },
		.streams = ALL, .input_len = 4 << 20, .keep_input = true };
	struct job closer = { .argv = SH("exec <&-; sleep 1000"), .streams = IN | OUT };
	struct pollfd p = { .events = 0 };
	struct client c;
	size_t fed;

	client_start(&c, &yes);
	while (c.len[PROTO_STDOUT] < 100000 && client_step(&c, &yes))
		;
	cleanup_fd(&c.fd[PROTO_STDOUT]);
	client_finish(&c, &yes);
	CHECK(c.exited && c.signal == SIGPIPE, "a reader that leaves is SIGPIPE to the command");
	client_free(&c);

	deaf.input = calloc(1, deaf.input_len);
	client_start(&c, &deaf);
	while (!c.started && client_step(&c, &deaf))
		;
	while (c.fed < 100000 && client_step(&c, &deaf))
		;
	fed = c.fed;
	client_signal(&c, "NOSUCH");
	client_signal(&c, "TERM");
	client_finish(&c, &deaf);
	CHECK(c.exited && c.signal == SIGTERM && fed < deaf.input_len,
	      "unread stdin holds up no signal; one that does not exist does no harm");
	client_free(&c);
	free((void *)deaf.input);

	client_start(&c, &closer);
	p.fd = c.fd[PROTO_STDIN];
	CHECK(poll(&p, 1, WAIT_MS) == 1 && (p.revents & POLLHUP), "a command that closes stdin is seen to");
	client_signal(&c, "KILL");
	client_finish(&c, &closer);
	client_free(&c);
}

static void test_detached(void)
{
	struct job j = { .argv = { "sleep", "1000" }, .flags = PROTO_DETACH };
	struct job bad = { .argv = { "no-such" }, .flags = PROTO_DETACH };
	struct client c;

	client_run(&c, &j);
	CHECK(c.started && !c.exited && !c.failed && kill((pid_t)c.pid, 0) == 0 &&
	      getsid((pid_t)c.pid) == (pid_t)c.pid, "a detached command goes on, in a session of its own");
	CHECK(kill((pid_t)c.pid, SIGKILL) == 0 && process_ends((pid_t)c.pid), "until it is killed");
	client_free(&c);
	client_run(&c, &bad);
	CHECK(c.failed && c.status == 127, "one that cannot start says so");
	client_free(&c);
}

static bool runs_as(const char *user, const char *script, const char *out)
{
	struct job j = { .argv = SH(script), .user = user, .streams = OUT };
	struct client c;
	bool ok;

	client_run(&c, &j);
	ok = c.exited && client_said(&c, PROTO_STDOUT, out);
	if (!ok)
		printf("# %s: %s%s\n", user, c.text, c.data[PROTO_STDOUT] ? c.data[PROTO_STDOUT] : "");
	client_free(&c);
	return ok;
}

static void skip(const char *name, const char *why)
{
	printf("ok %u - %s # skip %s\n", ++tap_tests, name, why);
}

static void test_users(void)
{
	struct job other = { .argv = { "true" }, .user = "12345" };
	struct client c;

	if (geteuid() != 0) {
		client_run(&c, &other);
		CHECK(c.failed && c.status == 126, "without root no other user");
		client_free(&c);
		skip("users", "not root");
		return;
	}
	CHECK(runs_as("0", "id -u; id -G; echo $HOME $USER", "0\n0\n/root root\n"), "a uid with a name");
	CHECK(runs_as("12345", "id -u; id -G; echo $HOME $USER; pwd",
		      "12345\n0\n/ 12345\n/\n"), "one without");
	CHECK(runs_as("12345:54321", "id -u; id -G", "12345\n54321\n"), "uid:gid");
	CHECK(runs_as("daemon", "id -u; id -g; echo $USER $LOGNAME $HOME",
		      "1\n1\ndaemon daemon /usr/sbin\n"), "name");
	CHECK(runs_as("daemon:tty", "id -u; id -G", "1\n5\n"), "name:group, no other groups");
	CHECK(runs_as("daemon:", "id -g", "1\n"), "name:");
	CHECK(runs_as("daemon", "echo x >/etc/nothing", "") , "its rights are the user's");
}

static void test_command_line(void)
{
	char path[120];
	struct sockaddr_un first = server_address;
	int notify = inotify_init1(IN_CLOEXEC), fd, tries;
	char event[4096];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/t", scratch);
	inotify_add_watch(notify, scratch, IN_CREATE);
	pid = agent_start(path);
	if (read(notify, event, sizeof(event)) < 0)
		abort();
	strcpy(server_address.sun_path, path);
	/* bound, but perhaps not listening yet */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	for (tries = 0; tries < 10000000; tries++) {
		if (connect(fd, (struct sockaddr *)&server_address, sizeof(server_address)) == 0)
			break;
		sched_yield();
	}
	CHECK(says("echo hi", OUT, "hi\n", 0), "--socket PATH");
	CHECK(exit_of(agent_start(path)) == 1, "a second server there leaves with 1");
	CHECK(says("echo hi", OUT, "hi\n", 0), "and leaves the first one alone");
	kill(pid, SIGHUP);
	CHECK(says("echo hi", OUT, "hi\n", 0), "SIGHUP has no effect");
	kill(pid, SIGTERM);
	CHECK(exit_of(pid) == 0 && access(path, F_OK) < 0, "TERM: it takes its socket away");
	close(fd);
	close(notify);
	server_address = first;
}

int main(void)
{
	set_up();
	test_bytes();
	test_status();
	test_failures();
	test_arguments();
	test_surroundings();
	test_terminal();
	test_background(OUT, "a background child does not hold the session");
	test_background(TTY, "nor does one on its terminal");
	test_last_bytes();
	test_gone(OUT, "a client that is gone takes command and group along");
	test_gone(TTY, "and those on a terminal");
	test_streams_end();
	test_detached();
	test_users();
	test_command_line();
	clean_up();
	return tap_done();
}
