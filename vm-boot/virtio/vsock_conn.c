// SPDX-License-Identifier: ISC
/*
 * vsock_conn.c - one vsock connection: its socket on the host, its credit, its end.
 *
 *	WAITING		dialled, but too many are on their way to that port already
 *	CONNECTING	REQUEST is owed or was sent
 *	OPEN		bytes flow
 *	FLUSHING	the guest knows nothing of it any more; its client gets what is left
 *
 *	WAITING --> CONNECTING --RESPONSE--> OPEN --RST came or was sent, both sides shut--> FLUSHING --> freed
 *	WAITING, CONNECTING --RST, nobody wants it any more--> freed
 *	(a guest's REQUEST makes one that is OPEN and owes RESPONSE)
 *
 * Credit (§5.10.6.3). The guest may have `alloc` bytes under way; `fwd_cnt` counts what the client's
 * socket took. Whatever it does not take is kept in a buffer of `alloc` bytes, which exists only while it
 * holds something. Every packet tells `fwd_cnt`; one is sent for that alone once the guest could believe
 * that less than half is left. What we may send is the guest's `alloc` less what it has not consumed.
 *
 * Ends. A client that shuts its writing side owes the guest SHUTDOWN(send) after its last byte; one that
 * is gone, SHUTDOWN of both, and the connection is forgotten: bytes that still come are answered with RST,
 * like those for any stranger. The guest's SHUTDOWN(send) shuts the client's reading side after the last
 * byte, SHUTDOWN(receive) its writing side at once. A guest's RST ends the connection at once: its client
 * gets what was there before, then its end.
 */
#include "vsock_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loop.h"
#include "worker.h"

/* The first connections may have much under way, a thousand of them not. */
enum { ALLOC_MANY = 256 << 10, ALLOC_FEW = 32 << 10, CONNS_RICH = 64 };

static struct loop *loop_of(const struct vsock_conn *c)
{
	return worker_loop(c->v->dev.worker);
}

static unsigned int bucket(uint32_t host_port, uint32_t guest_port)
{
	return (host_port * 2654435761u ^ guest_port * 40503u) >> 7 & (VSOCK_BUCKETS - 1);
}

/** vsock_find() - the connection of two ports. @v. Return: it, NULL when the guest can know of none. */
struct vsock_conn *vsock_find(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *c = v->bucket[bucket(host_port, guest_port)];

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->hash;
	return c;
}

/**
 * vsock_conn_new() - a connection in state CONNECTING that owes nothing yet
 * @v: holds fewer than VSOCK_CONNS_MAX
 * @host_port, @guest_port: not those of another
 * @fd: our end of a stream socket pair, consumed
 * Return: it, or NULL when out of memory.
 */
struct vsock_conn *vsock_conn_new(struct vsock *v, uint32_t host_port, uint32_t guest_port, int *fd)
{
	struct vsock_conn *c = calloc(1, sizeof(*c)), **head = &v->bucket[bucket(host_port, guest_port)];

	if (!c) {
		cleanup_fd(fd);
		return NULL;
	}
	*c = (struct vsock_conn){
		.v = v, .state = VSOCK_CONNECTING, .host_port = host_port, .guest_port = guest_port,
		.fd = steal_fd(fd), .watch = -1, .hash = *head,
		.alloc = v->conns < CONNS_RICH ? ALLOC_MANY : ALLOC_FEW,
	};
	*head = c;
	vsock_link_init(&c->ready);
	vsock_link_add(&v->all, &c->all);
	v->conns++;
	return c;
}

/* The guest knows nothing of it from now on. */
static void forget(struct vsock_conn *c)
{
	struct vsock_conn **at = &c->v->bucket[bucket(c->host_port, c->guest_port)];

	while (*at && *at != c)
		at = &(*at)->hash;
	if (*at)
		*at = c->hash;
	vsock_link_del(&c->ready);
	c->owes = 0;
}

/** vsock_conn_free() - end it at once; nobody is told. @c: any state, its dial forgets it. */
void vsock_conn_free(struct vsock_conn *c)
{
	forget(c);
	vsock_host_forget(c);
	loop_del(loop_of(c), &c->watch);
	cleanup_fd(&c->fd);
	vsock_link_del(&c->all);
	c->v->conns--;
	vsock_host_freed(c->v);
	free(c->buf);
	free(c);
}

/** vsock_conn_credit() - bytes that the guest has room for. @c. Return: so many. */
uint32_t vsock_conn_credit(const struct vsock_conn *c)
{
	uint32_t under_way = c->tx_cnt - c->peer_fwd;

	return under_way < c->peer_alloc ? c->peer_alloc - under_way : 0;
}

/* Whether the client's bytes are wanted by the guest at all. */
static bool wants_data(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && !c->client_eof && !(c->guest_shut & VSOCK_SHUT_RCV) &&
	       vsock_conn_credit(c);
}

/** vsock_conn_has_data() - whether the client's bytes could be sent now. @c. Return: so. */
bool vsock_conn_has_data(const struct vsock_conn *c)
{
	return c->readable && wants_data(c);
}

