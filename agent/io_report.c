#include "agent/io_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/io_status.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"

/* What was known of a tenant at the last report. */
struct seen {
    char *tenant;
    int64_t charged_ns;
    struct io_meter moved, direct;
};

struct io_report {
    struct fair *fair;
    struct timer *timer;
    char device[32], model[256];
    int64_t at_ns;
    const struct io_window *check; /* NULL: none */
    void (*say)(void *arg, struct io_report *r); /* NULL: nobody knows what jobs move */
    void *say_arg;
    struct list jobs;              /* struct io_job: as is being said */
    struct seen *seen;
    size_t seen_count;
    struct fq_times times; /* as of the last report */
    bool quiet; /* the last one said that nobody moves or waits */
    struct io_window said; /* check, as in the file */
};

static void on_timer(void *arg)
{
    struct io_report *r = arg;
    io_report_write(r);
    timer_set_ms(r->timer, IO_REPORT_MS);
}

int io_report_new(struct io_report **ret, struct loop *l, struct fair *fair, const char *device, const char *model,
                  struct err *err)
{
    struct io_report *r = calloc(1, sizeof *r);
    int rc = r == NULL ? -ENOMEM : timer_new(&r->timer, l, on_timer, r);
    if (rc < 0) {
        free(r);
        return err_set(err, rc, "out of memory");
    }
    r->fair = fair;
    snprintf(r->device, sizeof r->device, "%s", device);
    snprintf(r->model, sizeof r->model, "%s", model);
    r->at_ns = clock_mono_ns();
    timer_set_ms(r->timer, 0); /* an older agent's is not true any more */
    *ret = r;
    return 0;
}

void io_report_check(struct io_report *r, const struct io_window *window)
{
    r->check = window;
}

void io_report_ask(struct io_report *r, void (*say)(void *arg, struct io_report *r), void *arg)
{
    r->say = say;
    r->say_arg = arg;
}

/* A row for each attempt; those of a job are joined when all have been said. */
void io_report_moved(struct io_report *r, const struct attempt_moved *m)
{
    struct io_job *job = list_add(&r->jobs, sizeof *job);
    if (job == NULL)
        return; /* no memory: it is shown with less */
    *job = (struct io_job){.job = m->job,
                           .read_bytes = m->moved.bytes[IO_READ],
                           .written_bytes = m->moved.bytes[IO_WRITE],
                           .direct_read_bytes = m->direct.bytes[IO_READ],
                           .direct_written_bytes = m->direct.bytes[IO_WRITE]};
    for (int dir = 0; dir < IO_DIR_COUNT; dir++)
        job->operations += m->moved.ops[dir];
    if (str_set(&job->tenant, m->tenant) < 0)
        r->jobs.count--;
}

static int by_job(const void *a, const void *b)
{
    const struct io_job *x = a, *y = b;
    return (x->job > y->job) - (x->job < y->job);
}

static void add_to(struct io_job *job, struct io_job *more)
{
    job->read_bytes += more->read_bytes;
    job->written_bytes += more->written_bytes;
    job->direct_read_bytes += more->direct_read_bytes;
    job->direct_written_bytes += more->direct_written_bytes;
    job->operations += more->operations;
    free(TAKE_PTR(more->tenant));
}

/* The tasks of a job are one row. */
static void join(struct list *jobs)
{
    struct io_job *v = jobs->v;
    size_t count = 0;
    if (jobs->count > 1)
        qsort(v, jobs->count, sizeof *v, by_job);
    for (size_t i = 0; i < jobs->count; i++) {
        if (count > 0 && v[count - 1].job == v[i].job)
            add_to(&v[count - 1], &v[i]);
        else
            v[count++] = v[i];
    }
    jobs->count = count;
}

static uint64_t bytes_of(const struct io_job *j)
{
    return j->read_bytes + j->written_bytes + j->direct_read_bytes + j->direct_written_bytes;
}

static int by_bytes(const void *a, const void *b)
{
    const struct io_job *x = a, *y = b;
    uint64_t bytes[] = {bytes_of(x), bytes_of(y)};
    return bytes[0] != bytes[1] ? (bytes[0] < bytes[1]) - (bytes[0] > bytes[1])
                                : (x->job > y->job) - (x->job < y->job);
}

static void gather_jobs(struct io_report *r, struct io_status *s)
{
    if (r->say == NULL)
        return;
    r->say(r->say_arg, r);
    s->jobs = r->jobs;
    r->jobs = (struct list){0};
    join(&s->jobs);
    struct io_job *v = s->jobs.v;
    if (s->jobs.count > 1)
        qsort(v, s->jobs.count, sizeof *v, by_bytes);
    while (s->jobs.count > IO_JOBS_MAX)
        free(v[--s->jobs.count].tenant);
}

static void forget_seen(struct seen *seen, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(seen[i].tenant);
    free(seen);
}

void io_report_free(struct io_report *r)
{
    if (r == NULL)
        return;
    forget_seen(r->seen, r->seen_count);
    timer_free(r->timer);
    free(r);
}

/* Tenants are few, and this is once a second. */
static struct seen seen_of(const struct io_report *r, const char *tenant)
{
    for (size_t i = 0; i < r->seen_count; i++)
        if (strcmp(r->seen[i].tenant, tenant) == 0)
            return r->seen[i];
    return (struct seen){0};
}

