// SPDX-License-Identifier: ISC
/*
 * rundir.c - the runtime directory: one locked directory per named VM.
 *
 *	${VM_RUNTIME_DIR:-${XDG_RUNTIME_DIR:-/tmp/pipevm-UID}/pipevm}/	0700, ours, no symlink
 *		NAME/		held by flock(2) while the VM lives
 *			ctl	its control socket; the absolute path of this is the VM's handle
 *			log	stderr of a VM started with -d
 *			exit	of a VM started with -d: written when it ends, kept until asked for
 *		.tmp.PID.N/	a VM being made: locked before it gets its name
 *
 * The lock is on the directory itself, because cleaners of /tmp delete lock files but respect a
 * locked directory. It vanishes with its last holder, however that died: a directory whose lock is
 * free is stale, and the next tool that looks sweeps it. A VM's lock is exclusive, who looks takes a
 * shared one: so nobody who looks is ever taken for a VM. After locking, the name is looked up again,
 * because the directory may have been swept and made anew in between. A directory is complete and
 * locked before rename(2) gives it its name, so a sweeper never meets a half-made VM, and two who
 * sweep at once remove the dead one's files by its descriptor, and no directory with anything in it.
 *
 * Sockets are bound and connected through /proc/self/fd/N, so that the 108 bytes of sun_path bound
 * nothing.
 */
#include "rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "log.h"
#include "util.h"

/* Everything a VM's directory may hold. */
static const char *const contents[] = { "ctl", "log", "exit" };

/** rundir_name_ok() - whether @name can name a VM: 1-64 of [A-Za-z0-9._-], not starting with . or - */
bool rundir_name_ok(const char *name)
{
	size_t i, len = strlen(name);

	if (!len || len > 64 || name[0] == '.' || name[0] == '-')
		return false;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

/* Open @path and see that nobody else can put anything there. */
static int open_private(const char *path, bool create, char *err, size_t errsize)
{
	autoclose int fd = -1;
	struct stat st;

	if (create && mkdir(path, 0700) < 0 && errno != EEXIST) {
		int e = errno;

		snprintf(err, errsize, "%s: %s: set VM_RUNTIME_DIR to a directory of yours",
			 path, errstr(e));
		return -e;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		int e = errno;

		if (e == ELOOP || e == ENOTDIR)
			snprintf(err, errsize, "%s: is not a directory (a symbolic link is refused): "
				 "remove it or set VM_RUNTIME_DIR", path);
		else
			snprintf(err, errsize, "%s: %s", path, errstr(e));
		return -e;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() && !(geteuid() == 0 && !create)) {
		snprintf(err, errsize, "%s: belongs to uid %u: set VM_RUNTIME_DIR to a directory of "
			 "yours", path, (unsigned int)st.st_uid);
		return -EPERM;
	}
	if ((st.st_mode & 022) || (create && (st.st_mode & 077))) {
		snprintf(err, errsize, "%s: others may enter it: chmod 700 it", path);
		return -EPERM;
	}
	return steal_fd(&fd);
}

/**
 * rundir_base() - open the directory of all VMs
 * @r: RUNDIR_INIT; base and path are set
 * @create: make it if it is missing
 * @err, @errsize: what went wrong and what to do about it
 * Return: 0; -ENOENT when it is missing and not to be made; -errno.
 */
int rundir_base(struct rundir *r, bool create, char *err, size_t errsize)
{
	const char *vm = getenv("VM_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	int n, fd;

	if (vm && *vm) {
		n = snprintf(path, sizeof(path), "%s", vm);
	} else if (xdg && *xdg) {
		n = snprintf(path, sizeof(path), "%s/pipevm", xdg);
	} else {
		n = snprintf(path, sizeof(path), "/tmp/pipevm-%u", (unsigned int)geteuid());
		fd = open_private(path, create, err, errsize);
		if (fd < 0)
			return fd;
		close(fd);
		n += snprintf(path + n, sizeof(path) - (size_t)n, "/pipevm");
	}
	/* The handle is BASE/NAME/ctl and one line of at most 4095 bytes. */
	if ((size_t)n + 1 + 64 + sizeof("/ctl") + 1 > sizeof(path)) {
		snprintf(err, errsize, "runtime directory: its path is too long: set VM_RUNTIME_DIR "
			 "to a shorter one");
		return -ENAMETOOLONG;
	}
	fd = open_private(path, create, err, errsize);
	if (fd < 0)
		return fd;
	if (!realpath(path, r->path)) {
		int e = errno;

		close(fd);
		snprintf(err, errsize, "%s: %s", path, errstr(e));
		return -e;
	}
	r->base = fd;
	return 0;
}

static void empty_and_remove(int base, const char *name, int dir)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(contents); i++)
		unlinkat(dir, contents[i], 0);
	unlinkat(base, name, AT_REMOVEDIR);
}

