#include "cli/show_past.h"

#include <string.h>

#include "cli/format.h"

static bool is(const struct job_view *v, const char *state)
{
    return v->task != NULL && strcmp(v->task, state) == 0;
}

/* Its first attempt has epoch 1. */
static bool has_all_attempts(const struct job_view *v)
{
    return v->attempts.count > 0 && ((const struct attempt_view *)v->attempts.v)->epoch <= 1;
}

bool show_past_lacks_lines(const struct attempt_view *a)
{
    const struct charge *lines = a->charges.v;
    uint64_t from_us = UINT64_MAX;
    for (size_t i = 0; i < a->charges.count; i++)
        from_us = MIN(from_us, lines[i].from_run_us);
    return a->settled_us > 0 && from_us > 0 && a->written_off_micros == 0;
}

static bool is_whole(const struct job_view *v, const struct job_call *call)
{
    const struct attempt_view *a = v->attempts.v;
    bool whole = !call->has_task || (has_all_attempts(v) && !is(v, "left_out"));
    for (size_t i = 0; i < v->attempts.count && whole; i++)
        whole = !show_past_lacks_lines(&a[i]);
    return whole;
}

/* They are copied as they lie: `from` owns none of them any more. */
static void move_until(struct list *to, struct list *from, uint32_t epoch)
{
    struct attempt_view *v = from->v;
    for (size_t i = 0; i < from->count && v[i].epoch < epoch; i++) {
        struct attempt_view *a = list_add(to, sizeof *a);
        if (a == NULL)
            return;
        *a = v[i];
        v[i] = (struct attempt_view){0};
    }
}

/* Those before the first that the scheduler still has. */
static void take_older(struct job_view *to, struct job_view *from)
{
    const struct attempt_view *known = to->attempts.v;
    struct job_view moved = {.attempts = to->attempts};
    to->attempts = (struct list){0};
    move_until(&to->attempts, &from->attempts, moved.attempts.count > 0 ? known->epoch : UINT32_MAX);
    move_until(&to->attempts, &moved.attempts, UINT32_MAX);
    fields_clear(&job_view_fields, &moved);
}

static void take_lines(struct attempt_view *to, const struct list *attempts)
{
    struct attempt_view *from = attempts->v;
    for (size_t i = 0; i < attempts->count; i++) {
        if (from[i].task != to->task || from[i].epoch != to->epoch)
            continue;
        struct list lines = to->charges;
        to->charges = from[i].charges;
        from[i].charges = lines;
    }
}

bool show_past_fill(struct cli *cli, const struct job_call *call, struct job_view *view)
{
    struct job_view past = {0};
    if (is_whole(view, call))
        return true;
    bool answered = cli_report_quietly(cli, REPORT_SHOW, call, &past) != CLI_UNREACHABLE;
    struct attempt_view *a = view->attempts.v;
    for (size_t i = 0; i < view->attempts.count; i++)
        if (show_past_lacks_lines(&a[i]))
            take_lines(&a[i], &past.attempts);
    if (call->has_task && !has_all_attempts(view))
        take_older(view, &past);
    view->left_out_utc_us = past.left_out_utc_us;
    fields_clear(&job_view_fields, &past);
    return answered;
}

/* "(tasks 0 to 7)": as many as can be in its gang. */
static void put_left_out(struct buf *out, const struct job_view *v, uint32_t task)
{
    uint32_t first = v->spec.array.present ? v->spec.array.first : 0;
    if (v->left_out_utc_us > 0) {
        buf_add_str(out, " at ");
        format_instant(out, v->left_out_utc_us);
    }
    buf_add_str(out, ": its gang");
    if (v->spec.gang > 0) {
        first += (task - first) / v->spec.gang * v->spec.gang;
        buf_addf(out, " (tasks %u to %u)", first, first + v->spec.gang - 1);
    }
    buf_add_str(out, " began without it, with as many as could start then (gang_min)");
}

void show_past_task(const struct cli *cli, struct buf *out, const struct job_view *v, uint32_t task, bool complete)
{
    if (v->task == NULL)
        return;
    bool over = is(v, "succeeded") || is(v, "unsuccessful");
    buf_addf(out, "%-11s%u ", "task", task);
    format_styled(out, cli->colour_out, format_state_style(v->task), is(v, "left_out") ? "left out" : v->task);
    if (is(v, "left_out"))
        put_left_out(out, v, task);
    else if (v->attempts.count == 0 && complete)
        buf_add_str(out, over ? ": it never started" : ": it hasn't started yet");
    if (!complete)
        buf_add_str(out, "; what the scheduler has forgotten only the reports have, which don't answer");
    buf_add_str(out, "\n");
}
