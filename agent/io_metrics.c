#include "agent/io_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/core/io_status.h"
#include "base/io/fd.h"

struct io_metrics {
    struct fair *fair;
    struct timer *timer;
    char device[32];
};

/* ---- the disk ---- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *device, const char *name, double value, const char *help)
{
    head(out, name, "gauge", help);
    buf_addf(out, "%s{device=\"%s\"} %.9g\n", name, device, value);
}

static void histogram(struct buf *out, const char *device, const char *name, const struct latency *l, const char *help)
{
    uint64_t seen = 0;
    head(out, name, "histogram", help);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        char bound[32] = "+Inf";
        seen += l->counts[i];
        if (i + 1 < LATENCY_BUCKETS)
            snprintf(bound, sizeof bound, "%.9g", (double)latency_bound_ns(i) / 1e9);
        buf_addf(out, "%s_bucket{device=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, device, bound, seen);
    }
    buf_addf(out, "%s_sum{device=\"%s\"} %.9g\n%s_count{device=\"%s\"} %" PRIu64 "\n", name, device,
             (double)l->sum_ns / 1e9, name, device, seen);
}

static void add_disk(const struct fairq *q, const char *device, struct buf *out)
{
    const struct window *w = fairq_window(q);
    const struct fq_times *times = fairq_times(q);
    gauge(out, device, "reeve_io_window_seconds", (double)w->limit_ns / 1e9, "Device time that may be in flight.");
    gauge(out, device, "reeve_io_in_flight_seconds", (double)fairq_in_flight_ns(q) / 1e9,
          "Device time that is in flight.");
    gauge(out, device, "reeve_io_speed_ratio", (double)w->speed_ppm / 1e6, "Speed of the disk beside its model.");
    gauge(out, device, "reeve_io_stuck_operations", times->stuck, "Operations that don't come back.");
    head(out, "reeve_io_stuck_total", "counter", "Operations that left the window because they didn't come back.");
    buf_addf(out, "reeve_io_stuck_total{device=\"%s\"} %" PRIu64 "\n", device, times->stuck_total);
    histogram(out, device, "reeve_io_wait_seconds", &times->waited, "From being asked for until it was granted.");
    histogram(out, device, "reeve_io_service_seconds", &times->served, "From being granted until it was done.");
}

static void add_books(const struct io_sums *told, const char *device, struct buf *out)
{
    const struct {
        const char *name, *label, *value;
        uint64_t bytes;
        const char *help;
    } rows[] = {
        {"reeve_io_jobs_kernel_bytes_total", "direction", "read", told->kernel_read_bytes,
         "What the kernel counted for the groups of jobs."},
        {"reeve_io_jobs_kernel_bytes_total", "direction", "write", told->kernel_written_bytes, NULL},
        {"reeve_io_jobs_billed_bytes_total", "of", "disk", told->billed_bytes - told->memory_bytes - told->log_bytes,
         "What was told of their bills: what a disk can have seen, moved in memory, written as logs."},
        {"reeve_io_jobs_billed_bytes_total", "of", "memory", told->memory_bytes, NULL},
        {"reeve_io_jobs_billed_bytes_total", "of", "logs", told->log_bytes, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].help != NULL)
            head(out, rows[i].name, "counter", rows[i].help);
        buf_addf(out, "%s{device=\"%s\",%s=\"%s\"} %" PRIu64 "\n", rows[i].name, device, rows[i].label, rows[i].value,
                 rows[i].bytes);
    }
    struct io_verdict v = io_verdict(told);
    gauge(out, device, "reeve_io_meters_agree", v.agrees, "1: what the kernel counted and what was billed of it do.");
    gauge(out, device, "reeve_io_meters_off_ratio", v.off_percent / 100, "By how much; above 0: it was billed twice.");
}

/* ---- tenants: one family after the other, each with all of them ---- */

struct family {
    const char *name, *type, *help;
    void (*add)(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out);
};

static void add_weight(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    buf_addf(out, "%s{%s} %" PRIu32 "\n", f->name, label, v->share.weight);
}

static void add_part(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    buf_addf(out, "%s{%s} %.9g\n", f->name, label, (double)v->part_ppm / 1e6);
}

static void add_charged(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    buf_addf(out, "%s{%s} %.9g\n", f->name, label, (double)v->queue.charged_ns / 1e9);
}

