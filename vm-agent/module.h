/* SPDX-License-Identifier: ISC */
/* module.h - load the kernel modules that the image lists. */
#ifndef MODULE_H
#define MODULE_H

#define MODULE_LIST "/etc/vm-agent/modules"

unsigned int module_load_all(void);

#endif
