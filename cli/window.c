/* window - maintenance: when nodes are closed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/parse.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/format.h"

struct window_cli {
    const char *from, *until, *where, *reason;
    uint64_t length_ms;
    bool cell, stop, leave;
};
static const struct option_row rows[] = {
    {.name = "from", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct window_cli, from),
     .help = "when the nodes close; default: now", .of = "add change"},
    {.name = "until", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct window_cli, until),
     .help = "when they are used again", .of = "add change"},
    {.name = "for", .kind = OPTION_DURATION, .value = "TIME", .min = 1000, .max = WINDOW_LONGEST_US / 1000,
     .offset = offsetof(struct window_cli, length_ms), .help = "how long, instead of --until", .of = "add change"},
    {.name = "where", .kind = OPTION_TEXT, .value = "EXPRESSION", .offset = offsetof(struct window_cli, where),
     .help = "the nodes whose labels suit it, now or later, instead of names", .of = "add change"},
    {.name = "cell", .kind = OPTION_FLAG, .offset = offsetof(struct window_cli, cell),
     .help = "every node, instead of names", .of = "add change"},
    {.name = "stop", .kind = OPTION_FLAG, .offset = offsetof(struct window_cli, stop),
     .help = "what still runs then is stopped and queued again, not only what may be preempted", .of = "add change"},
    {.name = "leave", .kind = OPTION_FLAG, .offset = offsetof(struct window_cli, leave),
     .help = "change: what still runs then goes on after all"},
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct window_cli, reason), .help = "why; shown by nodes, why and window list",
     .of = "add change drop"},
};
const struct option_set window_options = OPTION_SET(rows);

/* ---- list ---- */
static void add_nodes(struct buf *out, const struct fact_window *w)
{
    if (w->cell)
        buf_add_str(out, "the whole cell");
    if (w->where != NULL) {
        buf_add_str(out, "where ");
        format_safe(out, w->where);
    }
    for (size_t i = 0; i < w->nodes.count; i++) {
        buf_add_str(out, i > 0 ? " " : "");
        format_safe(out, w->nodes.v[i]);
    }
}

static void add_row(const struct cli *cli, struct columns *t, const struct window_row *row)
{
    char when[PARSE_TEXT_MAX];
    const struct fact_window *w = &row->window;
    buf_addf(columns_cell(t), "%" PRIu64, w->window);
    columns_next(t);
    format_styled(columns_cell(t), cli->colour_out, row->open ? STYLE_WAIT : STYLE_PLAIN,
                  row->open ? "open" : "planned");
    columns_next(t);
    columns_add(t, format_second(w->from_utc_us, when));
    columns_add(t, format_second(w->to_utc_us, when));
    buf_addf(columns_cell(t), "%" PRIu32, row->nodes);
    columns_next(t);
    buf_addf(columns_cell(t), "%" PRIu32, row->running);
    columns_next(t);
    columns_add(t, names_get(&window_begin_names, w->at_begin));
    columns_add(t, w->who);
    add_nodes(columns_cell(t), w);
    columns_next(t);
    columns_add(t, w->reason);
}

static void print_list(const struct cli *cli, const struct windows_reply *reply)
{
    static const struct column columns[] = {
        {"WINDOW", true, true},   {"STATE", false, true}, {"FROM", false, true},   {"UNTIL", false, true},
        {"NODES", true, true},    {"RUNNING", true, true}, {"AT BEGIN", false, true}, {"BY", false, false},
        {"CLOSES", false, true},  {"REASON", false, false}};
    struct columns t;
    struct buf text = {0};
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < reply->windows.count; i++)
        add_row(cli, &t, &((const struct window_row *)reply->windows.v)[i]);
    columns_write(&t, true, 0, cli->width, &text);
    fputs(buf_text(&text), stdout);
    columns_fini(&t);
    buf_fini(&text);
}

