/* FOCUS rows: every rule of the specification, by our own checker; figures that are the ledger's to the micro-unit. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quotas/reports/focus_lookup.h"
#include "tests/quotas/reports/focus_books.h"

/* ---- a month of everything --------------------------------------------------------------------------------------- */
static void renew_all(struct book *b)
{
    struct list lines = {0};
    struct attempt_id id = books_job(b, 1, "acme/etl", "nightly, \"big\"", NOVEMBER + 2 * DAY + 7 * MINUTE);
    add_priced(&lines, "cpu", 2500, 0, 3 * (uint64_t)HOUR + 1, 40000, 40000);
    add_priced(&lines, "memory", 3221225489, 0, 3 * (uint64_t)HOUR + 1, 5000, 4750);
    add_priced(&lines, "scratch", 10737418240, 0, 1, 0, 0);
    books_renew(b, id, NOVEMBER + 2 * DAY + 4 * HOUR, 0, lines);
    lines = (struct list){0};
    id = books_job(b, 2, "beta", "", NOVEMBER + 3 * DAY);
    struct charge *c = add_priced(&lines, "gpu", 2, 0, (uint64_t)HOUR + 333333, 2500000, 1750000);
    c->preemptible = true;
    set_text(&c->price_class, "a100");
    c = add_priced(&lines, "gpu", 1, (uint64_t)HOUR + 333333, 777, 9999999, 9999999);
    c->by = PRICE_BY_GREATER;
    books_renew(b, id, NOVEMBER + 3 * DAY + 2 * HOUR, 0, lines);
    /* An entry that doesn't explain all of its cost, and one of an older scheduler, which names no price. */
    lines = (struct list){0};
    id = books_job(b, 3, "acme", "=1+1", NOVEMBER + 4 * DAY);
    c = add_priced(&lines, RESOURCE_IO, (UINT64_C(5) << 30) + 12345, 0, 3 * (uint64_t)HOUR, 2000, 1500);
    c->by = PRICE_BY_USE;
    c = add_priced(&lines, "cpu", 1000, 0, (uint64_t)HOUR, 40000, 40000);
    c->list_price = c->price = 0;
    struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = NOVEMBER + 4 * DAY + HOUR};
    f.renewed = (struct fact_renewed){.id = id, .spent_micros = charges_micros(&lines) + 7, .charges = lines};
    journal_take(b, f);
}

/* The first line of the entry `seq` at another price. */
static struct fact fact_rerate(struct book *b, int64_t at, uint64_t seq, const char *resource, int64_t price)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT sum(micros) FROM charges c LEFT JOIN adjustments a USING(seq)"
                              " WHERE (seq = %" PRIu64 " AND line = 0) OR a.about_seq = %" PRIu64, seq, seq);
    int64_t was = journal_number(book_db(b), sql); /* as the last price has it */
    snprintf(sql, sizeof sql, "SELECT min(amount) FROM charges WHERE seq = %" PRIu64 " AND line = 0", seq);
    uint64_t amount = (uint64_t)journal_number(book_db(b), sql);
    snprintf(sql, sizeof sql, "SELECT sum(run_us) FROM charges WHERE seq = %" PRIu64 " AND line = 0", seq);
    uint64_t run_us = (uint64_t)journal_number(book_db(b), sql);
    struct fact f = fact_adjusted_of(at, "acme/etl", ADJUST_RERATE, exact_cost(resource, amount, run_us, price) - was,
                                     "the price was wrong");
    f.adjusted.about_seq = seq;
    f.adjusted.job = 1;
    f.adjusted.price_version = 2;
    f.adjusted.list_price = f.adjusted.price = price;
    set_text(&f.adjusted.resource, resource);
    return f;
}

static struct fact fact_credit(int64_t at, int64_t from, int64_t to)
{
    struct fact f = fact_adjusted_of(at, "acme/etl", ADJUST_CREDIT, -1500000, "node n7 was slow, \"sorry\"");
    f.adjusted.job = 1;
    f.adjusted.from_utc_us = from;
    f.adjusted.to_utc_us = to;
    return f;
}

/* The entry that charged job 1. */
#define FIRST_RENEWAL 5

