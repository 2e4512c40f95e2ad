// SPDX-License-Identifier: ISC
/*
 * kvm.c - the kvm engine: a small PC on /dev/kvm.
 *
 * set-up	/dev/kvm -> VM -> irqchip -> RAM -> vCPUs -> probe -> tables, kernel -> devices
 * threads	one a vCPU (vcpu.c), and the VM's device worker; the main loop hears of the end through
 *		an eventfd
 *
 * There is no PIT, no 8259 in use, no RTC: the guest is told so (x86/acpi.c) and keeps time by
 * kvm-clock and its local APICs. Interrupts are messages (msix.c) or IOAPIC lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "virtio_console.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "loop.h"
#include "machine.h"
#include "net.h"
#include "port.h"
#include "probe.h"
#include "virtio_net.h"
#include "virtio_rng.h"
#include "virtio_vsock.h"
#include "serial.h"
#include "util.h"
#include "virtio_pci.h"
#include "x86/acpi.h"
#include "x86/boot.h"
#include "x86/cpu.h"
#include "x86/layout.h"

/**
 * machine_ended() - the guest is over; the first cause that is told stays
 * @m: machine
 * @cause: why
 *
 * From any thread; the calling vCPU runs no further guest instruction.
 */
void machine_ended(struct machine *m, enum vm_cause cause)
{
	int none = CAUSE_NONE;
	uint64_t one = 1;

	if (__atomic_compare_exchange_n(&m->cause, &none, (int)cause, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED) &&
	    write(m->ended, &one, sizeof(one)) < 0)
		warn("cannot tell of the guest's end: %s", errstr(errno));
}

static void on_ended(void *arg, uint32_t events)
{
	struct machine *m = arg;
	uint64_t n;

	(void)events;
	if (read(m->ended, &n, sizeof(n)) < 0)
		return;
	vm_ended(m->vm, (enum vm_cause)__atomic_load_n(&m->cause, __ATOMIC_RELAXED));
}

static int open_kvm(struct machine *m, char *err, size_t errsize)
{
	int version, size;

	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0) {
		int e = errno;

		if (e == ENOENT)
			snprintf(err, errsize, "/dev/kvm is not there: load kvm-intel or kvm-amd, or "
				 "enable virtualization in the firmware");
		else if (e == EACCES || e == EPERM)
			snprintf(err, errsize, "/dev/kvm: %s: join the group that owns it (usually "
				 "kvm)", errstr(e));
		else
			snprintf(err, errsize, "/dev/kvm: %s", errstr(e));
		return -ENOTSUP;
	}
	version = ioctl(m->kvm, KVM_GET_API_VERSION, NULL);
	size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (version != KVM_API_VERSION || size < (int)sizeof(struct kvm_run)) {
		snprintf(err, errsize, "/dev/kvm: is not the KVM this program speaks to (version %d)",
			 version);
		return -ENOTSUP;
	}
	m->run_size = (size_t)size;
	do
		m->fd = ioctl(m->kvm, KVM_CREATE_VM, 0);
	while (m->fd < 0 && errno == EINTR);
	if (m->fd < 0) {
		snprintf(err, errsize, "/dev/kvm: cannot create a VM: %s", errstr(errno));
		return -ENOTSUP;
	}
	return 0;
}

