/*
 * attempts_calls - what the scheduler says about attempts, what it is told, and what readers of logs ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/attempt.h"
#include "agent/core/launch_args.h"
#include "agent/folder.h"
#include "agent/metering.h"
#include "agent/staging.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

/* ---- orders ---- */

void attempt_take_order(struct attempt *t, struct run_call *order)
{
    t->order = order;
    snprintf(t->tenant, sizeof t->tenant, "%s", order->tenant != NULL ? order->tenant : "");
    t->lease_us = lease_class_us(order->spec.lease);
    t->log_cap = log_cap(order->spec.log_max_bytes);
    t->stages = order->spec.inputs.count + order->spec.outputs.count > 0;
    t->paid_us = order->paid_us;
    t->pauses = order->at_paid_end == PAID_END_PAUSE;
    t->bound = (struct io_bound){.limit = order->spec.limits.io_bytes,
                                 .saves = order->at_paid_end == PAID_END_CHECKPOINT};
    (void)io_bound_take(&t->bound, order->io_paid_bytes, true);
}

static struct run_call *copy_order(const struct run_call *order)
{
    struct run_call *copy = calloc(1, sizeof *copy);
    if (copy != NULL && fields_copy(&run_call_fields, order, copy) < 0) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

static int store_order(struct attempt *t, struct err *err)
{
    int rc = folder_make(t->id, &t->dir, err);
    if (rc == -EEXIST) { /* nothing that adoption found worth keeping */
        rc = folder_remove(t->id, err);
        rc = rc < 0 ? rc : folder_make(t->id, &t->dir, err);
    }
    if (rc < 0)
        return rc;
    rc = folder_write(t->dir, "order", &run_call_fields, t->order, err);
    if (rc < 0) {
        close_p(&t->dir);
        if (folder_remove(t->id, NULL) < 0)
            log_line(LOG_WARN, "folder.stays", "attempt=%s", t->name);
    }
    return rc;
}

static void forget_one(struct attempt *t);

static void take_new(struct attempts *a, const struct run_call *order, roster_id older)
{
    char name[ATTEMPT_ID_TEXT_MAX];
    struct run_call *copy = copy_order(order);
    struct attempt *t = copy == NULL ? NULL : attempt_new(a, order->id);
    if (t == NULL) {
        log_line(LOG_WARN, "attempt.not_taken", "attempt=%s live=%" PRIu32, attempt_id_format(order->id, name),
                 a->live);
        if (copy != NULL)
            fields_clear(&run_call_fields, copy);
        free(copy);
        return;
    }
    attempt_take_order(t, copy);
    t->older = older;
    struct err err = {0};
    if (store_order(t, &err) < 0) {
        err_wrap(&err, -EIO, "order");
        attempt_verdict(t, END_LAUNCH_FAILED, err_text(&err));
        return;
    }
    launch_queue(t);
}

void attempts_run(struct attempts *a, const struct run_call *order)
{
    const struct roster_row *row = roster_find(a->roster, order->id);
    if (row != NULL && row->data != NULL)
        attempt_tell(row->data, TELL_EV_ASKED);
    if (row != NULL)
        return; /* known: never a second launch */
    const struct roster_row *newest = roster_newest(a->roster, order->id.job, order->id.task);
    char name[ATTEMPT_ID_TEXT_MAX];
    if (newest != NULL && newest->id.epoch > order->id.epoch) {
        log_line(LOG_WARN, "attempt.stale", "attempt=%s newest_epoch=%" PRIu32, attempt_id_format(order->id, name),
                 newest->id.epoch);
        return;
    }
    roster_id older = newest != NULL && newest->data != NULL ? newest->handle : 0;
    if (older != 0)
        forget_one(newest->data); /* the scheduler has moved on */
    take_new(a, order, older);
}

static struct attempt *find_live(struct attempts *a, struct attempt_id id)
{
    const struct roster_row *row = roster_find(a->roster, id);
    return row == NULL ? NULL : row->data;
}

void attempts_paid(struct attempts *a, const struct paid_call *call)
{
    struct attempt *t = find_live(a, call->id);
    if (t == NULL || call->suspends < t->suspends || (call->suspends == t->suspends && call->paid_us < t->paid_us))
        return; /* what it says about the paid end is old, too */
    bool pauses = call->at_paid_end == PAID_END_PAUSE;
    bool newer = call->suspends > t->suspends || call->paid_us > t->paid_us;
    bool more = io_bound_take(&t->bound, call->io_paid_bytes, newer);
    t->paid_due |= more || call->paid_us != t->paid_us || pauses != t->pauses || call->signal_us != t->signal_us ||
                   call->suspends != t->suspends;
    t->suspends = call->suspends;
    t->paid_us = call->paid_us;
    t->pauses = pauses;
    t->signal_us = call->signal_us;
    io_bound_saves(&t->bound, call->at_paid_end == PAID_END_CHECKPOINT &&
                                  (call->signal_us == 0 || call->signal_us > running_run_us(t)));
    if (more)
        metering_paid(t);
    else
        io_bound_check(t); /* what was kept back may be free now */
    running_sync(t);
}

void attempt_stop(struct attempt *t, uint32_t cause, uint32_t grace_ms)
{
    if (t->life == LIFE_ORDERED) {
        attempt_verdict(t, cause, NULL);
        return;
    }
    uint64_t end = clock_boot_us() + (uint64_t)grace_ms * 1000 + STOP_PATIENCE_US;
    t->stop_end_boot_us = t->stop_end_boot_us == 0 ? end : MIN(end, t->stop_end_boot_us);
    t->stop_cause = cause;
    t->stop_grace_ms = grace_ms;
    t->stop_said = false;
    running_sync(t);
}

void attempts_stop(struct attempts *a, const struct stop_call *call)
{
    struct attempt *t = find_live(a, call->id);
    if (t != NULL)
        attempt_stop(t, call->cause == END_NONE ? END_CANCELLED : call->cause, call->grace_ms);
}

static void forget_one(struct attempt *t)
{
    attempt_tell(t, TELL_EV_END_ANSWERED);
    if (t->life == LIFE_TELLING)
        attempt_feed(t, LIFE_EV_ANSWERED);
    else if (t->life <= LIFE_RUNNING)
        attempt_stop(t, END_CANCELLED, 0);
}

void attempts_forget(struct attempts *a, const struct forget_call *call)
{
    struct attempt *t = find_live(a, call->id);
    if (t != NULL)
        forget_one(t);
}

static void each_live(struct attempts *a, void (*fn)(struct attempt *t))
{
    roster_id at = 0;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        if (row->data != NULL)
            fn(row->data);
    }
}

