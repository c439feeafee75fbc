/* tenant - the tree of tenants: what each may use, uses, has spent. */
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/tenant_path.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/columns.h"

#define GENERICS_MAX 6 /* columns of their own; the rest is in --json */

const struct option_set tenant_options = {0};

enum { COLUMNS_BEFORE = 3, COLUMNS_AFTER = 9 };

/* Names of generic resources that any of these tenants uses or is limited in. */
static size_t generic_names(const struct tenant_reply *r, const char *names[GENERICS_MAX])
{
    size_t count = 0;
    const struct tenant_row *rows = r->tenants.v;
    for (size_t i = 0; i < r->tenants.count * 2; i++) {
        const struct tenant_row *row = &rows[i / 2];
        const struct counts *c = i % 2 == 0 ? &row->rule.quota.max.generic : &row->used.generic;
        for (size_t k = 0; k < c->count; k++) {
            size_t n = 0;
            while (n < count && strcmp(names[n], c->v[k].name) != 0)
                n++;
            if (n == count && count < GENERICS_MAX)
                names[count++] = c->v[k].name;
        }
    }
    return count;
}

/* "12/16", or "12" where there is no limit, or nothing where there is neither. */
static void add_share(struct columns *t, uint64_t used, uint64_t max, void (*put)(struct buf *out, uint64_t value))
{
    if (used > 0 || max > 0)
        put(columns_cell(t), used);
    if (max > 0) {
        buf_add_str(columns_cell(t), "/");
        put(columns_cell(t), max);
    }
    columns_next(t);
}

static void put_number(struct buf *out, uint64_t value)
{
    buf_addf(out, "%" PRIu64, value);
}

static void add_money(struct cli *cli, struct columns *t, const struct tenant_row *row, int64_t now)
{
    bool limited = row->rule.budget.present;
    format_cost(columns_cell(t), row->spent_micros, NULL);
    columns_next(t);
    if (row->held_micros != 0)
        format_cost(columns_cell(t), row->held_micros, NULL);
    columns_next(t);
    if (limited) {
        struct buf text = {0};
        format_cost(&text, row->free_micros, NULL);
        format_styled(columns_cell(t), cli->colour_out, row->free_micros <= 0 ? STYLE_BAD : STYLE_PLAIN,
                      buf_text(&text));
        buf_fini(&text);
    }
    columns_next(t);
    if (limited)
        format_cost(columns_cell(t), row->limit_micros, NULL);
    columns_next(t);
    if (limited) {
        buf_add_str(columns_cell(t), names_get(&period_kind_names, row->rule.budget.period));
        if (row->period_end_utc_us > now) {
            buf_add_str(columns_cell(t), ", ");
            format_span(columns_cell(t), (uint64_t)(row->period_end_utc_us - now));
            buf_add_str(columns_cell(t), " left");
        }
    }
    columns_next(t);
}

static void add_row(struct cli *cli, struct columns *t, const struct tenant_row *row, const char *const names[],
                    size_t generics, size_t top, int64_t now)
{
    const struct resources *max = &row->rule.quota.max, *used = &row->used;
    format_tenant(columns_cell(t), row->path, top);
    columns_next(t);
    add_share(t, used->cpu_milli, max->cpu_milli, format_cpus);
    add_share(t, used->mem_bytes, max->mem_bytes, format_bytes);
    for (size_t i = 0; i < generics; i++)
        add_share(t, counts_get(&used->generic, names[i]), counts_get(&max->generic, names[i]), put_number);
    format_resources(columns_cell(t), &row->rule.quota.guaranteed);
    columns_next(t);
    format_resources(columns_cell(t), &row->borrowed);
    columns_next(t);
    add_share(t, row->running, row->rule.quota.max_running, put_number);
    add_share(t, row->queued, row->rule.quota.max_queued, put_number);
    add_money(cli, t, row, now);
}

static void print_tenants(struct cli *cli, const struct tenant_reply *r)
{
    static const struct column before[COLUMNS_BEFORE] = {
        {"TENANT", false, true}, {"CPU", true, false}, {"MEMORY", true, false}};
    static const struct column after[COLUMNS_AFTER] = {
        {"GUARANTEED", false, false}, {"BORROWED", false, false}, {"RUNNING", true, false},
        {"QUEUED", true, false}, {"SPENT", true, true},   {"HELD", true, false},
        {"FREE", true, false},    {"BUDGET", true, false}, {"PERIOD", false, false}};
    const char *names[GENERICS_MAX];
    char heads[GENERICS_MAX][RESOURCE_NAME_MAX + 1];
    struct column columns[COLUMNS_MAX];
    size_t generics = generic_names(r, names), count = 0;
    for (size_t i = 0; i < COLUMNS_BEFORE; i++)
        columns[count++] = before[i];
    for (size_t i = 0; i < generics; i++) {
        snprintf(heads[i], sizeof heads[i], "%s", names[i]);
        for (char *p = heads[i]; *p != '\0'; p++)
            *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
        columns[count++] = (struct column){heads[i], true, false};
    }
    for (size_t i = 0; i < COLUMNS_AFTER; i++)
        columns[count++] = after[i];
    struct columns t;
    struct buf text = {0};
    columns_init(&t, columns, count, cli->colour_out);
    const struct tenant_row *rows = r->tenants.v;
    size_t top = r->tenants.count > 0 ? tenant_path_depth(rows[0].path) : 0;
    for (size_t i = 0; i < r->tenants.count; i++)
        top = MIN(top, tenant_path_depth(rows[i].path));
    for (size_t i = 0; i < r->tenants.count; i++)
        add_row(cli, &t, &rows[i], names, generics, top, clock_utc_us());
    columns_write(&t, true, 0, cli->width, &text);
    if (r->currency != NULL && r->currency[0] != '\0') {
        buf_add_str(&text, "amounts in ");
        format_safe(&text, r->currency);
        buf_add_str(&text, "; used/limit\n");
    }
    fputs(buf_text(&text), stdout);
    columns_fini(&t);
    buf_fini(&text);
}

