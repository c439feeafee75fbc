/*
 * focus_books - books with a few months of everything that is ever charged, and exports of them, for the tests of
 * billing months and FOCUS rows.
 */
#ifndef REEVE_TESTS_QUOTAS_REPORTS_FOCUS_BOOKS_H
#define REEVE_TESTS_QUOTAS_REPORTS_FOCUS_BOOKS_H

#include <inttypes.h>

#include "base/io/zone.h"
#include "quotas/money.h"
#include "quotas/reports/focus_rows.h"
#include "tests/quotas/reports/journal.h"

#define US INT64_C(1000000)
#define MINUTE (60 * US)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NOVEMBER INT64_C(1793491200000000) /* 2026-11-01T00:00:00Z */
#define DECEMBER INT64_C(1796083200000000)
#define JANUARY INT64_C(1798761600000000)  /* of 2027 */

/* What `amount` of a resource for `run_us` costs at a price, rounded half to even: one shot. */
static inline int64_t exact_cost(const char *resource, uint64_t amount, uint64_t run_us, int64_t price)
{
    money_wide n = (money_wide)amount * run_us * (uint64_t)price, unit = 3600;
    unit *= 1000000;
    if (strcmp(resource, RESOURCE_IO) == 0) { /* moved, all of it in one line from 0 on */
        n = run_us > 0 ? (money_wide)amount * (uint64_t)price : 0;
        unit = 1;
    }
    unit *= strcmp(resource, "cpu") == 0 ? 1000 : strcmp(resource, "gpu") == 0 ? 1 : 1 << 30;
    money_wide whole = n / unit, rest = n % unit * 2;
    return (int64_t)(whole + (rest > unit || (rest == unit && whole % 2 == 1)));
}

static inline struct charge *add_priced(struct list *charges, const char *resource, uint64_t amount, uint64_t from_us,
                                        uint64_t run_us, int64_t list_price, int64_t price)
{
    struct charge *c = list_add(charges, sizeof *c);
    ck_assert_ptr_nonnull(c);
    *c = (struct charge){.amount = amount, .from_run_us = from_us, .run_us = run_us, .list_price = list_price,
                         .price = price, .price_version = 1};
    set_text(&c->resource, resource);
    c->micros = exact_cost(resource, amount, from_us + run_us, price) - exact_cost(resource, amount, from_us, price);
    return c;
}

static inline int64_t charges_micros(const struct list *charges)
{
    int64_t sum = 0;
    for (size_t i = 0; i < charges->count; i++)
        sum += ((const struct charge *)charges->v)[i].micros;
    return sum;
}

static inline struct fact books_policy(const char *zone, const char *issuer)
{
    struct fact f = fact_policy(NOVEMBER + DAY);
    struct err err = {0};
    set_text(&f.policy.currency, "EUR");
    fact_tenant(&f, "acme");
    fact_tenant(&f, "acme/etl");
    fact_tenant(&f, "beta");
    f.policy.set_prices = true;
    struct price_version *v = list_add(&f.policy.prices, sizeof *v);
    ck_assert_ptr_nonnull(v);
    *v = (struct price_version){.version = 1};
    must(counts_set(&v->per_hour, "cpu", 40000));
    must(counts_set(&v->per_hour, "memory", 5000));
    f.policy.set_billing = true;
    f.policy.billing.present = true;
    if (issuer != NULL)
        set_text(&f.policy.billing.issuer, issuer);
    if (zone != NULL) {
        set_text(&f.policy.billing.zone, zone);
        struct zone_table *z = list_add(&f.policy.zones, sizeof *z);
        ck_assert_msg(z != NULL && zone_read(zone, z, &err) == 0, "%s", err_text(&err));
    }
    return f;
}

/* A job and its attempt, running from `at` on; what it charges comes later. */
static inline struct attempt_id books_job(struct book *b, uint64_t job, const char *tenant, const char *name,
                                          int64_t at)
{
    struct attempt_id id = {job, 0, 1};
    struct fact f = fact_job(job, tenant, "alice", name, 1);
    f.at_utc_us = at;
    if (job % 2 == 1) {
        must(pairs_set(&f.submitted.spec.labels, "team", "a,b \"c\""));
        must(pairs_set(&f.submitted.spec.labels, "pipeline", "n\xc3\xa4htlich"));
    }
    journal_take(b, f);
    journal_take(b, fact_placed_on(id, at, (const char *const[]){"/@total", NULL}));
    journal_take(b, fact_running_at(id, at));
    return id;
}

/* One renewal that charges these lines; returns what was spent so far. `charges` is taken. */
static inline int64_t books_renew(struct book *b, struct attempt_id id, int64_t at, int64_t spent, struct list charges)
{
    struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = at};
    f.renewed.id = id;
    f.renewed.spent_micros = spent + charges_micros(&charges);
    f.renewed.charges = charges;
    must(strs_add(&f.renewed.accounts, "/@total"));
    spent = f.renewed.spent_micros;
    journal_take(b, f);
    return spent;
}

