/* SPDX-License-Identifier: ISC */
/* ctl.h - the control socket: one VM's verbs for its clients. */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct vm;
struct vsock_result;

struct ctl *ctl_new(struct vm *vm);
int ctl_listen(struct ctl *ctl, int *listener);
int ctl_adopt(struct ctl *ctl, int *shared);
bool ctl_busy(const struct ctl *ctl);
void ctl_tell_booted(struct ctl *ctl);
void ctl_tell_agent(struct ctl *ctl);
void ctl_tell_dialled(struct ctl *ctl, struct vsock_result *result);
void ctl_tell_plugged(struct ctl *ctl, uint64_t id, int err, const char *text);
void ctl_tell_ended(struct ctl *ctl);
void ctl_free(struct ctl *ctl);

#endif
