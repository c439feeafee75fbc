#include "cli/ledger_rerate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/columns.h"
#include "cli/format.h"

static int take(struct rerate_reply *all, struct rerate_reply *page)
{
    const struct rerate_line *lines = page->lines.v;
    for (size_t i = 0; i < page->lines.count; i++) {
        struct rerate_line *to = list_add(&all->lines, sizeof *to);
        if (to == NULL || fields_copy(&rerate_line_fields, &lines[i], to) < 0)
            return -ENOMEM;
    }
    return str_set(&all->currency, page->currency);
}

/* All of them: what is posted later changes no answer before. */
static int find_lines(struct cli *cli, const struct ledger_rerate *what, struct rerate_reply *all)
{
    struct rerate_call call = {.from_utc_us = what->from_utc_us, .to_utc_us = what->to_utc_us};
    int code = CLI_DONE;
    for (bool more = true; more && code == CLI_DONE;) {
        struct rerate_reply page = {0};
        code = cli_report(cli, REPORT_RERATE, &call, &page);
        if (code == CLI_DONE && take(all, &page) < 0) {
            struct err err = {0};
            (void)err_set(&err, -ENOMEM, "out of memory");
            code = cli_unreachable(cli, &err);
        }
        more = page.more;
        call.after = page.next;
        fields_clear(&rerate_reply_fields, &page);
    }
    return code;
}

static int post(struct cli *cli, const struct ledger_rerate *what, const struct rerate_line *line, uint64_t *ret_posted)
{
    char key[96], reason[96];
    struct adjust_reply reply = {0};
    snprintf(key, sizeof key, "rerate:%" PRIu64 ".%" PRIu32 ":%" PRIu32, line->seq, line->line, line->price_version);
    snprintf(reason, sizeof reason, "re-rated by price version %" PRIu32, line->price_version);
    struct adjust_call call = {.tenant = line->tenant,
                               .key = key,
                               .reason = what->reason != NULL ? (char *)(uintptr_t)what->reason : reason,
                               .micros = line->micros - line->charged_micros,
                               .kind = ADJUST_RERATE,
                               .from_utc_us = line->from_utc_us,
                               .to_utc_us = line->to_utc_us,
                               .job = line->job,
                               .about_seq = line->seq,
                               .about_line = line->line,
                               .resource = line->resource,
                               .price_version = line->price_version,
                               .list_price = line->list_price,
                               .price = line->price};
    int code = cli_call(cli, CALL_ADJUST, &call, &reply);
    *ret_posted += code == CLI_DONE && !reply.existed;
    fields_clear(&adjust_reply_fields, &reply);
    return code;
}

static void put_line(struct columns *t, const struct rerate_line *line)
{
    char when[PARSE_TEXT_MAX];
    buf_addf(columns_cell(t), "%" PRIu64, line->job);
    columns_next(t);
    columns_add(t, line->tenant);
    columns_add(t, line->resource);
    columns_add(t, format_second(line->from_utc_us, when));
    format_cost(columns_cell(t), line->charged_micros, NULL);
    columns_next(t);
    format_cost(columns_cell(t), line->micros, NULL);
    columns_next(t);
    buf_addf(columns_cell(t), "v%" PRIu32, line->price_version);
    columns_next(t);
}

static void print_lines(struct cli *cli, const struct rerate_reply *all)
{
    static const struct column columns[] = {
        {"JOB", true, true},     {"TENANT", false, true}, {"RESOURCE", false, true}, {"FROM", false, true},
        {"CHARGED", true, true}, {"COSTS", true, true},   {"PRICES", true, true}};
    struct columns t;
    struct buf out = {0};
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < all->lines.count; i++)
        put_line(&t, &((const struct rerate_line *)all->lines.v)[i]);
    columns_write(&t, true, 0, cli->width, &out);
    columns_fini(&t);
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

static void print_sum(const struct ledger_rerate *what, const struct rerate_reply *all, uint64_t posted)
{
    const struct rerate_line *lines = all->lines.v;
    struct buf out = {0};
    int64_t sum = 0;
    for (size_t i = 0; i < all->lines.count; i++)
        sum += lines[i].micros - lines[i].charged_micros;
    if (all->lines.count == 0) {
        buf_add_str(&out, "every line costs what was charged\n");
    } else {
        uint64_t count = what->dry_run ? all->lines.count : posted;
        buf_addf(&out, "%s %" PRIu64 " line%s: %s", what->dry_run ? "would re-rate" : "re-rated", count,
                 count == 1 ? "" : "s", sum < 0 ? "given back " : "charged ");
        format_cost(&out, sum < 0 ? -sum : sum, all->currency);
        buf_add_str(&out, "\n");
    }
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

int ledger_rerate(struct cli *cli, const struct ledger_rerate *what)
{
    struct rerate_reply all = {0};
    uint64_t posted = 0;
    int code = find_lines(cli, what, &all);
    const struct rerate_line *lines = all.lines.v;
    for (size_t i = 0; i < all.lines.count && code == CLI_DONE && !what->dry_run; i++)
        code = post(cli, what, &lines[i], &posted);
    if (code == CLI_DONE && cli->json) {
        cli_json(&rerate_reply_fields, &all);
    } else if (code == CLI_DONE) {
        if (all.lines.count > 0)
            print_lines(cli, &all);
        print_sum(what, &all, posted);
    }
    fields_clear(&rerate_reply_fields, &all);
    return code;
}
