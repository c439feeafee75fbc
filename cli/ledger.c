/* ledger - money beside what jobs cost: credits and adjustments. */
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"

struct ledger_cli {
    const char *reason, *key, *from, *to;
    uint64_t job;
};
static const struct option_row rows[] = {
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct ledger_cli, reason), .help = "why; required"},
    {.name = "key", .kind = OPTION_TEXT, .value = "KEY", .offset = offsetof(struct ledger_cli, key),
     .help = "post it once under this key, however often it is sent; default: a new one"},
    {.name = "from", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct ledger_cli, from),
     .help = "when what it is about was incurred"},
    {.name = "to", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct ledger_cli, to),
     .help = "and until when"},
    {.name = "job", .kind = OPTION_U64, .value = "JOB", .offset = offsetof(struct ledger_cli, job),
     .help = "the job that it is about"},
};
const struct option_set ledger_options = OPTION_SET(rows);

static int wrong(struct cli *cli, const char *what, const struct err *err)
{
    return cli_usage(cli, "%s: %s", what, err_text(err));
}

/* CLI_DONE, or what to exit with. */
static int fill(struct cli *cli, const struct ledger_cli *o, const struct words *words, struct adjust_call *call)
{
    struct err err = {0};
    char key[CLI_KEY_MAX];
    call->kind = strcmp(words->v[0], "credit") == 0 ? ADJUST_CREDIT : ADJUST_ADJUSTMENT;
    call->job = o->job;
    if (parse_money(words->v[2], &call->micros, &err) < 0)
        return wrong(cli, "AMOUNT", &err);
    if (call->kind == ADJUST_CREDIT && call->micros <= 0)
        return cli_usage(cli, "AMOUNT: a credit gives something back: write it without a sign");
    if (call->kind == ADJUST_CREDIT)
        call->micros = -call->micros;
    if (o->from != NULL && parse_time(o->from, &call->from_utc_us, &err) < 0)
        return wrong(cli, "--from", &err);
    if (o->to != NULL && parse_time(o->to, &call->to_utc_us, &err) < 0)
        return wrong(cli, "--to", &err);
    if ((o->from == NULL) != (o->to == NULL))
        return cli_usage(cli, "--from and --to go together");
    if (o->reason == NULL || o->reason[0] == '\0')
        return cli_usage(cli, "--reason TEXT is needed: finance will ask for it");
    if (o->key == NULL && cli_new_key(key, &err) < 0)
        return wrong(cli, "--key", &err);
    if (str_set(&call->tenant, words->v[1]) < 0 || str_set(&call->reason, o->reason) < 0 ||
        str_set(&call->key, o->key != NULL ? o->key : key) < 0)
        return CLI_UNREACHABLE;
    return CLI_DONE;
}

static void print_posted(const struct adjust_call *call, const struct adjust_reply *reply)
{
    struct buf text = {0};
    if (reply->existed) {
        buf_add_str(&text, "posted before under this key: nothing changed\n");
    } else {
        format_safe(&text, call->tenant);
        buf_add_str(&text, call->micros < 0 ? ": given back " : ": charged ");
        format_cost(&text, call->micros < 0 ? -call->micros : call->micros, NULL);
        for (size_t i = 0; i < reply->accounts.count; i++) {
            buf_add_str(&text, i == 0 ? " on " : ", ");
            format_safe(&text, reply->accounts.v[i]);
        }
        buf_add_str(&text, "\n");
    }
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
}

static int adjust(struct cli *cli, const struct ledger_cli *o, const struct words *words)
{
    struct adjust_call call = {0};
    struct adjust_reply reply = {0};
    int code = fill(cli, o, words, &call);
    if (code == CLI_DONE)
        code = cli_call(cli, CALL_ADJUST, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&adjust_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_posted(&call, &reply);
    fields_clear(&adjust_call_fields, &call);
    fields_clear(&adjust_reply_fields, &reply);
    return code;
}

int cmd_ledger(struct cli *cli, int argc, char **argv)
{
    struct ledger_cli o = {0};
    struct words words = {0};
    if (cli_options(cli, &ledger_options, &o, argc, argv, &words, 1, 3) < 0)
        return CLI_USAGE;
    bool posts = words.count == 3 && (strcmp(words.v[0], "credit") == 0 || strcmp(words.v[0], "adjust") == 0);
    int code = posts ? adjust(cli, &o, &words)
                     : cli_usage(cli, "'%s' is none of: credit TENANT AMOUNT, adjust TENANT AMOUNT", words.v[0]);
    free(words.v);
    return code;
}
