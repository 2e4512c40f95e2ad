/* SPDX-License-Identifier: ISC */
/* confine.h - what vm-exec gives away once all is open. */
#ifndef CONFINE_H
#define CONFINE_H

int confine(void);

#endif