static struct book *everything(char path[160], const char *zone)
{
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(zone, NULL));
    renew_all(b);
    journal_take(b, fact_credit(NOVEMBER + 5 * DAY, 0, 0));
    journal_take(b, fact_adjusted_of(NOVEMBER + 5 * DAY, "/", ADJUST_ADJUSTMENT, 12, ""));
    struct fact rerated = fact_rerate(b, NOVEMBER + 6 * DAY, FIRST_RENEWAL, "cpu", 50000);
    journal_take(b, rerated);
    return b;
}

/* Late usage, a late credit and a late price after November was closed. */
static void everything_late(struct book *b)
{
    struct list lines = {0};
    journal_take(b, fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER));
    struct attempt_id id = books_job(b, 4, "acme/etl", "late", DECEMBER + DAY);
    add_priced(&lines, "cpu", 1000, 0, (uint64_t)HOUR, 40000, 40000);
    struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = DECEMBER + 2 * DAY};
    f.renewed = (struct fact_renewed){.id = id, .spent_micros = charges_micros(&lines), .charges = lines};
    journal_take(b, f);
    /* That one ran in November, said its node weeks later. */
    id = (struct attempt_id){2, 0, 1};
    lines = (struct list){0};
    add_priced(&lines, "gpu", 2, 2 * (uint64_t)HOUR, 20 * (uint64_t)MINUTE, 2500000, 1750000);
    int64_t spent = journal_number(book_db(b), "SELECT spent_micros FROM attempts WHERE job = 2");
    books_renew(b, id, DECEMBER + 2 * DAY, spent, lines);
    journal_take(b, fact_credit(DECEMBER + 3 * DAY, NOVEMBER + 2 * DAY, NOVEMBER + 3 * DAY));
    journal_take(b, fact_rerate(b, DECEMBER + 3 * DAY, FIRST_RENEWAL, "cpu", 60000));
}

/* ---- the specification ------------------------------------------------------------------------------------------- */
static const struct {
    const char *what, *month, *version, *format;
} forms[] = {
    {"a month as CSV is FOCUS 1.4", "2026-11", "1.4", "csv"},
    {"and 1.2", "2026-11", "1.2", "csv"},
    {"as JSON", "2026-11", "1.4", "json"},
    {"as JSON by 1.2", "2026-11", "1.2", "json"},
    {"as lines of JSON", "2026-11", "1.4", "ndjson"},
    {"a month of corrections as CSV", "2026-12", "1.4", "csv"},
    {"and by 1.2", "2026-12", "1.2", "csv"},
    {"and as JSON", "2026-12", "1.4", "json"},
    {"an empty month has its header", "2027-01", "1.4", "csv"},
    {"also by 1.2", "2027-01", "1.2", "csv"},
    {"and as JSON its frame", "2027-01", "1.4", "json"},
    {"one long past, too", "2019-02", "1.4", "csv"},
};

START_TEST(rows_keep_every_rule)
{
    char path[160], query[160], arguments[200], sql[200];
    struct buf out = {0};
    struct book *b = everything(path, NULL);
    everything_late(b);
    snprintf(query, sizeof query, "billing_period=%s&focus_version=%s&format=%s", forms[_i].month, forms[_i].version,
             forms[_i].format);
    ck_assert_int_eq(books_ask(path, focus_answer, query, &out), 200);
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(micros), 0) FROM charges c JOIN billing_periods p USING(billing)"
                              " WHERE p.name = '%s'", forms[_i].month);
    int64_t sum = journal_number(book_db(b), sql);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM charges c JOIN billing_periods p USING(billing)"
                              " WHERE p.name = '%s'", forms[_i].month);
    snprintf(arguments, sizeof arguments, "%s--version %s --format %s --sum=%" PRId64 " --rows %" PRId64,
             strcmp(forms[_i].month, "2026-11") == 0 ? "--closed " : "", forms[_i].version, forms[_i].format, sum,
             journal_number(book_db(b), sql));
    books_check("focus_check.py", &out, arguments);
    book_close(b);
    buf_fini(&out);
}
END_TEST

