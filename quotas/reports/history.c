#include "quotas/reports/history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/resources.h"

/* Column numbers follow. Their own jobs people see wherever they are; others' by tenant. */
#define ROW_COLUMNS                                                                                                    \
    "SELECT job, name, tenant, user, tasks, live, held, done, failed, exit_code, spent_micros, submitted_utc_us,"      \
    " ended_utc_us, (SELECT count(DISTINCT node) FROM attempts a WHERE a.job = j.job),"                                \
    " (SELECT min(node) FROM attempts a WHERE a.job = j.job),"                                                         \
    " (SELECT ',' || group_concat(state) || ',' FROM job_ends e WHERE e.job = j.job), spec, key,"                      \
    " (SELECT tasks FROM job_ends e WHERE e.job = j.job AND e.state = 'left_out')"                                     \
    " FROM jobs j WHERE (uid = ?2 OR (?3 AND visible(?1, tenant)))"
enum {
    COLUMN_JOB,
    COLUMN_NAME,
    COLUMN_TENANT,
    COLUMN_USER,
    COLUMN_TASKS,
    COLUMN_LIVE,
    COLUMN_HELD,
    COLUMN_DONE,
    COLUMN_FAILED,
    COLUMN_EXIT,
    COLUMN_SPENT,
    COLUMN_SUBMITTED,
    COLUMN_ENDED,
    COLUMN_NODES,
    COLUMN_NODE,
    COLUMN_STATES,
    COLUMN_SPEC,
    COLUMN_KEY,
    COLUMN_LEFT_OUT
};

/* As the scheduler calls a finished job: after what most people ask about first. */
static const char *final_state(const char *states)
{
    static const uint32_t order[] = {TASK_FAILED, TASK_OOM_KILLED, TASK_TIMED_OUT, TASK_BUDGET_STOPPED, TASK_LOST,
                                     TASK_CANCELLED};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        char word[64];
        snprintf(word, sizeof word, ",%s,", names_get(&task_state_names, order[i]));
        if (strstr(states, word) != NULL)
            return names_get(&task_state_names, order[i]);
    }
    return names_get(&task_state_names, TASK_SUCCEEDED);
}

static const char *state_of(sqlite3_stmt *s)
{
    int64_t waiting = sqlite3_column_int64(s, COLUMN_TASKS) - sqlite3_column_int64(s, COLUMN_DONE) -
                      sqlite3_column_int64(s, COLUMN_LIVE);
    if (sqlite3_column_type(s, COLUMN_ENDED) != SQLITE_NULL)
        return final_state(db_text(s, COLUMN_STATES));
    if (sqlite3_column_int64(s, COLUMN_LIVE) > 0)
        return "running";
    return waiting > 0 && sqlite3_column_int64(s, COLUMN_HELD) >= waiting ? "held" : "pending";
}

static int fill_nodes(sqlite3_stmt *s, struct job_row *ret)
{
    int64_t nodes = sqlite3_column_int64(s, COLUMN_NODES);
    char text[48];
    snprintf(text, sizeof text, "%lld nodes", (long long)nodes);
    return nodes == 0 ? 0 : str_set(&ret->nodes, nodes == 1 ? db_text(s, COLUMN_NODE) : text);
}

static int fill_row(sqlite3_stmt *s, struct job_row *ret)
{
    uint32_t tasks = (uint32_t)sqlite3_column_int64(s, COLUMN_TASKS),
             live = (uint32_t)sqlite3_column_int64(s, COLUMN_LIVE);
    uint32_t done = (uint32_t)sqlite3_column_int64(s, COLUMN_DONE),
             held = (uint32_t)sqlite3_column_int64(s, COLUMN_HELD);
    *ret = (struct job_row){.job = (uint64_t)sqlite3_column_int64(s, COLUMN_JOB),
                            .tasks = tasks,
                            .live = live,
                            .done = done,
                            .queued = tasks - done - live - MIN(held, tasks - done - live),
                            .failed = (uint32_t)sqlite3_column_int64(s, COLUMN_FAILED),
                            .left_out = (uint32_t)sqlite3_column_int64(s, COLUMN_LEFT_OUT),
                            .cost_micros = sqlite3_column_int64(s, COLUMN_SPENT),
                            .submitted_utc_us = sqlite3_column_int64(s, COLUMN_SUBMITTED),
                            .ended_utc_us = sqlite3_column_int64(s, COLUMN_ENDED)};
    int r = str_set(&ret->name, db_text(s, COLUMN_NAME));
    if (r == 0)
        r = str_set(&ret->tenant, db_text(s, COLUMN_TENANT));
    if (r == 0)
        r = str_set(&ret->user, db_text(s, COLUMN_USER));
    if (r == 0)
        r = str_set(&ret->state, state_of(s));
    return r == 0 ? fill_nodes(s, ret) : r;
}

