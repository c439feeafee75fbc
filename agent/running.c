/*
 * running - an attempt and its keeper: greeted, told what is paid, how long its lease runs, and when to stop.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent/attempt.h"
#include "agent/folder.h"
#include "agent/metering.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

/* A keeper is woken for a lease only when it gains a sixteenth: the deadline it knows is always an earlier, safe one.
 */
#define LEASE_STEP 16

uint64_t running_run_us(const struct attempt *t)
{
    uint64_t since_us = t->paused ? 0 : clock_boot_us() - t->hello_boot_us;
    return t->greeted ? t->hello_run_us + since_us : 0;
}

void running_sync(struct attempt *t)
{
    if (!t->greeted || t->keeper == NULL || t->life != LIFE_RUNNING)
        return;
    uint64_t lease = t->all->contact_boot_us + t->lease_us;
    bool may = !io_bound_stands(t) || t->suspends % 2 == 1; /* of a suspension it is to hear */
    if (t->paid_due && may && keeper_link_paid(t->keeper, t->paid_us, t->pauses, t->suspends, t->signal_us) == 0)
        t->paid_due = false;
    if (t->all->contact_boot_us != 0 && lease >= t->lease_said_boot_us + t->lease_us / LEASE_STEP &&
        keeper_link_lease(t->keeper, lease) == 0)
        t->lease_said_boot_us = lease;
    if (t->stop_cause != END_NONE && !t->stop_said && keeper_link_stop(t->keeper, t->stop_cause, t->stop_grace_ms) == 0)
        t->stop_said = true;
}

static void leave_mover(struct attempt *t)
{
    if (t->mover != NULL)
        metering_take(t);
    mover_link_free(TAKE_PTR(t->mover));
}

/* Its connection is gone: the record, if it is whole, is its last word. */
static void keeper_gone(struct attempt *t)
{
    keeper_link_free(TAKE_PTR(t->keeper));
    struct keeper_record record;
    if (t->verdict || t->dir < 0 || !folder_exit_read(t->dir, t->id, &record)) {
        attempt_feed(t, LIFE_EV_LOST);
        return;
    }
    finish_take_record(t, &record);
    attempt_feed(t, LIFE_EV_ENDED);
}

/* Both or none; takes the pipes over. */
static int open_logs(struct attempt *t, const int pipes[LOG_STREAM_COUNT])
{
    int rc = 0;
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++) {
        struct logs_source source = {.dir = t->dir, .which = i, .name = t->name, .tenant = t->tenant,
                                     .job = t->id.job, .pipe = pipes[i], .cap = t->log_cap, .token = t->handle};
        int one = logs_open(t->all->logs, &source, &t->logs[i]);
        rc = one < 0 ? one : rc;
    }
    for (uint32_t i = 0; i < LOG_STREAM_COUNT && rc < 0; i++) {
        logs_close(t->all->logs, t->logs[i]);
        t->logs[i] = 0;
    }
    return rc;
}

/* Whoever stands still as suspended has given back what was paid beyond; unless there is something newer to tell it. */
static void take_pause(struct attempt *t, const struct keeper_message *m)
{
    uint32_t number = m->pauses >> KEEPER_SUSPENDS_SHIFT;
    t->paused = (m->pauses & KEEPER_PAUSES) != 0;
    t->suspends_said = number;
    if (m->paid_us == 0 || number < t->suspends)
        return;
    t->suspends = number;
    if (t->paused && number % 2 == 1)
        t->paid_us = m->paid_us;
}