/* Two nodes, one of a class; other prices from the 20th on. */
static struct book *everything_and_idle(char path[160])
{
    struct book *b = everything(path, NULL);
    journal_take(b, fact_node_joined(NOVEMBER + 6 * DAY + 123456, "n7", 4001, NULL));
    journal_take(b, fact_node_joined(NOVEMBER + 7 * DAY, "n8", 64000, "big"));
    struct fact f = books_policy(NULL, NULL);
    f.at_utc_us = NOVEMBER + 8 * DAY;
    f.policy.version = 2;
    struct price_version *v = list_add(&f.policy.prices, sizeof *v);
    ck_assert_ptr_nonnull(v);
    *v = (struct price_version){.version = 2, .from_utc_us = NOVEMBER + 19 * DAY + 1};
    must(counts_set(&v->per_hour, "cpu", 33333));
    journal_take(b, f);
    return b;
}

static int64_t total_of(const struct buf *json)
{
    const char *at = strstr(buf_text(json), "\"total_micros\":");
    ck_assert_ptr_nonnull(at);
    return strtoll(at + strlen("\"total_micros\":"), NULL, 10);
}

static const struct {
    const char *how, *format;
    bool closed;
} idles[] = {{"separate", "csv", false}, {"usage", "csv", true}, {"usage", "json", false}, {"even", "ndjson", true}};

START_TEST(idle_capacity_keeps_every_rule)
{
    char path[160], query[160], arguments[200];
    struct buf out = {0};
    struct book *b = everything_and_idle(path);
    int64_t sum = journal_number(book_db(b), "SELECT sum(micros) FROM charges");
    journal_take(b, fact_credit(DECEMBER + HOUR, 0, 0)); /* the journal has gone beyond the month */
    if (idles[_i].closed)
        journal_take(b, fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER));
    ck_assert_int_eq(books_ask(path, idle_answer, "from=2026-11-01&to=2026-12-01", &out), 200);
    int64_t idle = total_of(&out);
    ck_assert_int_gt(idle, 0);
    snprintf(query, sizeof query, "billing_period=2026-11&idle=%s&format=%s", idles[_i].how, idles[_i].format);
    ck_assert_int_eq(books_ask(path, focus_answer, query, &out), 200);
    snprintf(arguments, sizeof arguments, "%s--format %s --sum=%" PRId64 " --idle=%" PRId64,
             idles[_i].closed ? "--closed " : "", idles[_i].format, sum, idle);
    books_check("focus_check.py", &out, arguments);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "Idle cpu of nodes of class big"));
    book_close(b);
    buf_fini(&out);
}
END_TEST

/* Who is nobody can't be given anything: the rest says so. */
START_TEST(idle_capacity_of_a_month_without_charges_is_nobodys)
{
    char path[160];
    struct buf out = {0};
    struct book *b = everything_and_idle(path);
    journal_take(b, fact_node_joined(JANUARY + DAY, "n9", 1000, NULL));
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-12&idle=usage", &out), 200);
    const char *rest = "{\"\"Elements\"\":[{\"\"AllocatedRatio\"\":1.000000000}]}\",idle-by-usage-1,,,,";
    ck_assert_msg(strstr(buf_text(&out), rest) != NULL, "%s", buf_text(&out));
    books_check("focus_check.py", &out, "--sum 0");
    book_close(b);
    buf_fini(&out);
}
END_TEST

static int64_t count_of(const char *text, const char *what)
{
    int64_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* The rules allow other words, too: here they are the ledger's. */
START_TEST(what_was_posted_is_called_what_it_is)
{
    static const struct { const char *cell, *rows; } words[] = {
        {"\"ChargeCategory\":\"Usage\"", "quantity IS NOT NULL"},
        {"\"ChargeCategory\":\"Credit\"", "kind = 'credit'"},
        {"\"ChargeCategory\":\"Adjustment\"", "quantity IS NULL AND kind <> 'credit'"},
        {"\"ChargeClass\":\"Correction\"", "correction = 1"},
    };
    static const char *const months[] = {"2026-11", "2026-12"};
    char path[160], query[80], sql[240];
    struct buf out = {0};
    struct book *b = everything(path, NULL);
    everything_late(b);
    for (size_t m = 0; m < COUNT_OF(months); m++) {
        snprintf(query, sizeof query, "format=ndjson&billing_period=%s", months[m]);
        ck_assert_int_eq(books_ask(path, focus_answer, query, &out), 200);
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            snprintf(sql, sizeof sql, "SELECT count(*) FROM charges c JOIN billing_periods p USING(billing)"
                                      " WHERE p.name = '%s' AND %s", months[m], words[i].rows);
            int64_t want = journal_number(book_db(b), sql);
            ck_assert_msg(count_of(buf_text(&out), words[i].cell) == want, "%s: %" PRId64 " of %s", months[m], want,
                          words[i].cell);
        }
    }
    book_close(b);
    buf_fini(&out);
}
END_TEST

