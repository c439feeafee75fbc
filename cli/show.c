/* show - everything about one job or task: history with times, ends, use, money line by line. */
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/json.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/show_past.h"
#include "cli/columns.h"

#define DETAILED_MAX 4 /* attempts of a whole job that are shown in full; more become a table */

const struct option_set show_options = {0};

static void line(struct buf *out, const char *name)
{
    buf_addf(out, "%-11s", name);
}

static void put_head(struct cli *cli, struct buf *out, const struct job_view *v, bool archived)
{
    const struct job_row *row = &v->row;
    struct buf state = {0};
    buf_addf(out, "job %" PRIu64 "  ", row->job);
    format_safe(out, row->name);
    buf_add_str(out, "  ");
    format_safe(&state, row->state);
    format_styled(out, cli->colour_out, format_state_style(row->state), buf_text(&state));
    buf_fini(&state);
    if (row->ended_utc_us > 0)
        buf_addf(out, "  exit code %d", v->exit_code);
    buf_addf(out, "%s\n", archived ? "  (from the history)" : "");
    line(out, "tenant");
    format_safe(out, row->tenant);
    buf_add_str(out, "   user ");
    format_safe(out, row->user);
    buf_add_str(out, "\n");
}

static void put_times(struct buf *out, const struct job_row *row)
{
    int64_t now = clock_utc_us();
    line(out, "submitted");
    format_instant(out, row->submitted_utc_us);
    if (row->ended_utc_us > 0) {
        buf_add_str(out, "   ended ");
        format_instant(out, row->ended_utc_us);
        buf_add_str(out, "   after ");
        format_span(out, (uint64_t)MAX(row->ended_utc_us - row->submitted_utc_us, 0));
    } else {
        buf_add_str(out, "   ");
        format_span(out, (uint64_t)MAX(now - row->submitted_utc_us, 0));
        buf_add_str(out, " ago");
    }
    buf_add_str(out, "\n");
}

static void put_limits(struct buf *out, const struct job_limits *limits)
{
    struct buf text = {0};
    if (limits->present && json_write(&job_limits_fields, limits, &text) == 0) {
        line(out, "limits");
        format_safe(out, buf_text(&text));
        buf_add_str(out, "\n");
    }
    buf_fini(&text);
}

/* "812 (success), task 17 of 813 (end), the same task of nightly (success)" */
static void put_after(struct buf *out, const struct job_spec *s)
{
    const struct job_after *v = s->after.v;
    if (s->after.count > 0)
        line(out, "after");
    for (size_t i = 0; i < s->after.count; i++) {
        buf_add_str(out, i > 0 ? ", " : "");
        if (v[i].tasks == AFTER_SAME)
            buf_add_str(out, "the same task of ");
        else if (is_measured(v[i].task))
            buf_addf(out, "task %" PRIu64 " of ", measured(v[i].task));
        if (v[i].key != NULL)
            format_safe(out, v[i].key);
        else
            buf_addf(out, "%" PRIu64, v[i].job);
        buf_addf(out, " (%s)", names_get(&after_on_names, v[i].on));
    }
    buf_add_str(out, s->after.count > 0 ? "\n" : "");
}

static void put_deadlines(struct buf *out, const struct job_spec *s)
{
    if (s->start_by == NULL && s->finish_by == NULL)
        return;
    line(out, "deadlines");
    if (s->start_by != NULL)
        buf_addf(out, "start by %s", s->start_by);
    if (s->finish_by != NULL)
        buf_addf(out, "%sfinish by %s", s->start_by != NULL ? "   " : "", s->finish_by);
    buf_add_str(out, "\n");
}

static void put_root(struct buf *out, const struct job_spec *s)
{
    const struct job_volume *v = s->volumes.v;
    if (s->image != NULL) {
        line(out, "image");
        format_safe(out, s->image);
        buf_addf(out, "   %s\n", names_get(&root_mode_names, s->root));
    }
    for (size_t i = 0; i < s->volumes.count; i++) {
        line(out, i == 0 ? "volumes" : "");
        format_safe(out, v[i].name);
        buf_add_str(out, " at ");
        format_safe(out, v[i].path);
        buf_add_str(out, v[i].writable ? ", writable\n" : "\n");
    }
}

