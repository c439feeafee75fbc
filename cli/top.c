/* top - the cell while it works: its tenants against what would be fair, its nodes, its queue, how fast it decides. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/tenant_path.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/top.h"

#define LOOK_MS 1000
#define BAR_CELLS 20
#define SHARE_CELLS 10
#define LINES_AROUND 8 /* of the screen: the head, resources, heads of columns, what is left out */

struct top_options {
    bool io, once;
};
static const struct option_row rows[] = {
    {.name = "io", .kind = OPTION_FLAG, .offset = offsetof(struct top_options, io),
     .help = "the node's disk; run where the node is, as root or the agent's user"},
    {.name = "once", .kind = OPTION_FLAG, .offset = offsetof(struct top_options, once),
     .help = "one look, also on a terminal"},
};
const struct option_set top_options = OPTION_SET(rows);

/* "  placed 302/s", from two looks at the same scheduler. */
static void put_rate(struct buf *out, const char *name, uint64_t before, uint64_t now, uint64_t ms)
{
    buf_addf(out, "   %s %.*f/s", name, (now - before) * 1000 < ms * 100 && now != before ? 1 : 0,
             (double)(now - before) * 1000 / (double)ms);
}

static void put_head(struct cli *cli, const struct top_reply *before, const struct top_reply *now, struct buf *out)
{
    bool up = now->store != NULL && strcmp(now->store, "up") == 0;
    struct buf store = {0};
    format_safe(&store, now->store);
    format_safe(out, now->cell);
    buf_add_str(out, "   store ");
    format_styled(out, cli->colour_out, up ? STYLE_GOOD : STYLE_BAD, buf_text(&store));
    buf_add_str(out, "   ");
    format_instant(out, clock_utc_us());
    buf_addf(out, "\njobs %" PRIu64 "   running %" PRIu64 "   waiting %" PRIu64, now->jobs, now->live, now->queued);
    if (before != NULL && before->uptime_ms < now->uptime_ms) {
        uint64_t ms = now->uptime_ms - before->uptime_ms;
        put_rate(out, "decided", before->decided, now->decided, ms);
        put_rate(out, "started", before->placed, now->placed, ms);
        put_rate(out, "ended", before->ended, now->ended, ms);
    }
    buf_add_str(out, "\nnodes");
    for (size_t i = 0; i < now->nodes.count; i++)
        buf_addf(out, "%s%" PRIu64 " %s", i == 0 ? " " : "   ", now->nodes.v[i].value, now->nodes.v[i].name);
    buf_add_str(out, now->nodes.count == 0 ? " none\n" : "\n");
    buf_fini(&store);
}

static void put_amount(struct buf *out, const char *resource, uint64_t value)
{
    if (strcmp(resource, "cpu") == 0)
        format_cpus(out, value);
    else if (strcmp(resource, "memory") == 0)
        format_bytes(out, value);
    else
        buf_addf(out, "%" PRIu64, value);
}

/* "cpu     ████████░░░░  389 of 480  81 %" */
static void put_resources(const struct top_reply *now, struct buf *out)
{
    int widest = 0;
    for (size_t i = 0; i < now->total.count; i++)
        widest = MAX(widest, (int)strlen(now->total.v[i].name));
    for (size_t i = 0; i < now->total.count; i++) {
        const struct count *total = &now->total.v[i];
        uint64_t used = counts_get(&now->used, total->name);
        buf_addf(out, "%-*s ", widest, total->name);
        format_bar(out, used, total->value, BAR_CELLS);
        buf_addf(out, " %3.0f%%  ", (double)used * 100 / (double)total->value);
        put_amount(out, total->name, used);
        buf_add_str(out, " of ");
        put_amount(out, total->name, total->value);
        if (strcmp(total->name, "memory") == 0 && counts_get(&now->used, "scratch") > 0) {
            buf_add_str(out, ", scratch ");
            format_bytes(out, counts_get(&now->used, "scratch"));
            buf_add_str(out, " of it");
        }
        buf_add_str(out, "\n");
    }
}

static void add_ppm(struct columns *t, uint64_t ppm)
{
    buf_addf(columns_cell(t), "%.1f%%", (double)ppm / 1e4);
    columns_next(t);
}

static void add_number(struct columns *t, uint64_t number)
{
    if (number > 0)
        buf_addf(columns_cell(t), "%" PRIu64, number);
    columns_next(t);
}

