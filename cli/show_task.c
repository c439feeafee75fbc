#include "cli/show_task.h"

#include <string.h>

#include "cli/format.h"

static bool is(const struct job_view *v, const char *state)
{
    return v->task != NULL && strcmp(v->task, state) == 0;
}

/* Its first attempt has epoch 1. */
static bool is_whole(const struct job_view *v)
{
    return v->attempts.count > 0 && ((const struct attempt_view *)v->attempts.v)->epoch <= 1;
}

/* Those before the first that the scheduler still has. */
static void take_older(struct job_view *to, struct job_view *from)
{
    const struct attempt_view *known = to->attempts.v;
    uint32_t until = to->attempts.count > 0 ? known[0].epoch : UINT32_MAX;
    struct attempt_view *old = from->attempts.v;
    struct list all = {0};
    for (size_t i = 0; i < from->attempts.count && old[i].epoch < until; i++) {
        struct attempt_view *a = list_add(&all, sizeof *a);
        if (a != NULL)
            *a = old[i], old[i] = (struct attempt_view){0};
    }
    struct attempt_view *new = to->attempts.v;
    for (size_t i = 0; i < to->attempts.count; i++) {
        struct attempt_view *a = list_add(&all, sizeof *a);
        if (a != NULL)
            *a = new[i], new[i] = (struct attempt_view){0};
    }
    struct job_view emptied = {.attempts = to->attempts};
    fields_clear(&job_view_fields, &emptied);
    to->attempts = all;
}

bool show_task_complete(struct cli *cli, const struct job_call *call, struct job_view *view)
{
    struct job_view past = {0};
    if (is_whole(view) && !is(view, "left_out"))
        return true;
    bool answered = cli_report_quietly(cli, REPORT_SHOW, call, &past) != CLI_UNREACHABLE;
    if (!is_whole(view))
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

void show_task_put(const struct cli *cli, struct buf *out, const struct job_view *v, uint32_t task, bool complete)
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
        buf_add_str(out, "; attempts that the scheduler has forgotten only the reports have, which don't answer");
    buf_add_str(out, "\n");
}
