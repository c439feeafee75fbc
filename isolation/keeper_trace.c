/*
 * What a traced job asks for beyond its profile. Its filter tells of each such call and the call waits; it is noted and
 * let go on: nothing is decided here, so it doesn't matter that its arguments' memory may change meanwhile. What the
 * floor denies is denied before that and never gets here.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "isolation/keeper.h"
#include "isolation/keeper_sys.h"
#include "isolation/spec/trace.h"

#define ROWS_OF_A_CALL 8 /* of one number: then the others are counted with the first */

static struct {
    struct trace_head head;
    struct trace_row rows[TRACE_ROWS_MAX];
} trace;

static struct trace_row *row_of(const struct seccomp_data *call)
{
    struct trace_row *first = NULL;
    int same = 0;
    for (uint32_t i = 0; i < trace.head.rows; i++) {
        struct trace_row *row = &trace.rows[i];
        if (row->number != call->nr)
            continue;
        if (row->args[0] == call->args[0] && row->args[1] == call->args[1])
            return row;
        first = first != NULL ? first : row;
        same++;
    }
    if (same >= ROWS_OF_A_CALL || trace.head.rows == TRACE_ROWS_MAX)
        return first;
    struct trace_row *row = &trace.rows[trace.head.rows++];
    *row = (struct trace_row){.number = call->nr, .arch = call->arch};
    memcpy(row->args, call->args, sizeof row->args);
    return row;
}

static void note(const struct seccomp_data *call)
{
    struct trace_row *row = row_of(call);
    if (row != NULL)
        row->count++;
    else
        trace.head.lost++;
}

/* After POLLIN receiving doesn't wait: a caller that was killed meanwhile is -ENOENT. */
void keeper_trace_hear(struct keeper *k)
{
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    struct pollfd at = {.fd = k->box->listener, .events = POLLIN};
    if (poll(&at, 1, 0) == 1 && (at.revents & POLLIN) != 0 &&
        ioctl(k->box->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
        note(&call.data);
        struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(k->box->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    } else if ((at.revents & (POLLHUP | POLLERR)) != 0) {
        close_fd(&k->box->listener); /* nobody is left who could call */
    }
}

void keeper_trace_write(struct keeper *k)
{
    if (k->box->trace < 0)
        return;
    trace.head.magic = TRACE_MAGIC;
    size_t size = sizeof trace.head + trace.head.rows * sizeof trace.rows[0];
    if (write_whole(k->box->trace, &trace, size) < 0)
        (void)!ftruncate(k->box->trace, 0); /* a full disk: no trace rather than half of one */
    close_fd(&k->box->trace);
}
