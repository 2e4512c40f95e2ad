// SPDX-License-Identifier: ISC
/*
 * parse.c - the texts that pid 1 reads: kernel command line, list of modules, list of mounts.
 *
 * Pure functions over NUL-terminated text, so that tests and fuzzers can have them without a
 * machine. The last two walk a text in place: each call takes one line off the front, cuts it
 * into words, and leaves *text at the rest.
 */
#include "parse.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copy the name of a terminal in front of `,` or the end of a word, when it can be a name in
 * /dev. */
static bool take_name(const char *s, size_t len, char *name, size_t size)
{
	const char *prefix = "";
	size_t n = 0, head;

	while (n < len && s[n] != ',') {
		if (!isalnum((unsigned char)s[n]) && s[n] != '_' && s[n] != '-')
			return false;
		n++;
	}
	/* `console=0` is short for ttyS0; `console=uart8250,io,0x3f8` names a register, not a
	 * terminal (Documentation/admin-guide/kernel-parameters.txt). */
	if (n > 0 && isdigit((unsigned char)s[0]))
		prefix = "ttyS";
	head = strlen(prefix);
	if (n == 0 || head + n >= size || strncmp(s, "uart", 4) == 0 ||
	    (n == 4 && strncmp(s, "null", 4) == 0))
		return false;
	memcpy(name, prefix, head);
	memcpy(name + head, s, n);
	name[head + n] = '\0';
	return true;
}

/**
 * parse_console() - find the console that the kernel was told to use: that of the last
 * `console=`.
 * @cmdline: the kernel's command line; double quotes keep blanks in a word, `--` ends the
 * kernel's part
 * @name: receives the terminal's name below /dev, without options; only [A-Za-z0-9_-], so it is
 * safe in a path
 * @size: of @name
 *
 * Return: true when @name was set. False when there is no `console=`, or when the last one
 * names no terminal.
 */
bool parse_console(const char *cmdline, char *name, size_t size)
{
	static const char key[] = "console=";
	const char *word, *p = cmdline;
	bool found = false, quoted;

	for (;;) {
		while (is_blank(*p))
			p++;
		if (*p == '\0')
			return found;
		word = p;
		for (quoted = false; *p != '\0' && (quoted || !is_blank(*p)); p++)
			if (*p == '"')
				quoted = !quoted;
		if (p - word == 2 && strncmp(word, "--", 2) == 0)
			return found;
		if (strncmp(word, key, strlen(key)) == 0) {
			word += strlen(key);
			found = take_name(word, (size_t)(p - word), name, size);
		}
	}
}

/**
 * parse_active() - find the console that the kernel uses in its own list of them.
 * @active: /sys/class/tty/console/active: names, the one behind /dev/console last
 * @name: as for parse_console()
 * @size: of @name
 *
 * Return: true when @name was set.
 */
bool parse_active(const char *active, char *name, size_t size)
{
	size_t end = strlen(active), start;

	while (end > 0 && is_blank(active[end - 1]))
		end--;
	for (start = end; start > 0 && !is_blank(active[start - 1]);)
		start--;
	return take_name(active + start, end - start, name, size);
}

/* Cut one line off *text. Return: the line without its newline, or NULL at the end. */
static char *next_line(char **text)
{
	char *line = *text, *end;

	if (*line == '\0')
		return NULL;
	end = strchr(line, '\n');
	if (end) {
		*end = '\0';
		*text = end + 1;
	} else {
		*text = line + strlen(line);
	}
	return line;
}

/**
 * parse_word() - cut the first word off *line.
 * @line: moved to the next word; changed
 *
 * Return: the word, "" when there is none.
 */
char *parse_word(char **line)
{
	char *word = *line, *end;

	while (is_blank(*word))
		word++;
	for (end = word; *end != '\0' && !is_blank(*end);)
		end++;
	*line = end;
	if (*end != '\0') {
		*end = '\0';
		for ((*line)++; is_blank(**line);)
			(*line)++;
	}
	return word;
}

/**
 * parse_module() - take the next module from a list. A line has words that do not begin with a
 * slash, the patterns; one that does, the path; then perhaps parameters. `#` starts a comment line.
 * @text: the rest of the list, changed
 * @module: receives the parts
 *
 * Return: false at the end of the list.
 */
bool parse_module(char **text, struct parsed_module *module)
{
	char *line, *path;
	size_t len;

	while ((line = next_line(text)) != NULL) {
		while (is_blank(*line))
			line++;
		for (len = strlen(line); len > 0 && is_blank(line[len - 1]);)
			line[--len] = '\0';
		if (*line == '\0' || *line == '#')
			continue;
		for (path = line; *path != '\0' && *path != '/';) {
			while (*path != '\0' && !is_blank(*path))
				path++;
			while (is_blank(*path))
				path++;
		}
		module->patterns = path > line ? line : line + len;
		if (path > line && *path != '\0')
			path[-1] = '\0';
		module->path = parse_word(&path);
		module->params = path;
		return true;
	}
	return false;
}

/**
 * parse_matches() - whether a device's modalias is one that @pattern means, in which `*` stands for
 * any run of characters; the kernel (file2alias.c) makes no other wildcards for virtio.
 */
bool parse_matches(const char *pattern, const char *alias)
{
	const char *star = NULL, *tried = NULL;

	while (*alias != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			tried = alias;
		} else if (*pattern == *alias) {
			pattern++;
			alias++;
		} else if (star) {
			/* The last star takes one more. */
			pattern = star + 1;
			alias = ++tried;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* Undo the escapes of /proc/mounts, \040 and the like, in place (seq_file's mangle_path). */
static void unescape(char *s)
{
	char *to = s;

	while (*s != '\0') {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)(uint8_t)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
						(s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/**
 * parse_mount() - take the next mount from /proc/self/mounts (proc(5)).
 * @text: the rest of it, changed
 * @dir: receives the mount point, escapes undone
 * @type: receives the file system's type
 *
 * Return: false at the end of the list; lines with fewer than three words are skipped.
 */
bool parse_mount(char **text, char **dir, char **type)
{
	char *line;

	while ((line = next_line(text)) != NULL) {
		parse_word(&line);
		*dir = parse_word(&line);
		*type = parse_word(&line);
		if (**type == '\0')
			continue;
		unescape(*dir);
		return true;
	}
	return false;
}