static void put_items(struct buf *out, const char *what, const struct strs *items)
{
    for (size_t i = 0; i < items->count; i++)
        buf_addf(out, "%s%s", i == 0 ? what : ",", items->v[i]);
}

static void put_retry(struct buf *out, const struct job_retry *r)
{
    put_items(out, " on ", &r->on);
    put_items(out, " of exit codes ", &r->exit_codes);
    put_items(out, " but not exit codes ", &r->not_exit_codes);
    if (r->pause_ms > 0) {
        buf_add_str(out, " after ");
        format_span(out, r->pause_ms * 1000);
    }
    if (r->pause_max_ms > 0) {
        buf_add_str(out, " up to ");
        format_span(out, r->pause_max_ms * 1000);
    }
}

static void put_spec(struct buf *out, const struct job_spec *s)
{
    if (s->command.count > 0) {
        line(out, "command");
        format_words(out, &s->command);
        buf_add_str(out, "\n");
    }
    if (s->script != NULL)
        buf_addf(out, "%-11s%zu bytes\n", "script", strlen(s->script));
    line(out, "asks for");
    format_resources(out, &s->resources);
    if (s->time_limit_ms > 0) {
        buf_add_str(out, "   time limit ");
        format_span(out, s->time_limit_ms * 1000);
    }
    if (s->priority != 0)
        buf_addf(out, "   priority %d", s->priority);
    if (s->retries > 0)
        buf_addf(out, "   retries %u", s->retries);
    put_retry(out, &s->retry);
    if (s->placement == PLACEMENT_SPREAD)
        buf_add_str(out, "   spread");
    if (s->network != NET_NONE)
        buf_addf(out, "   network %s", names_get(&net_mode_names, s->network));
    if (job_spec_seccomp(s) != NULL)
        buf_addf(out, "   seccomp %s", job_spec_seccomp(s));
    buf_add_str(out, "\n");
    if (s->where != NULL) {
        line(out, "where");
        format_safe(out, s->where);
        buf_add_str(out, "\n");
    }
    put_limits(out, &s->limits);
    put_root(out, s);
    put_after(out, s);
    put_deadlines(out, s);
    if (s->labels.count == 0)
        return;
    line(out, "labels");
    for (size_t i = 0; i < s->labels.count; i++) {
        buf_add_str(out, i > 0 ? ", " : "");
        format_safe(out, s->labels.v[i].key);
        buf_add_str(out, "=");
        format_safe(out, s->labels.v[i].value);
    }
    buf_add_str(out, "\n");
}

static void put_tasks(struct buf *out, const struct job_view *v)
{
    const struct job_row *row = &v->row;
    line(out, "tasks");
    buf_addf(out, "%u to %u", v->spec.array.first, v->spec.array.last);
    if (v->spec.gang > 1)
        buf_add_str(out, ", in gangs of ");
    if (v->spec.gang > 1 && v->spec.gang_min != 0 && v->spec.gang_min < v->spec.gang)
        buf_addf(out, "%u to ", v->spec.gang_min);
    if (v->spec.gang > 1)
        buf_addf(out, "%u", v->spec.gang);
    buf_addf(out, ": %u of %u done", row->done, row->tasks);
    if (row->failed > 0)
        buf_addf(out, ", %u of them failed", row->failed);
    if (row->left_out > 0)
        buf_addf(out, ", %u of them left out", row->left_out);
    if (row->live > 0)
        buf_addf(out, ", %u running", row->live);
    if (row->queued > 0)
        buf_addf(out, ", %u waiting", row->queued);
    buf_add_str(out, "\n");
}

