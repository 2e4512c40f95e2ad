/* SPDX-License-Identifier: ISC */
/* serial.h - a 16550A UART. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stddef.h>
#include <stdint.h>

struct port_sink;
struct serial;
struct worker;

struct serial *serial_new(struct worker *w, const struct port_sink *sink,
			  void (*line)(void *arg, int level), void *arg);
void serial_free(struct serial *s);
uint8_t serial_read(struct serial *s, unsigned int reg);
void serial_write(struct serial *s, unsigned int reg, uint8_t v);
void serial_input(void *serial);
void serial_room(void *serial);
void serial_flush(struct serial *s);

#endif
