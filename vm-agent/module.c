// SPDX-License-Identifier: ISC
/*
 * module.c - load the kernel modules that the image lists, in its order; drivers, where there is a
 * device for them. The kernel reads, verifies and relocates the whole of a file, wanted or not: in
 * an emulated machine 7 ms for the smallest, 80 for fuse.
 */
#include "module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
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

/* Whether a device on @pattern's bus (`virtio` in `virtio:d00000001v*`) has a modalias like it. A
 * bus that the kernel does not know, yet, has none. */
static bool is_on_bus(const char *pattern)
{
	char path[PATH_MAX], alias[512];
	struct dirent *entry;
	bool found = false;
	int len;
	DIR *dir;

	len = snprintf(path, sizeof(path), "/sys/bus/%.*s/devices", (int)strcspn(pattern, ":"),
		       pattern);
	if (len >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		snprintf(path + len, sizeof(path) - (size_t)len, "/%s/modalias", entry->d_name);
		if (file_read(path, alias, sizeof(alias)) <= 0)
			continue;
		alias[strcspn(alias, "\n")] = '\0';
		found = parse_matches(pattern, alias);
	}
	closedir(dir);
	return found;
}

/* Whether a device asks for it, or nothing need to. */
static bool is_wanted(char *patterns)
{
	bool wanted = *patterns == '\0';

	while (!wanted && *patterns != '\0')
		wanted = is_on_bus(parse_word(&patterns));
	return wanted;
}

/**
 * module_load_all() - load the modules of MODULE_LIST one after the other, without those for
 * devices that are not there. One that fails is logged and left out; one that is there already is
 * fine; no list means nothing to do.
 *
 * Return: how many are loaded.
 */
unsigned int module_load_all(void)
{
	static char list[LIST_SIZE];
	struct parsed_module module;
	unsigned int loaded = 0;
	char *text = list;
	ssize_t len;
	int err;

	len = file_read(MODULE_LIST, list, sizeof(list));
	if (len < 0 && len != -ENOENT)
		kmsg(KMSG_WARNING, MODULE_LIST ": %s", strerror((int)-len));
	while (parse_module(&text, &module)) {
		if (*module.path == '\0') {
			kmsg(KMSG_WARNING, MODULE_LIST ": %s: no path follows", module.patterns);
			continue;
		}
		if (!is_wanted(module.patterns))
			continue;
		err = load(module.path, module.params);
		if (err == 0 || err == -EEXIST)
			loaded++;
		else
			kmsg(level_of(module.path, err), "%s: module not loaded: %s", module.path,
			     strerror(-err));
	}
	return loaded;
}
