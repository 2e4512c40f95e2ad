// SPDX-License-Identifier: ISC
/* setup.c - small things that a fresh kernel lacks: a name, the loopback interface, room for
 * open files. */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "file.h"
#include "kmsg.h"
#include "util.h"

#define DEFAULT_NAME "vm"

/* What the image says, unless the kernel was told already (hostname=). */
static void set_name(void)
{
	char name[65];
	struct utsname u;
	size_t len;

	if (uname(&u) == 0 && strcmp(u.nodename, "(none)") != 0)
		return;
	file_read("/etc/hostname", name, sizeof(name));
	len = strcspn(name, " \t\r\n");
	if (len == 0) {
		strcpy(name, DEFAULT_NAME);
		len = strlen(name);
	}
	if (sethostname(name, len) < 0)
		kmsg(KMSG_WARNING, "sethostname: %s", strerror(errno));
}

/* Many programs talk to themselves over 127.0.0.1. The kernel gives it and ::1 their addresses
 * on IFF_UP. */
static void raise_loopback(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;		/* a kernel without IPv4: nothing to raise */
	if (ioctl(fd, SIOCGIFFLAGS, &r) == 0) {
		r.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &r) == 0)
			return;
	}
	kmsg(KMSG_WARNING, "lo: up: %s", strerror(errno));
}

/**
 * setup_low_fds() - take fds 0, 1, 2 where the kernel, without a console so far, gave us none:
 * nothing that stays open may get these numbers.
 */
void setup_low_fds(void)
{
	int fd;

	do {
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/**
 * setup_stdio() - give pid 1 harmless fds 0, 1, 2, whatever the kernel left there, so that no
 * file ever gets these numbers.
 */
void setup_stdio(void)
{
	int fd = open("/dev/null", O_RDWR), i;

	if (fd < 0) {
		kmsg(KMSG_WARNING, "/dev/null: open: %s", strerror(errno));
		return;
	}
	for (i = 0; i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/**
 * setup_machine() - name the machine, raise lo, lift the limit of open files for all that will
 * run, have Ctrl-Alt-Del sent to pid 1 as SIGINT. Failures are logged here; the machine works
 * without.
 */
void setup_machine(void)
{
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 524288 };

	set_name();
	raise_loopback();
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		kmsg(KMSG_WARNING, "RLIMIT_NOFILE: %s", strerror(errno));
	reboot(RB_DISABLE_CAD);
}