static int show_list(struct cli *cli)
{
    struct windows_reply reply = {0};
    int code = cli_call(cli, CALL_WINDOWS, NULL, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&windows_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_list(cli, &reply);
    fields_clear(&windows_reply_fields, &reply);
    return code;
}

/* ---- add, change ---- */
static int read_time(struct cli *cli, const char *option, const char *text, int64_t *ret)
{
    struct err err = {0};
    if (text == NULL || parse_time(text, ret, &err) == 0)
        return CLI_DONE;
    return cli_usage(cli, "%s: %s", option, err_text(&err));
}

/* What was said on the command line, over what `call` has. */
static int fill_times(struct cli *cli, const struct window_cli *o, struct window_call *call)
{
    int64_t length_us = call->to_utc_us - call->from_utc_us;
    if (o->until != NULL && o->length_ms != 0)
        return cli_usage(cli, "--until and --for say the same: give one of them");
    if (call->from_utc_us == 0)
        call->from_utc_us = clock_utc_us(); /* said here: the same call again is the same window */
    int code = read_time(cli, "--from", o->from, &call->from_utc_us);
    if (code == CLI_DONE)
        code = read_time(cli, "--until", o->until, &call->to_utc_us);
    if (o->length_ms != 0)
        length_us = (int64_t)o->length_ms * 1000;
    if (o->length_ms != 0 || (o->from != NULL && o->until == NULL && call->window != 0))
        call->to_utc_us = call->from_utc_us + length_us; /* moved, it stays as long as it was */
    if (code == CLI_DONE && call->to_utc_us == 0)
        return cli_usage(cli, "--until TIME or --for TIME is needed");
    return code;
}

static int fill_nodes(struct cli *cli, const struct window_cli *o, const char *const *names, size_t count,
                      struct window_call *call)
{
    int ways = (count > 0) + (o->where != NULL) + o->cell;
    if (ways > 1 || (ways == 0 && call->window == 0))
        return cli_usage(cli, "say which nodes: NODE..., or --where EXPRESSION, or --cell");
    if (ways == 0)
        return CLI_DONE;
    for (size_t i = 0; i < call->nodes.count; i++)
        free(call->nodes.v[i]);
    call->nodes.count = 0;
    call->cell = o->cell;
    int rc = str_set(&call->where, o->where);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = strs_add(&call->nodes, names[i]);
    return rc == 0 ? CLI_DONE : CLI_UNREACHABLE;
}

static int fill(struct cli *cli, const struct window_cli *o, const char *const *names, size_t count,
                struct window_call *call)
{
    if (o->stop && o->leave)
        return cli_usage(cli, "--stop and --leave contradict each other");
    if (o->stop || o->leave)
        call->at_begin = o->stop ? WINDOW_STOPS : WINDOW_LEAVES;
    if (o->reason != NULL && str_set(&call->reason, o->reason) < 0)
        return CLI_UNREACHABLE;
    int code = fill_nodes(cli, o, names, count, call);
    return code == CLI_DONE ? fill_times(cli, o, call) : code;
}

static void print_set(const struct window_call *call, const struct window_reply *reply)
{
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    printf("window %" PRIu64 ": %" PRIu32 " node%s closed from %s until %s\n", reply->window, reply->nodes,
           reply->nodes == 1 ? "" : "s", format_second(call->from_utc_us, from), format_second(call->to_utc_us, to));
    if (reply->running > 0)
        printf("%" PRIu32 " attempt%s may still run there then: %s\n", reply->running, reply->running == 1 ? "" : "s",
               call->at_begin == WINDOW_STOPS ? "stopped, and queued again"
                                              : "what may be preempted is stopped, the rest goes on");
}

static int set(struct cli *cli, const struct window_cli *o, const char *const *names, size_t count,
               struct window_call *call)
{
    struct window_reply reply = {0};
    int code = fill(cli, o, names, count, call);
    if (code == CLI_DONE)
        code = cli_call(cli, CALL_WINDOW_SET, call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&window_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_set(call, &reply);
    return code;
}

static int add(struct cli *cli, const struct window_cli *o, const struct words *words)
{
    struct window_call call = {0};
    int code = o->leave ? cli_usage(cli, "--leave is for change: what runs goes on unless --stop says otherwise")
                        : set(cli, o, words->v + 1, words->count - 1, &call);
    fields_clear(&window_call_fields, &call);
    return code;
}

static int number_of(struct cli *cli, const struct words *words, uint64_t *ret)
{
    struct err err = {0};
    if (words->count < 2)
        return cli_usage(cli, "%s: which window? reeve window list has their numbers", words->v[0]);
    if (parse_u64(words->v[1], 1, UINT64_MAX, ret, &err) < 0)
        return cli_usage(cli, "N: %s", err_text(&err));
    return CLI_DONE;
}

/* The scheduler would say so, too, but only to a window that says when. */
static int not_there(struct cli *cli, uint64_t number)
{
    struct refusal refusal = {0};
    char message[64];
    snprintf(message, sizeof message, "there is no window %" PRIu64 ", or it is over", number);
    refusal_set(&refusal, "not_found", "window", message, "reeve window list shows those there are");
    int code = cli_refused(cli, &refusal);
    fields_clear(&refusal_fields, &refusal);
    return code;
}

/* As it is now. */
static int fill_as_is(struct cli *cli, uint64_t number, struct window_call *call)
{
    struct windows_reply reply = {0};
    int code = cli_call(cli, CALL_WINDOWS, NULL, &reply);
    for (size_t i = 0; code == CLI_DONE && i < reply.windows.count; i++) {
        struct fact_window *w = &((struct window_row *)reply.windows.v)[i].window;
        if (w->window != number)
            continue;
        *call = (struct window_call){.window = number, .nodes = w->nodes, .where = w->where, .cell = w->cell,
                                     .reason = w->reason, .from_utc_us = w->from_utc_us, .to_utc_us = w->to_utc_us,
                                     .at_begin = w->at_begin};
        w->nodes = (struct strs){0}; /* the call has them now */
        w->where = w->reason = NULL;
    }
    fields_clear(&windows_reply_fields, &reply);
    if (code == CLI_DONE && call->window == 0)
        return not_there(cli, number);
    return code;
}

static int change(struct cli *cli, const struct window_cli *o, const struct words *words)
{
    struct window_call call = {0};
    uint64_t number;
    int code = number_of(cli, words, &number);
    if (code == CLI_DONE)
        code = fill_as_is(cli, number, &call);
    if (code == CLI_DONE)
        code = set(cli, o, words->v + 2, words->count - 2, &call);
    fields_clear(&window_call_fields, &call);
    return code;
}

/* ---- drop ---- */
static int drop(struct cli *cli, const struct window_cli *o, const struct words *words)
{
    struct window_drop_call call = {0};
    int code = words->count > 2 ? cli_usage(cli, "drop: one window at a time") : number_of(cli, words, &call.window);
    if (code == CLI_DONE && str_set(&call.reason, o->reason) < 0)
        code = CLI_UNREACHABLE;
    if (code == CLI_DONE)
        code = cli_call(cli, CALL_WINDOW_DROP, &call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("window %" PRIu64 ": its nodes are used as if it had never been planned\n", call.window);
    fields_clear(&window_drop_call_fields, &call);
    return code;
}

int cmd_window(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli, const struct window_cli *o, const struct words *words);
    } ways[] = {{"add", add}, {"change", change}, {"drop", drop}};
    struct window_cli o = {0};
    struct words words = {0};
    if (cli_options(cli, &window_options, &o, argc, argv, &words, 1, WINDOW_NODES_MAX) < 0)
        return CLI_USAGE;
    int code = -1;
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        if (strcmp(words.v[0], ways[i].name) == 0)
            code = ways[i].run(cli, &o, &words);
    if (words.count == 1 && strcmp(words.v[0], "list") == 0)
        code = show_list(cli);
    if (code < 0)
        code = cli_none_of(cli, &words, "add, list, change N, drop N");
    free(words.v);
    return code;
}
