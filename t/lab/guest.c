/* SPDX-License-Identifier: ISC
 * Process 1 of the lab once init has made its root: runs one command for host.c and reports its end.
 *
 * States: connect (the port appears) -> start (START: mounts, root, process) -> run (bytes, signals) -> drain (the
 * command has ended: what its pipes hold goes out) -> done (everything else is killed, EXIT is sent; host.c
 * ends the machine). Orphans are reaped in all of them. The killing before EXIT makes FUSE write back what is
 * mapped from writable shares, because unmapping does. Any failure of our own ends process 1: the kernel
 * panics, and host.c calls the lab lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "start.h"
#include "wire.h"

#define BEAT_MS	1000

struct run {
	struct wire_buf in, out, input;	/* from the host, to the host, to the command */
	struct streams io;
	int port, sigfd, status;
	time_t last_beat;
	bool ended, eof, wanted, tty;	/* eof: the host's input ended; wanted: WANT is out */
};

static void die(const char *what, int err)
{
	fprintf(stderr, "lab guest: %s: %s\n", what, strerror(err));
	exit(1);
}

static int open_port(void)
{
	const struct timespec tick = { .tv_nsec = 5 * 1000 * 1000 };
	int fd = -1;

	for (int i = 0; i < 4000 && fd < 0; i++) {
		fd = open("/dev/vport0p1", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			nanosleep(&tick, NULL);
	}
	if (fd < 0)
		die("/dev/vport0p1", errno);
	return fd;
}

/* Keep a machine of KVM for ever: the first one and the end of the last one make the kernel rewrite its own code, the
 * scheduler's among it (preempt_notifier_key), and QEMU 7.2 may go on with what stood there before (see run). It never
 * runs. */
static void hold_machine(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	if (kvm < 0)
		return;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
		die("/dev/kvm", errno);
}

/* The kernel has booted with one processor, so that nobody else ran what it rewrote until now: start the others. */
static void start_processors(void)
{
	char path[64];
	int fd;

	for (int cpu = 1;; cpu++) {
		snprintf(path, sizeof(path), "/new/sys/devices/system/cpu/cpu%d/online", cpu);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			return;
		if (fd < 0 || write(fd, "1", 1) != 1)
			die(path, errno);
		close(fd);
	}
}

static void send_frame(struct run *r, enum lab_type type, const void *data, size_t n)
{
	if (wire_frame(&r->out, type, data, n) < 0)
		die("queue", ENOMEM);
}

/* Move bytes between the port and the two queues; block up to ms until it can be done. */
static void pump(struct run *r, int ms)
{
	struct pollfd p = { .fd = r->port, .events = POLLIN | (r->out.len ? POLLOUT : 0) };
	int n;

	if (poll(&p, 1, ms) <= 0)
		return;
	if (p.revents & POLLIN && (n = wire_fill(&r->in, r->port, WIRE_CHUNK)) < 0 && n != -EAGAIN)
		die("port", -n);
	if (p.revents & POLLOUT && (n = wire_flush(&r->out, r->port, WIRE_CHUNK)) < 0 && n != -EAGAIN)
		die("port", -n);
}

static void close_stream(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The command's input is finished: a pipe is closed, a terminal gets its end-of-file character. */
static void end_input(struct run *r)
{
	if (!r->eof && r->tty && wire_add(&r->input, "\004", 1) < 0)
		die("queue", ENOMEM);
	r->eof = true;
	if (!r->input.len && !r->tty)
		close_stream(&r->io.in);
}

static void take_frame(struct run *r, int type, const uint8_t *p, size_t n)
{
	struct winsize size = { 0 };

	if (type == LAB_STDIN) {
		r->wanted = false;
		if (!n)
			end_input(r);
		else if (r->io.in >= 0 && wire_add(&r->input, p, n) < 0)
			die("queue", ENOMEM);
	} else if (type == LAB_SIGNAL && n == 2 && !r->ended) {
		kill(-r->io.pid, p[0]);
	} else if (type == LAB_WINSIZE && n == 4 && r->tty) {
		size.ws_row = p[0] | p[1] << 8;
		size.ws_col = p[2] | p[3] << 8;
		ioctl(r->io.out, TIOCSWINSZ, &size);
	} else if (type == LAB_CLOSE && n == 1) {
		close_stream(p[0] == LAB_STDOUT ? &r->io.out : &r->io.err);
	}
}

/* Copy a stream of the command to the host. Return: false when it holds nothing (more). */
static bool copy_out(struct run *r, int *fd, enum lab_type type)
{
	static uint8_t chunk[WIRE_CHUNK - WIRE_HEADER];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, chunk, sizeof(chunk));
	if (n > 0)
		send_frame(r, type, chunk, n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		close_stream(fd);
	return n > 0;
}

static void copy_in(struct run *r)
{
	int n = wire_flush(&r->input, r->io.in, WIRE_CHUNK);

	if (n < 0 && n != -EAGAIN) {
		wire_drop(&r->input, r->input.len);
		close_stream(&r->io.in);
	}
	if (r->eof)
		end_input(r);
}

static void reap(struct run *r)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	if (read(r->sigfd, &si, sizeof(si)) < 0 && errno != EAGAIN)
		die("signalfd", errno);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == r->io.pid) {
			r->ended = true;
			r->status = status;
		}
}