void attempts_contact(struct attempts *a, uint64_t sent_boot_us)
{
    a->contact_boot_us = MAX(a->contact_boot_us, sent_boot_us);
    each_live(a, running_sync);
}

static void unanswered(struct attempt *t)
{
    attempt_tell(t, TELL_EV_UNANSWERED);
}

void attempts_unlinked(struct attempts *a)
{
    each_live(a, unanswered);
}

void attempts_moved(struct attempts *a, void (*fn)(void *arg, const struct attempt_moved *m), void *arg)
{
    roster_id at = 0;
    struct attempt_moved m;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        if (row->data != NULL && metering_rise(row->data, &m))
            fn(arg, &m);
    }
}

/* ---- what is told ---- */

/* Ends are told by attempt.state alone, which is answered when they are committed; here it only says what is here. */
int attempts_states(struct attempts *a, struct list *ret_states)
{
    roster_id at = 0;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        const struct attempt *t = row->data;
        if (t == NULL)
            continue;
        struct attempt_state *state = list_add(ret_states, sizeof *state);
        if (state == NULL)
            return -ENOMEM;
        state->id = t->id;
        state->started_utc_us = t->started_utc_us;
    }
    return 0;
}

void attempt_meter(struct attempt *t)
{
    struct attempts *a = t->all;
    uint64_t now = clock_boot_us();
    if (t->life != LIFE_RUNNING || t->reading)
        return; /* when it was read it is asked again */
    uint64_t due = MAX(io_bound_due_us(t), now + IO_READ_US / 10); /* not at once when the warden can't be asked */
    if (due >= a->meter_boot_us)
        return;
    a->meter_boot_us = due;
    timer_set_us(a->meter, due - now);
}