static inline struct fact fact_adjusted_of(int64_t at, const char *tenant, uint32_t kind, int64_t micros,
                                           const char *reason)
{
    static unsigned number;
    char key[32];
    struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = at};
    snprintf(key, sizeof key, "adjust-%u", ++number);
    f.adjusted.kind = kind;
    f.adjusted.micros = micros;
    set_text(&f.adjusted.key, key);
    set_text(&f.adjusted.tenant, tenant);
    set_text(&f.adjusted.who, "root");
    set_text(&f.adjusted.reason, reason);
    must(strs_add(&f.adjusted.accounts, "/@total"));
    return f;
}

static inline struct fact fact_closed(int64_t at, const char *period, int64_t from, int64_t to)
{
    struct fact f = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = at, .period_closed = {NULL, from, to}};
    set_text(&f.period_closed.period, period);
    return f;
}

static inline struct fact fact_node_joined(int64_t at, const char *node, uint64_t cpu_milli, const char *class)
{
    struct fact f = {.kind = FACT_NODE_JOINED, .at_utc_us = at};
    set_text(&f.joined.node, node);
    f.joined.capacity.cpu_milli = cpu_milli;
    f.joined.capacity.mem_bytes = UINT64_C(7) << 30;
    if (class != NULL)
        must(pairs_set(&f.joined.labels, PRICE_CLASS_LABEL, class));
    return f;
}

/* The entry that a fact got, when it was the last one taken. */
static inline uint64_t books_seq(const struct book *b)
{
    return book_next(b) - 1;
}

/* Asks like a peer would: "billing_period=2026-11&format=csv". The status; 200 with everything in `out`. */
static inline int books_ask_as(const char *path, const struct viewer *viewer, report_fn *fn, const char *query,
                               struct buf *out)
{
    struct report report = {.database = path, .cell = "test"};
    struct params params = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct err err = {0};
    struct ask ask = {.viewer = viewer, .params = &params};
    int r = params_parse(query, &params, &problem);
    if (r == 0)
        r = ask_open(&ask, &report, &problem);
    if (r == 0)
        r = fn(&report, &ask, &answer, &problem);
    buf_reset(out);
    if (r == 0 && answer.rows != NULL) {
        int more = 1;
        while (more == 1)
            more = answer.rows->next(answer.rows, out, &err);
        ck_assert_msg(more == 0, "%s", err_text(&err));
        answer.rows->free(answer.rows);
    } else if (r == 0) {
        buf_add(out, answer.body.data, answer.body.len);
    } else {
        buf_add_str(out, problem.detail);
    }
    ck_assert(!out->failed);
    buf_fini(&answer.body);
    ask_fini(&ask);
    params_fini(&params);
    return r == 0 ? 200 : problem.status;
}

static inline int books_ask(const char *path, report_fn *fn, const char *query, struct buf *out)
{
    const struct viewer all = {.all = true, .scopes = SCOPE_COST};
    return books_ask_as(path, &all, fn, query, out);
}

/* As many lines as wanted, of as many attempts as a busy month has at once. */
static inline void books_multiply(struct book *b, int64_t rows)
{
    char sql[1200];
    struct err err = {0};
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %" PRId64 ")"
             " INSERT INTO charges(seq, line, kind, attempt, job, tenant, billing, correction, resource, price_version,"
             " price_class, preemptible, charged_by, list_price, price, amount, quantity, from_run_us, run_us,"
             " from_utc_us, to_utc_us, accounts, micros)"
             " SELECT seq + i, line, kind, attempt, job, tenant, billing, correction, resource, price_version,"
             " price_class, preemptible, charged_by, list_price, price, amount, quantity, from_run_us, run_us,"
             " from_utc_us, to_utc_us, accounts, micros FROM n JOIN charges c ON c.charge = 1 + i %% 9;"
             "UPDATE billing_periods SET last_charge = (SELECT max(charge) FROM charges)", rows);
    ck_assert_msg(db_exec(book_db(b), sql, &err) == 0, "%s", err_text(&err));
}

/* Runs a script of this folder over `text`; its output belongs to the message when it isn't content. */
static inline void books_check(const char *script, const struct buf *text, const char *arguments)
{
    char file[200], command[600], said[4096] = "";
    snprintf(file, sizeof file, "%s/focus-XXXXXX", journal_top);
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, text->data, text->len), 0);
    close(fd);
    snprintf(command, sizeof command, "python3 tests/quotas/reports/%s %s %s 2>&1", script, file, arguments);
    FILE *p = popen(command, "r"); /* lint: allow our own words */
    ck_assert_ptr_nonnull(p);
    size_t n = fread(said, 1, sizeof said - 1, p);
    said[n] = '\0';
    int status = pclose(p);
    ck_assert_msg(status == 0, "%s %s: %s", script, arguments, said);
    unlink(file);
}

#endif