/*
 * Lock the directory @name by flock(2)'s @how: LOCK_EX to be its VM, LOCK_SH to look, which with LOCK_NB
 * does not wait for its VM to end. Return its fd when it is locked, -EBUSY when somebody holds it,
 * -ENOENT when it is gone or was replaced meanwhile.
 */
static int lock_dir(int base, const char *name, int how)
{
	autoclose int dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat held, named;

	if (dir < 0)
		return -errno;
	if (flock(dir, how) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(dir, &held) < 0 || fstatat(base, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (held.st_ino != named.st_ino || held.st_dev != named.st_dev)
		return -ENOENT;
	return steal_fd(&dir);
}

static bool has_exit(int dir)
{
	struct stat st;

	return fstatat(dir, "exit", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

/**
 * rundir_list() - visit every live VM, and sweep what dead ones left
 * @r: base open
 * @visit: called with name and handle of each VM that lives, or ended under -d and was not asked
 *	for its exit yet; NULL only sweeps
 * @arg: for @visit
 * Return: 0 or -errno.
 */
int rundir_list(struct rundir *r, rundir_visit *visit, void *arg)
{
	int fd = openat(r->base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		int err = -errno;

		close(fd);
		return err;
	}
	while ((e = readdir(d))) {
		bool half_made = !strncmp(e->d_name, ".tmp.", 5);
		char handle[PATH_MAX + NAME_MAX + 8];
		int dir;

		if (!half_made && !rundir_name_ok(e->d_name))
			continue;
		dir = lock_dir(r->base, e->d_name, LOCK_SH | LOCK_NB);
		if (dir >= 0) {
			bool ended = has_exit(dir);

			if (!ended)
				empty_and_remove(r->base, e->d_name, dir);
			close(dir);
			if (!ended)
				continue;
		} else if (dir != -EBUSY) {
			continue;
		}
		if (visit && !half_made) {
			snprintf(handle, sizeof(handle), "%s/%s/ctl", r->path, e->d_name);
			visit(e->d_name, handle, arg);
		}
	}
	closedir(d);
	return 0;
}

/**
 * rundir_make() - make and lock a directory for a VM, still without its name
 * @r: base open; dir is set
 *
 * What dead VMs left is swept first. Return: 0 or -errno.
 */
int rundir_make(struct rundir *r)
{
	unsigned int n;

	rundir_list(r, NULL, NULL);
	for (n = 0; n < 1000; n++) {
		snprintf(r->name, sizeof(r->name), ".tmp.%d.%u", (int)getpid(), n);
		if (mkdirat(r->base, r->name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		/* A sweeper may see it before it is locked and remove it: then make another. */
		r->dir = lock_dir(r->base, r->name, LOCK_EX | LOCK_NB);
		if (r->dir >= 0)
			return 0;
		if (r->dir != -EBUSY && r->dir != -ENOENT)
			return r->dir;
	}
	return -EEXIST;
}

/**
 * rundir_publish() - give a made directory its name, at once and for all to see
 * @r: from rundir_make()
 * @name: checked by rundir_name_ok()
 *
 * A name that only a dead VM holds is taken over. Return: 0; -EEXIST when a live VM has it; -errno.
 */
int rundir_publish(struct rundir *r, const char *name)
{
	int tries;

	for (tries = 0; tries < 16; tries++) {
		int stale;

		if (renameat2(r->base, r->name, r->base, name, RENAME_NOREPLACE) == 0) {
			snprintf(r->name, sizeof(r->name), "%s", name);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
		stale = lock_dir(r->base, name, LOCK_SH | LOCK_NB);
		if (stale == -EBUSY)
			return -EEXIST;
		if (stale >= 0) {
			empty_and_remove(r->base, name, stale);
			close(stale);
		} else if (stale != -ENOENT) {
			return stale;
		}
	}
	return -EEXIST;
}

/**
 * rundir_take_exit() - how a VM that was started with -d ended; it is told once
 * @r: base open
 * @name: a VM that no longer answers
 * @text, @size: set to what it left
 *
 * Blocks until the VM has let go of its directory, if it is still about to.
 * Return: 0; -ENOENT when there is no such or it left nothing; -errno.
 */
int rundir_take_exit(struct rundir *r, const char *name, char *text, size_t size)
{
	autoclose int dir = lock_dir(r->base, name, LOCK_SH), fd = -1;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, "exit", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	/* Of several who ask at once, it tells the one that takes it away. */
	if (n <= 0 || unlinkat(dir, "exit", 0) < 0)
		return -ENOENT;
	text[n] = 0;
	empty_and_remove(r->base, name, dir);
	return 0;
}

/**
 * rundir_remove() - take a VM's directory away
 * @r: made, published or not; works on the held descriptors alone
 * @keep_exit: leave "exit" and "log" for who asks later, take only the socket
 */
void rundir_remove(struct rundir *r, bool keep_exit)
{
	if (r->dir < 0)
		return;
	if (keep_exit)
		unlinkat(r->dir, "ctl", 0);
	else
		empty_and_remove(r->base, r->name, r->dir);
}

/** rundir_close() - close what is open. @r: runtime directory; a lock held here is free then. */
void rundir_close(struct rundir *r)
{
	cleanup_fd(&r->dir);
	cleanup_fd(&r->base);
}

static int fd_address(struct sockaddr_un *sun, int dirfd, const char *file)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((size_t)snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s", dirfd,
			     file) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/**
 * rundir_bind() - make a listening socket in a directory
 * @dirfd: directory
 * @file: its short name there; mode 0600
 * @type: SOCK_SEQPACKET or SOCK_STREAM
 * Return: the socket, the caller's, or -errno.
 */
int rundir_bind(int dirfd, const char *file, int type)
{
	autoclose int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun;
	mode_t mask;
	int err;

	if (sock < 0)
		return -errno;
	err = fd_address(&sun, dirfd, file);
	if (err)
		return err;
	mask = umask(0177);
	err = bind(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	umask(mask);
	if (err)
		return err;
	if (listen(sock, 128) < 0)
		return -errno;
	return steal_fd(&sock);
}

/**
 * rundir_connect() - connect to a socket in a directory
 * @dirfd: directory
 * @file: the socket's name there
 * @type: as rundir_bind(); with SOCK_NONBLOCK it waits for no room, and says -EAGAIN
 * Return: the socket, the caller's; -ECONNREFUSED when its owner is gone; -errno.
 */
int rundir_connect(int dirfd, const char *file, int type)
{
	autoclose int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun;
	int err;

	if (sock < 0)
		return -errno;
	err = fd_address(&sun, dirfd, file);
	if (err)
		return err;
	while (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		if (errno != EINTR)
			return -errno;
	return steal_fd(&sock);
}
