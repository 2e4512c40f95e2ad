/* SPDX-License-Identifier: ISC */
/* guest.h - the guest's half of --run: what is typed into its shell. */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>

enum { GUEST_LINE = 512 };              /* bytes that hold any line that is typed */

extern const char guest_helper[];

void guest_probe(char line[GUEST_LINE], const char *nonce, unsigned int number);
void guest_loader(char line[GUEST_LINE], const char *nonce);
char *guest_quote(const char *command);

#endif