START_TEST(the_checker_finds_every_rule_broken)
{
    char path[160];
    struct buf out = {0};
    struct book *b = everything_and_idle(path);
    journal_take(b, fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER));
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11&idle=usage", &out), 200);
    books_check("focus_mutants.py", &out, "");
    book_close(b);
    buf_fini(&out);
}
END_TEST

START_TEST(months_add_up_to_the_ledger)
{
    char path[160];
    struct book *b = everything(path, NULL);
    everything_late(b);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges"),
                     journal_number(book_db(b), "SELECT sum(micros) FROM spend"));
    ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges WHERE attempt IS NOT NULL"
                                                " AND kind <> 'rerate'"),
                     journal_number(book_db(b), "SELECT sum(spent_micros) FROM attempts"));
    ck_assert_int_eq(journal_number(book_db(b), "SELECT count(*) FROM charges WHERE billing NOT IN"
                                                " (SELECT billing FROM billing_periods)"), 0);
    book_close(b);
}
END_TEST

START_TEST(the_months_themselves_keep_every_rule)
{
    static const char *const formats[] = {"csv", "json", "ndjson"};
    char path[160], arguments[100], query[40];
    struct buf out = {0};
    struct book *b = everything(path, NULL);
    everything_late(b);
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        snprintf(query, sizeof query, "format=%s", formats[i]);
        snprintf(arguments, sizeof arguments, "--dataset periods --rows 2 --format %s", formats[i]);
        ck_assert_int_eq(books_ask(path, focus_periods_answer, query, &out), 200);
        books_check("focus_check.py", &out, arguments);
    }
    ck_assert_int_eq(books_ask(path, focus_periods_answer, "", &out), 200);
    const char *closed = "2026-11-02T00:00:00Z,2026-12-01T00:00:00Z,2026-12-02T00:00:00Z,2026-11-01T00:00:00Z,Closed,"
                         "Reeve (test),2026-11,";
    ck_assert_msg(strstr(buf_text(&out), closed) != NULL, "%s", buf_text(&out));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), ",Open,Reeve (test),2026-12,,"));
    book_close(b);
    buf_fini(&out);
}
END_TEST

/* ---- figures ----------------------------------------------------------------------------------------------------- */
static const struct {
    focus_wide value;
    uint32_t scale;
    const char *text;
} decimals[] = {
    {0, 0, "0"}, {0, 6, "0.000000"}, {1, 6, "0.000001"}, {-1, 6, "-0.000001"}, {1000000, 6, "1.000000"},
    {INT64_MAX, 6, "9223372036854.775807"}, {INT64_MIN, 6, "-9223372036854.775808"},
    {INT64_MAX, 9, "9223372036.854775807"}, {INT64_MAX, 0, "9223372036854775807"},
    {(focus_wide)INT64_MAX * 10000000000, 15, "92233720368547.758070000000000"},
    {(focus_wide)INT64_MIN * 10000000000, 15, "-92233720368547.758080000000000"},
    {(focus_wide)1 << 120, 15, "1329227995784915872903.807060280344576"},
};

START_TEST(decimals_are_exact)
{
    char out[FOCUS_NUMBER_MAX];
    size_t len = focus_decimal(out, decimals[_i].value, decimals[_i].scale);
    bool same = len == strlen(decimals[_i].text) && memcmp(out, decimals[_i].text, len) == 0;
    ck_assert_msg(same, "%.*s, not %s", (int)len, out, decimals[_i].text);
}
END_TEST

static const struct { int64_t utc_us; const char *text; } instants[] = {
    {0, "1970-01-01T00:00:00Z"}, {-1, "1969-12-31T23:59:59Z"}, {999999, "1970-01-01T00:00:00Z"},
    {NOVEMBER, "2026-11-01T00:00:00Z"}, {INT64_C(1709251199999999), "2024-02-29T23:59:59Z"},
};

START_TEST(instants_are_whole_seconds)
{
    char out[FOCUS_TIME_LEN];
    focus_time(out, instants[_i].utc_us);
    ck_assert_msg(memcmp(out, instants[_i].text, FOCUS_TIME_LEN) == 0, "%.20s", out);
}
END_TEST