static int create_irqchip(struct machine *m, char *err, size_t errsize)
{
	uint64_t identity = KVM_IDENTITY_MAP;

	if (ioctl(m->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(m->fd, KVM_SET_TSS_ADDR, (unsigned long)KVM_IDENTITY_MAP + 4096) < 0 ||
	    ioctl(m->fd, KVM_CREATE_IRQCHIP, NULL) < 0) {
		int e = -errno;

		snprintf(err, errsize, "KVM: cannot make interrupt controllers: %s", errstr(e));
		return e;
	}
	return 0;
}

static int create_memory(struct machine *m, char *err, size_t errsize)
{
	struct vm *vm = m->vm;
	unsigned int i;
	int e = gmem_map_ram(&vm->mem, vm->cfg.memory, HOLE_START, HOLE_END);

	if (e) {
		snprintf(err, errsize, "cannot map %llu MiB of memory: %s",
			 (unsigned long long)(vm->cfg.memory / MIB), errstr(e));
		return e;
	}
	for (i = 0; i < vm->mem.count; i++) {
		struct kvm_userspace_memory_region r = {
			.slot = i,
			.guest_phys_addr = vm->mem.region[i].gpa,
			.memory_size = vm->mem.region[i].len,
			.userspace_addr = (uintptr_t)vm->mem.region[i].host,
		};

		if (ioctl(m->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0) {
			e = -errno;
			snprintf(err, errsize, "KVM: cannot give a guest %llu MiB of memory: %s",
				 (unsigned long long)(vm->cfg.memory / MIB), errstr(e));
			return e;
		}
	}
	return 0;
}

static int load_guest(struct machine *m, char *err, size_t errsize)
{
	const struct vm_config *cfg = &m->vm->cfg;
	struct boot_entry entry;
	uint8_t generation[16];
	uint64_t rsdp;
	int e = acpi_build(&m->vm->mem, cfg->cpus, &rsdp);

	if (getrandom(generation, sizeof(generation), 0) != sizeof(generation))
		return -EIO;
	if (!e)
		e = gmem_write(&m->vm->mem, VMGENID_ADDR, generation, sizeof(generation));
	if (!e)
		e = boot_load(&m->vm->mem, cfg, &m->vm->kernel, m->vm->initrd_addr, rsdp, &entry, err,
			      errsize);
	return e ? e : cpu_enter(m->vcpu[0].fd, &m->vm->mem, &entry);
}

static void set_gsi(struct machine *m, uint32_t gsi, uint32_t level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	ioctl(m->fd, KVM_IRQ_LINE, &l);
}

static void serial_line(void *arg, int level)
{
	set_gsi(arg, GSI_COM1, (uint32_t)level);
}

static int add_virtio(struct machine *m, struct virtio_dev *dev)
{
	struct virtio_pci *p = dev ? virtio_pci_new(&m->bus, m->fd, dev) : NULL;

	if (!p)
		return -ENOMEM;
	m->front[m->fronts++] = p;
	return 0;
}

static int add_networks(struct machine *m)
{
	struct vm *vm = m->vm;
	unsigned int i;
	int e = 0;

	for (i = 0; i < net_interfaces(vm->net) && !e; i++) {
		const struct net_config *c = net_config(vm->net, i);
		struct virtio_net_card card = { .mtu = c->mtu };
		struct net_card plug = { virtio_net_attach, virtio_net_counts, NULL };

		memcpy(card.mac, c->mac, sizeof(card.mac));
		m->net[i] = virtio_net_new(&vm->mem, net_worker(vm->net), &card, net_lost, net_lost_arg(vm->net, i));
		if (!m->net[i])
			return -ENOMEM;
		plug.card = m->net[i];
		net_plug(vm->net, i, &plug);
		e = add_virtio(m, virtio_net_dev(m->net[i]));
	}
	return e;
}

static int create_devices(struct machine *m)
{
	struct vm *vm = m->vm;
	bool hvc = !strcmp(vm->cfg.console, "hvc0");
	struct port_sink hub = hvc ? port_to_hub_hvc(vm->hub) : port_to_hub(vm->hub);
	struct port_sink log = port_to_log(&vm->log_fd);
	struct hub_port port;
	int e;

	pci_bus_init(&m->bus);
	host_bridge_init(m);
	m->console = virtio_console_new(&vm->mem, vm->devices, hvc ? &hub : &log);
	e = add_virtio(m, m->console);
	m->rng = virtio_rng_new(&vm->mem, vm->devices);
	if (!e)
		e = add_virtio(m, m->rng);
	if (!e)
		e = add_virtio(m, vsock_dev(vm->vsock));
	if (!e)
		e = add_networks(m);
	if (e)
		return e;
	pvpanic_init(m);
	m->serial = serial_new(vm->devices, hvc ? &log : &hub, serial_line, m);
	if (!m->serial)
		return -ENOMEM;
	if (hvc)
		port = (struct hub_port){ virtio_console_input, virtio_console_room, m->console };
	else
		port = (struct hub_port){ serial_input, serial_room, m->serial };
	hub_set_port(vm->hub, &port);
	return 0;
}

static int kvm_setup(struct vm *vm, char *err, size_t errsize)
{
	struct machine *m = calloc(1, sizeof(*m));
	char why[160];
	unsigned int i;
	int e;

	if (!m)
		return -ENOMEM;
	vm->engine_data = m;
	m->vm = vm;
	m->kvm = m->fd = -1;
	m->ended_id = -1;
	m->cpus = vm->cfg.cpus;
	for (i = 0; i < CPUS_MAX; i++)
		m->vcpu[i].fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	m->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->ended < 0)
		return -errno;
	m->ended_id = loop_add(vm->loop, m->ended, EPOLLIN, on_ended, m);
	if (m->ended_id < 0)
		return m->ended_id;

	e = open_kvm(m, err, errsize);
	if (e)
		return e;
	snprintf(err, errsize, "KVM: cannot set up the machine");
	e = create_irqchip(m, err, errsize);
	if (!e)
		e = create_memory(m, err, errsize);
	if (!e)
		e = vcpus_create(m, err, errsize);
	if (e)
		return e;
	if (vcpu_emulated(m, why, sizeof(why))) {
		snprintf(err, errsize, "/dev/kvm cannot run guest kernels here: %s", why);
		return -ENOTSUP;
	}
	e = load_guest(m, err, errsize);
	return e ? e : create_devices(m);
}

static int kvm_start(struct vm *vm)
{
	return vcpus_start(vm->engine_data);
}

static int kvm_pause(struct vm *vm)
{
	struct machine *m = vm->engine_data;
	unsigned int i;

	vcpus_set(m, VCPUS_PARK);
	for (i = 0; i < m->fronts; i++)
		virtio_pci_pause(m->front[i]);
	return 0;
}

static int kvm_resume(struct vm *vm)
{
	struct machine *m = vm->engine_data;
	unsigned int i;

	for (i = 0; i < m->fronts; i++)
		virtio_pci_resume(m->front[i]);
	vcpus_set(m, VCPUS_RUN);
	return 0;
}

static void kvm_power_button(struct vm *vm)
{
	struct machine *m = vm->engine_data;

	/* Edge-triggered: up and down again. */
	set_gsi(m, GSI_POWER_BUTTON, 1);
	set_gsi(m, GSI_POWER_BUTTON, 0);
}

static int kvm_console_size(struct vm *vm, uint16_t cols, uint16_t rows)
{
	struct machine *m = vm->engine_data;

	if (strcmp(vm->cfg.console, "hvc0"))
		return -ENOTSUP;
	virtio_console_resize(m->console, cols, rows);
	return 0;
}

static void kvm_halt(struct vm *vm)
{
	struct machine *m = vm->engine_data;
	unsigned int i;

	vcpus_set(m, VCPUS_QUIT);
	for (i = 0; i < m->fronts; i++)
		virtio_pci_pause(m->front[i]);
	if (m->serial)
		serial_flush(m->serial);
}

static void kvm_free(struct vm *vm)
{
	struct machine *m = vm->engine_data;
	unsigned int i;

	if (!m)
		return;
	for (i = 0; i < m->fronts; i++)
		virtio_pci_free(m->front[i]);
	virtio_console_free(m->console);
	virtio_rng_free(m->rng);
	for (i = 0; i < NETCONF_MAX; i++)
		virtio_net_free(m->net[i]);
	serial_free(m->serial);
	vcpus_free(m);
	loop_del(vm->loop, &m->ended_id);
	cleanup_fd(&m->ended);
	cleanup_fd(&m->fd);
	cleanup_fd(&m->kvm);
	gmem_unmap(&vm->mem);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->changed);
	free(m);
	vm->engine_data = NULL;
}