static int64_t uid_of(const struct ask *ask)
{
    return ask->viewer->has_uid ? (int64_t)ask->viewer->uid : -1;
}

/* ---- history.list -------------------------------------------------------------------------------------------- */
static int list_prepare(const struct ask *ask, const struct list_call *call, sqlite3_stmt **ret, struct err *err)
{
    int r = db_prepare(ask->db, ROW_COLUMNS " AND ended_utc_us IS NOT NULL AND job < ?4"
                                " AND (?5 = '/' OR tenant = ?5 OR (tenant > ?5 || '/' AND tenant < ?5 || '0'))"
                                " ORDER BY job DESC", ret, err);
    if (r == 0)
        r = db_bind(*ret, "viiit", ask->viewer, uid_of(ask), (int64_t)call->all_users,
                    call->after != 0 && call->after < INT64_MAX ? (int64_t)call->after : INT64_MAX,
                    call->tenant != NULL ? call->tenant : TENANT_ROOT);
    return r;
}

int history_list(const struct ask *ask, const struct list_call *call, struct list_reply *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct list_reply reply = {0};
    uint32_t limit = call->limit == 0 ? HISTORY_LIST_DEFAULT : MIN(call->limit, (uint32_t)HISTORY_LIST_MAX);
    int r = list_prepare(ask, call, &s, err);
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0) {
        if (call->state != NULL && call->state[0] != '\0' && strcmp(call->state, state_of(s)) != 0)
            continue;
        if (reply.jobs.count == limit) {
            reply.more = true;
            r = 0;
            break;
        }
        struct job_row *row = list_add(&reply.jobs, sizeof *row);
        if (row == NULL || fill_row(s, row) < 0) {
            r = err_set(err, -ENOMEM, "no memory");
            break;
        }
    }
    if (r == 0 && str_set(&reply.currency, ask->currency) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    if (r < 0) {
        fields_clear(&list_reply_fields, &reply);
        return r;
    }
    *ret = reply;
    return 0;
}

/* ---- history.show -------------------------------------------------------------------------------------------- */
/* Bytes add up; of all else so much was had at a time, and what adds up is the time. */
#define CHARGES                                                                                                  \
    "SELECT resource, iif(resource = '" RESOURCE_IO "', sum(amount), amount), price_version, min(from_run_us),"     \
    " iif(resource = '" RESOURCE_IO "', max(from_run_us + run_us) - min(from_run_us), sum(run_us)), sum(micros)"    \
    " FROM charges WHERE attempt = ?1 AND kind <> 'rerate'"                                                      \
    " GROUP BY resource, iif(resource = '" RESOURCE_IO "', 0, amount), price_version ORDER BY 4, 1, 3"

static int add_charges(const struct ask *ask, int64_t attempt, struct list *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, CHARGES, &s, err);
    if (r == 0)
        r = db_bind(s, "i", attempt);
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0) {
        struct charge *line = list_add(ret, sizeof *line);
        if (line == NULL || str_set(&line->resource, db_text(s, 0)) < 0)
            return err_set(err, -ENOMEM, "no memory");
        line->amount = (uint64_t)sqlite3_column_int64(s, 1);
        line->price_version = (uint32_t)sqlite3_column_int64(s, 2);
        line->from_run_us = (uint64_t)sqlite3_column_int64(s, 3);
        line->run_us = (uint64_t)sqlite3_column_int64(s, 4);
        line->micros = sqlite3_column_int64(s, 5);
    }
    return r;
}