static void put_progress(struct buf *out, const struct job_view *v)
{
    const struct job_row *row = &v->row;
    if (v->spec.array.present)
        put_tasks(out, v);
    if (row->waiting_for != NULL) {
        line(out, "waits for");
        format_safe(out, row->waiting_for);
        buf_add_str(out, "\n");
    }
    if (row->start_to_utc_us != 0) {
        line(out, "starts");
        job_text_start(out, row->start_from_utc_us, row->start_to_utc_us, clock_utc_us());
        buf_add_str(out, ", as far as can be known\n");
    }
    if (row->reason != NULL) {
        line(out, "not begun");
        format_safe(out, row->reason);
        buf_add_str(out, "\n");
    }
    line(out, "cost");
    format_cost(out, row->cost_micros, v->currency);
    buf_add_str(out, "   quote ");
    format_cost(out, row->quote_micros, v->currency);
    if (v->spec.budget_micros > 0) {
        buf_add_str(out, "   budget of the job ");
        format_cost(out, v->spec.budget_micros, v->currency);
    }
    buf_add_str(out, "\n");
}

/* ---- attempts --------------------------------------------------------------------------------------------- */

static void put_moment(struct buf *out, const char *what, int64_t utc_us, bool *any)
{
    if (utc_us <= 0)
        return;
    buf_addf(out, "%s%s ", *any ? "   " : "    ", what);
    format_instant(out, utc_us);
    *any = true;
}

/* While it runs, what its node last told, and nothing of what only an end says. */
static void put_use(struct buf *out, const struct exit_record *r)
{
    bool over = r->cause != END_NONE;
    if (!over && r->run_us == 0)
        return;
    buf_add_str(out, over ? "    used    " : "    so far  ");
    job_text_usage(out, &r->usage);
    if (!over) {
        buf_add_str(out, "\n");
        return;
    }
    if (r->stray_procs > 0)
        buf_addf(out, "   left behind %" PRIu64, r->stray_procs);
    buf_add_str(out, "\n    wrote   stdout ");
    format_bytes(out, r->out_bytes);
    buf_add_str(out, "   stderr ");
    format_bytes(out, r->err_bytes);
    if (r->out_dropped + r->err_dropped > 0) {
        buf_add_str(out, "   not kept ");
        format_bytes(out, r->out_dropped + r->err_dropped);
    }
    buf_add_str(out, "\n");
}

static void put_amount(struct buf *out, const struct charge *c)
{
    if (strcmp(c->resource, "cpu") == 0)
        format_cpus(out, c->amount);
    else if (strcmp(c->resource, "memory") == 0 || strcmp(c->resource, "scratch") == 0 ||
             strcmp(c->resource, RESOURCE_IO) == 0)
        format_bytes(out, c->amount);
    else
        buf_addf(out, "%" PRIu64, c->amount);
}

/* "v2 big preemptible by use": whatever made the price. */
static void put_prices(struct buf *out, const struct charge *c)
{
    buf_addf(out, "v%u", c->price_version);
    if (c->price_class != NULL) {
        buf_add_str(out, " ");
        format_safe(out, c->price_class);
    }
    if (c->preemptible)
        buf_add_str(out, " preemptible");
    if (c->by != PRICE_BY_REQUEST)
        buf_addf(out, " by %s", names_get(&price_by_names, c->by));
}

