// SPDX-License-Identifier: ISC
/* vhost_bad_test.c - the vhost-user back end, with front ends that break its rules. */
#include "tap.h"
#include "vhost_front.h"

/* -- numbers that no message may have -- */

enum fd_kind { NO_FD, KICK_FD, CALL_FD, MEM_FD, BLOCKING_FD, PIPE_FD };

static const struct {
	const char *name;
	uint32_t request;
	uint64_t value;
	enum fd_kind fd;
} numbers[] = {
	{ "a feature that was not offered", VHOST_SET_FEATURES, 1ULL << 26, NO_FD },
	{ "other features while a ring runs", VHOST_SET_FEATURES, PROTOCOL | VIRTIO_F_EVENT_IDX, NO_FD },
	{ "a protocol feature that was not offered", VHOST_SET_PROTOCOL_FEATURES, 2, NO_FD },
	{ "features with a descriptor", VHOST_SET_FEATURES, PROTOCOL | VIRTIO_F_VERSION_1, MEM_FD },
	{ "NUM: no such ring", VHOST_SET_VRING_NUM, 2 | STATE(SIZE), NO_FD },
	{ "NUM: of 0", VHOST_SET_VRING_NUM, 1 | STATE(0), NO_FD },
	{ "NUM: no power of two", VHOST_SET_VRING_NUM, 1 | STATE(7), NO_FD },
	{ "NUM: more than the model has", VHOST_SET_VRING_NUM, 1 | STATE(128), NO_FD },
	{ "NUM: more than 16 bits", VHOST_SET_VRING_NUM, 1 | STATE(0x10008), NO_FD },
	{ "NUM: while the ring runs", VHOST_SET_VRING_NUM, 0 | STATE(SIZE), NO_FD },
	{ "BASE: no index", VHOST_SET_VRING_BASE, 1 | STATE(0x10000), NO_FD },
	{ "BASE: while the ring runs", VHOST_SET_VRING_BASE, 0 | STATE(0), NO_FD },
	{ "GET_BASE: no such ring", VHOST_GET_VRING_BASE, 0x80000000, NO_FD },
	{ "ENABLE: no such ring", VHOST_SET_VRING_ENABLE, 2 | STATE(1), NO_FD },
	{ "ENABLE: more than yes", VHOST_SET_VRING_ENABLE, 1 | STATE(2), NO_FD },
	{ "KICK: no such ring", VHOST_SET_VRING_KICK, 2, KICK_FD },
	{ "KICK: unknown flags", VHOST_SET_VRING_KICK, 1ULL << 32, KICK_FD },
	{ "KICK: no descriptor", VHOST_SET_VRING_KICK, 1, NO_FD },
	{ "KICK: by polling", VHOST_SET_VRING_KICK, 1 | NO_EVENTFD, NO_FD },
	{ "CALL: with and without", VHOST_SET_VRING_CALL, 1 | NO_EVENTFD, CALL_FD },
	{ "CALL: a file", VHOST_SET_VRING_CALL, 0, MEM_FD },
	{ "CALL: a blocking eventfd", VHOST_SET_VRING_CALL, 0, BLOCKING_FD },
	{ "CALL: a pipe", VHOST_SET_VRING_CALL, 0, PIPE_FD },
	{ "ERR: no such ring", VHOST_SET_VRING_ERR, 255, CALL_FD },
};

static void tell_number(size_t i)
{
	int fd = -1, other = -1, p[2];

	switch (numbers[i].fd) {
	case NO_FD: break;
	case KICK_FD: fd = kick; break;
	case CALL_FD: fd = call; break;
	case MEM_FD: fd = mem; break;
	case BLOCKING_FD: fd = other = eventfd(0, EFD_CLOEXEC); break;
	case PIPE_FD:
		if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
			abort();
		fd = other = p[1];
		close(p[0]);
	}
	tell_u64(numbers[i].request, numbers[i].value, fd);
	cleanup_fd(&other);
}

/* -- regions that no table may have, as the second of two -- */

static const struct {
	const char *name;
	uint64_t gpa, len, user, offset;
} regions[] = {
	{ "regions overlap in the guest", PART - PAGE, PART, USER + PART, PART },
	{ "regions overlap in QEMU", HIGH, PART, USER + PART - PAGE, PART },
	{ "a region wraps in the guest", 0 - PAGE, 2 * PAGE, USER + PART, PART },
	{ "a region wraps in QEMU", HIGH, 2 * PAGE, 0 - PAGE, PART },
	{ "an offset wraps", HIGH, PART, USER + PART, 0 - PAGE },
	{ "a size below zero", HIGH, 0 - PAGE, USER + PART, 0 },
	{ "a size of nothing", HIGH, 0, USER + PART, 0 },
	{ "a region beyond the file", HIGH, PART + PAGE, USER + PART, PART },
	{ "a size that is no pages", HIGH, 100, USER + PART, PART },
	{ "an offset within a page", HIGH, PAGE, USER + PART, 100 },
};

static void tell_region(size_t i)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	put_region(table, 1, regions[i].gpa, regions[i].len, regions[i].user, regions[i].offset);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 2);
}

/* -- the rest -- */

static void short_message(void)
{
	tell(VHOST_SET_FEATURES, 0, "1234", 4, NULL, 0);
}

static void long_message(void)
{
	uint8_t p[16] = { 0 };

	tell(VHOST_SET_VRING_NUM, 0, p, sizeof(p), NULL, 0);
}

