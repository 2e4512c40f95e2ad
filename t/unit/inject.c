// SPDX-License-Identifier: ISC
/*
 * inject.c - make a system call in another process, as if it were that one's own idea.
 *
 *	inject PID NUMBER ARG...
 *
 * ARG is a number, or `=TEXT`: the address of TEXT in that process. Prints the result. For tests of
 * confinement: whoever had taken the process over could do no more. x86-64.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { SCRATCH = 4096, TEXT = 256 };

static void check(long result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* Where the arguments' texts go: far below the stack pointer, beyond the red zone. */
static unsigned long long place(pid_t pid, unsigned long long at, const char *text)
{
	struct iovec here = { (void *)text, strlen(text) + 1 }, there = { (void *)at, here.iov_len };

	check(process_vm_writev(pid, &here, 1, &there, 1, 0), "write");
	return at;
}

int main(int argc, char *argv[])
{
	struct user_regs_struct saved, regs;
	unsigned long long args[6] = { 0 }, sp;
	pid_t pid;
	int i, status;
	long code;

	if (argc < 3 || argc > 9) {
		fprintf(stderr, "usage: inject PID NUMBER ARG...\n");
		return 2;
	}
	pid = atoi(argv[1]);
	check(ptrace(PTRACE_ATTACH, pid, 0, 0), "attach");
	check(waitpid(pid, &status, __WALL), "wait");
	check(ptrace(PTRACE_GETREGS, pid, 0, &saved), "registers");
	/* It waits in a system call, so there is such an instruction before the next one. */
	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip - 2, 0);
	if (errno || (code & 0xffff) != 0x050f) {
		fprintf(stderr, "inject: it is not in a system call\n");
		ptrace(PTRACE_DETACH, pid, 0, 0);
		return 1;
	}
	sp = (saved.rsp - SCRATCH) & ~15ULL;
	for (i = 3; i < argc; i++) {
		args[i - 3] = argv[i][0] == '=' ? place(pid, sp + (unsigned int)(i - 3) * TEXT, argv[i] + 1) :
						  strtoull(argv[i], NULL, 0);
	}
	regs = saved;
	regs.orig_rax = ~0ULL;  /* no restart */
	regs.rip = saved.rip - 2;
	regs.rax = strtoull(argv[2], NULL, 0);
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	check(ptrace(PTRACE_SETREGS, pid, 0, &regs), "registers");
	for (i = 0; i < 2; i++) {
		check(ptrace(PTRACE_SYSCALL, pid, 0, 0), "run");
		check(waitpid(pid, &status, __WALL), "wait");
		if (!WIFSTOPPED(status)) {
			fprintf(stderr, "inject: it died\n");
			return 1;
		}
	}
	check(ptrace(PTRACE_GETREGS, pid, 0, &regs), "registers");
	printf("%lld\n", (long long)regs.rax);
	/* The call it was in starts anew. */
	check(ptrace(PTRACE_SETREGS, pid, 0, &saved), "registers");
	check(ptrace(PTRACE_DETACH, pid, 0, 0), "detach");
	return 0;
}
