/* SPDX-License-Identifier: ISC */
/* pcap.h - frames written to a file that tshark reads. */
#ifndef PCAP_H
#define PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { PCAP_SNAP = 65536 + 18, PCAP_BUFFER = 512 << 10 };

struct pcap {
	int fd;                         /* -1: written no more */
	bool file;                      /* always ready; else a pipe or a socket, written as it takes bytes */
	size_t snap;
	uint8_t *buf;
	size_t len;
	uint64_t frames, dropped;
	int err;                        /* of the last write that failed: -errno */
};

int pcap_init(struct pcap *p, int *fd, size_t snap);
void pcap_free(struct pcap *p);
void pcap_frame(struct pcap *p, uint64_t usec, bool from_guest, const struct iovec *iov, unsigned int n);
int pcap_flush(struct pcap *p);

#endif
