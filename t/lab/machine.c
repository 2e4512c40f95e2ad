/* SPDX-License-Identifier: ISC
 * The processes that make the lab: see machine.h.
 *
 * virtiofsd serves a listening socket, QEMU gets one connection to it that is made before QEMU starts; the
 * socket is bound to an abstract name that the kernel chooses. The share of the host's root is read-only by the
 * kernel: its virtiofsd lives in a mount namespace in which every mount is. An ordinary user gets that in a user
 * namespace where he is root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

#define FIRST_FD	3	/* in a child: 3, 4, ... are the fds given to it */
#define FIRST_SHARE	3	/* of QEMU's fds */
#define PATIENCE_MS	3000	/* with QEMU's monitor */

/* In a new child: become argv with the n fds, stdin empty, stdout and stderr the log. Never returns. */
static void become(char **argv, const int *fds, size_t n, int log, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY), high[MACHINE_SHARES + 4];
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* first out of the way, then into place: source and target numbers may overlap */
	for (size_t i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + MACHINE_SHARES + 4);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	for (size_t i = 0; i < n; i++)
		dup2(high[i], FIRST_FD + (int)i);
	close_range(FIRST_FD + n, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/*
 * Let setgroups(2) do nothing and say that it did. virtiofsd begins with dropping supplementary groups, which a user has who
 * logged in, and in a user namespace of one id nobody may. Return: 0, -errno.
 */
static int keep_groups(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ? -errno : 0;
}

/* Root in a user namespace, for an ordinary user. Return: 0, -errno. */
static int become_root(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!uid)
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (write_file("/proc/self/setgroups", "deny") < 0 || write_file("/proc/self/uid_map", map) < 0)
		return -EPERM;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	if (write_file("/proc/self/gid_map", map) < 0)
		return -EPERM;
	return keep_groups();
}

/* Every mount read-only, for this process alone. Return: 0, -errno. */
static int become_readonly(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int listen_and_connect(int *server, int *client)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa);

	*server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*server < 0 || *client < 0 || bind(*server, (struct sockaddr *)&sa, sizeof(sa_family_t)) < 0 ||
	    listen(*server, 1) < 0 || getsockname(*server, (struct sockaddr *)&sa, &len) < 0 ||
	    connect(*client, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	return 0;
}

/*
 * virtiofsd has a descriptor for every file that the lab knows of. It raises its limit as root does; what an ordinary
 * user may have is more than he starts with.
 */
static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

/* Start the virtiofsd of dir (NULL: the host's root, read-only). Return: QEMU's connection to it, -errno. */
static int start_share(struct machine *m, const char *dir, int log)
{
	char source[4200];
	char *argv[] = { (char *)m->virtiofsd, "--fd=3", "-o", source, "-o", "cache=always", "-o", "sandbox=chroot", "-f",
		NULL };
	pid_t parent = getpid(), pid;
	int server, client, r = listen_and_connect(&server, &client);

	if (r < 0)
		return r;
	snprintf(source, sizeof(source), "source=%s", dir ? dir : "/");
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		raise_files();
		r = become_root();
		if (!r && !dir)
			r = become_readonly();
		if (r < 0) {
			dprintf(log, "user and mount namespaces: %s: needs root here\n", strerror(-r));
			_exit(1);
		}
		become(argv, &server, 1, log, parent);
	}
	m->pids[m->npids++] = pid;
	close(server);
	return client;
}

/* QEMU's argv: m->qemu and what is behind the n fds: port, console, monitor, root share, writable shares. */
static char **complete(struct machine *m, size_t n)
{
	size_t have = 0;
	char **argv;

	while (m->qemu[have])
		have++;
	argv = calloc(have + 4 * n + 8, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, m->qemu, have * sizeof(*argv));
	for (size_t i = 0; i < n; i++) {
		argv[have++] = "-chardev";
		if (asprintf(&argv[have++], "socket,id=c%zu,fd=%zu", i, FIRST_FD + i) < 0)
			return NULL;
	}
	argv[have++] = "-device";
	argv[have++] = "virtserialport,chardev=c0,nr=1";
	argv[have++] = "-serial";
	argv[have++] = "chardev:c1";
	argv[have++] = "-mon";
	argv[have++] = "chardev=c2,mode=readline";
	for (size_t i = FIRST_SHARE; i < n; i++) {
		argv[have++] = "-device";
		if (i == FIRST_SHARE)
			argv[have++] = "vhost-user-fs-pci,chardev=c3,tag=root,queue-size=1024";
		else if (asprintf(&argv[have++], "vhost-user-fs-pci,chardev=c%zu,tag=rw%zu", i, i - FIRST_SHARE - 1) < 0)
			return NULL;
	}
	return argv;
}

int machine_start(struct machine *m, const char **what)
{
	int fds[FIRST_SHARE + MACHINE_SHARES], port[2], console[2], monitor[2], log[2];
	size_t n = FIRST_SHARE;
	pid_t parent = getpid(), pid;
	char **argv;

	*what = "socketpair";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, port) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, console) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, monitor) < 0 || pipe2(log, O_CLOEXEC) < 0)
		return -errno;
	m->port = port[0];
	m->console = console[0];
	m->monitor = monitor[0];
	m->log = log[0];
	fds[0] = port[1];
	fds[1] = console[1];
	fds[2] = monitor[1];
	*what = m->virtiofsd;
	for (size_t i = 0; i <= m->ndirs; i++) {
		int fd = start_share(m, i ? m->dirs[i - 1] : NULL, log[1]);

		if (fd < 0)
			return fd;
		fds[n++] = fd;
	}
	*what = m->qemu[0];
	argv = complete(m, n);
	if (!argv)
		return -ENOMEM;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		become(argv, fds, n, log[1], parent);
	m->pids[m->npids++] = pid;
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	close(log[1]);
	return 0;
}

void machine_processors(struct machine *m)
{
	static const char ask[] = "info registers -a\n", prompt[] = "(qemu) ";
	struct pollfd p = { .fd = m->monitor, .events = POLLIN };
	char text[65536], *line, *rest = text, *ip, *halted;
	size_t len = 0;
	ssize_t n;
	int cpu = -1;

	if (write(m->monitor, ask, strlen(ask)) < 0)
		return;
	/* It is done when it asks again, behind the answer: it has asked before. */
	while (len < sizeof(text) - 1 && poll(&p, 1, PATIENCE_MS) > 0) {
		n = read(m->monitor, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "IP=") && len >= strlen(prompt) && !strcmp(text + len - strlen(prompt), prompt))
			break;
	}
	text[len] = '\0';
	while ((line = strsep(&rest, "\r\n")) != NULL) {
		sscanf(line, "CPU#%d", &cpu);
		ip = strstr(line, "IP=");
		halted = strstr(line, "HLT=");
		if (ip && halted)
			fprintf(stderr, "lab: CPU %d: %.*s %.5s\n", cpu, (int)strcspn(ip, " "), ip, halted);
	}
	if (cpu < 0)
		fprintf(stderr, "lab: QEMU does not answer\n");
}

void machine_end(struct machine *m)
{
	for (size_t i = 0; i < m->npids; i++)
		kill(m->pids[i], SIGKILL);
	for (size_t i = 0; i < m->npids; i++)
		while (waitpid(m->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	m->npids = 0;
}