static void put_charges(struct cli *cli, struct buf *out, const struct attempt_view *a, const char *currency)
{
    static const struct column columns[] = {
        {"RESOURCE", false, true}, {"AMOUNT", true, true}, {"FROM", true, true},
        {"FOR", true, true},       {"COST", true, true},   {"PRICES", true, true}};
    buf_add_str(out, "    charged ");
    format_cost(out, a->spent_micros, currency);
    if (a->ended_utc_us == 0) {
        buf_add_str(out, " up to ");
        format_span(out, a->settled_us);
    }
    if (a->hold_micros > 0) {
        buf_add_str(out, "   held ");
        format_cost(out, a->hold_micros, currency);
        buf_add_str(out, " up to ");
        format_span(out, a->paid_us);
    }
    if (is_measured(a->io_paid_bytes) && a->ended_utc_us == 0) {
        buf_add_str(out, "   I/O paid up to ");
        format_bytes(out, measured(a->io_paid_bytes));
    }
    if (a->written_off_micros > 0) {
        buf_add_str(out, "   paid by the platform ");
        format_cost(out, a->written_off_micros, currency);
    }
    buf_add_str(out, "\n");
    if (a->charges.count == 0 && !show_past_lacks_lines(a))
        return;
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    const struct charge *rows = a->charges.v;
    for (size_t i = 0; i < a->charges.count; i++) {
        columns_add(&t, rows[i].resource);
        put_amount(columns_cell(&t), &rows[i]);
        columns_next(&t);
        format_span(columns_cell(&t), rows[i].from_run_us);
        columns_next(&t);
        format_span(columns_cell(&t), rows[i].run_us);
        columns_next(&t);
        format_cost(columns_cell(&t), rows[i].micros, NULL);
        columns_next(&t);
        put_prices(columns_cell(&t), &rows[i]);
        columns_next(&t);
    }
    columns_write(&t, true, 6, cli->width, out);
    columns_fini(&t);
    if (show_past_lacks_lines(a))
        buf_add_str(out, "      and what was charged before the scheduler's restart: the reports, which have it, don't"
                         " answer\n");
}

/* "    inputs  3.1Gi of 8Gi, 12 of 40 files, 412Mi/s; its tenant's share of the disk is 25 %" */
static void put_staging(struct buf *out, const struct stage_view *s)
{
    if (!s->present)
        return;
    buf_add_str(out, s->out ? "    outputs " : "    inputs  ");
    format_bytes(out, s->bytes);
    if (s->files_all > 0) {
        buf_add_str(out, " of ");
        format_bytes(out, s->bytes_all);
        buf_addf(out, ", %" PRIu64 " of %" PRIu64 " files", s->files, s->files_all);
    }
    if (s->bytes_per_s > 0) {
        buf_add_str(out, ", ");
        format_bytes(out, s->bytes_per_s);
        buf_add_str(out, "/s");
    }
    buf_addf(out, "; its tenant's share of the disk is %u %%\n", s->part_ppm / 10000);
}

/* Where it was brought, by this task of this job. */
static void put_brought(struct buf *out, const char *to, uint64_t job, uint32_t task)
{
    char filled[STAGE_PATH_MAX + 1];
    format_safe(out, stage_path_fill(to, job, task, filled) == 0 ? filled : to);
}

static void put_staged(struct buf *out, const struct job_view *view, const struct attempt_view *a)
{
    const struct exit_record *r = &a->record;
    const struct staged *v = r->staged.v;
    for (size_t i = 0; i < r->staged.count; i++) {
        const struct list *of = v[i].out ? &view->spec.outputs : &view->spec.inputs;
        buf_addf(out, "    %s ", v[i].out ? "out" : "in ");
        if (v[i].index < of->count)
            put_brought(out, ((const struct job_stage *)of->v)[v[i].index].to, view->row.job, a->task);
        buf_addf(out, "   %" PRIu64 " file%s, ", v[i].files, v[i].files == 1 ? "" : "s");
        format_bytes(out, v[i].bytes);
        if (v[i].sha256 != NULL) {
            buf_add_str(out, "   sha256 ");
            format_safe(out, v[i].sha256);
        }
        buf_add_str(out, "\n");
    }
}

static void put_attempt(struct cli *cli, struct buf *out, const struct job_view *v, const struct attempt_view *a)
{
    bool any = false;
    struct buf state = {0};
    buf_addf(out, "\nattempt %u of ", a->epoch);
    buf_addf(out, "%" PRIu64 ".%u  ", v->row.job, a->task);
    format_safe(&state, a->state);
    format_styled(out, cli->colour_out, format_state_style(a->state), buf_text(&state));
    buf_fini(&state);
    if (a->node != NULL) {
        buf_add_str(out, " on ");
        format_safe(out, a->node);
    }
    if (a->record.cause != END_NONE) {
        buf_add_str(out, ": ");
        job_text_end(out, a, &v->spec);
    }
    buf_add_str(out, "\n");
    put_moment(out, "placed", a->placed_utc_us, &any);
    put_moment(out, "started", a->started_utc_us, &any);
    put_moment(out, "ended", a->ended_utc_us, &any);
    if (a->paused_us > 0) {
        buf_add_str(out, "   paused ");
        format_span(out, a->paused_us);
    }
    if (a->record.run_us > 0) {
        buf_add_str(out, "   ran ");
        format_span(out, a->record.run_us);
    }
    buf_add_str(out, any ? "\n" : "");
    put_staging(out, &a->staging);
    put_use(out, &a->record);
    put_staged(out, v, a);
    put_charges(cli, out, a, v->currency);
}