/* Stand in the queue, and wait for events, as the state demands. */
static void settle(struct vsock_conn *c)
{
	bool ready = c->owes || vsock_conn_has_data(c);
	uint32_t events = 0;

	if (ready && c->ready.next == &c->ready)
		vsock_link_add(&c->v->ready, &c->ready);
	else if (!ready)
		vsock_link_del(&c->ready);
	if (c->watch < 0)
		return;
	if (!c->readable && wants_data(c))
		events |= EPOLLIN;
	if (c->len)
		events |= EPOLLOUT;
	loop_mod(loop_of(c), c->watch, events);
}

/** vsock_conn_owe() - have packets sent as soon as the guest has buffers. @c. @what: OWES_ bits. */
void vsock_conn_owe(struct vsock_conn *c, unsigned int what)
{
	c->owes |= what;
	settle(c);
}

/**
 * vsock_conn_part() - the guest is done with it
 * @c: freed, at once or when its client has taken what is left
 */
void vsock_conn_part(struct vsock_conn *c)
{
	assert(c->state != VSOCK_FLUSHING);
	forget(c);
	c->state = VSOCK_FLUSHING;
	if (!c->len || c->watch < 0)
		vsock_conn_free(c);
	else
		settle(c);
}

/* -- guest to client -- */

/* Tell the guest of room that it cannot know of, before it has to wait for it. */
static void tell_credit(struct vsock_conn *c)
{
	if (c->fwd_cnt != c->fwd_told && c->alloc - (c->rx_cnt - c->fwd_told) < c->alloc / 2)
		c->owes |= OWES_CREDIT;
}

/* Write to the client. Return: bytes; 0 when its socket is full; -errno when it takes no more. */
static ssize_t pass_on(struct vsock_conn *c, struct iovec *iov, unsigned int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t done;

	do
		done = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno == EAGAIN ? 0 : -errno;
	c->fwd_cnt += (uint32_t)done;
	return done;
}

static void keep(struct vsock_conn *c, const uint8_t *data, size_t len)
{
	size_t tail = (c->head + c->len) % c->alloc, first = MIN(len, c->alloc - tail);

	memcpy(c->buf + tail, data, first);
	memcpy(c->buf, data + first, len - first);
	c->len += len;
}

/* The guest sends no more, and its last byte was taken. */
static void end_output(struct vsock_conn *c)
{
	if (c->guest_shut & VSOCK_SHUT_SEND && !c->len)
		shutdown(c->fd, SHUT_WR);
}

/* Write what was kept. Return: false when @c is freed. */
static bool flush(struct vsock_conn *c)
{
	while (c->len) {
		size_t first = MIN(c->len, c->alloc - c->head);
		struct iovec iov[2] = { { c->buf + c->head, first }, { c->buf, c->len - first } };
		ssize_t n = pass_on(c, iov, c->len > first ? 2 : 1);

		if (n < 0 && c->state == VSOCK_FLUSHING) {
			vsock_conn_free(c);
			return false;
		}
		if (n < 0) {
			vsock_conn_owe(c, OWES_RST);
			return true;
		}
		if (!n)
			return true;
		c->head = (c->head + (size_t)n) % c->alloc;
		c->len -= (size_t)n;
	}
	free(c->buf);
	c->buf = NULL;
	c->head = 0;
	if (c->state == VSOCK_FLUSHING) {
		vsock_conn_free(c);
		return false;
	}
	end_output(c);
	return true;
}

