/* ps, history - jobs as a table: those the scheduler has, and those that are over. */
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/task_state.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/columns.h"

struct list_options {
    const char *tenant, *state;
    bool all, finished;
    uint32_t limit;
    uint64_t after;
};

static const struct option_row ps_rows[] = {
    {.name = "all-users", .letter = 'a', .kind = OPTION_FLAG, .offset = offsetof(struct list_options, all),
     .help = "not only your own jobs"},
    {.name = "tenant", .kind = OPTION_TEXT, .value = "PATH", .offset = offsetof(struct list_options, tenant),
     .help = "only this tenant and those below it"},
    {.name = "state", .kind = OPTION_TEXT, .value = "STATE", .offset = offsetof(struct list_options, state),
     .help = "only jobs in this state: pending, running, failed, ..."},
    {.name = "finished", .letter = 'f', .kind = OPTION_FLAG, .offset = offsetof(struct list_options, finished),
     .help = "also those that ended lately"},
    {.name = "limit", .kind = OPTION_U32, .value = "N", .max = 10000, .offset = offsetof(struct list_options, limit),
     .help = "at most N jobs (default 100)"},
    {.name = "after", .kind = OPTION_U64, .value = "JOB", .offset = offsetof(struct list_options, after),
     .help = "only jobs with a larger number: the next page"},
};
const struct option_set ps_options = OPTION_SET(ps_rows);

static const struct option_row history_rows[] = {
    {.name = "all-users", .letter = 'a', .kind = OPTION_FLAG, .offset = offsetof(struct list_options, all),
     .help = "not only your own jobs"},
    {.name = "tenant", .kind = OPTION_TEXT, .value = "PATH", .offset = offsetof(struct list_options, tenant),
     .help = "only this tenant and those below it"},
    {.name = "state", .kind = OPTION_TEXT, .value = "STATE", .offset = offsetof(struct list_options, state),
     .help = "only jobs that ended like this: succeeded, failed, ..."},
    {.name = "limit", .kind = OPTION_U32, .value = "N", .max = 10000, .offset = offsetof(struct list_options, limit),
     .help = "at most N jobs (default 100)"},
    {.name = "before", .kind = OPTION_U64, .value = "JOB", .offset = offsetof(struct list_options, after),
     .help = "only jobs with a smaller number: the next page"},
};
const struct option_set history_options = OPTION_SET(history_rows);

static const struct column ps_columns[] = {
    {"ID", true, true},   {"NAME", false, true},  {"STATE", false, true}, {"TASKS", false, true},
    {"NODE", false, false}, {"CPU", true, false},   {"MEM", true, false},   {"COST", true, true},
    {"QUOTE", true, false}, {"USER", false, false}, {"STARTS", false, false}, {"WAITING FOR", false, false},
};
static const struct column history_columns[] = {
    {"ID", true, true},     {"NAME", false, true}, {"STATE", false, true},
    {"TASKS", false, true}, {"TENANT", false, true}, {"USER", false, true},
    {"COST", true, true},   {"ENDED", false, true}, {"AFTER", true, true},
};

static void add_id_name_state_tasks(struct cli *cli, struct columns *t, const struct job_row *row)
{
    buf_addf(columns_cell(t), "%" PRIu64, row->job);
    columns_next(t);
    columns_add(t, row->name);
    struct buf state = {0};
    format_safe(&state, row->state);
    format_styled(columns_cell(t), cli->colour_out, format_state_style(row->state), buf_text(&state));
    buf_fini(&state);
    columns_next(t);
    job_text_tasks(columns_cell(t), row, cli->progress);
    columns_next(t);
}

static void add_ps(struct cli *cli, struct columns *t, const struct job_row *row, const char *currency, bool all,
                   int64_t now)
{
    add_id_name_state_tasks(cli, t, row);
    columns_add(t, row->nodes);
    if (row->cpu_milli > 0)
        format_cpus(columns_cell(t), row->cpu_milli);
    columns_next(t);
    if (row->mem_bytes > 0)
        format_bytes(columns_cell(t), row->mem_bytes);
    columns_next(t);
    bool started = row->cost_micros != 0 || row->live > 0 || row->done > 0;
    if (started)
        format_cost(columns_cell(t), row->cost_micros, currency);
    columns_next(t);
    if (!started)
        format_cost(columns_cell(t), row->quote_micros, currency);
    columns_next(t);
    columns_add(t, all ? row->user : NULL);
    job_text_start(columns_cell(t), row->start_from_utc_us, row->start_to_utc_us, now);
    columns_next(t);
    columns_add(t, row->waiting_for);
}

