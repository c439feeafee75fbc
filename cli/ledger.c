/* ledger - the books: do they say the same everywhere; money beside what jobs cost: credits, adjustments,
 * other prices. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ledger_rerate.h"

/* ---- verify ---- */
struct ledger_report { struct verify_reply journal; struct check_reply reports; struct ledger_io_reply io; };
static const struct field report_rows[] = {
    FIELD_ROW(ledger_report, 1, "journal", FIELD_STRUCT, journal, .flags = FIELD_ALWAYS, .of = &verify_reply_fields),
    FIELD_ROW(ledger_report, 2, "reports", FIELD_STRUCT, reports, .flags = FIELD_ALWAYS, .of = &check_reply_fields),
    FIELD_ROW(ledger_report, 3, "io", FIELD_STRUCT, io, .flags = FIELD_ALWAYS, .of = &ledger_io_reply_fields),
};
static const struct fields report_fields = FIELDS_TABLE("ledger", ledger_report, report_rows);

static void put_difference(const struct cli *cli, struct buf *out, const char *where, const char *text)
{
    format_styled(out, cli->colour_out, STYLE_BAD, "differs");
    buf_addf(out, "   %s: ", where);
    format_safe(out, text);
    buf_add_str(out, "\n");
}

/* ", charged twice 3Mi": only what there is. */
static void put_bytes(struct buf *out, const char *what, uint64_t bytes)
{
    if (bytes == 0)
        return;
    buf_addf(out, ", %s ", what);
    format_bytes(out, bytes);
}

/* "I/O       2026-11-25 n1: agrees: the kernel counted ..." and what it is made of. */
static void put_io(const struct cli *cli, struct buf *out, const struct ledger_io_row *r)
{
    char day[PARSE_TEXT_MAX];
    struct io_verdict v = ledger_io_verdict(r);
    buf_addf(out, "I/O       %.10s ", r->day_utc_us != 0 ? format_second(r->day_utc_us, day) : "running");
    format_safe(out, r->node);
    buf_add_str(out, ": ");
    if (r->attempts == 0) {
        buf_addf(out, "nothing to compare\n          %" PRIu64 " attempt%s whose counts its node didn't tell, charged ",
                 r->unknown_attempts, r->unknown_attempts == 1 ? "" : "s");
        format_bytes(out, r->unknown_bytes);
        buf_add_str(out, "\n");
        return;
    }
    if (r->day_utc_us != 0) {
        io_verdict_text(&v, out);
    } else {
        format_styled(out, cli->colour_out, v.agrees ? STYLE_GOOD : STYLE_BAD, v.agrees ? "agrees" : "differs");
        buf_addf(out, ": its node had told %" PRIu64 " bytes when they were charged last", r->told_bytes);
    }
    buf_addf(out, "\n          %" PRIu64 " attempt%s: charged ", r->attempts, r->attempts == 1 ? "" : "s");
    format_bytes(out, r->charged_bytes);
    put_bytes(out, "written off", r->written_off_bytes);
    put_bytes(out, "without a price", r->free_bytes);
    put_bytes(out, "charged twice", r->twice_bytes);
    put_bytes(out, "on nobody's bill", r->lost_bytes);
    put_bytes(out, "in memory and logs", r->uncounted_bytes);
    put_bytes(out, "through the page cache", r->cached_bytes);
    if (r->unknown_attempts > 0) {
        buf_addf(out, "; %" PRIu64 " more whose counts its node didn't tell, charged ", r->unknown_attempts);
        format_bytes(out, r->unknown_bytes);
    }
    buf_add_str(out, "\n");
}

