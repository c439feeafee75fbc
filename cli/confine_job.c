/* What a command line means: the order that a scheduler would have sent, and how its end looks to a shell. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/core/launch_args.h"
#include "cli/confine.h"

#define PAID_US (UINT64_C(1) << 61) /* nobody counts */

/* What a job file has no word for. */
static void put_own(const struct confine_request *r, struct sandbox_spec *spec)
{
    if (r->pids != 0)
        spec->pids_max = r->pids;
    if (r->hostname != NULL)
        memcpy(spec->hostname, r->hostname, /* one that fills it has no end there, and is refused */
               MIN(strlen(r->hostname) + 1, sizeof spec->hostname));
    spec->grace_us = r->grace_ms * 1000;
}

int confine_sandbox(const struct confine_request *r, const struct node_abilities *able, struct sandbox_spec *ret,
                    struct buf *ret_args, struct err *err)
{
    const struct run_call order = {
        .id = {.job = 1, .task = 0, .epoch = 1}, .term = 1, .spec = r->job.call.spec, .paid_us = PAID_US};
    struct sandbox_spec spec;
    int rc = launch_sandbox(&order, 0, able, &spec, err);
    if (rc == 0) {
        put_own(r, &spec);
        rc = sandbox_spec_check(&spec, err);
    }
    rc = rc < 0 ? rc : launch_args(&order, ret_args, err);
    if (rc == 0)
        *ret = spec;
    return rc;
}

int confine_exit_code(const struct keeper_record *record, int stopped_by)
{
    switch (record->cause) {
    case END_EXIT: return record->exit_code;
    case END_SIGNAL: return 128 + record->signal;
    case END_OOM: return 128 + SIGKILL;
    case END_TIME_LIMIT: return 124;
    case END_CANCELLED: return stopped_by != 0 ? 128 + stopped_by : CONFINE_FAILED;
    default: return CONFINE_FAILED;
    }
}

int confine_explain_command(struct strs *command)
{
    static const char *const before[] = {"/bin/sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"};
    struct strs all = {0};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(before) && rc == 0; i++)
        rc = strs_add(&all, before[i]);
    for (size_t i = 0; i < command->count && rc == 0; i++)
        rc = strs_add(&all, command->v[i]);
    struct strs *old = rc == 0 ? command : &all;
    for (size_t i = 0; i < old->count; i++)
        free(old->v[i]);
    free(old->v);
    if (rc == 0)
        *command = all;
    return rc;
}
