// SPDX-License-Identifier: ISC
/*
 * main.c - vm-console: attach to a VM's console, or automate what is on it.
 *
 * The life: parse, find the VM, say which console is wanted, then either join it to the terminal
 * (attach.c) or do the steps of the command line (script.c), and exit with what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "attach.h"
#include "console.h"
#include "log.h"
#include "opts.h"
#include "script.h"
#include "text.h"
#include "util.h"

enum { STEPS_MAX = 256 };

enum {
	OPT_READ_ONLY = OPT_LONG,
	OPT_NO_REPLAY,
	OPT_ESCAPE,
	OPT_SEND,
	OPT_WAIT_FOR,
	OPT_RUN,
	OPT_TIMEOUT,
};

static const struct opt table[] = {
	{ 'V', NULL, "SPEC", "the VM: a handle, a name, fd:N, or - for a handle on stdin" },
	{ 'v', "verbose", NULL, "tell what is going on" },
	{ OPT_READ_ONLY, "read-only", NULL, "only watch" },
	{ OPT_NO_REPLAY, "no-replay", NULL, "begin with what comes now" },
	{ OPT_ESCAPE, "escape", "CHAR", "key that detaches: ^X, a character, empty for none (^])" },
	{ OPT_SEND, "send", "TEXT", "type TEXT; \\n \\r \\t \\e \\\\ \\xHH" },
	{ OPT_WAIT_FOR, "wait-for", "REGEX", "wait for it, and print what comes until then" },
	{ OPT_RUN, "run", "COMMAND", "run it in the guest's shell; its output, its exit status" },
	{ OPT_TIMEOUT, "timeout", "SEC", "give up after SEC seconds in all, with status 124" },
};

static const struct opts opts = {
	.tool = "vm-console",
	.synopsis = "[-v] [-V SPEC] [--read-only] [--no-replay] [--escape CHAR] [--timeout SEC]\n"
		    "                  [--send TEXT | --wait-for REGEX | --run COMMAND]...",
	.about = "Attach to a VM's console, or automate what is on it without an agent.",
	.epilog = "--send, --wait-for and --run are done in the order given.",
	.table = table,
	.count = ARRAY_SIZE(table),
	.usage_status = EXIT_OURS,
};

struct config {
	const char *spec;
	bool read_only, replay, verbose;
	int escape;
	bool escape_given;
	uint64_t timeout;               /* ms; 0: none */
	struct step steps[STEPS_MAX];
	size_t count;
};

static void add_step(struct config *c, enum step_kind kind, const char *text)
{
	struct step *step = &c->steps[c->count];
	char why[80];

	if (c->count == STEPS_MAX)
		opts_usage(&opts, "more than %d steps", (int)STEPS_MAX);
	*step = (struct step){ .kind = kind, .text = text };
	c->count++;
	if (kind == STEP_SEND) {
		step->bytes = malloc(strlen(text) + 1);
		if (step->bytes && text_unescape(text, step->bytes, &step->len))
			opts_usage(&opts, "--send %.80s: has an unknown escape", text);
	} else if (kind == STEP_WAIT_FOR) {
		step->re = malloc(sizeof(*step->re));
		if (step->re && regex_compile(step->re, text, why, sizeof(why)))
			opts_usage(&opts, "--wait-for %.80s: %s", text, why);
	}
	if (kind != STEP_RUN && !step->bytes && !step->re)
		die(EXIT_OURS, "out of memory");
}

static void parse(struct config *c, int argc, char *argv[])
{
	const char *arg;
	int id;

	while ((id = opts_next(&opts, argc, argv, &arg)) != -1) {
		switch (id) {
		case 'V':
			if (!*arg)
				opts_usage(&opts, "-V: needs a VM");
			c->spec = arg;
			break;
		case 'v':
			c->verbose = true;
			break;
		case OPT_READ_ONLY:
			c->read_only = true;
			break;
		case OPT_NO_REPLAY:
			c->replay = false;
			break;
		case OPT_ESCAPE:
			c->escape_given = true;
			if (parse_key(arg, &c->escape))
				opts_usage(&opts, "--escape %s: is not ^X, a character, or empty", arg);
			break;
		case OPT_SEND:
			add_step(c, STEP_SEND, arg);
			break;
		case OPT_WAIT_FOR:
			add_step(c, STEP_WAIT_FOR, arg);
			break;
		case OPT_RUN:
			add_step(c, STEP_RUN, arg);
			break;
		case OPT_TIMEOUT:
			if (parse_msec(arg, &c->timeout) || !c->timeout)
				opts_usage(&opts, "--timeout %s: is not a time in seconds", arg);
			break;
		}
	}
	if (opts_end() < argc)
		opts_usage(&opts, "%s: no operand is expected", argv[opts_end()]);
	for (id = 0; c->read_only && (size_t)id < c->count; id++)
		if (c->steps[id].kind != STEP_WAIT_FOR)
			opts_usage(&opts, "--read-only: goes with --wait-for, not with --send or --run");
	if (c->escape_given && (c->count || c->read_only))
		opts_usage(&opts, "--escape: goes with neither --read-only, --send, --wait-for nor --run");
}

