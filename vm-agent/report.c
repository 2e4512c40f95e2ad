// SPDX-License-Identifier: ISC
/* report.c - the records that tell a client how its command is. */
#include "report.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include "proto.h"
#include "wire.h"

/** report_started() - it runs. @w: put together, to be dropped or sent. @pid: of the command. */
void report_started(struct wire_out *w, pid_t pid)
{
	wire_begin(w, PROTO_STARTED);
	wire_put_u32(w, PROTO_K_PID, (uint32_t)pid);
}

/** report_failed() - it does not. @w: as above. @status: 125 to 127. @text: why, for a person. */
void report_failed(struct wire_out *w, unsigned int status, const char *text)
{
	wire_begin(w, PROTO_FAILED);
	wire_put_u32(w, PROTO_K_STATUS, status);
	wire_put_text(w, PROTO_K_TEXT, text);
}

/**
 * report_exit() - it has ended
 * @w: as above
 * @status: of waitpid(2)
 * @streams: which it had
 * @out, @err: bytes sent on stdout or the terminal, and on stderr
 */
void report_exit(struct wire_out *w, int status, uint32_t streams, uint64_t out, uint64_t err)
{
	wire_begin(w, PROTO_EXIT);
	if (WIFSIGNALED(status))
		wire_put_u32(w, PROTO_K_SIGNAL, (uint32_t)WTERMSIG(status));
	else
		wire_put_u32(w, PROTO_K_STATUS, (uint32_t)WEXITSTATUS(status));
	if (streams & (1 << PROTO_STDOUT | 1 << PROTO_TTY))
		wire_put_u64(w, PROTO_K_BYTES_OUT, out);
	if (streams & 1 << PROTO_STDERR)
		wire_put_u64(w, PROTO_K_BYTES_ERR, err);
}

/** report_refusal() - there will be no session. @fd: control connection; borrowed. @why. */
void report_refusal(int fd, const char *why)
{
	struct wire_out w;

	report_failed(&w, 125, why);
	/* Nothing was sent before, so it goes; or else the client sees an end without a reason. */
	if (wire_end(&w) < 0 || send(fd, w.data, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		shutdown(fd, SHUT_WR);
	wire_drop(&w);
}
