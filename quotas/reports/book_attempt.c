/* The life of an attempt: placed, running, renewed, stopping, lost and found, ended. */
#include <errno.h>

#include "base/task_state.h"
#include "quotas/reports/book_rows.h"

static int known_attempt(int changed, struct err *err, struct attempt_id id)
{
    char text[ATTEMPT_ID_TEXT_MAX];
    if (changed != 0)
        return changed < 0 ? changed : 0;
    return err_set(err, -EPROTO, "attempt %s is not known", attempt_id_format(id, text));
}

/* -EPROTO when it isn't there or has ended: then the fact contradicts what came before it. */
static int find_live(struct book *b, struct attempt_id id, struct book_attempt *ret, bool *ret_started, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_ATTEMPT_FIND];
    int r = db_bind(s, "uii", id.job, (int64_t)id.task, (int64_t)id.epoch);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : known_attempt(0, err, id);
    *ret = (struct book_attempt){.row = sqlite3_column_int64(s, 0),
                                 .spent_micros = sqlite3_column_int64(s, 1),
                                 .started_utc_us = sqlite3_column_int64(s, 2),
                                 .accounts = sqlite3_column_int64(s, 3),
                                 .ended = sqlite3_column_int(s, 4) != 0};
    *ret_started = sqlite3_column_int(s, 5) != 0;
    sqlite3_reset(s);
    char text[ATTEMPT_ID_TEXT_MAX];
    return ret->ended ? err_set(err, -EPROTO, "attempt %s has ended before", attempt_id_format(id, text)) : 0;
}

static int start(struct book *b, const struct fact *fact, struct err *err)
{
    const struct fact_placed *p = &fact->placed;
    struct buf resources = {0};
    int64_t accounts;
    int r = book_accounts(b, &p->accounts, &accounts, err);
    if (r < 0)
        return r;
    fields_encode(&resources_fields, &p->resources, &resources);
    if (resources.failed)
        r = err_set(err, -ENOMEM, "no memory");
    else
        r = book_run(b, SQL_ATTEMPT_ADD, err, "uiitbiiiuiuu", p->id.job, (int64_t)p->id.task, (int64_t)p->id.epoch,
                     p->node != NULL ? p->node : "", buf_text(&resources), resources.len, accounts, fact->at_utc_us,
                     p->hold_micros, p->paid_us, (int64_t)p->price_version, p->resources.cpu_milli,
                     p->resources.mem_bytes);
    buf_fini(&resources);
    if (r < 0)
        return r;
    return book_known(book_run(b, SQL_JOB_PLACED, err, "u", p->id.job), err, "job", p->id.job);
}

/* Those of a gang that don't start with it are over: nothing of them failed. */
static int leave_out(struct book *b, const struct fact_gang *f, struct err *err)
{
    int64_t tasks = f->left_out;
    int r = book_known(book_run(b, SQL_JOB_LEFT_OUT, err, "ui", f->job, tasks), err, "job", f->job);
    if (r < 0)
        return r;
    return book_run(b, SQL_END_COUNT, err, "uti", f->job, names_get(&task_state_names, TASK_LEFT_OUT), tasks);
}

int book_attempt_placed(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    struct fact room;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < fact_placements(fact); i++)
        r = start(b, fact_placement(fact, i, &room), err);
    if (r >= 0 && fact->kind == FACT_GANG_PLACED && fact->gang_placed.left_out > 0)
        r = leave_out(b, &fact->gang_placed, err);
    return r;
}

int book_attempt_running(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    struct attempt_id id = fact->running.id;
    int64_t started = fact->running.started_utc_us != 0 ? fact->running.started_utc_us : fact->at_utc_us;
    return known_attempt(book_run(b, SQL_ATTEMPT_STARTED, err, "uiii", id.job, (int64_t)id.task, (int64_t)id.epoch,
                                  started), err, id);
}

int book_hold_renewed(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct fact_renewed *n = &fact->renewed;
    struct book_attempt attempt;
    bool started;
    int64_t accounts;
    int r = find_live(b, n->id, &attempt, &started, err);
    if (r == 0)
        attempt.started_utc_us += (int64_t)n->paused_us; /* charges lie as if it had begun so much later */
    if (r == 0)
        r = book_charge(b, seq, n->id, &attempt, &n->charges, n->spent_micros, fact->at_utc_us, err);
    if (r >= 0)
        r = book_accounts(b, &n->accounts, &accounts, err);
    if (r >= 0)
        r = book_io_settled(b, attempt.row, &n->marks, err);
    if (r < 0)
        return r;
    return book_run(b, SQL_ATTEMPT_RENEWED, err, "iiiuui", attempt.row, n->spent_micros, n->hold_micros, n->settled_us,
                    n->paid_us, accounts);
}