/* What a terminal or stdin is to us. */
static void choose_keys(struct attach *a, const struct config *c, const struct vm_link *link)
{
	int fd = link->stdin_is_handle ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) :
					 STDIN_FILENO;

	if (c->escape_given && (fd < 0 || !isatty(fd)))
		opts_usage(&opts, "--escape: there is no terminal, so no key to detach");
	if (c->read_only || fd < 0 || fdio_open(&a->keys, fd, false))
		return;         /* a watcher leaves the terminal alone: ^C is a way out */
	if (isatty(fd)) {
		a->terminal = fd;
		a->escape = c->escape;
	}
}

static void open_console(struct console *con, unsigned int mode)
{
	int e = console_open(con, mode);

	if (e == -EBUSY)
		die(EXIT_OURS, "console: another vm-console works on it");
	if (e)
		die(EXIT_OURS, "console: %s", con->err);
}

/* Until the console is ours, calls block: the deadline ends them from outside. */
static void on_alarm(int sig)
{
	static const char line[] = "vm-console: console: timeout: the VM does not answer\n";

	(void)sig;
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) {
		/* nobody to tell */
	}
	_exit(EXIT_TIMEOUT);
}

static void set_alarm(uint64_t msec)
{
	struct itimerval it = {
		.it_value = { (time_t)(msec / 1000), (suseconds_t)(msec % 1000) * 1000 },
	};

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	if (!msec)
		signal(SIGALRM, SIG_DFL);
}

/*
 * Who waits for output wants every byte of it, and holds the console. Two --run at once would talk
 * into each other's shell: there the second is refused. Others go on beside whoever holds it.
 */
static void open_for_steps(const struct config *c, struct console *con, unsigned int mode)
{
	bool waits = false, runs = false;
	size_t i;

	for (i = 0; i < c->count; i++) {
		waits |= c->steps[i].kind == STEP_WAIT_FOR;
		runs |= c->steps[i].kind == STEP_RUN;
	}
	if (runs)
		open_console(con, mode | CONSOLE_HOLD);
	else if (!waits || c->read_only || console_open(con, mode | CONSOLE_HOLD))
		open_console(con, mode);
}

static int interactive(const struct config *c, struct console *con, unsigned int mode,
		       uint64_t deadline)
{
	struct attach a = {
		.con = con, .keys = FDIO_INIT, .terminal = -1, .escape = -1, .deadline = deadline,
	};
	struct winsize_cells size;

	choose_keys(&a, c, &con->link);
	if (a.terminal >= 0 && tty_size(a.terminal, &size) == 0)
		console_resize(con, &size);     /* before the first byte is made for another size */
	/* A stream wants every byte; who holds the console already has the better right to that. */
	if (c->read_only || isatty(STDOUT_FILENO) || console_open(con, mode | CONSOLE_HOLD))
		open_console(con, mode);
	set_alarm(0);
	return attach_run(&a);
}

int main(int argc, char *argv[])
{
	static struct config c = { .replay = true, .escape = 0x1d };
	static struct console con = CONSOLE_INIT;
	unsigned int mode = 0;
	uint64_t deadline;
	char err[512];

	fdio_std();
	handle_keep_private();
	log_init("vm-console", false);
	parse(&c, argc, argv);
	log_init("vm-console", c.verbose);
	signal(SIGPIPE, SIG_IGN);       /* a lost stdout is noticed where it is written */

	deadline = c.timeout ? now_msec() + c.timeout : 0;
	set_alarm(c.timeout);
	if (handle_open(&con.link, c.spec, err, sizeof(err)))
		die(EXIT_OURS, "%s", err);
	mode = c.read_only ? CONSOLE_READ_ONLY : 0;
	if (!c.count) {
		mode |= c.replay ? CONSOLE_REPLAY : 0;
		return interactive(&c, &con, mode, deadline);
	}
	/* What was printed before us is for a --wait-for that nothing comes before. */
	if (c.replay && c.steps[0].kind == STEP_WAIT_FOR)
		mode |= CONSOLE_REPLAY;
	open_for_steps(&c, &con, mode);
	set_alarm(0);
	return script_run(&con, c.steps, c.count, deadline);
}
