// SPDX-License-Identifier: ISC
/* request_fuzz.c - no `exec` record makes the agent misbehave; what it takes keeps its promises. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto.h"
#include "request.h"
#include "user.h"
#include "util.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every variable once, and none without a name. */
static void check_environment(char *const *env)
{
	size_t i, j;

	for (i = 0; env[i]; i++) {
		size_t n = strcspn(env[i], "=");

		assert(n && env[i][n] == '=');
		for (j = 0; j < i && j < 64; j++)
			assert(strncmp(env[i], env[j], n + 1) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char home[] = "HOME=/", user[] = "USER=u", logname[] = "LOGNAME=u", shell[] = "SHELL=/bin/sh";
	const struct identity id = {
		.home_variable = home, .user_variable = user, .logname_variable = logname,
		.shell_variable = shell,
	};
	const struct wire_record record = { PROTO_EXEC, data, size };
	const char *why = NULL;
	struct request r;

	if (!wire_valid(&record))
		return 0;
	if (request_parse(&r, &record, &why) == 0) {
		assert(!why && r.argv[0] && !(r.streams & 1 << PROTO_CONTROL));
		check_environment(request_environment(&r, &id));
	} else {
		assert(why);
	}
	request_free(&r);
	return 0;
}