/**
 * kvm_probe() - whether KVM runs guests here
 * @why, @whysize: more about it, and what to do; empty when there is nothing to say
 * Return: usable, emulating, denied, absent or failed.
 */
const char *kvm_probe(char *why, size_t whysize)
{
	struct vm vm = { .cfg = { .cpus = 1, .memory = 64 * MIB } };
	struct machine m = { .vm = &vm, .kvm = -1, .fd = -1, .cpus = 1, .vcpu[0].fd = -1 };
	const char *word;
	char found[160];

	if (access("/dev/kvm", F_OK) < 0)
		word = "absent";
	else if (access("/dev/kvm", R_OK | W_OK) < 0)
		word = "denied";
	else
		word = "failed";
	if (open_kvm(&m, why, whysize) == 0 && create_irqchip(&m, why, whysize) == 0 &&
	    create_memory(&m, why, whysize) == 0 && vcpus_create(&m, why, whysize) == 0) {
		bool emulated = vcpu_emulated(&m, found, sizeof(found));

		word = emulated ? "emulating" : "usable";
		snprintf(why, whysize, "%s", emulated ? found : "");
	}
	vcpus_free(&m);
	cleanup_fd(&m.fd);
	cleanup_fd(&m.kvm);
	gmem_unmap(&vm.mem);
	return word;
}

const struct engine engine_kvm = {
	.name = "kvm",
	.setup = kvm_setup,
	.start = kvm_start,
	.pause = kvm_pause,
	.resume = kvm_resume,
	.power_button = kvm_power_button,
	.console_size = kvm_console_size,
	.halt = kvm_halt,
	.free = kvm_free,
	.uses_kvm = true,
};
