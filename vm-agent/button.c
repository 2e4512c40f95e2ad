// SPDX-License-Identifier: ISC
/*
 * button.c - the power button, by which the host asks for a shutdown.
 *
 * ACPI's button driver makes an input device of it, and so do a keyboard's power key and
 * gpio-keys. Devices may come at any time (with a module, hot plugged): inotify on /dev/input
 * is armed before the directory is read, so none is missed. devtmpfs makes the node when the
 * device is ready to be opened. A device is told to report the power key and nothing else
 * (EVIOCSMASK), so that typing on a keyboard does not wake pid 1.
 */
#include "button.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsg.h"
#include "util.h"

#define INPUT_DIR "/dev/input"

static void set_bit(uint8_t *map, unsigned int bit)
{
	map[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static bool has_bit(const uint8_t *map, unsigned int bit)
{
	return (map[bit / 8] >> bit % 8 & 1) != 0;
}

/* Have only the power key reported. Kernels before 4.4 cannot; read_device() sorts it out. */
static void mask_events(int fd)
{
	uint8_t keys[KEY_CNT / 8] = { 0 }, types[EV_CNT / 8] = { 0 };
	struct input_mask mask = {
		.type = EV_KEY, .codes_size = sizeof(keys), .codes_ptr = (uintptr_t)keys,
	};

	set_bit(keys, KEY_POWER);
	ioctl(fd, EVIOCSMASK, &mask);
	set_bit(types, EV_SYN);
	set_bit(types, EV_KEY);
	mask = (struct input_mask){
		.type = EV_SYN, .codes_size = sizeof(types), .codes_ptr = (uintptr_t)types,
	};
	ioctl(fd, EVIOCSMASK, &mask);
}

/* Listen to a device if it has a power key and a place is free. @name: its entry in INPUT_DIR */
static void add_device(struct button *b, const char *name)
{
	uint8_t keys[KEY_CNT / 8] = { 0 };
	char path[sizeof(INPUT_DIR) + 1 + NAME_MAX];
	autoclose int fd = -1;
	size_t i;

	if (strncmp(name, "event", 5) != 0)
		return;
	snprintf(path, sizeof(path), INPUT_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) < 0 ||
	    !has_bit(keys, KEY_POWER))
		return;
	for (i = 1; i < BUTTON_FDS; i++) {
		if (b->fd[i] < 0) {
			mask_events(fd);
			b->fd[i] = steal_fd(&fd);
			return;
		}
	}
	kmsg(KMSG_WARNING, "%s: not listened to: %d devices have a power key already", path,
	     BUTTON_DEVICES);
}

/* Read the names of new devices. */
static void read_notify(struct button *b)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	ssize_t len, at;

	len = read(b->fd[0], buf, sizeof(buf));
	for (at = 0; at < len; at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const void *)(buf + at);
		if (e->len > 0 && (e->mask & IN_CREATE))
			add_device(b, e->name);
	}
}

/**
 * button_open() - listen to what is there and to what will come. Failure is logged: a VM
 * without a button still works.
 * @b: receives the fds, which it owns until the end
 */
void button_open(struct button *b)
{
	const struct dirent *e;
	DIR *dir;
	size_t i;

	for (i = 0; i < BUTTON_FDS; i++)
		b->fd[i] = -1;
	/* The kernel makes it with the first device; inotify wants it now. */
	mkdir(INPUT_DIR, 0755);
	b->fd[0] = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (b->fd[0] < 0 || inotify_add_watch(b->fd[0], INPUT_DIR, IN_CREATE | IN_ONLYDIR) < 0)
		kmsg(KMSG_WARNING, INPUT_DIR ": inotify: %s: a late power button is not seen",
		     strerror(errno));
	dir = opendir(INPUT_DIR);
	if (!dir)
		return;
	while ((e = readdir(dir)) != NULL)
		add_device(b, e->d_name);
	closedir(dir);
}

/* Read one device. Return: whether its power key went down. A device that is gone is closed. */
static bool read_device(int *fd)
{
	struct input_event events[32];
	ssize_t len, i;

	len = read(*fd, events, sizeof(events));
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		cleanup_fd(fd);
	for (i = 0; i < len / (ssize_t)sizeof(events[0]); i++)
		if (events[i].type == EV_KEY && events[i].code == KEY_POWER && events[i].value == 1)
			return true;
	return false;
}

/**
 * button_pressed() - handle what poll(2) reported.
 * @b: the devices; may change
 * @p: BUTTON_FDS entries in the order of b->fd
 *
 * Return: whether the button was pressed.
 */
bool button_pressed(struct button *b, const struct pollfd *p)
{
	bool pressed = false;
	size_t i;

	for (i = 1; i < BUTTON_FDS; i++)
		if (b->fd[i] >= 0 && p[i].revents != 0)
			pressed |= read_device(&b->fd[i]);
	if (p[0].revents != 0)
		read_notify(b);
	return pressed;
}