/* One that left and came again counts from nothing. */
static uint64_t rise(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static int add_tenant(struct io_status *s, const struct arbiter_view *v, const struct seen *before, int64_t now_ns)
{
    struct io_tenant t = {.weight = v->share.weight,
                          .reserved_ppm = v->share.reserved_ppm,
                          .limit_ppm = v->share.limits.ppm,
                          .bytes_per_s = v->share.limits.bytes_per_s,
                          .ops_per_s = v->share.limits.ops_per_s,
                          .standing = v->queue.standing};
    t.charged_us = rise((uint64_t)before->charged_ns, (uint64_t)v->queue.charged_ns) / 1000;
    t.read_bytes = rise(before->moved.bytes[IO_READ], v->moved.bytes[IO_READ]);
    t.written_bytes = rise(before->moved.bytes[IO_WRITE], v->moved.bytes[IO_WRITE]);
    t.direct_read_bytes = rise(before->direct.bytes[IO_READ], v->direct.bytes[IO_READ]);
    t.direct_written_bytes = rise(before->direct.bytes[IO_WRITE], v->direct.bytes[IO_WRITE]);
    for (int dir = 0; dir < IO_DIR_COUNT; dir++)
        t.operations += rise(before->moved.ops[dir], v->moved.ops[dir]);
    t.part_ppm = v->part_ppm;
    if (v->queue.standing == FQ_LIMITED && v->queue.until_ns > now_ns) {
        t.limited_us = (uint64_t)(v->queue.until_ns - now_ns) / 1000;
        t.limited_by = v->queue.limit;
    }
    if (t.charged_us == 0 && v->queue.standing == FQ_IDLE)
        return 0;
    struct io_tenant *at = list_add(&s->tenants, sizeof t);
    if (at == NULL)
        return -ENOMEM;
    bool above = t.limited_us > 0 && v->held_by != NULL && strcmp(v->held_by, v->tenant) != 0;
    int rc = str_set(&t.tenant, v->tenant);
    rc = rc < 0 || !above ? rc : str_set(&t.limited_above, v->held_by);
    *at = t;
    return rc;
}

static int by_charge(const void *a, const void *b)
{
    const struct io_tenant *x = a, *y = b;
    if (x->charged_us != y->charged_us)
        return x->charged_us > y->charged_us ? -1 : 1;
    return strcmp(x->tenant, y->tenant);
}

static int remember(struct seen **seen, size_t *count, const struct arbiter_view *v)
{
    struct seen *more = realloc(*seen, (*count + 1) * sizeof **seen);
    if (more == NULL)
        return -ENOMEM;
    *seen = more;
    char *tenant = strdup(v->tenant);
    if (tenant == NULL)
        return -ENOMEM;
    more[(*count)++] = (struct seen){tenant, v->queue.charged_ns, v->moved, v->direct};
    return 0;
}

static uint64_t quantile_us(const struct latency *before, const struct latency *now, uint32_t per_mille)
{
    return (uint64_t)latency_quantile_ns(before, now, per_mille) / 1000;
}

static void gather_times(struct io_report *r, struct io_status *s)
{
    const struct fq_times *now = fairq_times(arbiter_queue(fair_arbiter(r->fair)));
    s->wait_p50_us = quantile_us(&r->times.waited, &now->waited, 500);
    s->wait_p99_us = quantile_us(&r->times.waited, &now->waited, 990);
    s->service_p50_us = quantile_us(&r->times.served, &now->served, 500);
    s->service_p99_us = quantile_us(&r->times.served, &now->served, 990);
    s->stuck = now->stuck;
    r->times = *now;
}

static int gather(struct io_report *r, struct io_status *s)
{
    struct arbiter *a = fair_arbiter(r->fair);
    const struct window *w = fairq_window(arbiter_queue(a));
    struct arbiter_view v;
    struct seen *seen = NULL;
    size_t count = 0;
    int64_t now = clock_mono_ns();
    int rc = 0;
    for (uint32_t at = 0; rc == 0 && arbiter_next_view(a, &at, &v);) {
        struct seen before = seen_of(r, v.tenant);
        rc = add_tenant(s, &v, &before, now);
        rc = rc < 0 ? rc : remember(&seen, &count, &v);
    }
    forget_seen(r->seen, r->seen_count);
    r->seen = seen;
    r->seen_count = count;
    s->utc_us = clock_utc_us();
    s->interval_us = (uint64_t)(now - r->at_ns) / 1000;
    s->window_us = (uint64_t)w->limit_ns / 1000;
    s->speed_ppm = (uint32_t)w->speed_ppm;
    s->in_flight_us = (uint64_t)fairq_in_flight_ns(arbiter_queue(a)) / 1000;
    if (r->check != NULL)
        s->check = *r->check;
    r->at_ns = now;
    gather_times(r, s);
    gather_jobs(r, s);
    rc = rc < 0 ? rc : str_set(&s->device, r->device);
    rc = rc < 0 ? rc : str_set(&s->model, r->model);
    if (s->tenants.count > 1)
        qsort(s->tenants.v, s->tenants.count, sizeof(struct io_tenant), by_charge);
    return rc;
}

static void write_file(const struct io_status *s)
{
    CLEANUP(buf_fini) struct buf text = {0};
    if (json_write(&io_status_fields, s, &text) < 0)
        return;
    buf_add_str(&text, "\n");
    (void)!file_replace(IO_STATUS_PATH, text.data, text.len, 0600);
}

bool io_report_write(struct io_report *r)
{
    struct io_status s = {0};
    int rc = gather(r, &s);
    bool nothing = s.tenants.count == 0, told = !fields_equal(&io_window_fields, &s.check, &r->said);
    bool write = rc == 0 && (told || !(nothing && r->quiet)); /* a node tells what has moved a little later */
    r->quiet = nothing;
    r->said = s.check;
    if (write)
        write_file(&s);
    fields_clear(&io_status_fields, &s);
    return write;
}