static int fill_texts(sqlite3_stmt *s, struct attempt_view *v)
{
    int cause = names_find(&end_cause_names, db_text(s, 5));
    int r = str_set(&v->state, db_text(s, 3));
    if (r == 0)
        r = str_set(&v->node, db_text(s, 4));
    if (r == 0 && cause > 0)
        r = str_set(&v->cause, end_causes[cause].name);
    if (r == 0 && cause > 0)
        r = str_set(&v->sentence, end_causes[cause].sentence);
    return r;
}

static int fill_attempt(const struct ask *ask, sqlite3_stmt *s, struct attempt_view *v, struct err *err)
{
    *v = (struct attempt_view){.task = (uint32_t)sqlite3_column_int64(s, 1),
                               .epoch = (uint32_t)sqlite3_column_int64(s, 2),
                               .placed_utc_us = sqlite3_column_int64(s, 6),
                               .started_utc_us = sqlite3_column_int64(s, 7),
                               .ended_utc_us = sqlite3_column_int64(s, 8),
                               .spent_micros = sqlite3_column_int64(s, 9),
                               .hold_micros = sqlite3_column_int64(s, 10),
                               .written_off_micros = sqlite3_column_int64(s, 11),
                               .paid_us = (uint64_t)sqlite3_column_int64(s, 12),
                               .settled_us = (uint64_t)sqlite3_column_int64(s, 13)};
    if (fill_texts(s, v) < 0)
        return err_set(err, -ENOMEM, "no memory");
    int r = 0;
    if (sqlite3_column_type(s, 14) != SQLITE_NULL)
        r = fields_decode(&exit_record_fields, sqlite3_column_blob(s, 14), (size_t)sqlite3_column_bytes(s, 14),
                          &v->record, err);
    return r == 0 ? add_charges(ask, sqlite3_column_int64(s, 0), &v->charges, err) : r;
}

/* The newest ones, in the order in which they were. */
static int add_attempts(const struct ask *ask, const struct job_call *call, struct list *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT * FROM (SELECT attempt, task, epoch, state, node, cause, placed_utc_us,"
                                " started_utc_us, ended_utc_us, spent_micros, hold_micros, written_off_micros, paid_us,"
                                " settled_us, record FROM attempts WHERE job = ?1 AND (?2 < 0 OR task = ?2)"
                                " ORDER BY attempt DESC LIMIT ?3) ORDER BY attempt", &s, err);
    if (r == 0)
        r = db_bind(s, "uii", call->job, call->has_task ? (int64_t)call->task : INT64_C(-1),
                    (int64_t)HISTORY_ATTEMPTS_MAX);
    for (; r == 0 && (r = db_step(s, err)) == 1; ) {
        struct attempt_view *v = list_add(ret, sizeof *v);
        r = v == NULL ? err_set(err, -ENOMEM, "no memory") : fill_attempt(ask, s, v, err);
    }
    return r;
}

/* All members of a gang are placed by one entry: whom it left out is told by others that started after the task's own
 * last attempt, unless that one was its good end. */
#define LEFT_OUT                                                                                                 \
    "SELECT min(placed_utc_us) FROM attempts WHERE job = ?1 AND task BETWEEN ?2 AND ?3 AND placed_utc_us >"      \
    " coalesce((SELECT max(iif(state = 'succeeded', 9e18, placed_utc_us)) FROM attempts"                         \
    "           WHERE job = ?1 AND task = ?4), 0)"

