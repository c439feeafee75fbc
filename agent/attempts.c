#include "agent/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/attempt.h"
#include "agent/core/launch_args.h"
#include "agent/folder.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

#define TICK_MS 1000

static void no_action(struct attempt *t)
{
    (void)t;
}

/* What entering a state means: the table of life.h, in functions. */
static void (*const actions[LIFE_ACTION_COUNT])(struct attempt *t) = {
    [LIFE_NOTHING] = no_action,     [LIFE_QUEUE] = launch_queue,       [LIFE_LAUNCH] = launch_start,
    [LIFE_CONNECT] = running_connect, [LIFE_CAPTURE] = running_capture, [LIFE_DRAIN] = finish_drain,
    [LIFE_KILL] = finish_kill,      [LIFE_READ] = finish_read,         [LIFE_RECORD] = finish_record,
    [LIFE_REMOVE] = finish_remove,  [LIFE_TELL] = finish_tell,         [LIFE_CLOSE] = finish_close,
};

void attempt_feed(struct attempt *t, enum life_event event)
{
    struct life_step step;
    if (life_next(t->life, event, &step) < 0) {
        log_line(LOG_DEBUG, "attempt.late", "attempt=%s state=%s event=%s", t->name,
                 names_get(&life_state_names, t->life), names_get(&life_event_names, event));
        return;
    }
    t->life = step.next;
    t->redo = LIFE_NOTHING;
    t->warned = false;
    actions[step.action](t);
}

void attempt_verdict(struct attempt *t, enum end_cause cause, const char *detail)
{
    t->record.cause = cause;
    if (str_set(&t->record.detail, detail) < 0)
        t->record.detail = NULL;
    t->verdict = true;
    attempt_feed(t, LIFE_EV_VERDICT);
}

/* Something of ours failed for now: the tick does it again. */
void attempt_redo(struct attempt *t, enum life_action action, const char *why)
{
    if (!t->warned)
        log_line(LOG_WARN, "attempt.waits", "attempt=%s action=%s error=%s", t->name,
                 names_get(&life_action_names, action), log_quote(why));
    t->warned = true;
    t->redo = action;
}

static void queue_tell(struct attempt *t)
{
    struct queue *q = &t->all->tells;
    if (t->tell_queued)
        return;
    t->tell_queued = true;
    t->next_tell = NULL;
    if (q->first == NULL)
        q->first = t;
    else
        q->last->next_tell = t;
    q->last = t;
}

void attempt_tell(struct attempt *t, enum tell_event event)
{
    t->tell = tell_next(t->tell, event);
    if (tell_is_due(t->tell))
        queue_tell(t);
}

struct attempt *attempt_get(struct attempts *a, uint64_t handle)
{
    const struct roster_row *row = roster_get(a->roster, handle);
    return row == NULL ? NULL : row->data;
}

struct attempt *attempt_new(struct attempts *a, struct attempt_id id)
{
    if (a->live >= ATTEMPTS_MAX)
        return NULL;
    struct attempt *t = calloc(1, sizeof *t);
    if (t == NULL || roster_add(a->roster, id, t, &t->handle) < 0) {
        free(t);
        return NULL;
    }
    t->all = a;
    t->id = id;
    attempt_id_format(id, t->name);
    t->dir = -1;
    t->lease_us = LEASE_PATIENT_US;
    t->log_cap = LOG_CAP_DEFAULT;
    a->live++;
    return t;
}

static void unlink_launch(struct queue *q, const struct attempt *t)
{
    struct attempt *before = NULL;
    for (struct attempt *at = q->first; at != NULL; before = at, at = at->next_launch) {
        if (at != t)
            continue;
        *(before == NULL ? &q->first : &before->next_launch) = at->next_launch;
        if (q->last == at)
            q->last = before;
        return;
    }
}

static void unlink_tell(struct queue *q, const struct attempt *t)
{
    struct attempt *before = NULL;
    for (struct attempt *at = q->first; at != NULL; before = at, at = at->next_tell) {
        if (at != t)
            continue;
        *(before == NULL ? &q->first : &before->next_tell) = at->next_tell;
        if (q->last == at)
            q->last = before;
        return;
    }
}

void attempt_free(struct attempt *t)
{
    struct attempts *a = t->all;
    if (t->launch_queued)
        unlink_launch(&a->launches, t);
    if (t->tell_queued)
        unlink_tell(&a->tells, t);
    roster_remove(a->roster, t->handle);
    a->live--;
    keeper_link_free(t->keeper);
    mover_link_free(t->mover);
    if (t->order != NULL)
        fields_clear(&run_call_fields, t->order);
    free(t->order);
    fields_clear(&exit_record_fields, &t->record);
    close_p(&t->dir);
    free(t);
}

/* ---- what is over ---- */

