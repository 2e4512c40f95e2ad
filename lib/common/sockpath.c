// SPDX-License-Identifier: ISC
/*
 * sockpath.c - a UNIX socket at a path that a user gave, of any length.
 *
 * The kernel takes 107 bytes: so a path is its directory, as a descriptor, and a name in it. The descriptor is also what
 * a process that confines itself keeps, to remove the socket in the end.
 */
#include "sockpath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "rundir.h"
#include "util.h"

/**
 * sockpath_open() - open a socket's directory
 * @path: of the socket
 * @name: filled in, its name there
 * Return: O_PATH descriptor; -ENAMETOOLONG; -errno.
 */
int sockpath_open(const char *path, char name[SOCKPATH_NAME])
{
	const char *slash = strrchr(path, '/');
	autofree char *dir = slash ? strndup(path, (size_t)MAX(slash - path, 1)) : strdup(".");
	int fd;

	if (!dir)
		return -ENOMEM;
	if ((size_t)snprintf(name, SOCKPATH_NAME, "%s", slash ? slash + 1 : path) >= SOCKPATH_NAME)
		return -ENAMETOOLONG;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Take a socket's file away that nobody listens on: who has no room for another does. Return: whether it was one. */
static bool take_stale(int dir, const char *name, int type)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = rundir_connect(dir, name, type | SOCK_NONBLOCK);
	if (fd != -ECONNREFUSED) {
		cleanup_fd(&fd);
		return false;
	}
	return unlinkat(dir, name, 0) == 0;
}

/**
 * sockpath_listen() - make a listening socket; an old one that nobody serves is replaced
 * @dir, @name: as sockpath_open() has them
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * Return: the socket, the caller's; -EADDRINUSE; -errno.
 */
int sockpath_listen(int dir, const char *name, int type)
{
	int fd = rundir_bind(dir, name, type);

	if (fd == -EADDRINUSE && take_stale(dir, name, type))
		fd = rundir_bind(dir, name, type);
	return fd;
}
