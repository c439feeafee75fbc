/* Jobs and tasks that have not started: submitted, cancelled, held, released. */
#include <errno.h>
#include <inttypes.h>

#include "base/task_state.h"
#include "quotas/reports/book_rows.h"
#include "quotas/reports/escape.h"

static void labels_text(struct buf *out, const struct pairs *labels)
{
    buf_add_str(out, "{");
    for (size_t i = 0; i < labels->count; i++) {
        if (i > 0)
            buf_add_str(out, ",");
        json_text(out, labels->v[i].key);
        buf_add_str(out, ":");
        json_text(out, labels->v[i].value);
    }
    buf_add_str(out, "}");
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

int book_job_submitted(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const struct fact_submitted *s = &fact->submitted;
    struct buf labels = {0}, spec = {0};
    labels_text(&labels, &s->spec.labels);
    fields_encode(&job_spec_fields, &s->spec, &spec);
    int r = labels.failed || spec.failed
                ? err_set(err, -ENOMEM, "no memory")
                : book_run(b, SQL_JOB_ADD, err, "utittttbii", s->job, or_empty(s->tenant), (int64_t)s->uid,
                           or_empty(s->user), or_empty(s->spec.name), or_empty(s->key), buf_text(&labels),
                           buf_text(&spec), spec.len, fact->at_utc_us, (int64_t)job_spec_tasks(&s->spec));
    buf_fini(&labels);
    buf_fini(&spec);
    return r;
}

static int finish_job(struct book *b, uint64_t job, int64_t at_utc_us, struct err *err)
{
    return book_known(book_run(b, SQL_JOB_DONE, err, "ui", job, at_utc_us), err, "job", job);
}

int book_tasks_cancelled(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const struct fact_tasks *t = &fact->cancelled;
    int r = book_known(book_run(b, SQL_JOB_CANCEL, err, "ui", t->job, (int64_t)t->count), err, "job", t->job);
    if (r == 0)
        r = book_run(b, SQL_END_COUNT, err, "uti", t->job, names_get(&task_state_names, TASK_CANCELLED),
                     (int64_t)t->count);
    if (r >= 0 && t->job_done)
        r = finish_job(b, t->job, fact->at_utc_us, err);
    return r;
}

static int move_held(struct book *b, const struct fact_tasks *t, int64_t by, struct err *err)
{
    return book_known(book_run(b, SQL_JOB_HOLD, err, "ui", t->job, by), err, "job", t->job);
}

int book_task_held(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    return move_held(b, &fact->held, (int64_t)fact->held.count, err);
}

int book_task_released(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    return move_held(b, &fact->released, -(int64_t)fact->released.count, err);
}
