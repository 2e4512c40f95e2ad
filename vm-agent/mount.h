/* SPDX-License-Identifier: ISC */
/* mount.h - the file systems that every program expects, and their end. */
#ifndef MOUNT_H
#define MOUNT_H

int mount_all(void);
void mount_end(void);

#endif
