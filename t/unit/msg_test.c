// SPDX-License-Identifier: ISC
/* msg_test.c - packets of words and descriptors: what arrives, what is refused, what leaks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "msg.h"
#include "tap.h"
#include "util.h"

static int pair[2];

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_words(void)
{
	struct msg m;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got;

	msg_init(&m);
	msg_add(&m, "verb");
	msg_add(&m, "");
	msg_addf(&m, "n=%d", 7);
	msg_add_fd(&m, &fd);
	CHECK(fd == -1, "a descriptor given is gone");
	CHECK(msg_send(pair[0], &m) == 0 && m.words == 0, "a message is sent and empty");
	CHECK(msg_recv(pair[1], &m, true) == 1, "and arrives");
	CHECK(m.words == 3 && !strcmp(m.word[0], "verb") && !*m.word[1] && !strcmp(m.word[2], "n=7"),
	      "with its words, also an empty one");
	CHECK(m.fds == 1, "and its descriptor");
	got = msg_take_fd(&m, 0);
	CHECK(got >= 0 && (fcntl(got, F_GETFD) & FD_CLOEXEC), "close-on-exec");
	CHECK(msg_take_fd(&m, 0) == -EBADF && msg_take_fd(&m, 1) == -EBADF, "it is taken once");
	close(got);
	msg_drop(&m);
	CHECK(msg_recv(pair[1], &m, false) == -EAGAIN, "then there is nothing");
}

static void test_limits(void)
{
	static char big[MSG_SIZE + 2];
	struct msg m;
	int i;

	memset(big, 'x', MSG_SIZE);
	msg_init(&m);
	msg_add(&m, big);
	CHECK(msg_send(pair[0], &m) == 0 && msg_recv(pair[1], &m, true) == 1 && m.len == MSG_SIZE,
	      "a packet as long as may be");
	msg_drop(&m);
	big[MSG_SIZE] = 'x';
	msg_init(&m);
	msg_add(&m, big);
	CHECK(msg_send(pair[0], &m) == -EMSGSIZE, "one byte more is not sent");
	send(pair[0], big, MSG_SIZE + 1, 0);
	CHECK(msg_recv(pair[1], &m, true) == -EBADMSG, "nor taken");
	memset(big, 0, MSG_WORDS);
	send(pair[0], big, MSG_WORDS, 0);
	CHECK(msg_recv(pair[1], &m, true) == -EBADMSG, "too many words are refused");
	send(pair[0], big, MSG_WORDS - 1, 0);
	CHECK(msg_recv(pair[1], &m, true) == 1 && m.words == MSG_WORDS, "just enough are not");
	msg_init(&m);
	for (i = 0; i <= MSG_WORDS; i++)
		msg_add(&m, "w");
	CHECK(msg_send(pair[0], &m) == -EMSGSIZE, "too many words are not sent");
	msg_init(&m);
	CHECK(msg_send(pair[0], &m) == -EMSGSIZE, "an empty message is not sent");
}

static void send_fds(int n)
{
	char control[CMSG_SPACE(sizeof(int) * 64)] = { 0 };
	struct iovec iov = { (char[]){ "v" }, 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int i;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + sizeof(int) * (size_t)i, &pair[0], sizeof(int));
	sendmsg(pair[0], &h, 0);
}

static void test_leaks(void)
{
	struct msg m;
	int before = open_fds(), i;

	for (i = 0; i < 100; i++) {
		send_fds(MSG_FDS);
		if (msg_recv(pair[1], &m, true) != 1 || m.fds != MSG_FDS)
			CHECK(false, "as many descriptors as may be");
		msg_drop(&m);
		send_fds(MSG_FDS + 1);
		if (msg_recv(pair[1], &m, true) != -EBADMSG)
			CHECK(false, "one more is refused");
		send_fds(60);
		if (msg_recv(pair[1], &m, true) != -EBADMSG)
			CHECK(false, "many more are refused");
	}
	CHECK(open_fds() == before, "no descriptor is left of 100 rounds of too many");
}

static void test_end(void)
{
	struct msg m;

	close(pair[0]);
	CHECK(msg_recv(pair[1], &m, true) == 0, "the end of the connection is told");
	msg_init(&m);
	msg_add(&m, "x");
	CHECK(msg_send(pair[1], &m) == -EPIPE, "and sending fails without a signal");
}

int main(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 1;
	test_words();
	test_limits();
	test_leaks();
	test_end();
	return tap_done();
}
