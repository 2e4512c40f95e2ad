/* SPDX-License-Identifier: ISC */
/* vhost_user.h - put one of our device models behind a vhost-user device of QEMU's. */
#ifndef VHOST_USER_H
#define VHOST_USER_H

struct vhost_user;
struct virtio_dev;
struct worker;

struct vhost_user *vhost_user_new(int *sock, struct virtio_dev *dev, struct worker *w);
int vhost_user_fd(const struct vhost_user *v);
int vhost_user_serve(struct vhost_user *v);
void vhost_user_free(struct vhost_user *v);

#endif