/* Random slices of one attempt: whatever the cuts, the pieces are the whole, in money and in quantity. */
START_TEST(pieces_add_up_to_the_whole)
{
    static const char *const resources[] = {"cpu", "memory", "gpu"};
    uint64_t seed = random_seed("pieces");
    for (uint64_t round = 0; round < 20; round++) {
        char path[160];
        struct book *b = journal_book(journal_path(path));
        journal_take(b, books_policy(NULL, NULL));
        const char *resource = resources[random_below(&seed, COUNT_OF(resources))];
        uint64_t amount = 1 + random_below(&seed, 1 << (10 + random_below(&seed, 12))); /* its cost stays money */
        amount <<= strcmp(resource, "memory") == 0 ? 20 : 0;
        int64_t price = (int64_t)random_below(&seed, 3000000), spent = 0;
        struct attempt_id id = books_job(b, 1, "acme", "x", NOVEMBER + 26 * DAY + (int64_t)random_below(&seed, DAY));
        uint64_t at = 0;
        for (int i = 0; i < 20; i++) {
            struct list lines = {0};
            uint64_t run_us = 1 + random_below(&seed, random_below(&seed, 4) == 0 ? 12 * HOUR : 20 * MINUTE);
            add_priced(&lines, resource, amount, at, run_us, price, price);
            spent = books_renew(b, id, NOVEMBER + 30 * DAY + (int64_t)at, spent, lines);
            at += run_us;
        }
        ck_assert_int_eq(spent, exact_cost(resource, amount, at, price));
        ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges"), spent);
        ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(quantity) FROM charges"),
                         exact_cost(resource, amount, at, 1000000000));
        ck_assert_int_eq(journal_number(book_db(b), "SELECT count(*) FROM charges"
                                                    " WHERE to_utc_us - from_utc_us <> run_us"
                                                    " OR from_utc_us / 900000000 <> (to_utc_us - 1) / 900000000"), 0);
        book_close(b);
    }
}
END_TEST

/* Every zone's midnight is a place where lines are cut: also at offsets of three quarters. */
START_TEST(a_local_midnight_cuts_the_line)
{
    static const char *const zones[] = {"Asia/Kathmandu", "Australia/Eucla", "America/St_Johns", "Europe/Berlin"};
    char path[160], sql[200];
    struct list lines = {0};
    struct err err = {0};
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    struct attempt_id id = books_job(b, 1, "acme", "x", NOVEMBER + 2 * DAY + 3 * MINUTE);
    add_priced(&lines, "cpu", 1000, 0, 3 * (uint64_t)DAY, 40000, 40000);
    books_renew(b, id, NOVEMBER + 6 * DAY, 0, lines);
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct zone_table z;
        ck_assert_msg(zone_read(zones[i], &z, &err) == 0, "%s", err_text(&err));
        int64_t midnight = zone_day_begin(&z, zone_day(&z, NOVEMBER + 4 * DAY));
        snprintf(sql, sizeof sql, "SELECT count(*) FROM charges WHERE from_utc_us = %" PRId64, midnight);
        ck_assert_msg(journal_number(book_db(b), sql) == 1, "%s", zones[i]);
        fields_clear(&zone_table_fields, &z);
    }
    book_close(b);
}
END_TEST

/* ---- who sees what, and bad questions ---------------------------------------------------------------------------- */
START_TEST(another_tenants_rows_never_change_a_byte)
{
    char path[160], subtree[] = "acme", *subtrees[] = {subtree};
    struct viewer viewer = {.scopes = SCOPE_COST, .subtrees = {subtrees, 1}};
    struct buf before = {0}, after = {0};
    struct book *b = everything(path, NULL);
    ck_assert_int_eq(books_ask_as(path, &viewer, focus_answer, "billing_period=2026-11", &before), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&before), "acme/etl"));
    ck_assert_ptr_null(strstr(buf_text(&before), "beta"));
    struct list lines = {0};
    struct attempt_id id = books_job(b, 9, "beta", "more", NOVEMBER + 6 * DAY);
    add_priced(&lines, "cpu", 1000, 0, (uint64_t)DAY, 40000, 40000);
    books_renew(b, id, NOVEMBER + 8 * DAY, 0, lines);
    ck_assert_int_eq(books_ask_as(path, &viewer, focus_answer, "billing_period=2026-11", &after), 200);
    ck_assert_str_eq(buf_text(&before), buf_text(&after));
    ck_assert_int_eq(books_ask_as(path, &viewer, focus_answer, "billing_period=2026-11&tenant=beta", &after), 404);
    ck_assert_int_eq(books_ask_as(path, &viewer, focus_answer, "billing_period=2026-11&idle=even", &after), 403);
    ck_assert_int_eq(books_ask_as(path, &viewer, focus_answer, "billing_period=2026-11&tenant=acme/etl", &after), 200);
    ck_assert_ptr_null(strstr(buf_text(&after), ",=1+1,"));
    book_close(b);
    buf_fini(&before);
    buf_fini(&after);
}
END_TEST

