#include "cli/progress.h"

#include <inttypes.h>
#include <string.h>

#include "cli/format.h"

#define BAR_CELLS 30

static void counts(struct buf *out, const struct job_row *row)
{
    buf_addf(out, "%u/%u done", row->done, row->tasks);
    if (row->failed > 0)
        buf_addf(out, ", %u failed", row->failed);
    if (row->left_out > 0)
        buf_addf(out, ", %u left out", row->left_out);
    if (row->live > 0)
        buf_addf(out, ", %u running", row->live);
}

static void draw(struct progress *p, const struct job_row *row)
{
    struct buf text = {0};
    buf_addf(&text, "job %" PRIu64 " ", row->job);
    format_styled(&text, p->cli->colour_out, format_state_style(row->state), row->state != NULL ? row->state : "");
    buf_add_str(&text, " ");
    format_bar(&text, row->done, row->tasks, BAR_CELLS);
    buf_add_str(&text, " ");
    counts(&text, row);
    if (row->live == 0 && row->waiting_for != NULL) {
        buf_add_str(&text, "  ");
        size_t used = format_columns(buf_text(&text)), room = p->cli->width > 0 ? (size_t)p->cli->width : 80;
        struct buf why = {0};
        format_safe(&why, row->waiting_for);
        if (used + 1 < room) /* a line that wraps can't be redrawn */
            buf_addf(&text, "%.*s", (int)(room - used - 1), buf_text(&why));
        buf_fini(&why);
    }
    printf("\r\033[K%s", buf_text(&text));
    fflush(stdout);
    p->drawn = true;
    buf_fini(&text);
}

static void say(struct progress *p, const struct job_row *row)
{
    struct buf text = {0};
    buf_addf(&text, "job %" PRIu64 " %s ", row->job, row->state != NULL ? row->state : "");
    counts(&text, row);
    if (row->live == 0 && row->waiting_for != NULL) {
        buf_add_str(&text, "  ");
        format_safe(&text, row->waiting_for);
    }
    if (p->said == NULL || strcmp(p->said, buf_text(&text)) != 0) {
        printf("%s\n", buf_text(&text));
        fflush(stdout);
        free(p->said);
        p->said = buf_take(&text);
    }
    buf_fini(&text);
}

void progress_show(void *arg, const struct wait_reply *now)
{
    struct progress *p = arg;
    if (p->quiet || p->cli->json)
        return;
    if (p->cli->progress)
        draw(p, &now->row);
    else
        say(p, &now->row);
}

void progress_end(struct progress *p)
{
    if (p->drawn)
        printf("\n");
    fflush(stdout);
    free(TAKE_PTR(p->said));
}