static void huge_message(void)
{
	uint8_t h[12] = { 0 };

	put_le32(h, 4711);
	put_le32(h + 4, 1);
	put_le32(h + 8, 0xffffffff);
	tell_raw(h, sizeof(h), NULL, 0);
}

static void wrong_version(void)
{
	uint8_t h[12] = { 1, 0, 0, 0, 2 };

	tell_raw(h, sizeof(h), NULL, 0);
}

static void a_reply(void)
{
	tell(VHOST_GET_FEATURES, VHOST_MSG_REPLY, NULL, 0, NULL, 0);
}

static void cut_short(void)
{
	tell_raw("\5\0\0\0\1\0", 6, &mem, 1);
	shutdown(sock, SHUT_WR);
}

static void unasked_fds(void)
{
	tell(VHOST_GET_FEATURES, 0, NULL, 0, &mem, 1);
}

static void too_many_fds(void)
{
	const int fd[12] = { mem, mem, mem, mem, mem, mem, mem, mem, mem, mem, mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 12);
}

static void addr_while_running(void)
{
	tell_addr(0, USER + DESC, USER + USED, USER + AVAIL);
}

static void call_with_two(void)
{
	const int fd[2] = { call, call };
	uint8_t p[8] = { 0 };

	tell(VHOST_SET_VRING_CALL, 0, p, 8, fd, 2);
}

static void ring_outside(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, SIZE);
	tell_state(VHOST_SET_VRING_BASE, 1, 0);
	tell_addr(1, USER + DESC, USER + 2 * PART, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_KICK, 1, kick);
	tell_state(VHOST_SET_VRING_ENABLE, 1, 1);
}

static void ring_left_outside(void)
{
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, HIGH, PART, USER + PART, PART);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &mem, 1);
}

static void ring_with_flags(void)
{
	uint8_t p[40] = { 1, 0, 0, 0, 1 };

	tell(VHOST_SET_VRING_ADDR, 0, p, sizeof(p), NULL, 0);
}

static void config_lies(void)
{
	uint8_t p[20] = { 0 };

	put_le32(p + 4, 200);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), NULL, 0);
}

static void config_short(void)
{
	tell(VHOST_SET_CONFIG, 0, "12345678", 8, NULL, 0);
}

static void config_with_fd(void)
{
	uint8_t p[20] = { 0 };

	put_le32(p + 4, 8);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), &mem, 1);
}

static void table_of_none(void)
{
	uint8_t table[8] = { 0 };

	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), NULL, 0);
}

static void table_of_nothing(void)
{
	tell(VHOST_SET_MEM_TABLE, 0, NULL, 0, &mem, 1);
}

static void table_short(void)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table) - 1, fd, 2);
}

static void table_of_many(void)
{
	const int fd[8] = { mem, mem, mem, mem, mem, mem, mem, mem };
	uint8_t table[8 + 9 * 32] = { 9 };
	unsigned int i;

	for (i = 0; i < 9; i++)
		put_region(table, i, i * 2ULL * PAGE, PAGE, USER + i * 2ULL * PAGE, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 8);
}

static void table_without_fd(void)
{
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &mem, 1);
}

static void memory_unsealed(void)
{
	int fd = make_memory(0);
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, 0, PART, USER, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &fd, 1);
	close(fd);
}

static void memory_no_file(void)
{
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, 0, PART, USER, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &kick, 1);
}

#define CASE(f) { f, #f }
static const struct {
	void (*fn)(void);
	const char *name;
} others[] = {
	CASE(short_message), CASE(long_message), CASE(huge_message), CASE(wrong_version),
	CASE(a_reply), CASE(cut_short), CASE(unasked_fds), CASE(too_many_fds),
	CASE(addr_while_running), CASE(call_with_two), CASE(ring_outside), CASE(ring_left_outside),
	CASE(ring_with_flags), CASE(config_lies), CASE(config_short), CASE(config_with_fd),
	CASE(table_of_none), CASE(table_of_nothing), CASE(table_short), CASE(table_of_many),
	CASE(table_without_fd), CASE(memory_unsealed), CASE(memory_no_file),
};

/* Up to a ring that runs; break a rule; see that the connection is all that ends, and all of it. */
static void violate(void (*by_index)(size_t i), size_t i, void (*fn)(void), const char *name)
{
	int before = count_fds();
	bool over;

	run(0);
	over = settled() && dev.ring[0].running;
	if (fn)
		fn();
	else
		by_index(i);
	over = over && hung_up();
	desc_at(0, 0x8000, 4, WRITE);
	offer(0);
	do_kick();
	worker_stop(worker);
	over = over && !served() && !dev.ring[0].running && !dev.mem->count && vhost_user_fd(v) == -1;
	teardown();
	CHECK(over && count_fds() == before, name);
}

static void test_unread(void)
{
	unsigned int i;

	setup(true);
	for (i = 0; i < 1000000; i++) {
		struct pollfd p = { .fd = sock, .events = POLLOUT };

		if (poll(&p, 1, 20000) != 1 || (p.revents & POLLHUP))
			break;
		tell(VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0);
	}
	worker_stop(worker);
	CHECK(i < 1000000 && vhost_user_fd(v) == -1, "who reads no answers is disconnected");
	teardown();
}

int main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		violate(tell_number, i, NULL, numbers[i].name);
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		violate(tell_region, i, NULL, regions[i].name);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		violate(NULL, 0, others[i].fn, others[i].name);
	test_unread();
	return tap_done();
}