static int add_left_out(const struct ask *ask, const struct job_call *call, struct job_view *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    uint32_t gang = ret->spec.gang, first = ret->spec.array.present ? ret->spec.array.first : 0;
    if (!call->has_task || ret->row.left_out == 0 || gang == 0 || call->task < first)
        return 0;
    first += (call->task - first) / gang * gang;
    int r = db_prepare(ask->db, LEFT_OUT, &s, err);
    if (r == 0)
        r = db_bind(s, "uiii", call->job, (int64_t)first, (int64_t)first + gang - 1, (int64_t)call->task);
    if (r == 0)
        r = db_step(s, err);
    if (r < 0)
        return r;
    ret->left_out_utc_us = sqlite3_column_int64(s, 0); /* 0: nobody started without it */
    if (ret->left_out_utc_us != 0 && str_set(&ret->task, names_get(&task_state_names, TASK_LEFT_OUT)) < 0)
        return err_set(err, -ENOMEM, "no memory");
    return 0;
}

static int fill_view(const struct ask *ask, const struct job_call *call, sqlite3_stmt *s, struct job_view *ret,
                     struct err *err)
{
    if (fill_row(s, &ret->row) < 0 || str_set(&ret->key, db_text(s, COLUMN_KEY)) < 0 ||
        str_set(&ret->currency, ask->currency) < 0)
        return err_set(err, -ENOMEM, "no memory");
    int r = fields_decode(&job_spec_fields, sqlite3_column_blob(s, COLUMN_SPEC),
                          (size_t)sqlite3_column_bytes(s, COLUMN_SPEC), &ret->spec, err);
    if (r < 0)
        return r;
    ret->row.cpu_milli = ret->row.live * ret->spec.resources.cpu_milli;
    ret->row.mem_bytes = ret->row.live * ret->spec.resources.mem_bytes;
    bool finished = ret->row.ended_utc_us != 0;
    int32_t code = (int32_t)sqlite3_column_int(s, COLUMN_EXIT);
    bool only_cancelled = strcmp(ret->row.state, names_get(&task_state_names, TASK_CANCELLED)) == 0;
    ret->exit_code = !finished || ret->row.failed == 0 ? 0 : code != 0 ? code : only_cancelled ? 130 : 1;
    r = add_attempts(ask, call, &ret->attempts, err);
    return r < 0 ? r : add_left_out(ask, call, ret, err);
}

static bool has_task(const struct job_view *view, const struct job_call *call)
{
    uint32_t first = view->spec.array.present ? view->spec.array.first : 0;
    return !call->has_task || (call->task >= first && call->task - first < job_spec_tasks(&view->spec));
}

int history_show(const struct ask *ask, const struct job_call *call, struct job_view *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct job_view view = {0};
    if (call->job > INT64_MAX)
        return 0;
    int r = db_prepare(ask->db, ROW_COLUMNS " AND job = ?4", &s, err);
    if (r == 0)
        r = db_bind(s, "viii", ask->viewer, uid_of(ask), INT64_C(1), (int64_t)call->job);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r;
    r = fill_view(ask, call, s, &view, err);
    if (r < 0 || !has_task(&view, call)) {
        fields_clear(&job_view_fields, &view);
        return MIN(r, 0);
    }
    *ret = view;
    return 1;
}

/* ---- log.read ------------------------------------------------------------------------------------------------ */
int history_attempt(const struct ask *ask, const struct log_call *call, struct attempt_view *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct attempt_view v = {.task = call->task};
    if (call->job > INT64_MAX)
        return 0;
    int r = db_prepare(ask->db, "SELECT a.epoch, a.node, a.record FROM attempts a JOIN jobs j ON j.job = a.job"
                                " WHERE (j.uid = ?2 OR visible(?1, j.tenant)) AND a.job = ?3 AND a.task = ?4"
                                " AND (?5 = 0 OR a.epoch = ?5) AND a.record IS NOT NULL ORDER BY a.epoch DESC LIMIT 1",
                       &s, err);
    if (r == 0)
        r = db_bind(s, "viiii", ask->viewer, uid_of(ask), (int64_t)call->job, (int64_t)call->task,
                    (int64_t)call->epoch);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r;
    v.epoch = (uint32_t)sqlite3_column_int64(s, 0);
    r = str_set(&v.node, db_text(s, 1)) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    if (r == 0)
        r = fields_decode(&exit_record_fields, sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2), &v.record,
                          err);
    if (r < 0) {
        fields_clear(&attempt_view_fields, &v);
        return r;
    }
    *ret = v;
    return 1;
}
