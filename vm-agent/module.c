// SPDX-License-Identifier: ISC
/* module.c - load the kernel modules that the image lists, in its order. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "kmsg.h"
#include "parse.h"
#include "util.h"

#define LIST_SIZE 65536

/* linux/module.h; kernels before 5.17 answer EINVAL to it. */
#define INIT_COMPRESSED_FILE 4

/* Whether it is one of .ko.gz, .ko.xz, .ko.zst; which, the kernel finds out. */
static bool is_compressed(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (strcmp(dot, ".gz") == 0 || strcmp(dot, ".xz") == 0 ||
		       strcmp(dot, ".zst") == 0);
}

/* Return: 0 or -errno of finit_module(2); it returns when the module's own init has, which for
 * the virtio drivers means that the devices were probed. */
static int load(const char *path, const char *params)
{
	int flags = is_compressed(path) ? INIT_COMPRESSED_FILE : 0;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, flags) < 0)
		return -errno;
	return 0;
}

/* How much a failure matters: not at all when this machine lacks what the module is for.
 * EOPNOTSUPP is one such answer (ptp_kvm without KVM), but also that of a kernel that cannot
 * decompress. */
static enum kmsg_level level_of(const char *path, int err)
{
	if (err == -ENODEV || err == -ENXIO || (err == -EOPNOTSUPP && !is_compressed(path)))
		return KMSG_DEBUG;
	return KMSG_WARNING;
}

/**
 * module_load_all() - load the modules of MODULE_LIST one after the other. One that fails is
 * logged and left out; one that is there already is fine; no list means nothing to do.
 *
 * Return: how many are loaded.
 */
unsigned int module_load_all(void)
{
	static char list[LIST_SIZE];
	char *text = list, *path, *params;
	unsigned int loaded = 0;
	ssize_t len;
	int err;

	len = file_read(MODULE_LIST, list, sizeof(list));
	if (len < 0 && len != -ENOENT)
		kmsg(KMSG_WARNING, MODULE_LIST ": %s", strerror((int)-len));
	while (parse_module(&text, &path, &params)) {
		err = load(path, params);
		if (err == 0 || err == -EEXIST)
			loaded++;
		else
			kmsg(level_of(path, err), "%s: module not loaded: %s", path,
			     strerror(-err));
	}
	return loaded;
}
