/* SPDX-License-Identifier: ISC */
/* config.h - what vm-boot was asked for. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netconf.h"

enum { CMDLINE_MAX = 2048 };

enum engine_choice { ENGINE_AUTO, ENGINE_KVM, ENGINE_QEMU };

struct vm_config {
	char name[65];
	unsigned int cpus;
	uint64_t memory;                /* bytes */
	int kernel, initrd;             /* files; initrd -1: none */
	uint64_t kernel_size, initrd_size;
	char kernel_path[256], initrd_path[256];        /* for messages */
	bool image_kernel;              /* the kernel is an image's */
	char image_console[16];         /* what the image says its console is, "" without one */
	const char *append;
	enum engine_choice engine;
	int log_console;                /* -1: none */
	int ready_fd, status_fd;        /* -1: none */
	int ctl_fd;                     /* inherited control socket, -1: none */
	bool named;                     /* a name was given */
	bool linger, detach, verbose, no_sandbox;
	bool qemu_kvm;                  /* the qemu engine may use KVM */
	bool probe;                     /* only say what this host can do */
	uint64_t timeout_msec;          /* 0: none */
	uint64_t watchdog_msec;         /* how long the agent may be silent, 0: for ever */
	bool private;                   /* no name and no path: known by a descriptor alone */
	const char *vsock_path;         /* or NULL */
	struct net_config net[NETCONF_MAX];     /* descriptors are net.c's from net_new() on */
	unsigned int nets;
	char **with;                    /* program to become, NULL: none */
	char **command;                 /* main command, NULL: the image's shell */
	const char *env[64];            /* NAME=VALUE of it */
	unsigned int envs;
	const char *workdir, *user;     /* or NULL */
	bool tty;                       /* the console is its terminal */
	uint8_t token[16];              /* by which the guest's agent is known */
	/* Settled once the engine is known: */
	char cmdline[CMDLINE_MAX];
	char console[16];               /* tty that is the console: hvc0 or ttyS0 */
};

void config_parse(struct vm_config *c, int argc, char *argv[]);
int config_cmdline(struct vm_config *c, bool has_hvc, char *err, size_t errsize);

#endif
