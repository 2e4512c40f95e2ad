// SPDX-License-Identifier: ISC
/*
 * image.c - the kernel and initrd that vm-image built.
 *
 * An image is a directory with `bzImage` or `vmlinux` or both, `initrd`, and `image`, a text file of
 * key=value lines. vmlinux is taken where there is one: it starts faster, without KASLR; who wants
 * KASLR boots the bzImage with -k.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "util.h"

static void image_dir(char *path, size_t size, const char *name)
{
	const char *dir = getenv("VM_IMAGE_DIR"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	int n;

	if (dir && *dir)
		n = snprintf(path, size, "%s/%s", dir, name);
	else if (data && *data)
		n = snprintf(path, size, "%s/pipevm/images/%s", data, name);
	else
		n = snprintf(path, size, "%s/.local/share/pipevm/images/%s", home ? home : "", name);
	if ((size_t)n >= size)
		die(125, "image %s: its path is too long", name);
}

/* The value of @key in the image's description, "" without one. */
static void describe(const char *dir, const char *key, char *value, size_t size)
{
	char path[PATH_MAX], line[256];
	size_t len = strlen(key);
	FILE *f;

	*value = 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/image", dir) >= sizeof(path))
		return;
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, key, len) && line[len] == '=')
			snprintf(value, size, "%.*s", (int)size - 1, line + len + 1);
	}
	fclose(f);
}

static int open_part(const char *dir, const char *file, char *path, size_t size)
{
	char full[PATH_MAX];

	if ((size_t)snprintf(full, sizeof(full), "%s/%s", dir, file) >= sizeof(full) ||
	    access(full, F_OK) < 0)
		return -1;
	return config_open_file(full, "image", path, size);
}

/**
 * image_open() - open what of an image was not given otherwise
 * @c: kernel and initrd are opened where they are -1
 * @name: the image; anything with a slash is a directory's path
 *
 * Exits with 125 and the cure when the image is not there.
 */
void image_open(struct vm_config *c, const char *name)
{
	char dir[PATH_MAX];

	if (strchr(name, '/'))
		snprintf(dir, sizeof(dir), "%s", name);
	else
		image_dir(dir, sizeof(dir), name);
	if (access(dir, F_OK) < 0)
		die(125, "image '%s' is not there: make it with 'vm-image build --name %s'", name, name);
	c->image_kernel = c->kernel < 0;
	if (c->kernel < 0)
		c->kernel = open_part(dir, "vmlinux", c->kernel_path, sizeof(c->kernel_path));
	if (c->kernel < 0)
		c->kernel = open_part(dir, "bzImage", c->kernel_path, sizeof(c->kernel_path));
	if (c->kernel < 0)
		die(125, "image '%s' has no kernel: make it anew with 'vm-image build'", name);
	if (c->initrd < 0) {
		c->initrd = open_part(dir, "initrd", c->initrd_path, sizeof(c->initrd_path));
		if (c->initrd >= 0)
			describe(dir, "console", c->image_console, sizeof(c->image_console));
	}
}
