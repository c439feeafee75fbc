#include "cli/job_text.h"

#include <inttypes.h>
#include <string.h>

#include "cli/format.h"

#define ALIKE_US INT64_C(1000000) /* a begin and an end that differ by less are one instant */

#define BAR_CELLS 6

static void end_by_signal(struct buf *out, const struct exit_record *r)
{
    buf_addf(out, "killed by signal %d", r->signal);
    const char *name = r->signal > 0 ? strsignal(r->signal) : NULL;
    if (name != NULL)
        buf_addf(out, " (%s)", name);
}

void job_text_end(struct buf *out, const struct attempt_view *a, const struct job_spec *spec)
{
    const struct exit_record *r = &a->record;
    if (r->cause == END_EXIT) {
        buf_addf(out, "exited with code %d", r->exit_code);
    } else if (r->cause == END_SIGNAL) {
        end_by_signal(out, r);
    } else if (a->sentence != NULL) {
        format_safe(out, a->sentence);
    } else {
        format_safe(out, a->cause);
    }
    if (r->cause == END_OOM && spec != NULL && spec->resources.mem_bytes > 0) {
        buf_add_str(out, ", peak ");
        format_bytes(out, r->usage.mem_peak_bytes);
        buf_add_str(out, " of ");
        format_bytes(out, spec->resources.mem_bytes);
    }
    if (r->detail != NULL && r->detail[0] != '\0') {
        buf_add_str(out, ": ");
        format_safe(out, r->detail);
    }
}

void job_text_tasks(struct buf *out, const struct job_row *row, bool bar)
{
    buf_addf(out, "%u/%u", row->done, row->tasks);
    if (bar && row->tasks > 1) {
        buf_add_str(out, " ");
        format_bar(out, row->done, row->tasks, BAR_CELLS);
    }
    if (row->failed > 0 && row->tasks > 1)
        buf_addf(out, " %u failed", row->failed);
    if (row->left_out > 0)
        buf_addf(out, " %u left out", row->left_out);
}

void job_text_start(struct buf *out, int64_t from_utc_us, int64_t to_utc_us, int64_t now_utc_us)
{
    if (to_utc_us == 0)
        return;
    if (to_utc_us - from_utc_us >= ALIKE_US) {
        if (from_utc_us <= now_utc_us)
            buf_add_str(out, "now");
        else
            format_clock(out, from_utc_us, now_utc_us);
        buf_add_str(out, " to ");
    }
    format_clock(out, to_utc_us, now_utc_us);
}

void job_text_ref(struct buf *out, uint64_t job, const struct job_spec *spec, const struct attempt_view *a)
{
    buf_addf(out, "%" PRIu64, job);
    if (spec->array.present || a->epoch > 1)
        buf_addf(out, ".%u", a->task);
    if (a->epoch > 1)
        buf_addf(out, ".%u", a->epoch);
}

int job_text_view(struct cli *cli, const struct job_call *call, struct job_view *ret, bool *ret_archived)
{
    struct refusal refusal = {0};
    *ret_archived = false;
    int code = cli_try(cli, CALL_SHOW, call, ret, "not_found", &refusal);
    if (code == CLI_REFUSED && refusal.code != NULL) { /* it ended long ago, or never was */
        *ret_archived = true;
        code = cli_report(cli, REPORT_SHOW, call, ret);
    }
    fields_clear(&refusal_fields, &refusal);
    return code;
}

/* ---- usage ------------------------------------------------------------------------------------------------ */

/* What the node didn't measure is not mentioned. */
static void put_measure(struct buf *out, const char *what, struct measure m, void (*format)(struct buf *, uint64_t))
{
    if (!is_measured(m))
        return;
    buf_add_str(out, what);
    format(out, measured(m));
}

static void put_count(struct buf *out, uint64_t n)
{
    buf_addf(out, "%" PRIu64, n);
}

static void put_device_use(struct buf *out, const struct usage *u)
{
    put_measure(out, "   read ", u->read_bytes, format_bytes);
    put_measure(out, " in ", u->read_ops, put_count);
    put_measure(out, "   written ", u->written_bytes, format_bytes);
    put_measure(out, " in ", u->write_ops, put_count);
}

/* Those of what it read and wrote that were moved for it, logs among them, and what all of it comes to. */
static void put_moved(struct buf *out, const struct usage *u)
{
    if (measured(u->moved_read_bytes) + measured(u->moved_written_bytes) + measured(u->io_bytes) == 0)
        return;
    put_measure(out, "\n    moved   read ", u->moved_read_bytes, format_bytes);
    put_measure(out, "   written ", u->moved_written_bytes, format_bytes);
    put_measure(out, "   with all else, each byte once: ", u->io_bytes, format_bytes);
}

/* Times in which it could have run and didn't: only if there were any. */
static void put_waits(struct buf *out, const struct usage *u)
{
    const struct {
        const char *what;
        struct measure time;
    } rows[] = {{"throttled", u->throttled_us},
                {"waited for cpu", u->cpu_wait_us},
                {"waited for memory", u->memory_wait_us},
                {"waited for devices", u->io_wait_us}};
    const char *before = "\n    delays  ";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (measured(rows[i].time) == 0)
            continue;
        buf_addf(out, "%s%s ", before, rows[i].what);
        format_span(out, measured(rows[i].time));
        before = "   ";
    }
}

void job_text_usage(struct buf *out, const struct usage *u)
{
    buf_add_str(out, "cpu ");
    format_span(out, u->cpu_us);
    if (is_measured(u->cpu_user_us) && is_measured(u->cpu_system_us)) {
        buf_add_str(out, " (user ");
        format_span(out, measured(u->cpu_user_us));
        put_measure(out, ", system ", u->cpu_system_us, format_span);
        buf_add_str(out, ")");
    }
    buf_add_str(out, "   memory peak ");
    format_bytes(out, u->mem_peak_bytes);
    put_device_use(out, u);
    put_measure(out, "   moved ", u->io_bytes, format_bytes);
    put_measure(out, "   processes ", u->pids_peak, put_count);
    put_moved(out, u);
    put_waits(out, u);
}