static const struct { const char *what; report_fn *fn; const char *query, *says; } refused[] = {
    {"no month", focus_answer, "", "billing_period: is missing"},
    {"a day", focus_answer, "billing_period=2026-11-01", "is no month"},
    {"month 13", focus_answer, "billing_period=2026-13", "is no month"},
    {"month 0", focus_answer, "billing_period=2026-00", "is no month"},
    {"a year that isn't written out", focus_answer, "billing_period=26-11", "is no month"},
    {"signs for digits", focus_answer, "billing_period=-026-11", "is no month"},
    {"an unknown version", focus_answer, "billing_period=2026-11&focus_version=1.3", "focus_version: '1.3' is none"},
    {"an unknown format", focus_answer, "billing_period=2026-11&format=xlsx", "format: 'xlsx' is none"},
    {"what is no tenant", focus_answer, "billing_period=2026-11&tenant=..", "is not a tenant's path"},
    {"a tenant that isn't there", focus_answer, "billing_period=2026-11&tenant=gamma", "no such tenant"},
    {"an unknown parameter", focus_answer, "billing_period=2026-11&month=1", "month: there is no such parameter"},
    {"what is done with idle capacity", focus_answer, "billing_period=2026-11&idle=share", "idle: 'share' is none"},
    {"idle capacity of a tenant", focus_answer, "billing_period=2026-11&idle=usage&tenant=acme", "the whole cell's"},
    {"idle capacity by 1.2", focus_answer, "billing_period=2026-11&idle=usage&focus_version=1.2", "1.2 has no columns"},
    {"a schema of no month", focus_schema_answer, "billing_period=2026-13", "is no month"},
    {"a format of months", focus_periods_answer, "format=xml", "format: 'xml' is none"},
    {"an unknown dataset", focus_schema_answer, "dataset=invoice-detail", "dataset: 'invoice-detail' is none"},
    {"a dataset that 1.2 hasn't", focus_schema_answer, "dataset=billing-period&focus_version=1.2", "1.2 has no"},
};

START_TEST(a_bad_question_is_refused_by_name)
{
    char path[160];
    struct buf out = {0};
    struct book *b = everything(path, NULL);
    ck_assert_int_ne(books_ask(path, refused[_i].fn, refused[_i].query, &out), 200);
    ck_assert_msg(strstr(buf_text(&out), refused[_i].says) != NULL, "%s: %s", refused[_i].what, buf_text(&out));
    book_close(b);
    buf_fini(&out);
}
END_TEST

START_TEST(the_schema_says_what_the_export_has)
{
    static const char *const versions[] = {"1.4", "1.2"};
    char path[160], query[80];
    struct buf schema = {0}, rows = {0};
    struct book *b = everything(path, NULL);
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        snprintf(query, sizeof query, "focus_version=%s", versions[v]);
        ck_assert_int_eq(books_ask(path, focus_schema_answer, query, &schema), 200);
        snprintf(query, sizeof query, "billing_period=2030-01&focus_version=%s", versions[v]);
        ck_assert_int_eq(books_ask(path, focus_answer, query, &rows), 200);
        size_t columns = 0, defined = 0;
        const char *at = buf_text(&schema);
        for (const char *name = buf_text(&rows); *name != '\0'; name += strspn(name, ",\r\n"), columns++) {
            char wanted[80];
            size_t len = strcspn(name, ",\r\n");
            snprintf(wanted, sizeof wanted, "\"ColumnName\":\"%.*s\"", (int)len, name);
            name += len;
            at = strstr(at, wanted); /* in the same order */
            ck_assert_msg(at != NULL, "%s", wanted);
        }
        for (at = buf_text(&schema); (at = strstr(at, "ColumnName")) != NULL; at++)
            defined++;
        ck_assert_uint_eq(columns, defined);
        ck_assert_ptr_nonnull(strstr(buf_text(&schema), "\"ProviderTagPrefixes\":[]"));
    }
    book_close(b);
    buf_fini(&schema);
    buf_fini(&rows);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------------------------ */
