/* nodes, drain, undrain - the machines: room, health, and whether they are used. */
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/columns.h"

const struct option_set nodes_options = {0};

struct drain_options {
    const char *reason;
};
static const struct option_row drain_rows[] = {
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct drain_options, reason), .help = "why; shown by `reeve nodes`"},
};
const struct option_set drain_options = OPTION_SET(drain_rows);
const struct option_set undrain_options = {0};

static void add_generic(struct columns *t, const struct resources *used, const struct resources *capacity)
{
    for (size_t i = 0; i < capacity->generic.count; i++) {
        const struct count *c = &capacity->generic.v[i];
        buf_add_str(columns_cell(t), i > 0 ? ", " : "");
        format_safe(columns_cell(t), c->name);
        buf_addf(columns_cell(t), " %" PRIu64 "/%" PRIu64, counts_get(&used->generic, c->name), c->value);
    }
    columns_next(t);
}

/* Of one that closes: when, for which window. */
static void add_reason(struct columns *t, const struct node_row *n, int64_t now)
{
    char when[PARSE_TEXT_MAX];
    struct buf *out = columns_cell(t);
    bool closed = n->closes_utc_us <= now, is_shut = strcmp(n->state, "closed") == 0;
    if (n->window != 0 && (is_shut || strcmp(n->state, "up") == 0)) {
        int64_t at_utc_us = closed ? n->opens_utc_us : n->closes_utc_us;
        buf_addf(out, "%s %s (window %" PRIu64 ")%s", closed ? "until" : "closes at", format_second(at_utc_us, when),
                 n->window, n->reason != NULL ? ": " : "");
    }
    if (strcmp(n->state, "quarantined") == 0)
        buf_addf(out, "%s%s: ", n->opens_utc_us > now ? "until " : "tried since ",
                 format_second(n->opens_utc_us, when));
    format_safe(out, n->reason);
    columns_next(t);
}

static void add_node(struct cli *cli, struct columns *t, const struct node_row *n, int64_t now)
{
    columns_add(t, n->node);
    struct buf state = {0};
    format_safe(&state, n->state);
    format_styled(columns_cell(t), cli->colour_out, format_state_style(n->state), buf_text(&state));
    buf_fini(&state);
    columns_next(t);
    format_cpus(columns_cell(t), n->used.cpu_milli);
    buf_add_str(columns_cell(t), "/");
    format_cpus(columns_cell(t), n->capacity.cpu_milli);
    columns_next(t);
    format_bytes(columns_cell(t), n->used.mem_bytes);
    buf_add_str(columns_cell(t), "/");
    format_bytes(columns_cell(t), n->capacity.mem_bytes);
    columns_next(t);
    add_generic(t, &n->used, &n->capacity);
    buf_addf(columns_cell(t), "%u", n->running);
    if (n->max_attempts != 0)
        buf_addf(columns_cell(t), "/%u", n->max_attempts);
    columns_next(t);
    columns_add(t, n->version);
    if (n->seen_utc_us > 0) {
        format_span(columns_cell(t), (uint64_t)MAX(now - n->seen_utc_us, 0));
        buf_add_str(columns_cell(t), " ago");
    }
    columns_next(t);
    for (size_t i = 0; i < n->lacks.count; i++) {
        buf_add_str(columns_cell(t), i > 0 ? " " : "");
        format_safe(columns_cell(t), n->lacks.v[i]);
    }
    columns_next(t);
    add_reason(t, n, now);
}

int cmd_nodes(struct cli *cli, int argc, char **argv)
{
    static const struct column columns[] = {
        {"NODE", false, true},   {"STATE", false, true}, {"CPU", true, true},
        {"MEMORY", true, true},  {"OTHER", false, false}, {"RUNNING", true, true},
        {"VERSION", false, false}, {"SEEN", true, false}, {"CAN'T LIMIT", false, false},
        {"REASON", false, false}};
    struct words words = {0};
    if (cli_options(cli, &nodes_options, NULL, argc, argv, &words, 0, 0) < 0)
        return CLI_USAGE;
    free(words.v);
    struct node_reply reply = {0};
    int code = cli_call(cli, CALL_NODES, NULL, &reply);
    if (code == CLI_DONE && cli->json) {
        cli_json(&node_reply_fields, &reply);
    } else if (code == CLI_DONE) {
        struct columns t;
        struct buf text = {0};
        int64_t now = clock_utc_us();
        columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
        for (size_t i = 0; i < reply.nodes.count; i++)
            add_node(cli, &t, &((const struct node_row *)reply.nodes.v)[i], now);
        columns_write(&t, true, 0, cli->width, &text);
        fputs(buf_text(&text), stdout);
        columns_fini(&t);
        buf_fini(&text);
    }
    fields_clear(&node_reply_fields, &reply);
    return code;
}

static int set_drain(struct cli *cli, const char *node, bool drain, const char *reason)
{
    struct drain_call call = {.drain = drain};
    if (str_set(&call.node, node) < 0 || str_set(&call.reason, reason) < 0)
        return CLI_UNREACHABLE;
    int code = cli_call(cli, CALL_DRAIN, &call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf(drain ? "%s: nothing new is placed there; what runs goes on\n" : "%s: used again\n", node);
    fields_clear(&drain_call_fields, &call);
    return code;
}

int cmd_drain(struct cli *cli, int argc, char **argv)
{
    struct drain_options o = {0};
    struct words words = {0};
    if (cli_options(cli, &drain_options, &o, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int code = set_drain(cli, words.v[0], true, o.reason);
    free(words.v);
    return code;
}

int cmd_undrain(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    if (cli_options(cli, &undrain_options, NULL, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int code = set_drain(cli, words.v[0], false, NULL);
    free(words.v);
    return code;
}
