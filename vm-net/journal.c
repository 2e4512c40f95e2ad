// SPDX-License-Identifier: ISC
/*
 * journal.c - the log of decisions and flows: one JSON object a line.
 *
 * Three kinds of lines, by "event": `flow`, one is judged; `name`, a query is; `end`, a flow that was allowed is over.
 * Lines are gathered and written when the turn is over. A reader that does not keep up, or a disk that is full, costs
 * lines, which are counted, and nobody's time.
 */
#include "journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "json.h"
#include "log.h"
#include "util.h"

enum { LINE = 1024 };

/* A line that is being written; one that grows too long is none. */
struct line {
	size_t len;
	char text[LINE];
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	l->len = MIN(l->len + (size_t)MAX(n, 0), sizeof(l->text));
}

static void begin(struct line *l, const char *event)
{
	struct timespec t;
	struct tm tm;

	l->len = 0;
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	add(l, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"event\":\"%s\"", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, t.tv_nsec / 1000000, event);
}

static void add_text(struct line *l, const char *key, const char *text)
{
	char quoted[6 * NAMES_TEXT + 3];
	ssize_t n = json_quote(quoted, sizeof(quoted), text, strlen(text));

	if (*text && n > 0)
		add(l, ",\"%s\":%.*s", key, (int)n, quoted);
}

static void add_verdict(struct line *l, const struct policy_verdict *v)
{
	add(l, ",\"verdict\":\"%s\"", !v->allow ? "deny" : v->redirect ? "redirect" : "allow");
	if (v->line)
		add(l, ",\"line\":%u", v->line);
	if (v->log_line)
		add(l, ",\"log_line\":%u", v->log_line);
	if (v->protected)
		add(l, ",\"protected\":true");
	add_text(l, "name", v->name);
}

static void add_key(struct line *l, const struct flow_key *key)
{
	const char *proto = key->proto == PKT_PROTO_TCP ? "tcp" : key->proto == PKT_PROTO_UDP ? "udp" : "icmp";
	char text[ADDR_TEXT];

	add(l, ",\"proto\":\"%s\",\"guest\":\"%s\"", proto, addr_format(&key->guest, text));
	if (*proto != 'i')
		add(l, ",\"guest_port\":%u", key->guest_port);
	add(l, ",\"addr\":\"%s\"", addr_format(&key->remote, text));
	if (*proto != 'i')
		add(l, ",\"port\":%u", key->remote_port);
}

static void finish(struct journal *j, struct line *l)
{
	add(l, "}\n");
	if (l->len >= sizeof(l->text) || sizeof(j->buf) - j->len < l->len)
		journal_flush(j);
	if (l->len >= sizeof(l->text) || sizeof(j->buf) - j->len < l->len) {
		j->dropped++;
		return;
	}
	memcpy(j->buf + j->len, l->text, l->len);
	j->len += l->len;
	j->lines++;
}

/** journal_open() - begin. @j: filled in. @fd: borrowed until journal_close(); -1: nobody wants to know. Return: 0, -errno. */
int journal_open(struct journal *j, int fd)
{
	*j = (struct journal){ .io = FDIO_INIT };
	return fd < 0 ? 0 : fdio_open(&j->io, fd, true);
}

/** journal_close() - write what there is, and be done. @j: opened, or zero with an io of FDIO_INIT. */
void journal_close(struct journal *j)
{
	journal_flush(j);
	fdio_close(&j->io);
}

/** journal_flush() - write what was gathered, as far as it goes now. @j. */
void journal_flush(struct journal *j)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < j->len && (n = fdio_write(&j->io, j->buf + done, j->len - done)) > 0)
		done += (size_t)n;
	if (n < 0 && n != -EAGAIN) {
		warn("--log: %s: nothing more is logged", errstr((int)-n));
		fdio_close(&j->io);
		done = j->len;
	}
	memmove(j->buf, j->buf + done, j->len - done);
	j->len -= done;
}

/** journal_flow() - a flow was judged. @j, @key. @v. */
void journal_flow(struct journal *j, const struct flow_key *key, const struct policy_verdict *v)
{
	struct line l;

	if (!journal_wanted(j))
		return;
	begin(&l, "flow");
	add_verdict(&l, v);
	add_key(&l, key);
	finish(j, &l);
}

/** journal_name() - a query was judged. @j. @name: as it was asked. @v. */
void journal_name(struct journal *j, const char *name, const struct policy_verdict *v)
{
	struct policy_verdict named = *v;
	struct line l;

	if (!journal_wanted(j))
		return;
	snprintf(named.name, sizeof(named.name), "%s", name);
	begin(&l, "name");
	add_verdict(&l, &named);
	finish(j, &l);
}

/** journal_end() - a flow is over. @j, @f. @name: by which it was allowed, or "". @why. @now: of the clock of @f. */
void journal_end(struct journal *j, const struct flow *f, const char *name, enum flow_end why, uint64_t now)
{
	struct line l;

	if (!journal_wanted(j))
		return;
	begin(&l, "end");
	add(&l, ",\"end\":\"%s\"", flow_end_name(why));
	if (f->inbound)
		add(&l, ",\"forward\":true");
	else if (f->verdict.rule)
		add(&l, ",\"line\":%u", f->verdict.rule);
	add_text(&l, "name", name);
	add_key(&l, &f->key);
	add(&l, ",\"sent\":%llu,\"received\":%llu,\"seconds\":%.3f", (unsigned long long)f->sent.bytes,
	    (unsigned long long)f->received.bytes, (double)(now - f->start) / 1000);
	finish(j, &l);
}