static void put_tenants(struct cli *cli, const struct top_reply *now, struct buf *out)
{
    static const struct column columns[] = {
        {"TENANT", false, true}, {"WEIGHT", true, true},   {"FAIR", true, true},     {"HAS", true, true},
        {"", false, true},       {"OF", false, false},     {"RUNNING", true, false}, {"WAITING", true, false},
        {"WAITING FOR", false, false}};
    const struct top_tenant *v = now->tenants.v;
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < now->tenants.count; i++) {
        format_tenant(columns_cell(&t), v[i].path, tenant_path_depth(v[0].path));
        columns_next(&t);
        buf_addf(columns_cell(&t), "%" PRIu32, v[i].weight);
        columns_next(&t);
        add_ppm(&t, v[i].fair_ppm);
        add_ppm(&t, v[i].share_ppm);
        format_bar(columns_cell(&t), v[i].share_ppm, MAX(v[i].share_ppm, (uint64_t)1000000), SHARE_CELLS);
        columns_next(&t);
        columns_add(&t, v[i].resource);
        add_number(&t, v[i].running);
        add_number(&t, v[i].queued);
        columns_add(&t, v[i].why);
    }
    columns_write(&t, true, 0, cli->width, out);
    columns_fini(&t);
}

/* What would push the head out of the screen isn't shown. */
static void put_screen(const struct cli *cli, const char *text)
{
    const char *end = text;
    for (int lines = 1; *end != '\0' && lines < cli->height; lines++)
        end += strcspn(end, "\n") + (end[strcspn(end, "\n")] == '\n');
    printf("\033[H\033[J%.*s", (int)(end - text), text);
}

static void show(struct cli *cli, const struct top_reply *before, const struct top_reply *now, bool clear)
{
    struct buf out = {0}, lines = {0};
    put_head(cli, before, now, &out);
    put_resources(now, &out);
    if (now->tenants.count == 0)
        buf_add_str(&out, "nobody uses or wants anything\n");
    else
        put_tenants(cli, now, &out);
    if (now->left_out > 0)
        buf_addf(&out, "and %" PRIu64 " more tenants; `reeve top TENANT` looks at one and all below it\n",
                 now->left_out);
    format_fold(&lines, buf_text(&out), cli->width);
    if (clear && cli->height > 0)
        put_screen(cli, buf_text(&lines));
    else
        fputs(buf_text(&lines), stdout);
    fflush(stdout);
    buf_fini(&lines);
    buf_fini(&out);
}

static uint32_t rows_of(const struct cli *cli)
{
    return cli->height > LINES_AROUND ? (uint32_t)(cli->height - LINES_AROUND) : 0;
}

static int once(struct cli *cli, const struct top_call *call)
{
    struct top_reply now = {0};
    int code = cli_call(cli, CALL_TOP, call, &now);
    if (code == CLI_DONE && cli->json)
        cli_json(&top_reply_fields, &now);
    else if (code == CLI_DONE)
        show(cli, NULL, &now, false);
    fields_clear(&top_reply_fields, &now);
    return code;
}

/* Until it is interrupted. A scheduler that is away for a while is waited for (cli_call). */
static int follow(struct cli *cli, struct top_call *call)
{
    struct top_reply before = {0}, now = {0};
    bool first = true;
    int code = CLI_DONE;
    while ((code = cli_call(cli, CALL_TOP, call, &now)) == CLI_DONE) {
        show(cli, first ? NULL : &before, &now, true);
        fields_clear(&top_reply_fields, &before);
        before = now;
        now = (struct top_reply){0};
        first = false;
        cli_measure(cli);
        call->rows = rows_of(cli);
        if (poll(NULL, 0, LOOK_MS) < 0)
            break;
    }
    fields_clear(&top_reply_fields, &before);
    return code;
}

int cmd_top(struct cli *cli, int argc, char **argv)
{
    struct top_options o = {0};
    struct words words = {0};
    struct top_call call = {0};
    if (cli_options(cli, &top_options, &o, argc, argv, &words, 0, 1) < 0)
        return CLI_USAGE;
    int rc = words.count > 0 ? str_set(&call.tenant, words.v[0]) : 0;
    bool has_word = words.count > 0;
    free(words.v);
    if (rc < 0)
        return CLI_UNREACHABLE;
    if (o.io)
        return has_word ? cli_usage(cli, "--io is about this node, not about a tenant") : top_io(cli, o.once);
    call.rows = rows_of(cli);
    int code = cli->progress && !o.once && !cli->json ? follow(cli, &call) : once(cli, &call);
    fields_clear(&top_call_fields, &call);
    return code;
}