static void add_history(struct cli *cli, struct columns *t, const struct job_row *row, const char *currency,
                        int64_t now)
{
    add_id_name_state_tasks(cli, t, row);
    columns_add(t, row->tenant);
    columns_add(t, row->user);
    format_cost(columns_cell(t), row->cost_micros, currency);
    columns_next(t);
    if (row->ended_utc_us > 0)
        format_clock(columns_cell(t), row->ended_utc_us, now);
    columns_next(t);
    if (row->ended_utc_us > row->submitted_utc_us)
        format_span(columns_cell(t), (uint64_t)(row->ended_utc_us - row->submitted_utc_us));
    columns_next(t);
}

static void print_list(struct cli *cli, const struct list_reply *reply, bool history, bool all)
{
    struct columns t;
    struct buf text = {0};
    if (history)
        columns_init(&t, history_columns, COUNT_OF(history_columns), cli->colour_out);
    else
        columns_init(&t, ps_columns, COUNT_OF(ps_columns), cli->colour_out);
    int64_t now = clock_utc_us();
    const struct job_row *rows = reply->jobs.v;
    for (size_t i = 0; i < reply->jobs.count; i++) {
        if (history)
            add_history(cli, &t, &rows[i], reply->currency, now);
        else
            add_ps(cli, &t, &rows[i], reply->currency, all, now);
    }
    columns_write(&t, true, 0, cli->width, &text);
    if (reply->jobs.count == 0 && cli->progress)
        buf_add_str(&text, history ? "no job has ended yet\n" : all ? "nothing is queued or running\n"
                                                                     : "no job of yours is queued or running\n");
    if (reply->more)
        buf_addf(&text, "there are more: --%s %" PRIu64 "\n", history ? "before" : "after",
                 rows[reply->jobs.count - 1].job);
    fputs(buf_text(&text), stdout);
    columns_fini(&t);
    buf_fini(&text);
}

/* What job_state() and final_state() call jobs. */
static const char *const unfinished[] = {"pending", "held", "running", "suspended", "paused"};

static bool may_be(const char *state, bool over, struct buf *known)
{
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(unfinished) && !over; i++) {
        buf_addf(known, " %s", unfinished[i]);
        found |= strcmp(state, unfinished[i]) == 0;
    }
    for (uint32_t i = TASK_SUCCEEDED; i < TASK_LEFT_OUT; i++) {
        buf_addf(known, " %s", names_get(&task_state_names, i));
        found |= strcmp(state, names_get(&task_state_names, i)) == 0;
    }
    return found;
}

static int check_state(struct cli *cli, const char *state, bool over)
{
    struct buf known = {0};
    bool good = state == NULL || may_be(state, over, &known);
    int code = good ? CLI_DONE : cli_usage(cli, "--state: '%.40s' is none of:%s", state, buf_text(&known));
    buf_fini(&known);
    return code;
}

static int list(struct cli *cli, const struct option_set *set, bool history, int argc, char **argv)
{
    struct list_options o = {0};
    struct words words = {0};
    if (cli_options(cli, set, &o, argc, argv, &words, 0, 0) < 0)
        return CLI_USAGE;
    free(words.v);
    if (check_state(cli, o.state, history) != CLI_DONE)
        return CLI_USAGE;
    struct list_call call = {.all_users = o.all, .limit = o.limit, .after = o.after, .finished = o.finished || history};
    struct list_reply reply = {0};
    if (str_set(&call.tenant, o.tenant) < 0 || str_set(&call.state, o.state) < 0)
        return CLI_UNREACHABLE;
    int code = history ? cli_report(cli, REPORT_HISTORY, &call, &reply) : cli_call(cli, CALL_LIST, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&list_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_list(cli, &reply, history, o.all);
    fields_clear(&list_call_fields, &call);
    fields_clear(&list_reply_fields, &reply);
    return code;
}

int cmd_ps(struct cli *cli, int argc, char **argv)
{
    return list(cli, &ps_options, false, argc, argv);
}

int cmd_history(struct cli *cli, int argc, char **argv)
{
    return list(cli, &history_options, true, argc, argv);
}
