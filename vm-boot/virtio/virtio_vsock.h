/* SPDX-License-Identifier: ISC */
/* virtio_vsock.h - virtio-vsock: streams between the guest and the host's programs (virtio 1.2 §5.10). */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include <stdbool.h>
#include <stdint.h>

struct gmem;
struct virtio_dev;
struct vsock;
struct worker;

enum {
	VSOCK_CID_HOST = 2,
	VSOCK_CID_GUEST = 3,            /* each VM has a world of its own */
	VSOCK_DIAL_MAX = 16,            /* connections of one dial */
	VSOCK_CONNS_MAX = 1024,         /* connections of a VM */
	VSOCK_CONNECTING_MAX = 64,      /* of them, on their way to one port of the guest */
	VSOCK_DIALS_MAX = 256,          /* dials under way */
	VSOCK_LISTENERS_MAX = 64,
};

/* What became of a dial. */
struct vsock_result {
	uint64_t cookie;                /* as given to vsock_dial() */
	int err;                        /* 0, or -errno and no descriptors */
	unsigned int count;
	int fd[VSOCK_DIAL_MAX];         /* connected, the caller's */
};

/* Connect the guest to a port of the host that nobody listens on. As the worker. Return: a stream socket, or -errno. */
typedef int vsock_outward_fn(void *arg, uint32_t port);

struct vsock *vsock_new(const struct gmem *mem, struct worker *w);
void vsock_free(struct vsock *v);
struct virtio_dev *vsock_dev(struct vsock *v);

int vsock_event(struct vsock *v);
int vsock_dial(struct vsock *v, uint64_t cookie, uint32_t port, unsigned int count);
void vsock_cancel(struct vsock *v, uint64_t cookie);
bool vsock_result(struct vsock *v, struct vsock_result *result);
int vsock_dial_socket(struct vsock *v, uint32_t port, int *sock);
void vsock_set_outward(struct vsock *v, vsock_outward_fn *fn, void *arg);
int vsock_listen(struct vsock *v, uint32_t port, int *sock);
void vsock_end(struct vsock *v);
bool vsock_busy(struct vsock *v);

#endif