static void print_verify(const struct cli *cli, const struct ledger_report *r)
{
    struct buf out = {0};
    const struct verify_reply *v = &r->journal;
    for (size_t i = 0; i < v->differences.count; i++)
        put_difference(cli, &out, "journal and Redis", v->differences.v[i]);
    if (v->differences_total > v->differences.count)
        buf_addf(&out, "and %" PRIu64 " more\n", v->differences_total - v->differences.count);
    if (r->reports.difference != NULL)
        put_difference(cli, &out, "reports", r->reports.difference);
    buf_addf(&out, "journal   seq %" PRIu64 " to %" PRIu64 "%s, spent ", v->from_seq, v->seq,
             v->from_seq > 1 ? " (what is before them from a snapshot)" : "");
    format_cost(&out, v->total_micros, v->currency);
    buf_addf(&out, "\nRedis     %" PRIu64 " accounts, %" PRIu64 " tenants, %" PRIu64 " holds%s\n", v->accounts,
             v->tenants, v->holds, v->differences_total == 0 ? ": the same" : "");
    buf_addf(&out, "reports   up to seq %" PRIu64 ", spent ", r->reports.seq);
    format_cost(&out, r->reports.total_micros, r->reports.currency);
    buf_addf(&out, "%s\n", r->reports.difference == NULL ? ": the same" : "");
    for (size_t i = 0; i < r->io.rows.count; i++)
        put_io(cli, &out, &((const struct ledger_io_row *)r->io.rows.v)[i]);
    if (r->io.compared > r->io.rows.count)
        buf_addf(&out, "and %" PRIu64 " more\n", r->io.compared - r->io.rows.count);
    if (r->io.compared == 0)
        buf_add_str(&out, "I/O       no attempts to compare\n");
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

/* io: the days that are looked at. */
static int verify(struct cli *cli, const struct ledger_io_call *io)
{
    struct ledger_report r = {0};
    int code = cli_call(cli, CALL_VERIFY, NULL, &r.journal);
    if (code == CLI_DONE)
        code = cli_report(cli, REPORT_CHECK, NULL, &r.reports);
    if (code == CLI_DONE)
        code = cli_report(cli, REPORT_IO, io, &r.io);
    if (code == CLI_DONE && cli->json)
        cli_json(&report_fields, &r);
    else if (code == CLI_DONE)
        print_verify(cli, &r);
    if (code == CLI_DONE && (r.journal.differences_total > 0 || r.reports.difference != NULL ||
                             r.io.differing > 0))
        code = CLI_REFUSED;
    fields_clear(&report_fields, &r);
    return code;
}

/* ---- credit, adjust ---- */
struct ledger_cli {
    const char *reason, *key, *from, *to;
    uint64_t job;
    bool dry_run;
};
static const struct option_row rows[] = {
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct ledger_cli, reason), .help = "why; required of credit and adjust",
     .of = "credit adjust rerate"},
    {.name = "key", .kind = OPTION_TEXT, .value = "KEY", .offset = offsetof(struct ledger_cli, key),
     .help = "post it once under this key, however often it is sent; default: a new one",
     .of = "credit adjust"},
    {.name = "from", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct ledger_cli, from),
     .help = "when what it is about was incurred; rerate: lines from here on; verify: I/O of days from here on"},
    {.name = "to", .kind = OPTION_TEXT, .value = "TIME", .offset = offsetof(struct ledger_cli, to),
     .help = "and until when"},
    {.name = "job", .kind = OPTION_U64, .value = "JOB", .offset = offsetof(struct ledger_cli, job),
     .help = "the job that it is about", .of = "credit adjust"},
    {.name = "dry-run", .kind = OPTION_FLAG, .offset = offsetof(struct ledger_cli, dry_run),
     .help = "rerate: only say what would be posted", .of = "rerate"},
};
const struct option_set ledger_options = OPTION_SET(rows);

static int wrong(struct cli *cli, const char *what, const struct err *err)
{
    return cli_usage(cli, "%s: %s", what, err_text(err));
}

/* CLI_DONE, or what to exit with. Both or none. */
static int fill_span(struct cli *cli, const struct ledger_cli *o, int64_t *ret_from_utc_us, int64_t *ret_to_utc_us)
{
    struct err err = {0};
    if (o->from != NULL && parse_time(o->from, ret_from_utc_us, &err) < 0)
        return wrong(cli, "--from", &err);
    if (o->to != NULL && parse_time(o->to, ret_to_utc_us, &err) < 0)
        return wrong(cli, "--to", &err);
    if ((o->from == NULL) != (o->to == NULL))
        return cli_usage(cli, "--from and --to go together");
    return *ret_to_utc_us < *ret_from_utc_us ? cli_usage(cli, "--to is before --from") : CLI_DONE;
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
    int code = fill_span(cli, o, &call->from_utc_us, &call->to_utc_us);
    if (code != CLI_DONE)
        return code;
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

static int rerate(struct cli *cli, const struct ledger_cli *o)
{
    struct ledger_rerate what = {.dry_run = o->dry_run, .reason = o->reason};
    if (o->from == NULL || o->to == NULL)
        return cli_usage(cli, "rerate: --from TIME and --to TIME are needed");
    int code = fill_span(cli, o, &what.from_utc_us, &what.to_utc_us);
    return code != CLI_DONE ? code : ledger_rerate(cli, &what);
}

int cmd_ledger(struct cli *cli, int argc, char **argv)
{
    struct ledger_cli o = {0};
    struct words words = {0};
    if (cli_options(cli, &ledger_options, &o, argc, argv, &words, 1, 3) < 0)
        return CLI_USAGE;
    struct ledger_io_call io = {0};
    int code;
    if (words.count == 1 && strcmp(words.v[0], "verify") == 0) {
        code = fill_span(cli, &o, &io.from_utc_us, &io.to_utc_us);
        code = code != CLI_DONE ? code : verify(cli, &io);
    } else if (words.count == 3 && (strcmp(words.v[0], "credit") == 0 || strcmp(words.v[0], "adjust") == 0))
        code = adjust(cli, &o, &words);
    else if (words.count == 1 && strcmp(words.v[0], "rerate") == 0)
        code = rerate(cli, &o);
    else
        code = cli_none_of(cli, &words, "verify, credit TENANT AMOUNT, adjust TENANT AMOUNT, rerate");
    free(words.v);
    return code;
}
