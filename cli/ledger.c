/* ledger - the books: do they say the same everywhere? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/format.h"

const struct option_set ledger_options = {0};

struct ledger_report { struct verify_reply journal; struct check_reply reports; };
static const struct field report_rows[] = {
    FIELD_ROW(ledger_report, 1, "journal", FIELD_STRUCT, journal, .of = &verify_reply_fields),
    FIELD_ROW(ledger_report, 2, "reports", FIELD_STRUCT, reports, .of = &check_reply_fields),
};
static const struct fields report_fields = FIELDS_TABLE("ledger", ledger_report, report_rows);

static void put_difference(const struct cli *cli, struct buf *out, const char *where, const char *text)
{
    format_styled(out, cli->colour_out, STYLE_BAD, "differs");
    buf_addf(out, "   %s: ", where);
    format_safe(out, text);
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
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

static int verify(struct cli *cli)
{
    struct ledger_report r = {0};
    int code = cli_call(cli, CALL_VERIFY, NULL, &r.journal);
    if (code == CLI_DONE)
        code = cli_report(cli, REPORT_CHECK, NULL, &r.reports);
    if (code == CLI_DONE && cli->json)
        cli_json(&report_fields, &r);
    else if (code == CLI_DONE)
        print_verify(cli, &r);
    if (code == CLI_DONE && (r.journal.differences_total > 0 || r.reports.difference != NULL))
        code = CLI_REFUSED;
    fields_clear(&report_fields, &r);
    return code;
}

int cmd_ledger(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    if (cli_options(cli, &ledger_options, NULL, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int code = strcmp(words.v[0], "verify") == 0 ? verify(cli) : cli_usage(cli, "'%s' is none of: verify", words.v[0]);
    free(words.v);
    return code;
}
