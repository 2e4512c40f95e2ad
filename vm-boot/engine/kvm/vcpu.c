// SPDX-License-Identifier: ISC
/*
 * vcpu.c - threads that run the guest's CPUs.
 *
 * All vCPUs follow one wish, @want: RUN, PARK (wait, to be resumed) or QUIT. Stopping them is free
 * of races: the wish is set, and immediate_exit with it, under the lock; then each thread is sent
 * a signal, again and again until all have acknowledged. A signal that lands just before KVM_RUN is
 * not lost, because KVM_RUN looks at immediate_exit first; a thread clears it only under the lock
 * and only while the wish is RUN.
 *
 * A vCPU that ends the machine (power-off, reset, ...) says so and parks: the main loop does the rest.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "log.h"
#include "machine.h"
#include "util.h"
#include "x86/cpu.h"

static void on_kick(int sig)
{
	(void)sig;      /* only to make KVM_RUN return */
}

/* Park or quit as wished. Return false to quit. */
static bool obey(struct vcpu *v)
{
	struct machine *m = v->m;
	bool go;

	pthread_mutex_lock(&m->lock);
	if (m->want != VCPUS_RUN) {
		m->parked++;
		pthread_cond_broadcast(&m->changed);
		while (m->want == VCPUS_PARK)
			pthread_cond_wait(&m->changed, &m->lock);
		m->parked--;
	}
	go = m->want == VCPUS_RUN;
	if (go)
		v->run->immediate_exit = 0;
	pthread_mutex_unlock(&m->lock);
	return go;
}

/* The machine has ended: run no more, wait for the main loop to say so. */
static void wait_for_quit(struct vcpu *v)
{
	struct machine *m = v->m;

	pthread_mutex_lock(&m->lock);
	m->parked++;
	pthread_cond_broadcast(&m->changed);
	while (m->want != VCPUS_QUIT)
		pthread_cond_wait(&m->changed, &m->lock);
	m->parked--;
	pthread_mutex_unlock(&m->lock);
}

static void failed(struct vcpu *v, const char *what, uint64_t detail)
{
	warn("vCPU %u: %s (0x%llx)", v->id, what, (unsigned long long)detail);
	machine_ended(v->m, CAUSE_FAILED);
}

static void handle_exit(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint8_t *data;
	uint32_t i;

	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		data = (uint8_t *)r + r->io.data_offset;
		for (i = 0; i < r->io.count; i++, data += r->io.size)
			port_io(v->m, r->io.port, data, r->io.size,
				r->io.direction == KVM_EXIT_IO_OUT);
		break;
	case KVM_EXIT_MMIO:
		mmio(v->m, r->mmio.phys_addr, r->mmio.data, r->mmio.len, r->mmio.is_write);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		machine_ended(v->m, CAUSE_TRIPLE_FAULT);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		machine_ended(v->m, r->system_event.type == KVM_SYSTEM_EVENT_RESET ?
			      CAUSE_RESET : CAUSE_POWEROFF);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		failed(v, "the processor refuses the guest's state",
		       r->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		failed(v, "KVM cannot go on: internal error", r->internal.suberror);
		break;
	default:
		failed(v, "unexpected exit", r->exit_reason);
		break;
	}
}

static void *run(void *arg)
{
	struct vcpu *v = arg;
	sigset_t kick;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&kick);
	sigaddset(&kick, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	while (obey(v)) {
		while (__atomic_load_n(&v->m->cause, __ATOMIC_RELAXED) == CAUSE_NONE) {
			if (ioctl(v->fd, KVM_RUN, NULL) == 0) {
				handle_exit(v);
			} else if (errno == EINTR) {
				break;
			} else if (errno != EAGAIN) {
				failed(v, "KVM_RUN failed", (uint64_t)errno);
			}
		}
		if (__atomic_load_n(&v->m->cause, __ATOMIC_RELAXED) != CAUSE_NONE) {
			wait_for_quit(v);
			break;
		}
	}
	return NULL;
}

/**
 * vcpus_create() - make the vCPUs, without threads
 * @m: machine with its KVM VM and irqchip; cpus set
 * @err, @errsize: what went wrong
 * Return: 0 or -errno.
 */
int vcpus_create(struct machine *m, char *err, size_t errsize)
{
	autofree struct kvm_cpuid2 *features = cpu_features(m->kvm);
	bool deadline = ioctl(m->fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	struct sigaction sa = { .sa_handler = on_kick };
	unsigned int i;
	int e;

	snprintf(err, errsize, "cannot make vCPUs");
	if (!features)
		return -errno;
	sigaction(SIGUSR1, &sa, NULL);
	for (i = 0; i < m->cpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		v->m = m;
		v->id = i;
		v->fd = ioctl(m->fd, KVM_CREATE_VCPU, i);
		if (v->fd < 0) {
			e = -errno;
			snprintf(err, errsize, "KVM makes no more than %u vCPUs here: %s", i, errstr(e));
			return e;
		}
		v->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
		if (v->run == MAP_FAILED) {
			v->run = NULL;
			return -errno;
		}
		e = cpu_setup(v->fd, features, i, m->cpus, deadline);
		if (e) {
			snprintf(err, errsize, "vCPU %u: %s", i, errstr(e));
			return e;
		}
	}
	return 0;
}

/** vcpus_start() - start the threads; they do what was last wished. @m. Return: 0 or -errno. */
int vcpus_start(struct machine *m)
{
	sigset_t all, old;
	unsigned int i;
	int e = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (i = 0; i < m->cpus && !e; i++) {
		e = -pthread_create(&m->vcpu[i].thread, NULL, run, &m->vcpu[i]);
		m->vcpu[i].started = !e;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e;
}

/**
 * vcpus_set() - have every vCPU run, park or quit
 * @m: machine
 * @want: what; after PARK and QUIT returns, none executes guest instructions
 */
void vcpus_set(struct machine *m, enum vcpus_want want)
{
	unsigned int i, started = 0;

	pthread_mutex_lock(&m->lock);
	m->want = want;
	for (i = 0; i < m->cpus; i++) {
		started += m->vcpu[i].started;
		if (want != VCPUS_RUN && m->vcpu[i].run)
			m->vcpu[i].run->immediate_exit = 1;
	}
	pthread_cond_broadcast(&m->changed);
	while (want == VCPUS_PARK && m->parked < started) {
		struct timespec until;

		for (i = 0; i < m->cpus; i++)
			if (m->vcpu[i].started)
				pthread_kill(m->vcpu[i].thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&m->changed, &m->lock, &until);
	}
	pthread_mutex_unlock(&m->lock);
	for (i = 0; want == VCPUS_QUIT && i < m->cpus; i++) {
		struct vcpu *v = &m->vcpu[i];
		struct timespec until;

		while (v->started) {
			pthread_kill(v->thread, SIGUSR1);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 10000000;
			until.tv_sec += until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
			if (pthread_timedjoin_np(v->thread, NULL, &until) == 0)
				v->started = false;
		}
	}
}

/** vcpus_free() - close the vCPUs, whose threads have quit. @m: machine. */
void vcpus_free(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cpus; i++) {
		if (m->vcpu[i].run)
			munmap(m->vcpu[i].run, m->run_size);
		m->vcpu[i].run = NULL;
		cleanup_fd(&m->vcpu[i].fd);
	}
}
