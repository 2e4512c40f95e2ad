/* SPDX-License-Identifier: ISC */
/* machine.h - the kvm engine's parts, as they see each other. */
#ifndef MACHINE_H
#define MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "vm.h"

enum { CPUS_MAX = 64, VIRTIO_DEVICES_MAX = 3 + NETCONF_MAX };

struct kvm_run;
struct machine;
struct serial;
struct virtio_dev;
struct virtio_net;
struct virtio_pci;

struct vcpu {
	struct machine *m;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	bool started;
	pthread_t thread;
};

/* What the vCPU threads are to do. */
enum vcpus_want { VCPUS_RUN, VCPUS_PARK, VCPUS_QUIT };

struct machine {
	struct vm *vm;
	int kvm, fd;                            /* /dev/kvm, the KVM VM */
	size_t run_size;
	struct pci_bus bus;
	struct pci_dev host_bridge;
	struct pci_dev pvpanic;
	struct serial *serial;
	struct virtio_dev *console, *rng;
	struct virtio_net *net[NETCONF_MAX];
	struct virtio_pci *front[VIRTIO_DEVICES_MAX];
	unsigned int fronts;
	int ended;                              /* eventfd: @cause is set */
	int ended_id;
	int cause;                              /* enum vm_cause; atomic, the first one stays */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum vcpus_want want;                   /* under @lock */
	unsigned int parked;                    /* under @lock */
	unsigned int cpus;
	struct vcpu vcpu[CPUS_MAX];
};

void machine_ended(struct machine *m, enum vm_cause cause);

int vcpus_create(struct machine *m, char *err, size_t errsize);
int vcpus_start(struct machine *m);
void vcpus_set(struct machine *m, enum vcpus_want want);
void vcpus_free(struct machine *m);

bool vcpu_emulated(struct machine *m, char *why, size_t whysize);

void port_io(struct machine *m, uint16_t port, void *buf, size_t len, bool write);
void mmio(struct machine *m, uint64_t addr, void *buf, size_t len, bool write);
void pvpanic_init(struct machine *m);
void host_bridge_init(struct machine *m);

#endif
