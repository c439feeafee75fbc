/* why - everything that blocks a job, in order, and the smallest change that would let it start. */
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/columns.h"

const struct option_set why_options = {0};

static void put_figure(struct buf *out, const struct blocker *b, int64_t value)
{
    const char *resource = b->resource != NULL ? b->resource : "";
    uint64_t amount = (uint64_t)MAX(value, 0);
    if (strcmp(b->kind, "budget") == 0)
        format_cost(out, value, NULL);
    else if (strcmp(resource, "cpu") == 0)
        format_cpus(out, amount);
    else if (strcmp(resource, "memory") == 0 || strcmp(resource, "scratch") == 0)
        format_bytes(out, amount);
    else
        buf_addf(out, "%" PRId64, value);
}

static void add_figure(struct columns *t, const struct blocker *b, const char *name, int64_t value, bool show)
{
    if (show) {
        buf_addf(columns_cell(t), "%s ", name);
        put_figure(columns_cell(t), b, value);
    }
    columns_next(t);
}

/* The sentence without its first word, which has a column of its own. */
static const char *sentence(const struct blocker *b)
{
    size_t len = strlen(b->kind);
    if (b->text == NULL)
        return "";
    if (strncmp(b->text, b->kind, len) == 0 && b->text[len] == ':')
        return b->text + len + 1 + (b->text[len + 1] == ' ');
    return b->text;
}

static void add_blocker(struct cli *cli, struct columns *t, size_t number, const struct blocker *b)
{
    bool budget = strcmp(b->kind, "budget") == 0;
    bool figures = b->need > 0 && (budget || strcmp(b->kind, "quota") == 0);
    struct buf kind = {0};
    buf_addf(columns_cell(t), "%zu.", number);
    columns_next(t);
    format_safe(&kind, b->kind);
    format_styled(columns_cell(t), cli->colour_out, STYLE_WAIT, buf_text(&kind));
    buf_fini(&kind);
    columns_next(t);
    columns_add(t, b->where);
    columns_add(t, figures ? b->resource : NULL);
    add_figure(t, b, "limit", b->limit, figures);
    add_figure(t, b, budget ? "spent" : "used", b->used, figures);
    add_figure(t, b, "held", b->held, figures && budget);
    add_figure(t, b, "free", b->free, figures);
    add_figure(t, b, "needs", b->need, figures);
    add_figure(t, b, "short", b->short_by, figures);
    columns_add(t, figures ? NULL : sentence(b));
}

/* An interval by this machine's clock, with what the sentence says of its place or its money; or the sentence. */
static void put_estimate(struct buf *out, const struct why_reply *r)
{
    const char *place = r->estimate != NULL && r->start_to_utc_us != 0 ? strstr(r->estimate, ", ") : NULL;
    if (r->estimate == NULL)
        return;
    buf_add_str(out, place != NULL ? "expected to start: " : "as far as can be known: ");
    if (place != NULL)
        job_text_start(out, r->start_from_utc_us, r->start_to_utc_us, clock_utc_us());
    format_safe(out, place != NULL ? place : r->estimate);
    buf_add_str(out, "\n");
}

static void print_why(struct cli *cli, uint64_t job, const struct why_reply *r)
{
    static const struct column columns[11] = {[0] = {.right = true}};
    struct buf text = {0};
    bool waits = r->blockers.count > 0 || r->pending_ms > 0;
    if (strcmp(r->state, "left_out") == 0) {
        buf_add_str(&text, "left out: its gang began without it, with as many as could start then (gang_min)\n");
    } else if (!waits) {
        buf_addf(&text, "nothing of job %" PRIu64 " waits: ", job);
        format_safe(&text, r->state);
        buf_add_str(&text, "\n");
    } else {
        bool own = strcmp(r->state, "held") == 0 || strcmp(r->state, "paused") == 0 ||
                   strcmp(r->state, "suspended") == 0;
        buf_addf(&text, "%s for ", own ? r->state : "pending");
        format_span(&text, r->pending_ms * 1000);
        buf_add_str(&text, r->blockers.count > 0 ? ". Everything that blocks it, in order:\n"
                                                  : ". Nothing blocks it: it starts with the scheduler's next turn\n");
    }
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < r->blockers.count; i++)
        add_blocker(cli, &t, i + 1, &((const struct blocker *)r->blockers.v)[i]);
    columns_write(&t, false, 2, 0, &text);
    columns_fini(&t);
    if (r->change != NULL) {
        bool stands = strcmp(r->state, "paused") == 0 || strcmp(r->state, "suspended") == 0;
        buf_addf(&text, "it would %s if: ", stands ? "go on" : "start");
        format_safe(&text, r->change);
        buf_add_str(&text, "\n");
    }
    put_estimate(&text, r);
    cli_print(cli, &text);
    buf_fini(&text);
}

int cmd_why(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    struct job_ref ref;
    struct err err = {0};
    if (cli_options(cli, &why_options, NULL, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int rc = job_ref_parse(words.v[0], &ref, &err);
    free(words.v);
    if (rc < 0)
        return cli_usage(cli, "%s", err.text);
    const struct job_call call = {.job = ref.job, .has_task = ref.has_task, .task = ref.task};
    struct why_reply reply = {0};
    int code = cli_call(cli, CALL_WHY, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&why_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_why(cli, ref.job, &reply);
    fields_clear(&why_reply_fields, &reply);
    return code;
}