static void add_both(const struct family *f, const uint64_t of[IO_DIR_COUNT], const char *label, struct buf *out)
{
    buf_addf(out, "%s{%s,direction=\"read\"} %" PRIu64 "\n%s{%s,direction=\"write\"} %" PRIu64 "\n", f->name, label,
             of[IO_READ], f->name, label, of[IO_WRITE]);
}

static void add_moved(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    add_both(f, v->moved.bytes, label, out);
}

static void add_moved_ops(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    add_both(f, v->moved.ops, label, out);
}

static void add_direct(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    add_both(f, v->direct.bytes, label, out);
}

static void add_direct_ops(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    add_both(f, v->direct.ops, label, out);
}

static void add_limited(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    for (enum fq_limit i = 0; i < FQ_LIMIT_COUNT; i++)
        buf_addf(out, "%s{%s,by=\"%s\"} %" PRIu64 "\n", f->name, label, names_get(&io_limit_names, i),
                 v->queue.limited_total[i]);
}

static void add_state(const struct family *f, const struct arbiter_view *v, const char *label, struct buf *out)
{
    for (uint32_t i = 0; i < io_standing_names.count; i++)
        buf_addf(out, "%s{%s,state=\"%s\"} %d\n", f->name, label, names_get(&io_standing_names, i),
                 v->queue.standing == i);
}

static const struct family families[] = {
    {"reeve_io_tenant_weight", "gauge", "Weight among its siblings.", add_weight},
    {"reeve_io_tenant_part_ratio", "gauge", "Of the disk, by its weight among those that want it now; 0: it doesn't.",
     add_part},
    {"reeve_io_tenant_device_seconds_total", "counter", "Device time charged.", add_charged},
    {"reeve_io_tenant_moved_bytes_total", "counter", "Moved by grants.", add_moved},
    {"reeve_io_tenant_moved_operations_total", "counter", "Operations by grants.", add_moved_ops},
    {"reeve_io_tenant_direct_bytes_total", "counter", "By its jobs themselves, as the kernel counted.", add_direct},
    {"reeve_io_tenant_direct_operations_total", "counter", "By its jobs themselves.", add_direct_ops},
    {"reeve_io_tenant_limited_total", "counter", "How often a limit, its own or one above, held it, by which.",
     add_limited},
    {"reeve_io_tenant_state", "gauge", "1 for the state that it is in.", add_state},
};

static void add_family(const struct family *f, const struct arbiter *a, const char *device, struct buf *out)
{
    struct arbiter_view v;
    char label[ARBITER_NAME_MAX + 80];
    bool first = true;
    for (uint32_t at = 0; arbiter_next_view(a, &at, &v); first = false) {
        if (first)
            head(out, f->name, f->type, f->help);
        int len = snprintf(label, sizeof label, "device=\"%s\",tenant=\"", device);
        for (const char *c = v.tenant; *c != '\0'; c++) /* no path has these, but an order says what it says */
            label[len++] = *c == '"' || *c == '\\' || *c == '\n' ? '?' : *c;
        label[len++] = '"';
        label[len] = '\0';
        f->add(f, &v, label, out);
    }
}

void io_metrics_text(struct arbiter *a, const char *device, struct buf *out)
{
    add_disk(arbiter_queue(a), device, out);
    add_books(arbiter_books(a), device, out);
    for (size_t i = 0; i < COUNT_OF(families); i++)
        add_family(&families[i], a, device, out);
}

/* ---- the file ---- */

static void write_file(struct io_metrics *m)
{
    CLEANUP(buf_fini) struct buf text = {0};
    io_metrics_text(fair_arbiter(m->fair), m->device, &text);
    if (!text.failed)
        (void)!file_replace(IO_METRICS_PATH, text.data, text.len, 0644);
}

static void on_timer(void *arg)
{
    struct io_metrics *m = arg;
    write_file(m);
    timer_set_ms(m->timer, IO_METRICS_MS);
}

int io_metrics_new(struct io_metrics **ret, struct loop *l, struct fair *fair, const char *device, struct err *err)
{
    struct io_metrics *m = calloc(1, sizeof *m);
    int rc = m == NULL ? -ENOMEM : timer_new(&m->timer, l, on_timer, m);
    if (rc < 0) {
        free(m);
        return err_set(err, rc, "out of memory");
    }
    m->fair = fair;
    snprintf(m->device, sizeof m->device, "%s", device);
    timer_set_ms(m->timer, 0);
    *ret = m;
    return 0;
}

void io_metrics_free(struct io_metrics *m)
{
    if (m == NULL)
        return;
    timer_free(m->timer);
    unlink(IO_METRICS_PATH);
    free(m);
}