static void take_data(struct vsock_conn *c, uint32_t len, struct iovec *iov, unsigned int n)
{
	ssize_t done = 0;
	unsigned int i;

	if (len > c->alloc - (c->rx_cnt - c->fwd_cnt) || c->guest_shut & VSOCK_SHUT_SEND) {
		c->owes |= OWES_RST;
		return;
	}
	c->rx_cnt += len;
	if (!c->len && len)
		done = pass_on(c, iov, n);
	if (done < 0 || (size_t)done == len) {
		if (done < 0)
			c->owes |= OWES_RST;
		tell_credit(c);
		return;
	}
	if (!c->buf)
		c->buf = malloc(c->alloc);
	if (!c->buf) {
		c->owes |= OWES_RST;
		return;
	}
	for (i = 0; i < n; i++) {
		size_t skip = MIN((size_t)done, iov[i].iov_len);

		keep(c, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		done -= (ssize_t)skip;
	}
	tell_credit(c);
}

/* -- client to guest -- */

/**
 * vsock_conn_read() - take what the client wrote
 * @c: vsock_conn_has_data()
 * @iov, @n: guest memory, at most vsock_conn_credit() bytes
 * Return: bytes; 0 when there are none now, or none will come.
 */
ssize_t vsock_conn_read(struct vsock_conn *c, struct iovec *iov, unsigned int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t len;

	do
		len = recvmsg(c->fd, &m, MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	if (len > 0) {
		c->tx_cnt += (uint32_t)len;
		return len;
	}
	if (len < 0 && errno == EAGAIN) {
		c->readable = false;
		return 0;
	}
	/* It left what the guest had sent unread, or the like: no orderly end. */
	if (len < 0)
		c->owes |= OWES_RST;
	else
		c->owes |= OWES_SHUTDOWN;
	c->client_eof = true;
	return 0;
}

/* The client is gone, and the guest gets nothing more of it: tell, whatever was told before. */
static void end_input(struct vsock_conn *c)
{
	if (c->state == VSOCK_OPEN && c->client_gone && (c->client_eof || c->guest_shut & VSOCK_SHUT_RCV))
		c->owes |= OWES_SHUTDOWN;
}

static void on_client(void *arg, uint32_t events)
{
	struct vsock_conn *c = arg;
	struct vsock *v = c->v;

	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Heard once; what it wrote before is still to be had. */
		loop_del(loop_of(c), &c->watch);
		c->client_gone = true;
		end_input(c);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (c->len && !flush(c))
		return;
	if (c->state == VSOCK_FLUSHING && c->watch < 0) {
		vsock_conn_free(c);
		return;
	}
	if (c->state == VSOCK_OPEN)
		tell_credit(c);
	settle(c);
	vsock_feed(v);
}

/* "OK HOSTPORT": Firecracker's docs/vsock.md. The first bytes in an empty socket buffer. */
static int greet(const struct vsock_conn *c)
{
	char line[24];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	return send(c->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n ? 0 : -EPIPE;
}

/** vsock_conn_open() - begin to listen to the client. @c: CONNECTING; OPEN then. Return: 0 or -errno. */
int vsock_conn_open(struct vsock_conn *c)
{
	int id = c->greets ? greet(c) : 0;

	assert(c->state == VSOCK_CONNECTING);
	if (!id)
		id = loop_add(loop_of(c), c->fd, 0, on_client, c);
	if (id < 0)
		return id;
	c->watch = id;
	c->state = VSOCK_OPEN;
	settle(c);
	return 0;
}

/* -- packets -- */

/*
 * The guest receives no more: the client is to hear of it when it writes. One that waits for room in a full socket is
 * woken by room alone (unix_poll looks at the buffer, not at the other side), so what nobody will read is thrown away.
 */
static void refuse_input(struct vsock_conn *c)
{
	uint8_t waste[4096];

	shutdown(c->fd, SHUT_RD);
	while (recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		continue;
}

static void take_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & VSOCK_SHUT_BOTH;
	if (c->guest_shut & VSOCK_SHUT_RCV) {
		refuse_input(c);
		end_input(c);
	}
	if (c->guest_shut == VSOCK_SHUT_BOTH)
		c->owes |= OWES_RST;    /* §5.10.6.5: that is what the guest waits for */
	else
		end_output(c);
}

/**
 * vsock_conn_packet() - a packet came from the guest
 * @c: its connection; perhaps freed
 * @p: header; len is that of @iov
 * @iov, @n: its bytes, in guest memory
 */
void vsock_conn_packet(struct vsock_conn *c, const struct vsock_pkt *p, struct iovec *iov, unsigned int n)
{
	bool asked = c->state == VSOCK_CONNECTING && !(c->owes & OWES_REQUEST);

	if (c->state != VSOCK_OPEN && (!asked || (p->op != VSOCK_OP_RESPONSE && p->op != VSOCK_OP_RST))) {
		vsock_host_answer(c, -EPROTO);
		return;
	}
	c->peer_alloc = p->buf_alloc;
	c->peer_fwd = p->fwd_cnt;
	if (asked) {
		vsock_host_answer(c, p->op == VSOCK_OP_RESPONSE ? 0 : -ECONNREFUSED);
		return;
	}
	switch (p->op) {
	case VSOCK_OP_RST:
		vsock_conn_part(c);
		return;
	case VSOCK_OP_SHUTDOWN:
		take_shutdown(c, p->flags);
		break;
	case VSOCK_OP_RW:
		if (!(c->owes & OWES_RST))      /* nothing behind a hole */
			take_data(c, p->len, iov, n);
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		c->owes |= OWES_CREDIT;
		break;
	default:
		c->owes |= OWES_RST;
	}
	settle(c);
}

/** vsock_conn_fill() - the header of a packet to the guest, but for len, flags, CIDs. @c. @p. @op. */
void vsock_conn_fill(struct vsock_conn *c, struct vsock_pkt *p, uint16_t op)
{
	*p = (struct vsock_pkt){
		.src_port = c->host_port, .dst_port = c->guest_port, .type = VSOCK_TYPE_STREAM, .op = op,
		.buf_alloc = c->alloc, .fwd_cnt = c->fwd_cnt,
	};
	c->fwd_told = c->fwd_cnt;
	c->owes &= ~(unsigned int)OWES_CREDIT;
}

/**
 * vsock_conn_fed() - something was sent for it: to the end of the queue, or out of it
 * @c: freed when the guest was told that its client is gone
 */
void vsock_conn_fed(struct vsock_conn *c)
{
	if (c->told_shut == VSOCK_SHUT_BOTH && c->state == VSOCK_OPEN) {
		vsock_conn_part(c);
		return;
	}
	vsock_link_del(&c->ready);
	settle(c);
}