static void on_usage(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)ids;
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    t->reading = false;
    if (reply->status == OP_DONE) {
        t->used_at_us = running_run_us(t);
        metering_read(t, &reply->usage);
    }
    attempt_meter(t);
}

static void on_io_usage(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)ids;
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    t->reading = false;
    struct usage usage = t->usage;
    usage.read_bytes = reply->usage.read_bytes;
    usage.written_bytes = reply->usage.written_bytes;
    usage.read_ops = reply->usage.read_ops;
    usage.write_ops = reply->usage.write_ops;
    if (reply->status == OP_DONE)
        metering_read(t, &usage);
    attempt_meter(t);
}

static void ask_usage(struct attempt *t, uint64_t flags)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_READ;
    request.id = t->id;
    request.flags = flags;
    warden_fn fn = flags == OP_IO_ALONE ? on_io_usage : on_usage;
    t->reading = warden_link_ask(t->all->with.warden, &request, NULL, 0, fn, t->all, t->handle) == 0;
}

void attempts_meter(struct attempts *a)
{
    uint64_t now = clock_boot_us();
    roster_id at = 0;
    a->meter_boot_us = UINT64_MAX;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        struct attempt *t = row->data;
        if (t != NULL && t->life == LIFE_RUNNING && !t->reading && io_bound_due_us(t) <= now)
            ask_usage(t, OP_IO_ALONE);
        if (t != NULL)
            attempt_meter(t);
    }
}

/* A few at a time, in turn, so that a beat costs the warden the same on a full node as on an empty one. */
static void refresh_usage(struct attempts *a)
{
    roster_id at = a->usage_cursor;
    uint32_t asked = 0;
    struct roster_row *row = roster_next(a->roster, at);
    for (; row != NULL && asked < USAGE_READS_PER_BEAT; row = roster_next(a->roster, at)) {
        at = row->handle;
        struct attempt *t = row->data;
        if (t == NULL || t->life != LIFE_RUNNING || t->reading)
            continue;
        ask_usage(t, 0);
        asked++;
    }
    a->usage_cursor = row == NULL ? 0 : at;
}

int attempts_beats(struct attempts *a, struct list *ret_beats)
{
    roster_id at = 0;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        struct attempt *t = row->data;
        if (t == NULL || t->life != LIFE_RUNNING)
            continue;
        struct attempt_beat *beat = list_add(ret_beats, sizeof *beat);
        if (beat == NULL)
            return -ENOMEM;
        metering_tell(t);
        beat->id = t->id;
        beat->usage = t->usage;
        beat->run_us = running_run_us(t);
        beat->used_at_us = t->used_at_us;
        beat->suspends = t->suspends_said;
        beat->stands = t->paused;
        staging_look(t, &beat->staging);
    }
    refresh_usage(a);
    return 0;
}

static struct attempt *take_tell(struct queue *q)
{
    struct attempt *t = q->first;
    if (t == NULL)
        return NULL;
    q->first = t->next_tell;
    t->next_tell = NULL;
    t->tell_queued = false;
    return t;
}

