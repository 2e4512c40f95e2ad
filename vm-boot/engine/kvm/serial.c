// SPDX-License-Identifier: ISC
/*
 * serial.c - a 16550A UART.
 *
 * Registers are touched by vCPUs, one exit a byte; bytes come from and go to a worker. Between them
 * stand two small buffers under a lock, and a vCPU never waits: when the transmit buffer is full the
 * UART says so (THRE clear), as a slow line would, and interrupts when there is room again.
 *
 * The interrupt is edge-triggered at the IOAPIC, so the line is driven low and high again for each
 * new cause; a THRE interrupt that got lost would stop the guest's output for ever.
 */
#include "serial.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "log.h"
#include "loop.h"
#include "port.h"
#include "util.h"
#include "worker.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RDI = 1, IER_THRI = 2 };
enum { IIR_NONE = 1, IIR_THRI = 2, IIR_RDI = 4, IIR_FIFO = 0xc0 };
enum { LCR_DLAB = 0x80, MCR_LOOP = 0x10 };
enum { LSR_DR = 1, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_DCD = 0x80 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };

enum { TX_SIZE = 4096, RX_SIZE = 64 };

struct serial {
	pthread_mutex_t lock;
	struct worker *worker;
	struct port_sink sink;
	void (*line)(void *arg, int level);
	void *line_arg;
	int wake, wake_id;
	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	bool thri;                      /* a THRE interrupt waits to be read */
	bool level;
	bool up;                        /* the driver enabled receive interrupts */
	size_t tx_len, rx_len;
	uint8_t tx[TX_SIZE], rx[RX_SIZE];
};

/* With the lock held: drive the line by what is pending. */
static void update_line(struct serial *s)
{
	bool level = (s->rx_len && (s->ier & IER_RDI)) || (s->thri && (s->ier & IER_THRI));

	if (level == s->level)
		return;
	s->level = level;
	s->line(s->line_arg, level);
}

/* With the lock held: a new cause needs an edge of its own. */
static void new_cause(struct serial *s)
{
	if (s->level) {
		s->level = false;
		s->line(s->line_arg, 0);
	}
	update_line(s);
}

static void wake(struct serial *s)
{
	uint64_t one = 1;

	if (write(s->wake, &one, sizeof(one)) < 0)
		debug("serial: %s", errstr(errno));
}

static uint8_t read_rbr(struct serial *s)
{
	uint8_t c = s->rx[0];

	if (!s->rx_len)
		return 0;
	memmove(s->rx, s->rx + 1, --s->rx_len);
	if (!s->rx_len)
		wake(s);        /* more may wait */
	update_line(s);
	return c;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t fifo = s->fcr & FCR_ENABLE ? IIR_FIFO : 0;

	if (s->rx_len && (s->ier & IER_RDI))
		return fifo | IIR_RDI;
	if (s->thri && (s->ier & IER_THRI)) {
		s->thri = false;
		update_line(s);
		return fifo | IIR_THRI;
	}
	return fifo | IIR_NONE;
}

