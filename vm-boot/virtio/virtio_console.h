/* SPDX-License-Identifier: ISC */
/* virtio_console.h - virtio-console: one port, resizable (virtio 1.2 §5.3). */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <stdint.h>

struct port_sink;
struct virtio_dev;
struct gmem;
struct worker;

struct virtio_dev *virtio_console_new(const struct gmem *mem, struct worker *w,
				      const struct port_sink *sink);
void virtio_console_free(struct virtio_dev *dev);
void virtio_console_input(void *dev);
void virtio_console_room(void *dev);
void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows);

#endif