static void put_attempts_table(struct cli *cli, struct buf *out, const struct job_view *v)
{
    static const struct column columns[] = {{"TASK", true, true}, {"STATE", false, true}, {"NODE", false, false},
                                                  {"STARTED", false, false}, {"RAN", true, false}, {"CPU", true, false},
                                                  {"PEAK", true, false}, {"COST", true, true}, {"END", false, false}};
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    const struct attempt_view *rows = v->attempts.v;
    int64_t now = clock_utc_us();
    for (size_t i = 0; i < v->attempts.count; i++) {
        const struct attempt_view *a = &rows[i];
        bool over = a->record.cause != END_NONE, told = over || a->record.run_us > 0;
        job_text_ref(columns_cell(&t), v->row.job, &v->spec, a);
        columns_next(&t);
        columns_add(&t, a->state);
        columns_add(&t, a->node);
        if (a->started_utc_us > 0)
            format_clock(columns_cell(&t), a->started_utc_us, now);
        columns_next(&t);
        if (told)
            format_span(columns_cell(&t), a->record.run_us);
        columns_next(&t);
        if (told)
            format_span(columns_cell(&t), a->record.usage.cpu_us);
        columns_next(&t);
        if (told)
            format_bytes(columns_cell(&t), a->record.usage.mem_peak_bytes);
        columns_next(&t);
        format_cost(columns_cell(&t), a->spent_micros, NULL);
        columns_next(&t);
        if (over && !(a->record.cause == END_EXIT && a->record.exit_code == 0))
            job_text_end(columns_cell(&t), a, &v->spec);
        columns_next(&t);
    }
    buf_add_str(out, "\n");
    columns_write(&t, true, 0, cli->width, out);
    columns_fini(&t);
    if (v->row.done - v->row.left_out + v->row.live > v->attempts.count)
        buf_addf(out, "others are shown by task: reeve show %" PRIu64 ".%u\n", v->row.job, v->spec.array.first);
}

static void print_view(struct cli *cli, const struct job_view *v, const struct job_ref *ref, bool complete,
                       bool archived)
{
    bool one_task = ref->has_task;
    struct buf text = {0};
    put_head(cli, &text, v, archived);
    put_times(&text, &v->row);
    put_spec(&text, &v->spec);
    put_progress(&text, v);
    if (one_task)
        show_past_task(cli, &text, v, ref->task, complete);
    if (one_task || v->attempts.count <= DETAILED_MAX)
        for (size_t i = 0; i < v->attempts.count; i++)
            put_attempt(cli, &text, v, &((const struct attempt_view *)v->attempts.v)[i]);
    else
        put_attempts_table(cli, &text, v);
    cli_print(cli, &text);
    buf_fini(&text);
}

int cmd_show(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    struct job_ref ref;
    struct err err = {0};
    if (cli_options(cli, &show_options, NULL, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int rc = job_ref_parse(words.v[0], &ref, &err);
    free(words.v);
    if (rc < 0)
        return cli_usage(cli, "%s", err.text);
    const struct job_call call = {.job = ref.job, .has_task = ref.has_task, .task = ref.task};
    struct job_view view = {0};
    bool archived;
    int code = job_text_view(cli, &call, &view, &archived);
    bool complete = code != CLI_DONE || archived || show_past_fill(cli, &call, &view);
    if (code == CLI_DONE && cli->json)
        cli_json(&job_view_fields, &view);
    else if (code == CLI_DONE)
        print_view(cli, &view, &ref, complete, archived);
    fields_clear(&job_view_fields, &view);
    return code;
}