/* The peak of this process' memory since it was last reset. */
static int64_t peak_kib(void)
{
    struct buf text = {0};
    struct err err = {0};
    ck_assert_int_eq(file_read("/proc/self/status", 8192, &text, &err), 0);
    const char *at = strstr(buf_text(&text), "VmHWM:");
    int64_t kib = at != NULL ? strtoll(at + 6, NULL, 10) : 0;
    buf_fini(&text);
    return kib;
}

static int64_t export_peak_kib(const char *path, int64_t *ret_rows)
{
    const struct viewer all = {.all = true, .scopes = SCOPE_COST};
    struct report report = {.database = path, .cell = "test"};
    struct params params = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct err err = {0};
    struct buf out = {0};
    struct ask ask = {.viewer = &all, .params = &params};
    ck_assert_int_eq(params_parse("billing_period=2026-11", &params, &problem), 0);
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, "5", 1) == 1);
    close(fd);
    ck_assert_msg(focus_answer(&report, &ask, &answer, &problem) == 0, "%s", problem.detail);
    int r;
    for (*ret_rows = -1; (r = answer.rows->next(answer.rows, &out, &err)) == 1; ++*ret_rows)
        buf_reset(&out);
    ck_assert_msg(r == 0, "%s", err_text(&err));
    answer.rows->free(answer.rows);
    buf_fini(&out);
    params_fini(&params);
    ask_fini(&ask);
    return peak_kib();
}

START_TEST(memory_does_not_grow_with_the_rows)
{
    /* REEVE_LONG=1: ten million. */
    bool is_long = getenv("REEVE_LONG") != NULL;
    int64_t rows = is_long ? 10000000 : 300000, got;
    char path[160];
    struct book *b = everything(path, NULL);
    books_multiply(b, 100000); /* SQLite's caches are full then */
    int64_t small = export_peak_kib(path, &got);
    books_multiply(b, rows);
    int64_t large = export_peak_kib(path, &got);
    printf("export: %" PRId64 " rows, peak %" PRId64 " KiB (100000 rows: %" PRId64 ")\n", got, large, small);
    ck_assert_int_gt(got, rows);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    ck_assert_int_lt(large, 64 << 10);
    ck_assert_int_lt(large - small, 8 << 10);
#endif
    book_close(b);
}
END_TEST

static Suite *focus_suite(void)
{
    Suite *s = suite_create("focus");
    TCase *t = tcase_create("focus");
    tcase_add_loop_test(t, rows_keep_every_rule, 0, COUNT_OF(forms));
    tcase_add_loop_test(t, idle_capacity_keeps_every_rule, 0, COUNT_OF(idles));
    tcase_add_test(t, idle_capacity_of_a_month_without_charges_is_nobodys);
    tcase_add_test(t, what_was_posted_is_called_what_it_is);
    tcase_add_test(t, the_checker_finds_every_rule_broken);
    tcase_add_test(t, months_add_up_to_the_ledger);
    tcase_add_test(t, the_months_themselves_keep_every_rule);
    tcase_add_loop_test(t, decimals_are_exact, 0, COUNT_OF(decimals));
    tcase_add_loop_test(t, instants_are_whole_seconds, 0, COUNT_OF(instants));
    tcase_add_test(t, pieces_add_up_to_the_whole);
    tcase_add_test(t, a_local_midnight_cuts_the_line);
    tcase_add_test(t, another_tenants_rows_never_change_a_byte);
    tcase_add_loop_test(t, a_bad_question_is_refused_by_name, 0, COUNT_OF(refused));
    tcase_add_test(t, the_schema_says_what_the_export_has);
    suite_add_tcase(s, t);
    t = tcase_create("memory");
    tcase_set_timeout(t, getenv("REEVE_LONG") != NULL ? 900 : 60);
    tcase_add_test(t, memory_does_not_grow_with_the_rows);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    journal_top_make();
    return journal_run(focus_suite());
}
