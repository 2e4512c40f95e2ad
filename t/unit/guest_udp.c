// SPDX-License-Identifier: ISC
/*
 * guest_udp.c - in a guest: UDP echo of every size, each answer compared.
 *
 *	guest_udp ADDRESS BYTES MAX	datagrams of 1 to MAX bytes to port 7 until BYTES were sent; prints how many came
 *					back whole. One that is lost, or comes back as another, is a failure
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

int main(int argc, char *argv[])
{
	static uint8_t out[65536], back[65536];
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(7) };
	struct timeval patience = { .tv_sec = 10 };
	unsigned long sent = 0, all, max, count = 0;
	uint32_t seed = 1;
	bool v6;
	int fd;

	if (argc != 4)
		return 2;
	all = strtoul(argv[2], NULL, 10);
	max = strtoul(argv[3], NULL, 10);
	v6 = strchr(argv[1], ':');
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || inet_pton(v6 ? AF_INET6 : AF_INET, argv[1], v6 ? (void *)&a6.sin6_addr : &a4.sin_addr) != 1 ||
	    connect(fd, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, v6 ? sizeof(a6) : sizeof(a4)) < 0) {
		perror("connect");
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (sent < all) {
		size_t len, i;
		ssize_t n;

		seed = seed * 1664525 + 1013904223;
		len = 1 + (seed >> 8) % max;
		for (i = 0; i < len; i++)
			out[i] = (uint8_t)((seed >> 16) + i * 7 + (i >> 8));
		if (send(fd, out, len, 0) != (ssize_t)len) {
			perror("send");
			return 1;
		}
		n = recv(fd, back, sizeof(back), 0);
		if (n != (ssize_t)len || memcmp(out, back, len)) {
			printf("datagram %lu of %zu bytes: got %zd: %s\n", count, len, n, n < 0 ? strerror(errno) : "differs");
			return 1;
		}
		sent += len;
		count++;
	}
	printf("%lu datagrams, all back\n", count);
	return 0;
}