int book_attempt_stopping(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const struct fact_stopping *s = &fact->stopping;
    return known_attempt(book_run(b, SQL_ATTEMPT_STOPPING, err, "uiitt", s->id.job, (int64_t)s->id.task,
                                  (int64_t)s->id.epoch, names_get(&end_cause_names, s->cause), s->who), err, s->id);
}

static int set_state(struct book *b, struct attempt_id id, uint32_t state, struct err *err)
{
    return known_attempt(book_run(b, SQL_ATTEMPT_STATE, err, "uiit", id.job, (int64_t)id.task, (int64_t)id.epoch,
                                  names_get(&task_state_names, state)), err, id);
}

int book_attempt_unreachable(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    return set_state(b, fact->unreachable.id, TASK_UNREACHABLE, err);
}

int book_attempt_reached(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    return set_state(b, fact->reached.id, TASK_RUNNING, err);
}

/* As the scheduler's own answers have it: what a shell would say; 124 as timeout(1), 137 killed for memory. */
static int64_t exit_code_of(const struct exit_record *r, uint32_t state)
{
    if (state == TASK_SUCCEEDED)
        return 0;
    if (r->cause == END_EXIT && r->exit_code != 0)
        return r->exit_code;
    if (r->cause == END_SIGNAL && r->signal > 0)
        return 128 + (int64_t)r->signal;
    if (r->cause == END_OOM || r->cause == END_TIME_LIMIT)
        return r->cause == END_OOM ? 137 : 124;
    return r->cause == END_CANCELLED ? 130 : 1;
}

static int count_end(struct book *b, const struct fact_ended *e, int64_t at_utc_us, struct err *err)
{
    bool final = e->next == NEXT_FINAL, failed = final && e->state != TASK_SUCCEEDED;
    int r = book_run(b, SQL_JOB_ENDED, err, "uiiii", e->id.job, (int64_t)final, (int64_t)failed,
                     (int64_t)(e->next == NEXT_HELD), final ? exit_code_of(&e->record, e->state) : INT64_C(0));
    r = book_known(r, err, "job", e->id.job);
    if (r == 0)
        r = book_run(b, SQL_CAUSE_COUNT, err, "t", names_get(&end_cause_names, e->record.cause));
    if (r >= 0 && final)
        r = book_run(b, SQL_END_COUNT, err, "uti", e->id.job, names_get(&task_state_names, e->state), INT64_C(1));
    if (r >= 0 && e->job_done)
        r = book_known(book_run(b, SQL_JOB_DONE, err, "ui", e->id.job, at_utc_us), err, "job", e->id.job);
    return r;
}

static int save_end(struct book *b, const struct fact *fact, const struct book_attempt *attempt, struct err *err)
{
    const struct fact_ended *e = &fact->ended;
    const struct exit_record *record = &e->record;
    uint32_t state = e->next == NEXT_FINAL ? e->state : task_state_of_end(record);
    struct buf bytes = {0};
    fields_encode(&exit_record_fields, record, &bytes);
    int r = bytes.failed ? err_set(err, -ENOMEM, "no memory")
                         : book_run(b, SQL_ATTEMPT_ENDED, err, "ittiiiiiuuubi", attempt->row,
                                    names_get(&task_state_names, state), names_get(&end_cause_names, record->cause),
                                    fact->at_utc_us, (int64_t)(e->next == NEXT_FINAL), (int64_t)e->user_retry,
                                    e->spent_micros, e->written_off_micros, record->run_us, record->usage.cpu_us,
                                    record->usage.mem_peak_bytes, buf_text(&bytes), bytes.len, record->started_utc_us);
    buf_fini(&bytes);
    return r;
}

int book_attempt_ended(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct fact_ended *e = &fact->ended;
    struct book_attempt attempt;
    bool started;
    int r = find_live(b, e->id, &attempt, &started, err);
    if (r < 0)
        return r;
    if (!started && e->record.started_utc_us != 0)
        attempt.started_utc_us = e->record.started_utc_us;
    attempt.started_utc_us += (int64_t)e->paused_us;
    r = book_charge(b, seq, e->id, &attempt, &e->charges, e->spent_micros, fact->at_utc_us, err);
    if (r >= 0)
        r = save_end(b, fact, &attempt, err);
    if (r >= 0)
        r = book_io_ended(b, attempt.row, fact, err);
    return r >= 0 ? count_end(b, e, fact->at_utc_us, err) : r;
}
