// SPDX-License-Identifier: ISC
/* rundir_test.c - names of VMs: who has one, who only looks, and what a dead one leaves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rundir.h"
#include "tap.h"
#include "util.h"

static int visited;

static void visit(const char *name, const char *handle, void *arg)
{
	(void)arg;
	if (!strcmp(name, "vm") && strstr(handle, "/vm/ctl"))
		visited++;
}

static int look(struct rundir *r)
{
	visited = 0;
	return rundir_list(r, visit, NULL) ? -1 : visited;
}

static struct rundir open_base(void)
{
	struct rundir r = RUNDIR_INIT;
	char err[512];

	CHECK(rundir_base(&r, true, err, sizeof(err)) == 0, "the directory of all VMs");
	return r;
}

/* A VM called vm, with a control socket of sorts. Return: what rundir_publish() does. */
static int be_vm(struct rundir *r)
{
	int e = rundir_make(r);

	if (e)
		return e;
	close(openat(r->dir, "ctl", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	e = rundir_publish(r, "vm");
	if (e)
		rundir_remove(r, false);
	return e;
}

static void leave_exit(const struct rundir *r)
{
	autoclose int fd = openat(r->dir, "exit", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(write(fd, "stopped 0\n", 10) == 10, "it says how it ended");
}

static int open_vm(const struct rundir *r)
{
	return openat(r->base, "vm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_alive(void)
{
	struct rundir vm = open_base(), other = open_base();

	CHECK(be_vm(&vm) == 0 && look(&other) == 1, "a VM is there for all to see");
	CHECK(be_vm(&other) == -EEXIST, "its name is taken");
	rundir_close(&other);
	other = open_base();
	CHECK(look(&other) == 1, "and looking takes nothing away");
	rundir_remove(&vm, false);
	CHECK(look(&other) == 0 && open_vm(&other) < 0, "one that goes leaves nothing");
	rundir_close(&vm);
	rundir_close(&other);
}

static void test_looked_at(void)
{
	struct rundir vm = open_base(), next = open_base();
	int looker;

	CHECK(be_vm(&vm) == 0, "a VM");
	rundir_close(&vm);              /* killed */
	looker = open_vm(&next);
	CHECK(flock(looker, LOCK_SH | LOCK_NB) == 0, "somebody is just looking at what it left");
	CHECK(be_vm(&next) == 0, "the name is free all the same");
	CHECK(look(&next) == 1, "and the looker's removal leaves the new one");
	unlinkat(next.base, "vm", AT_REMOVEDIR);
	CHECK(open_vm(&next) >= 0, "as its directory is not empty");
	close(looker);
	rundir_remove(&next, false);
	rundir_close(&next);
}

static void test_swept(void)
{
	struct rundir vm = open_base(), other = open_base();
	struct stat st;

	CHECK(be_vm(&vm) == 0, "a VM");
	rundir_close(&vm);
	CHECK(look(&other) == 0 && fstatat(other.base, "vm", &st, 0) < 0, "a dead one is swept by who looks");
	rundir_close(&other);
}

static void test_exit(void)
{
	struct rundir vm = open_base(), other = open_base();
	char text[64];
	int looker;

	CHECK(be_vm(&vm) == 0, "a VM");
	leave_exit(&vm);
	rundir_remove(&vm, true);
	rundir_close(&vm);
	CHECK(look(&other) == 1, "one that left word is still to be seen");
	looker = open_vm(&other);
	CHECK(flock(looker, LOCK_SH | LOCK_NB) == 0, "somebody is looking, and never leaves");
	CHECK(rundir_take_exit(&other, "vm", text, sizeof(text)) == 0 && !strcmp(text, "stopped 0\n"),
	      "who asks is told all the same");
	CHECK(rundir_take_exit(&other, "vm", text, sizeof(text)) == -ENOENT, "once");
	CHECK(look(&other) == 0, "and then it is forgotten");
	close(looker);
	rundir_close(&other);
}

int main(void)
{
	char dir[] = "/tmp/rundir.XXXXXX";

	if (!mkdtemp(dir) || setenv("VM_RUNTIME_DIR", dir, 1) < 0)
		return 1;
	alarm(60);                      /* a lock that is waited for for ever */
	test_alive();
	test_looked_at();
	test_swept();
	test_exit();
	CHECK(rmdir(dir) == 0, "nothing is left");
	return tap_done();
}
