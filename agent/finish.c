/*
 * finish - from the last process to the confirmed end: drain, read usage, record, remove, tell, shelve.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/attempt.h"
#include "agent/folder.h"
#include "agent/metering.h"
#include "agent/staging.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

void finish_take_record(struct attempt *t, const struct keeper_record *record)
{
    struct exit_record *r = &t->record;
    r->cause = record->cause;
    r->exit_code = record->exit_code;
    r->signal = record->signal;
    r->started_utc_us = record->started_utc_us;
    r->run_us = record->run_us;
    r->stray_procs = record->stray_procs;
    t->verdict = true;
    if (t->dir >= 0)
        profiles_from_trace(t->all->profiles, t->dir);
    if (record->cause != END_LAUNCH_FAILED)
        return;
    char detail[128];
    snprintf(detail, sizeof detail, "launch step %" PRIu32 ": %s", record->step, strerror(record->step_errno));
    if (str_set(&r->detail, detail) < 0)
        r->detail = NULL; /* the cause says enough */
}

/* ---- draining ---- */

static void check_drained(struct attempt *t)
{
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++)
        if (!t->drained[i])
            return;
    if (t->keeper != NULL && keeper_link_drained(t->keeper) < 0)
        log_line(LOG_DEBUG, "keeper.deaf", "attempt=%s", t->name); /* it looks into the pipes itself, or is gone */
    keeper_link_free(TAKE_PTR(t->keeper));
    attempt_feed(t, LIFE_EV_DRAINED);
}

void finish_drain(struct attempt *t)
{
    struct keeper_record record;
    if (!t->verdict && folder_exit_read(t->dir, t->id, &record))
        finish_take_record(t, &record); /* it was just about to tell us */
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++)
        if (logs_finish(t->all->logs, t->logs[i]))
            t->drained[i] = true;
    check_drained(t);
}

void finish_on_log_done(void *owner, uint64_t token, enum log_stream which)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    t->drained[which] = true;
    if (t->life == LIFE_DRAINING)
        check_drained(t);
}

/* ---- usage ---- */

/* A REMOVE after the record was written brings no usage. */
static struct attempt *answered(void *owner, uint64_t token, const struct op_reply *reply, const char *what)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return NULL;
    if (reply->status == OP_DONE && t->life != LIFE_REMOVING)
        metering_read(t, &reply->usage); /* what it took since the last reading, or all of it when it was short */
    else if (reply->status != OP_DONE && reply->status != OP_GONE && reply->status != OP_BUSY)
        log_line(LOG_WARN, "warden.failed", "attempt=%s op=%s step=%s error=%s", t->name, what, log_quote(reply->step),
                 log_quote(strerror(reply->error)));
    return t;
}

static void on_usage(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)ids;
    struct attempt *t = answered(owner, token, reply, "read");
    if (t != NULL)
        attempt_feed(t, LIFE_EV_USAGE);
}

static void on_removed(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)ids;
    struct attempt *t = answered(owner, token, reply, "remove");
    if (t == NULL)
        return;
    if (reply->status == OP_BUSY) /* its processes are dying, but slowly */
        attempt_redo(t, t->life == LIFE_KILLING ? LIFE_KILL : LIFE_REMOVE, "its group is not empty yet");
    else
        attempt_feed(t, LIFE_EV_REMOVED);
}

static void ask(struct attempt *t, enum op_kind kind, uint64_t flags, warden_fn fn, enum life_action action)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = kind;
    request.id = t->id;
    request.flags = flags;
    int rc = warden_link_ask(t->all->with.warden, &request, NULL, 0, fn, t->all, t->handle);
    if (rc < 0)
        attempt_redo(t, action, strerror(-rc));
}

void finish_kill(struct attempt *t)
{
    ask(t, OP_REMOVE, 0, on_removed, LIFE_KILL);
}

void finish_read(struct attempt *t)
{
    ask(t, OP_READ, 0, on_usage, LIFE_READ);
}

void finish_remove(struct attempt *t)
{
    if (t->asked)
        ask(t, OP_REMOVE, OP_USAGE_IS_KNOWN, on_removed, LIFE_REMOVE);
    else
        attempt_feed(t, LIFE_EV_REMOVED);
}

/* ---- the record ---- */

static uint64_t dropped(uint64_t size, uint64_t cap)
{
    struct log_hole hole = log_hole(size, cap);
    return hole.end - hole.start;
}

static void complete_record(struct attempt *t)
{
    struct exit_record *r = &t->record;
    if (!t->verdict) {
        /* Lack of memory can take the keeper too, where it may not be exempt: the job's doing, and the job's to pay. */
        r->cause = measured(t->usage.oom_kills) > 0 ? END_OOM : END_KEEPER_LOST;
        r->started_utc_us = t->started_utc_us;
        r->run_us = running_run_us(t);
        t->verdict = true;
    }
    if (r->cause == END_SIGNAL && r->signal == SIGKILL && measured(t->usage.oom_kills) > 0)
        r->cause = END_OOM; /* the keeper sees a SIGKILL; only the group knows whose */
    staging_finish(t);
    metering_take(t);
    metering_tell(t);
    r->usage = t->usage;
    r->out_bytes = metering_log_bytes(t, STREAM_OUT);
    r->err_bytes = metering_log_bytes(t, STREAM_ERR);
    r->out_dropped = dropped(r->out_bytes, t->log_cap);
    r->err_dropped = dropped(r->err_bytes, t->log_cap);
}

void finish_record(struct attempt *t)
{
    struct err err = {0};
    complete_record(t);
    if (t->dir >= 0 && folder_write(t->dir, "ended", &exit_record_fields, &t->record, &err) < 0) {
        attempt_redo(t, LIFE_RECORD, err_text(&err));
        return;
    }
    attempt_feed(t, LIFE_EV_RECORDED);
}

/* ---- telling, closing ---- */

void finish_tell(struct attempt *t)
{
    log_line(LOG_INFO, "attempt.ended", "attempt=%s cause=%s exit=%" PRId32 " run_ms=%" PRIu64 " cpu_ms=%" PRIu64
                                        " mem_peak=%" PRIu64 " detail=%s",
             t->name, end_causes[t->record.cause].name, t->record.exit_code, t->record.run_us / 1000,
             t->record.usage.cpu_us / 1000, t->record.usage.mem_peak_bytes, log_quote(t->record.detail));
    attempt_tell(t, TELL_EV_END);
    if (t->all->with.on_log != NULL)
        t->all->with.on_log(t->all->with.arg);
    if (t->tell == TELL_END_KNOWN) /* the scheduler doesn't want to hear of it */
        attempt_feed(t, LIFE_EV_ANSWERED);
}

void finish_close(struct attempt *t)
{
    struct attempts *a = t->all;
    struct attempt_id id = t->id;
    int64_t ended_s = clock_utc_us() / 1000000, stored_s;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++)
        logs_close(a->logs, t->logs[i]);
    if (t->dir >= 0 && folder_retire(t->dir, id))
        bytes = MAX(folder_log_bytes(t->dir, &stored_s), UINT64_C(1));
    attempt_free(t);
    attempts_shelve(a, id, bytes, ended_s);
}