bool attempts_next_tell(struct attempts *a, struct attempt_state *ret, uint64_t *ret_token)
{
    struct attempt *t = take_tell(&a->tells);
    while (t != NULL && !tell_is_due(t->tell))
        t = take_tell(&a->tells);
    if (t == NULL)
        return false;
    *ret = (struct attempt_state){.id = t->id, .started_utc_us = t->started_utc_us};
    if (t->tell == TELL_END_DUE) {
        ret->ended = true;
        ret->record = t->record;
        ret->started_utc_us = t->record.started_utc_us;
    }
    *ret_token = t->handle;
    t->tell = tell_next(t->tell, TELL_EV_SENT);
    return true;
}

void attempts_told(struct attempts *a, uint64_t token, bool ended, bool committed)
{
    struct attempt *t = attempt_get(a, token);
    if (t == NULL)
        return;
    attempt_tell(t, !committed ? TELL_EV_UNANSWERED : ended ? TELL_EV_END_ANSWERED : TELL_EV_RUNNING_ANSWERED);
    if (t->tell == TELL_END_KNOWN && t->life == LIFE_TELLING)
        attempt_feed(t, LIFE_EV_ANSWERED);
}

/* ---- logs ---- */

/* What is read: of a trace, the profile that was made of it. */
static const char *file_of(enum log_stream which)
{
    return which == STREAM_SECCOMP ? "profile" : folder_log_names[which];
}

static uint64_t size_in(int dir, enum log_stream which)
{
    struct stat st;
    return fstatat(dir, file_of(which), &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

/* A trace that is not yet a profile; it takes some milliseconds after the job's end. */
static bool is_awaited(int dir, enum log_stream which)
{
    return which == STREAM_SECCOMP && faccessat(dir, "trace", F_OK, 0) == 0 && faccessat(dir, "profile", F_OK, 0) != 0;
}

static int shelved_log(struct attempt_id id, enum log_stream which, struct attempts_log *ret)
{
    CLEANUP(close_p) int dir = -1;
    struct run_call order = {0};
    *ret = (struct attempts_log){.cap = LOG_CAP_DEFAULT, .epoch = id.epoch, .ended = true};
    if (folder_open(id, &dir) < 0)
        return 0; /* it wrote nothing */
    if (folder_read(dir, "over", &run_call_fields, &order, NULL) == 0) {
        ret->cap = which < LOG_STREAM_COUNT ? log_cap(order.spec.log_max_bytes) : ret->cap;
        fields_clear(&run_call_fields, &order);
    }
    ret->size = size_in(dir, which);
    ret->ended = !is_awaited(dir, which);
    return 0;
}

int attempts_log(struct attempts *a, struct attempt_id id, enum log_stream which, struct attempts_log *ret)
{
    const struct roster_row *row =
        id.epoch == 0 ? roster_newest(a->roster, id.job, id.task) : roster_find(a->roster, id);
    if (row == NULL)
        return -ENOENT;
    const struct attempt *t = row->data;
    if (t == NULL)
        return shelved_log(row->id, which, ret);
    *ret = (struct attempts_log){.cap = t->log_cap, .epoch = t->id.epoch, .ended = t->life >= LIFE_READING};
    if (which >= LOG_STREAM_COUNT)
        ret->cap = LOG_CAP_DEFAULT;
    if (which >= LOG_STREAM_COUNT && t->dir >= 0)
        ret->ended = ret->ended && !is_awaited(t->dir, which);
    if (which < LOG_STREAM_COUNT && t->logs[which] != 0)
        ret->size = logs_size(a->logs, t->logs[which]); /* what on_log told of, not what a worker just wrote */
    else if (t->dir >= 0)
        ret->size = size_in(t->dir, which);
    return 0;
}

int attempts_log_open(struct attempts *a, struct attempt_id id, enum log_stream which)
{
    const struct roster_row *row = roster_find(a->roster, id);
    CLEANUP(close_p) int dir = -1;
    int rc = row == NULL ? -ENOENT : folder_open(id, &dir);
    if (rc < 0)
        return rc;
    int fd = openat(dir, file_of(which), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