/* Run on each processor in turn: one that has stopped must not go unnoticed because another one beats. */
static void visit(time_t second)
{
	cpu_set_t all, one;
	int nth, cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all) < 0 || CPU_COUNT(&all) < 1)
		return;
	for (nth = (int)(second % CPU_COUNT(&all)); !CPU_ISSET(cpu, &all) || nth--; )
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	sched_setaffinity(0, sizeof(all), &all);
}

static void beat(struct run *r)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec == r->last_beat)
		return;
	visit(now.tv_sec);
	send_frame(r, LAB_BEAT, NULL, 0);
	r->last_beat = now.tv_sec;
}

/* One turn of the loop: the command's streams, the port, ended children, the beat. */
static void turn(struct run *r)
{
	bool room = r->out.len < WIRE_FULL;
	struct pollfd p[] = {
		{ .fd = r->port, .events = POLLIN | (r->out.len ? POLLOUT : 0) },
		{ .fd = r->sigfd, .events = POLLIN },
		{ .fd = room ? r->io.out : -1, .events = POLLIN },
		{ .fd = room ? r->io.err : -1, .events = POLLIN },
		{ .fd = r->input.len ? r->io.in : -1, .events = POLLOUT },
	};
	uint8_t *payload;
	size_t n;
	int type;

	poll(p, 5, BEAT_MS);
	beat(r);
	if (p[0].revents)
		pump(r, 0);
	while ((type = wire_next(&r->in, &payload, &n)) >= 0) {
		take_frame(r, type, payload, n);
		wire_drop(&r->in, WIRE_HEADER + n);
	}
	if (type != -EAGAIN)
		die("port", EPROTO);
	if (p[2].revents)
		copy_out(r, &r->io.out, LAB_STDOUT);
	if (p[3].revents)
		copy_out(r, &r->io.err, LAB_STDERR);
	if (p[4].revents && r->io.in >= 0)
		copy_in(r);
	if (!r->eof && !r->wanted && !r->input.len && r->io.in >= 0) {
		r->wanted = true;
		send_frame(r, LAB_WANT, NULL, 0);
	}
	if (p[1].revents)
		reap(r);
}

/* The command has ended: send what its streams hold now, kill whatever it left, report. */
static void finish(struct run *r)
{
	const struct timespec second = { .tv_sec = 1 };
	const uint8_t status[4] = { r->status, r->status >> 8, r->status >> 16, r->status >> 24 };
	size_t left = 4 << 20;		/* a writer that stays behind must not keep us here */
	bool more = true;
	sigset_t chld;

	while (more && left > WIRE_CHUNK) {
		more = copy_out(r, &r->io.out, LAB_STDOUT);
		more |= copy_out(r, &r->io.err, LAB_STDERR);
		left -= WIRE_CHUNK;
		while (r->out.len >= WIRE_FULL)
			pump(r, -1);
	}
	kill(-1, SIGKILL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (waitpid(-1, NULL, WNOHANG) >= 0)
		if (sigtimedwait(&chld, NULL, &second) < 0)
			break;
	send_frame(r, LAB_EXIT, status, sizeof(status));
}

int main(void)
{
	static struct start s;
	struct run r = { .port = -1 };
	uint8_t *payload;
	sigset_t chld;
	size_t n;
	int type, e;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	r.sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	hold_machine();
	start_processors();
	r.port = open_port();
	send_frame(&r, LAB_HELLO, NULL, 0);
	while ((type = wire_next(&r.in, &payload, &n)) == -EAGAIN)
		pump(&r, -1);
	if (type != LAB_START)
		die("START", EPROTO);
	e = start_prepare(&s, (char *)payload, n);
	if (e < 0)
		die("START", -e);
	r.tty = s.tty;
	if (start_spawn(&s, &r.io) < 0) {
		send_frame(&r, LAB_FAILED, r.io.why, sizeof(r.io.why));
	} else {
		wire_drop(&r.in, WIRE_HEADER + n);
		while (!r.ended)
			turn(&r);
		finish(&r);
	}
	for (;;)
		pump(&r, -1);
}
