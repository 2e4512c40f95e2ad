/* SPDX-License-Identifier: ISC */
/* vsock_conn.h - vsock connections, as the device, the connections and the host's side see each other. */
#ifndef VSOCK_CONN_H
#define VSOCK_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "virtio.h"
#include "virtio_vsock.h"
#include "vsock_pkt.h"

enum vsock_state {
	VSOCK_WAITING,          /* a dial that may not send its REQUEST yet */
	VSOCK_CONNECTING,       /* REQUEST is to be sent, or was */
	VSOCK_OPEN,
	VSOCK_FLUSHING,         /* unknown to the guest; the client gets what is left */
	VSOCK_STATES
};

/* Packets that a connection owes the guest. */
enum {
	OWES_REQUEST = 1, OWES_RESPONSE = 2, OWES_CREDIT = 4, OWES_SHUTDOWN = 8, OWES_RST = 16,
};

enum { VSOCK_BUCKETS = 256, VSOCK_RESETS = 256 };

struct vsock_link {
	struct vsock_link *prev, *next;
};

struct vsock_dialling;

struct vsock_conn {
	struct vsock *v;
	struct vsock_link all;          /* in the device's list */
	struct vsock_link ready;        /* in the device's queue of who has something for the guest */
	struct vsock_conn *hash;        /* next in its bucket */
	enum vsock_state state;
	uint32_t host_port, guest_port;
	int fd, watch;                  /* our end; watch -1: the client is gone */
	struct vsock_dialling *dial;    /* whose it is before it is OPEN */
	unsigned int owes;
	bool readable;                  /* the client's bytes wait, as far as we know */
	bool client_eof;                /* it will send no more */
	bool client_gone;               /* nor take any */
	bool greets;                    /* the client wants to be told that it is OPEN, in Firecracker's way */
	uint8_t told_shut;              /* SHUTDOWN flags that were sent */
	uint8_t guest_shut;             /* ... that came */
	/* guest to client: what its socket did not take */
	uint8_t *buf;
	size_t head, len;
	uint32_t alloc;                 /* its size, and what the guest may have under way */
	uint32_t rx_cnt, fwd_cnt, fwd_told;
	/* client to guest */
	uint32_t tx_cnt, peer_alloc, peer_fwd;
};

struct vsock_listener {
	uint32_t port;
	int sock, watch;                /* sock -1: free */
	struct vsock *v;
};

struct vsock_dialling {
	struct vsock_link link;
	uint64_t cookie;
	uint32_t port;
	bool silent;                    /* the client learns from its socket, and nobody else asks */
	unsigned int count, open;
	struct vsock_conn *conn[VSOCK_DIAL_MAX];
	int fd[VSOCK_DIAL_MAX];         /* the client's ends */
};

struct vsock_done {
	struct vsock_link link;
	struct vsock_result result;
};

/* A RST for a connection that we do not know. */
struct vsock_reset {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio_dev dev;
	int event;                      /* eventfd: results wait */
	struct vsock_link all, ready, dials, done;
	unsigned int conns, dialling;
	bool over;                      /* the guest has ended */
	struct vsock_conn *bucket[VSOCK_BUCKETS];
	uint32_t next_port;
	struct vsock_reset reset[VSOCK_RESETS];
	unsigned int reset_head, resets;
	bool stuck;                     /* packets were left alone because of those */
	struct vsock_listener listener[VSOCK_LISTENERS_MAX];
	vsock_outward_fn *outward;      /* for ports without a listener, or NULL */
	void *outward_arg;
	struct virtq_chain chain[16];   /* buffers that are being filled */
};

static inline void vsock_link_init(struct vsock_link *l)
{
	l->prev = l->next = l;
}

static inline void vsock_link_add(struct vsock_link *list, struct vsock_link *l)
{
	l->prev = list->prev;
	l->next = list;
	list->prev->next = l;
	list->prev = l;
}

static inline void vsock_link_del(struct vsock_link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	vsock_link_init(l);
}

/* virtio_vsock.c */
void vsock_feed(struct vsock *v);
void vsock_reset(struct vsock *v, uint32_t host_port, uint32_t guest_port, uint16_t type);

/* vsock_conn.c */
struct vsock_conn *vsock_find(struct vsock *v, uint32_t host_port, uint32_t guest_port);
struct vsock_conn *vsock_conn_new(struct vsock *v, uint32_t host_port, uint32_t guest_port, int *fd);
void vsock_conn_free(struct vsock_conn *c);
void vsock_conn_owe(struct vsock_conn *c, unsigned int what);
int vsock_conn_open(struct vsock_conn *c);
void vsock_conn_part(struct vsock_conn *c);
void vsock_conn_packet(struct vsock_conn *c, const struct vsock_pkt *p, struct iovec *iov, unsigned int n);
uint32_t vsock_conn_credit(const struct vsock_conn *c);
bool vsock_conn_has_data(const struct vsock_conn *c);
ssize_t vsock_conn_read(struct vsock_conn *c, struct iovec *iov, unsigned int n);
void vsock_conn_fill(struct vsock_conn *c, struct vsock_pkt *p, uint16_t op);
void vsock_conn_fed(struct vsock_conn *c);

/* vsock_host.c */
void vsock_host_forget(struct vsock_conn *c);
void vsock_host_freed(struct vsock *v);
bool vsock_host_request(struct vsock *v, const struct vsock_pkt *p);
void vsock_host_answer(struct vsock_conn *c, int err);
void vsock_host_init(struct vsock *v);
void vsock_host_down(struct vsock *v, int err);
void vsock_host_free(struct vsock *v);

#endif
