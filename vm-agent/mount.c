// SPDX-License-Identifier: ISC
/* mount.c - the file systems that every program expects, and their end. */
#include "mount.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file.h"
#include "kmsg.h"
#include "parse.h"
#include "util.h"

#define MOUNTS_SIZE 65536
#define MOUNTS_MAX 512

enum need {
	NEED_ESSENTIAL,		/* no /dev, no console */
	NEED_WANTED,		/* its absence is worth a warning */
	NEED_OPTIONAL,		/* not every kernel has it */
};

struct api_mount {
	const char *type;
	const char *dir;
	mode_t mode;		/* of a directory that has to be made */
	unsigned long flags;
	const char *options;
	enum need need;
};

/* In this order: /dev/pts lies in /dev, /sys/fs/cgroup in /sys. */
static const struct api_mount api_mounts[] = {
	{ "devtmpfs", "/dev", 0755, MS_NOSUID, "mode=0755", NEED_ESSENTIAL },
	{ "proc", "/proc", 0555, MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, NEED_WANTED },
	{ "sysfs", "/sys", 0555, MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, NEED_WANTED },
	{ "devpts", "/dev/pts", 0755, MS_NOSUID | MS_NOEXEC,
	  "newinstance,ptmxmode=0666,mode=0620,gid=5", NEED_WANTED },
	{ "tmpfs", "/dev/shm", 01777, MS_NOSUID | MS_NODEV, "mode=1777", NEED_WANTED },
	{ "tmpfs", "/run", 0755, MS_NOSUID | MS_NODEV, "mode=0755", NEED_WANTED },
	{ "tmpfs", "/tmp", 01777, MS_NOSUID | MS_NODEV, "mode=1777", NEED_WANTED },
	{ "cgroup2", "/sys/fs/cgroup", 0, MS_NOSUID | MS_NOEXEC | MS_NODEV,
	  "nsdelegate", NEED_OPTIONAL },
};

/* Names that programs take for granted and devtmpfs does not make. */
static const struct {
	const char *name;
	const char *target;
} dev_links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
	{ "/dev/core", "/proc/kcore" },
};

/* devtmpfs makes it with the module, which the kernel loads when it is opened (linux/miscdevice.h:
 * FUSE_MINOR). Mode as udev's. */
static void make_fuse_node(void)
{
	static const char path[] = "/dev/fuse";

	if (mknod(path, S_IFCHR, makedev(10, 229)) == 0)
		chmod(path, 0666);
	else if (errno != EEXIST)
		kmsg(KMSG_WARNING, "%s: mknod: %s", path, strerror(errno));
}

/* Hold nothing that a remount read-only could lose: not worth a try at the end. */
static const char *const volatile_types[] = {
	"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "ramfs", "rootfs", "cgroup2", "cgroup",
	"securityfs", "debugfs", "tracefs", "bpf", "pstore", "configfs", "mqueue", "hugetlbfs",
	"efivarfs", "binfmt_misc", "autofs", "fusectl",
};

/* Whether something is mounted there already: a directory on another device than its parent. */
static bool is_mounted(const char *dir)
{
	char parent[64];
	struct stat here, above;

	strcpy(parent, dir);
	*strrchr(parent, '/') = '\0';
	if (stat(dir, &here) < 0 || stat(parent[0] ? parent : "/", &above) < 0)
		return false;
	return here.st_dev != above.st_dev;
}

static int mount_one(const struct api_mount *m)
{
	if (m->mode != 0 && mkdir(m->dir, m->mode) < 0 && errno != EEXIST)
		return -errno;
	if (is_mounted(m->dir) || mount(m->type, m->dir, m->type, m->flags, m->options) == 0)
		return 0;
	return errno == EBUSY ? 0 : -errno;
}

/**
 * mount_all() - mount what api_mounts lists, where nothing is mounted yet, and complete /dev.
 *
 * Return: 0; -errno when an essential one failed (all are tried, and failures are logged here).
 */
int mount_all(void)
{
	const struct api_mount *m;
	int result = 0, err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(api_mounts); i++) {
		m = &api_mounts[i];
		err = mount_one(m);
		if (err == 0 || m->need == NEED_OPTIONAL)
			continue;
		kmsg(m->need == NEED_ESSENTIAL ? KMSG_CRIT : KMSG_WARNING, "%s: mount %s: %s",
		     m->dir, m->type, strerror(-err));
		if (m->need == NEED_ESSENTIAL)
			result = err;
	}
	for (i = 0; i < ARRAY_SIZE(dev_links); i++)
		if (symlink(dev_links[i].target, dev_links[i].name) < 0 && errno != EEXIST)
			kmsg(KMSG_WARNING, "%s: symlink: %s", dev_links[i].name, strerror(errno));
	make_fuse_node();
	return result;
}

static bool is_volatile(const char *type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(volatile_types); i++)
		if (strcmp(type, volatile_types[i]) == 0)
			return true;
	return false;
}

/**
 * mount_end() - leave every disk and share clean: sync, then unmount them, last mounted first,
 * or make read-only what is still in use (the root, for one). Blocks as long as the devices do:
 * call it in a process that may be left behind.
 */
void mount_end(void)
{
	static char text[MOUNTS_SIZE];
	static char *dirs[MOUNTS_MAX];
	char *p = text, *dir, *type;
	size_t n = 0;
	ssize_t len;

	sync();
	len = file_read("/proc/self/mounts", text, sizeof(text));
	if (len < 0)
		kmsg(KMSG_WARNING, "/proc/self/mounts: %s: not all can be unmounted",
		     strerror((int)-len));
	while (n < MOUNTS_MAX && parse_mount(&p, &dir, &type))
		if (!is_volatile(type))
			dirs[n++] = dir;
	while (n > 0) {
		dir = dirs[--n];
		if (umount2(dir, UMOUNT_NOFOLLOW) == 0)
			continue;
		if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
			kmsg(KMSG_WARNING, "%s: unmount: %s", dir, strerror(errno));
	}
	sync();
}