static void on_hello(void *owner, uint64_t token, const struct keeper_message *m, int out, int err)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL) {
        close_p(&out);
        close_p(&err);
        return;
    }
    t->greeted = true;
    t->hello_boot_us = clock_boot_us();
    t->hello_run_us = m->run_us;
    take_pause(t, m);
    t->paid_due |= t->paused; /* the agent before may not have got to say that more is paid */
    t->started_utc_us = m->started_utc_us;
    int pipes[LOG_STREAM_COUNT] = {[STREAM_OUT] = out, [STREAM_ERR] = err};
    int rc = open_logs(t, pipes);
    if (rc < 0) {
        keeper_link_free(TAKE_PTR(t->keeper)); /* it keeps the pipes and hands them out again */
        t->greeted = false;
        attempt_redo(t, LIFE_CONNECT, strerror(-rc));
        return;
    }
    attempt_feed(t, LIFE_EV_GREETED);
}

/* Its job can't be copied for any more; it runs on. */
static void on_mover_gone(void *owner, uint64_t token, const char *why)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    if (!t->verdict)
        log_line(LOG_WARN, "mover.gone", "attempt=%s why=%s", t->name, log_quote(why));
    leave_mover(t);
}

static void on_mover(void *owner, uint64_t token, int sock)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL) {
        close_p(&sock);
        return;
    }
    leave_mover(t);
    struct mover_link_setup setup = {.loop = t->all->with.loop, .fair = t->all->with.fair, .tenant = t->tenant,
                                     .job = t->id.job, .sock = sock, .before = &t->account.at,
                                     .on_gone = on_mover_gone, .owner = t->all, .token = t->handle};
    int rc = mover_link_open(&t->mover, &setup);
    if (rc == 0) {
        mover_link_stands(t->mover, t->paused);
        io_bound_check(t);
    }
    else
        log_line(LOG_WARN, "mover.not_taken", "attempt=%s error=%s", t->name, log_quote(strerror(-rc)));
}

static void on_paused(void *owner, uint64_t token, const struct keeper_message *m)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    take_pause(t, m);
    t->paused = m->op == KEEPER_PAUSED; /* an older keeper says no more */
    mover_link_stands(t->mover, t->paused);
    t->hello_boot_us = clock_boot_us();
    t->hello_run_us = m->run_us;
    log_line(LOG_INFO, t->paused ? "attempt.paused" : "attempt.resumed", "attempt=%s run_ms=%" PRIu64, t->name,
             m->run_us / 1000);
}

static void on_ended(void *owner, uint64_t token, const struct keeper_message *m)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    struct keeper_record record;
    if (!folder_exit_read(t->dir, t->id, &record)) {
        /* The disk was full when it wanted to write: what it says has to do. */
        record = (struct keeper_record){.id = t->id, .cause = m->cause < END_CAUSE_COUNT ? m->cause : END_KEEPER_LOST,
                                        .started_utc_us = m->started_utc_us, .run_us = m->run_us};
    }
    finish_take_record(t, &record);
    attempt_feed(t, LIFE_EV_ENDED);
}

static void on_gone(void *owner, uint64_t token, const char *why)
{
    struct attempt *t = attempt_get(owner, token);
    if (t == NULL)
        return;
    if (!t->verdict)
        log_line(LOG_DEBUG, "keeper.gone", "attempt=%s why=%s", t->name, log_quote(why));
    keeper_gone(t);
}

static const struct keeper_events events = {
    .on_hello = on_hello, .on_mover = on_mover, .on_paused = on_paused, .on_ended = on_ended, .on_gone = on_gone};

void running_connect(struct attempt *t)
{
    int sock = folder_connect(t->id);
    int rc = sock;
    if (sock >= 0)
        rc = keeper_link_open(&t->keeper, t->all->with.loop, sock, t->id, &events, t->all, t->handle);
    if (rc >= 0)
        return;
    if (rc != -ECONNREFUSED && rc != -ENOENT) { /* -EMFILE, -EAGAIN, -ENOMEM: ours, not the keeper's */
        attempt_redo(t, LIFE_CONNECT, strerror(-rc));
        return;
    }
    keeper_gone(t);
}

void running_capture(struct attempt *t)
{
    attempt_tell(t, TELL_EV_RUNNING);
    running_sync(t);
    attempt_meter(t);
}
