/* SPDX-License-Identifier: ISC
 * The lab's wire: frames on the byte stream of one virtio-serial port, between host.c and guest.c.
 *
 * A frame is a type (1 byte), a payload length (4 bytes, little-endian, at most WIRE_MAX) and the payload.
 * The port is lossless both ways (QEMU throttles a virtserialport, unlike a virtconsole).
 *
 *   guest  HELLO                                  once the port is open
 *   host   START strings                          each NUL-terminated, the first byte says what (enum lab_word)
 *   guest  FAILED step errno | nothing            the command could not be started (then EXIT does not come)
 *   both   STDIN STDOUT STDERR bytes              an empty STDIN is end of file
 *   guest  WANT                                   ready for one more STDIN
 *   host   SIGNAL number, WINSIZE rows columns    2 bytes each
 *   host   CLOSE type                             nobody reads STDOUT or STDERR any more
 *   guest  BEAT                                   every second
 *   guest  EXIT status                            4 bytes as waitpid gave it; the last frame
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER	5
#define WIRE_MAX	(8u << 20)
#define WIRE_CHUNK	32768u		/* what virtio_console copies per write */
#define WIRE_FULL	(8 * WIRE_CHUNK)	/* a queue this long stops reading its source */

enum lab_type {
	LAB_HELLO, LAB_START, LAB_FAILED, LAB_STDIN, LAB_STDOUT, LAB_STDERR, LAB_WANT,
	LAB_SIGNAL, LAB_WINSIZE, LAB_CLOSE, LAB_BEAT, LAB_EXIT, LAB_TYPES
};

enum lab_word {
	LAB_ARG = 'a', LAB_ENV = 'e', LAB_CWD = 'w', LAB_KEEP = 'k', LAB_RW = 'o', LAB_INPUT = 'i', LAB_TTY = 't',
	LAB_CLOCK = 'c'
};

/* A queue: len bytes at data + head. All zero is an empty one. */
struct wire_buf {
	uint8_t *data;
	size_t head, len, cap;
};

/* Append n bytes. Return: 0, or -ENOMEM with the buffer as it was. */
int wire_add(struct wire_buf *b, const void *data, size_t n);

/* Append a frame. Return: as wire_add. */
int wire_frame(struct wire_buf *b, enum lab_type type, const void *data, size_t n);

/* Drop the first n bytes (n at most b->len). */
void wire_drop(struct wire_buf *b, size_t n);

/* The frame at the head: its payload is the n bytes at *p, until the queue is touched again.
 * Return: its type, -EAGAIN when it is not whole yet, -EPROTO for a bad type or length. The caller drops it. */
int wire_next(const struct wire_buf *b, uint8_t **p, size_t *n);

/* Read what is there, at most room bytes. Return: bytes, 0 at end of file, -errno. */
int wire_fill(struct wire_buf *b, int fd, size_t room);

/* Write at most max bytes and drop them. Return: bytes written, -errno. */
int wire_flush(struct wire_buf *b, int fd, size_t max);

#endif