static uint8_t read_msr(const struct serial *s)
{
	/* Loopback shows the modem control outputs as inputs: drivers probe with it. */
	if (s->mcr & MCR_LOOP)
		return (uint8_t)((s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 | (s->mcr & 0x01) << 5);
	return MSR_CTS | MSR_DSR | MSR_DCD;
}

/** serial_read() - a vCPU reads a register. @s. @reg: 0-7. Return: its value. */
uint8_t serial_read(struct serial *s, unsigned int reg)
{
	uint8_t v = 0;

	pthread_mutex_lock(&s->lock);
	switch (reg) {
	case RBR_THR:
		v = s->lcr & LCR_DLAB ? s->dll : read_rbr(s);
		break;
	case IER:
		v = s->lcr & LCR_DLAB ? s->dlm : s->ier;
		break;
	case IIR_FCR:
		v = read_iir(s);
		break;
	case LCR:
		v = s->lcr;
		break;
	case MCR:
		v = s->mcr;
		break;
	case LSR:
		v = (uint8_t)((s->rx_len ? LSR_DR : 0) |
			      (s->tx_len < TX_SIZE ? LSR_THRE | LSR_TEMT : 0));
		break;
	case MSR:
		v = read_msr(s);
		break;
	case SCR:
		v = s->scr;
		break;
	}
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void write_thr(struct serial *s, uint8_t v)
{
	if (s->mcr & MCR_LOOP) {
		if (s->rx_len < RX_SIZE) {
			s->rx[s->rx_len++] = v;
			new_cause(s);
		}
		return;
	}
	if (s->tx_len == TX_SIZE)
		return;         /* the driver was told: THRE is clear */
	s->tx[s->tx_len++] = v;
	if (s->tx_len == 1)
		wake(s);
	s->thri = s->tx_len < TX_SIZE;
	if (s->ier & IER_THRI)
		new_cause(s);
}

static void write_ier(struct serial *s, uint8_t v)
{
	bool thri_on = (v & ~s->ier) & IER_THRI;

	s->ier = v & 0x0f;
	if ((v & IER_RDI) && !s->up) {
		s->up = true;
		wake(s);
	}
	if (thri_on && s->tx_len < TX_SIZE) {
		s->thri = true;
		new_cause(s);
	}
	update_line(s);
}

/** serial_write() - a vCPU writes a register. @s. @reg: 0-7. @v: value. */
void serial_write(struct serial *s, unsigned int reg, uint8_t v)
{
	pthread_mutex_lock(&s->lock);
	switch (reg) {
	case RBR_THR:
		if (s->lcr & LCR_DLAB)
			s->dll = v;
		else
			write_thr(s, v);
		break;
	case IER:
		if (s->lcr & LCR_DLAB)
			s->dlm = v;
		else
			write_ier(s, v);
		break;
	case IIR_FCR:
		s->fcr = v;
		if (v & FCR_CLEAR_RX) {
			s->rx_len = 0;
			update_line(s);
		}
		break;
	case LCR:
		s->lcr = v;
		break;
	case MCR:
		s->mcr = v & 0x1f;
		break;
	case SCR:
		s->scr = v;
		break;
	}
	pthread_mutex_unlock(&s->lock);
}

/* The worker's part. @last: take everything, room or not. */
static void give_output(struct serial *s, bool last)
{
	uint8_t buf[TX_SIZE];
	size_t room, n;
	bool any = false;

	for (;;) {
		room = last ? sizeof(buf) : s->sink.room(s->sink.arg);
		pthread_mutex_lock(&s->lock);
		n = MIN(s->tx_len, room);
		if (n) {
			bool full = s->tx_len == TX_SIZE;

			memcpy(buf, s->tx, n);
			memmove(s->tx, s->tx + n, s->tx_len - n);
			s->tx_len -= n;
			if (full) {
				s->thri = true;
				if (s->ier & IER_THRI)
					new_cause(s);
			}
		}
		pthread_mutex_unlock(&s->lock);
		if (!n)
			break;
		s->sink.write(s->sink.arg, buf, n);
		any = true;
	}
	if (any)
		s->sink.flush(s->sink.arg);
}

static void on_wake(void *arg, uint32_t events)
{
	struct serial *s = arg;
	uint64_t n;
	bool up;

	(void)events;
	if (read(s->wake, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&s->lock);
	up = s->up;
	pthread_mutex_unlock(&s->lock);
	give_output(s, false);
	if (up && s->sink.up)
		s->sink.up(s->sink.arg);
	serial_input(s);
}

/** serial_input() - the sink may have input. @serial: the UART; called as its worker. */
void serial_input(void *serial)
{
	struct serial *s = serial;

	pthread_mutex_lock(&s->lock);
	/* Not before the driver is there: probing clears the FIFO. Only when the guest took all,
	 * so that one interrupt serves many bytes. */
	if (s->up && !s->rx_len) {
		s->rx_len = s->sink.input(s->sink.arg, s->rx, RX_SIZE);
		if (s->rx_len)
			new_cause(s);
	}
	pthread_mutex_unlock(&s->lock);
}

/** serial_room() - the sink has room again. @serial: the UART; called as its worker. */
void serial_room(void *serial)
{
	give_output(serial, false);
}

static void do_flush(void *arg)
{
	give_output(arg, true);
}

/** serial_flush() - the guest is no more: give its last bytes. @s: from any thread. */
void serial_flush(struct serial *s)
{
	worker_call(s->worker, do_flush, s);
}

/**
 * serial_new() - a UART
 * @w: worker, borrowed
 * @sink: copied
 * @line: drives its interrupt line; called with a lock held, from any thread
 * @arg: for @line
 * Return: the UART, freed with serial_free(); NULL with errno.
 */
struct serial *serial_new(struct worker *w, const struct port_sink *sink,
			  void (*line)(void *arg, int level), void *arg)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->worker = w;
	s->sink = *sink;
	s->line = line;
	s->line_arg = arg;
	s->dll = 12;            /* 9600 baud, as a PC starts */
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0) {
		free(s);
		return NULL;
	}
	s->wake_id = loop_add(worker_loop(w), s->wake, EPOLLIN, on_wake, s);
	if (s->wake_id < 0) {
		close(s->wake);
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

/** serial_free() - free a UART whose worker has ended. @s: may be NULL. */
void serial_free(struct serial *s)
{
	if (!s)
		return;
	loop_del(worker_loop(s->worker), &s->wake_id);
	close(s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