static void trim(struct attempts *a, struct shelf *shelf)
{
    struct shelf_entry entry;
    int64_t now_s = clock_utc_us() / 1000000;
    while (shelf_trim(shelf, now_s, &entry)) {
        const struct roster_row *row = roster_find(a->roster, entry.id);
        struct err err = {0};
        if (row != NULL && row->data == NULL)
            roster_remove(a->roster, row->handle);
        if (folder_remove(entry.id, &err) < 0)
            log_line(LOG_WARN, "log.stays", "error=%s", log_quote(err_text(&err)));
    }
}

void attempts_shelve(struct attempts *a, struct attempt_id id, uint64_t bytes, int64_t ended_s)
{
    struct shelf *shelf = bytes > 0 ? &a->shelf : &a->empty;
    struct shelf_entry entry = {.id = id, .bytes = bytes, .ended_s = ended_s};
    roster_id handle;
    int rc = roster_add(a->roster, id, NULL, &handle);
    if (rc == 0 && (rc = shelf_add(shelf, entry)) < 0)
        roster_remove(a->roster, handle);
    if (rc < 0) {
        struct err err = {0};
        rc = folder_remove(id, &err); /* no memory to remember it by */
        (void)rc;
    }
    trim(a, shelf);
}

/* ---- the whole ---- */

static void tick_one(struct attempt *t, uint64_t now)
{
    if (t->redo != LIFE_NOTHING) {
        uint32_t redo = t->redo;
        t->redo = LIFE_NOTHING;
        actions[redo](t); /* last: it may free */
    } else if ((t->life == LIFE_RUNNING || t->life == LIFE_GREETING) && t->stop_end_boot_us != 0 &&
               now > t->stop_end_boot_us) {
        log_line(LOG_WARN, "keeper.disobeys", "attempt=%s", t->name);
        t->stop_end_boot_us = 0;
        attempt_feed(t, LIFE_EV_LOST);
    } else {
        running_sync(t);
        io_bound_check(t);
    }
}

static void on_tick(void *arg)
{
    struct attempts *a = arg;
    uint64_t now = clock_boot_us();
    roster_id at = 0;
    for (struct roster_row *row; (row = roster_next(a->roster, at)) != NULL;) {
        at = row->handle;
        if (row->data != NULL)
            tick_one(row->data, now);
    }
    trim(a, &a->shelf);
    trim(a, &a->empty);
    timer_set_ms(a->tick, TICK_MS);
}

static void on_pump(void *arg)
{
    launch_pump(arg);
}

static void on_meter(void *arg)
{
    attempts_meter(arg);
}

static void on_grew(void *owner, uint64_t token, enum log_stream which)
{
    (void)which;
    struct attempts *a = owner;
    struct attempt *t = attempt_get(a, token);
    if (t != NULL && io_bound_is_set(&t->bound))
        io_bound_check(t);
    if (a->with.on_log != NULL)
        a->with.on_log(a->with.arg);
}

static const struct logs_events log_events = {.on_grew = on_grew, .on_done = finish_on_log_done};

int attempts_new(struct attempts **ret, const struct attempts_setup *setup, struct err *err)
{
    struct attempts *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    a->with = *setup;
    a->meter_boot_us = UINT64_MAX;
    shelf_init(&a->shelf, setup->keep);
    shelf_init(&a->empty, (struct shelf_limits){.bytes = 0, .count = EMPTY_SHELF_MAX, .age_s = setup->keep.age_s});
    int rc = roster_new(&a->roster, ATTEMPTS_MAX + SHELF_MAX + EMPTY_SHELF_MAX + 2);
    if (rc == 0)
        rc = logs_new(&a->logs, &(struct logs_setup){.loop = setup->loop, .ring = setup->ring, .fair = setup->fair,
                                                     .events = &log_events, .owner = a});
    if (rc == 0)
        rc = timer_new(&a->pump, setup->loop, on_pump, a);
    if (rc == 0)
        rc = profiles_new(&a->profiles, setup->loop, setup->compiler, setup->on_log, setup->arg, err);
    if (rc == 0)
        rc = timer_new(&a->tick, setup->loop, on_tick, a);
    if (rc == 0)
        rc = timer_new(&a->meter, setup->loop, on_meter, a);
    if (rc < 0) {
        attempts_free(a);
        return err_set(err, rc, "out of memory");
    }
    timer_set_ms(a->tick, TICK_MS);
    *ret = a;
    return 0;
}

void attempts_free(struct attempts *a)
{
    if (a == NULL)
        return;
    if (a->roster != NULL)
        for (struct roster_row *row; (row = roster_next(a->roster, 0)) != NULL;) {
            if (row->data != NULL)
                attempt_free(row->data);
            else
                roster_remove(a->roster, row->handle);
        }
    profiles_free(a->profiles);
    logs_free(a->logs);
    roster_free(a->roster);
    shelf_fini(&a->shelf);
    shelf_fini(&a->empty);
    timer_free(a->pump);
    timer_free(a->tick);
    timer_free(a->meter);
    free(a);
}

void attempts_turn(struct attempts *a)
{
    if (a->launches.first != NULL)
        launch_pump(a);
    if (a->following && a->limiting == 0) /* the warden had too much to do */
        follow_go_on(a);
}
