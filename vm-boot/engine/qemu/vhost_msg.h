/* SPDX-License-Identifier: ISC */
/* vhost_msg.h - vhost-user's messages: a header, a payload, descriptors. */
#ifndef VHOST_MSG_H
#define VHOST_MSG_H

#include <stddef.h>
#include <stdint.h>

enum {
	VHOST_MSG_HEADER = 12,
	VHOST_MSG_PAYLOAD = 512,        /* more than any message that we asked for needs */
	VHOST_MSG_FDS = 8,
};

/* Flags. */
enum {
	VHOST_MSG_VERSION = 1,
	VHOST_MSG_VERSION_MASK = 3,
	VHOST_MSG_REPLY = 4,
	VHOST_MSG_NEED_REPLY = 8,
};

/* What the front end asks, by the specification's numbers. */
enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES,
	VHOST_SET_OWNER,
	VHOST_RESET_OWNER,
	VHOST_SET_MEM_TABLE,
	VHOST_SET_LOG_BASE,
	VHOST_SET_LOG_FD,
	VHOST_SET_VRING_NUM,
	VHOST_SET_VRING_ADDR,
	VHOST_SET_VRING_BASE,
	VHOST_GET_VRING_BASE,
	VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL,
	VHOST_SET_VRING_ERR,
	VHOST_GET_PROTOCOL_FEATURES,
	VHOST_SET_PROTOCOL_FEATURES,
	VHOST_GET_QUEUE_NUM,
	VHOST_SET_VRING_ENABLE,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG,
	VHOST_REQUESTS          /* beyond the last one that we know */
};

/* One message, as much of it as came. */
struct vhost_msg {
	uint32_t request, flags;
	uint32_t size;          /* of the payload */
	uint8_t *payload;
	size_t have;            /* bytes of buf that are there */
	const char *why;        /* what is wrong with it */
	int fds;
	int fd[VHOST_MSG_FDS];
	uint8_t buf[VHOST_MSG_HEADER + VHOST_MSG_PAYLOAD];
};

int vhost_msg_recv(int sock, struct vhost_msg *m);
int vhost_msg_bad(struct vhost_msg *m, const char *why);
void vhost_msg_drop(struct vhost_msg *m);
int vhost_msg_reply(int sock, uint32_t request, const void *payload, size_t len);

#endif
