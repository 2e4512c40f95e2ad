// SPDX-License-Identifier: ISC
/*
 * match.c - find an expression in a stream, byte by byte.
 *
 * The compiled program (regex.c) is followed along every path at once: @now is the set of
 * instructions that wait for the next byte, and at every byte a search that begins there joins it.
 * Nothing is buffered and no byte is looked at twice.
 *
 * The first place where any match ends is the place: what follows may not come for hours, so the
 * longest match is not waited for. That also makes the result independent of how the stream was cut
 * into pieces. `$` is settled by the byte that follows, which then is not part of the match.
 */
#include "match.h"

#include <assert.h>
#include <string.h>

static void set_clear(struct match_set *s)
{
	s->count = 0;
	s->stamp++;
}

/* Add instruction @pc and what can be reached from it without a byte; note a match. */
static void add(struct match *m, struct match_set *s, int pc)
{
	short stack[REGEX_SIZE + 1];
	int depth = 0;

	stack[depth++] = (short)pc;
	while (depth) {
		const struct regex_insn *in;

		pc = stack[--depth];
		if (s->mark[pc] == s->stamp)
			continue;
		s->mark[pc] = s->stamp;
		in = &m->re->insn[pc];
		assert(depth + 2 <= REGEX_SIZE);
		switch (in->op) {
		case REGEX_BYTES:
		case REGEX_LINE_END:
			s->list[s->count++] = (short)pc;
			break;
		case REGEX_SPLIT:
			stack[depth++] = (short)(pc + in->y);
			stack[depth++] = (short)(pc + in->x);
			break;
		case REGEX_JUMP:
			stack[depth++] = (short)(pc + in->x);
			break;
		case REGEX_LINE_START:
			if (m->before == '\n')
				stack[depth++] = (short)(pc + 1);
			break;
		case REGEX_MATCH:
			m->found = true;
			break;
		}
	}
}

/**
 * match_start() - begin a search
 * @m: filled in; memory of the caller's, large
 * @re: compiled, borrowed while @m is used
 * @before: the byte before the first that will be fed; '\n' at the beginning of all
 */
void match_start(struct match *m, const struct regex *re, uint8_t before)
{
	memset(m, 0, sizeof(*m));
	m->re = re;
	m->before = before;
	m->now.stamp = m->next.stamp = 1;
	add(m, &m->now, 0);
}

/* `$` holds before @byte: what waited for it goes on, still before the byte. */
static void settle_line_ends(struct match *m)
{
	int i;

	for (i = 0; i < m->now.count; i++)      /* add() makes the list longer meanwhile */
		if (m->re->insn[m->now.list[i]].op == REGEX_LINE_END)
			add(m, &m->now, m->now.list[i] + 1);
}

/**
 * match_feed() - go on with a search
 * @m: search, not found yet
 * @buf, @len: the next bytes of the stream
 * @used: set to how many of them belong to what was searched, up to the end of the match
 * Return: whether the match is complete; then @used may be less than @len.
 */
bool match_feed(struct match *m, const void *buf, size_t len, size_t *used)
{
	const uint8_t *p = buf;
	size_t n;

	for (n = 0; n < len && !m->found; n++) {
		uint8_t byte = p[n];
		struct match_set *s = &m->now;
		int i;

		if (byte == '\n' || byte == '\r') {
			settle_line_ends(m);
			if (m->found)
				break;
		}
		set_clear(&m->next);
		m->before = byte;
		for (i = 0; i < s->count; i++) {
			const struct regex_insn *in = &m->re->insn[s->list[i]];

			if (in->op == REGEX_BYTES && regex_has(in->set, byte))
				add(m, &m->next, s->list[i] + 1);
		}
		add(m, &m->next, 0);
		/* Exchange the sets without copying their marks. */
		set_clear(s);
		memcpy(s->list, m->next.list, (size_t)m->next.count * sizeof(s->list[0]));
		s->count = m->next.count;
		for (i = 0; i < s->count; i++)
			s->mark[s->list[i]] = s->stamp;
	}
	*used = n;
	return m->found;
}