/* ---- further budgets ---- */
static const char *unit_of(const struct tenant_budget *b, const char *currency)
{
    if (b->resource == NULL)
        return currency != NULL ? currency : "";
    if (strcmp(b->resource, "cpu") == 0)
        return "core-hours";
    return strcmp(b->resource, "memory") == 0 || strcmp(b->resource, "scratch") == 0 ? "GiB-hours" : "unit-hours";
}

static void add_budget(struct cli *cli, struct columns *t, const struct tenant_row *row, const struct tenant_budget *b,
                       const char *currency, int64_t now)
{
    struct buf text = {0};
    format_safe(columns_cell(t), row->path);
    buf_add_str(columns_cell(t), "#");
    format_safe(columns_cell(t), b->name);
    columns_next(t);
    format_cost(columns_cell(t), b->spent_micros, NULL);
    columns_next(t);
    format_cost(columns_cell(t), b->held_micros, NULL);
    columns_next(t);
    format_cost(&text, b->free_micros, NULL);
    format_styled(columns_cell(t), cli->colour_out, b->free_micros <= 0 ? STYLE_BAD : STYLE_PLAIN, buf_text(&text));
    buf_fini(&text);
    columns_next(t);
    format_cost(columns_cell(t), b->limit_micros, NULL);
    columns_next(t);
    buf_add_str(columns_cell(t), unit_of(b, currency));
    columns_next(t);
    buf_add_str(columns_cell(t), names_get(&period_kind_names, b->period));
    buf_add_str(columns_cell(t), b->soft ? ", soft" : "");
    if (b->from_utc_us > now) {
        buf_add_str(columns_cell(t), ", begins in ");
        format_span(columns_cell(t), (uint64_t)(b->from_utc_us - now));
    } else if (b->to_utc_us > now) {
        buf_add_str(columns_cell(t), ", ");
        format_span(columns_cell(t), (uint64_t)(b->to_utc_us - now));
        buf_add_str(columns_cell(t), " left");
    } else if (b->to_utc_us != 0) {
        buf_add_str(columns_cell(t), ", over");
    }
    columns_next(t);
}

static void print_budgets(struct cli *cli, const struct tenant_reply *r)
{
    static const struct column heads[] = {{"BUDGET", false, true}, {"SPENT", true, true},  {"HELD", true, false},
                                          {"FREE", true, false},   {"LIMIT", true, false}, {"IN", false, false},
                                          {"PERIOD", false, false}};
    struct columns t;
    struct buf text = {0};
    const struct tenant_row *rows = r->tenants.v;
    size_t count = 0;
    columns_init(&t, heads, COUNT_OF(heads), cli->colour_out);
    for (size_t i = 0; i < r->tenants.count; i++) {
        const struct tenant_budget *b = rows[i].budgets.v;
        for (size_t k = 0; k < rows[i].budgets.count; k++)
            if (b[k].name != NULL && ++count > 0)
                add_budget(cli, &t, &rows[i], &b[k], r->currency, clock_utc_us());
    }
    if (count > 0) {
        columns_write(&t, true, 0, cli->width, &text);
        printf("\n%s", buf_text(&text));
    }
    columns_fini(&t);
    buf_fini(&text);
}

int cmd_tenant(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    if (cli_options(cli, &tenant_options, NULL, argc, argv, &words, 0, 1) < 0)
        return CLI_USAGE;
    struct tenant_call call = {0};
    struct tenant_reply reply = {0};
    int rc = words.count > 0 ? str_set(&call.tenant, words.v[0]) : 0;
    free(words.v);
    if (rc < 0)
        return CLI_UNREACHABLE;
    int code = cli_call(cli, CALL_TENANTS, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&tenant_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_tenants(cli, &reply);
    if (code == CLI_DONE && !cli->json)
        print_budgets(cli, &reply);
    fields_clear(&tenant_call_fields, &call);
    fields_clear(&tenant_reply_fields, &reply);
    return code;
}
