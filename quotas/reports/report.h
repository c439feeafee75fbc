/*
 * report - what one reportd has, and what an answer to one request is made of. Everything that answers (cost, budgets,
 * prices, metrics, page, ledger check) has the shape report_fn and knows nothing of HTTP.
 *
 * Ownership: a request's reader connection is in a snapshot of its own; as_of is the cursor in that snapshot. An answer
 *            is a body, or rows that are drawn one by one as the peer takes them (and own the connection then).
 */
#ifndef REEVE_QUOTAS_REPORTS_REPORT_H
#define REEVE_QUOTAS_REPORTS_REPORT_H

#include "base/proto.h"
#include "quotas/reports/db.h"
#include "quotas/reports/follow.h"
#include "quotas/reports/page_token.h"
#include "quotas/reports/params.h"
#include "quotas/reports/tokens.h"

#define REPORT_QUERY_MS 10000 /* run time of one question inside SQLite; it holds up the follower meanwhile */

/* The store's accounts as last read: served, marked stale, while the store is away. */
struct budgets {
    struct list accounts; /* struct store_account, by name */
    int64_t at_utc_us;    /* 0 = never read */
    uint64_t at_boot_us;
    bool stale;
    struct err why;
};

struct report {
    const char *database; /* path of reeve.sqlite */
    const char *cell;
    struct book *book;
    struct link *link;
    struct follow *follow;
    struct tell *tell;
    struct webhooks *webhooks; /* NULL = none */
    struct tokens tokens;
    struct budgets budgets;
    uint8_t page_key[PAGE_KEY_BYTES];
    uint64_t requests_total, refused_total, streams, relays, connections, connections_dropped_total;
};

struct ask {
    const struct viewer *viewer;
    const struct params *params;
    const char *path;       /* of the request */
    const char *path_tenant; /* a tenant's path in it, "" = none; unchecked */
    sqlite3 *db;            /* reader, in its snapshot */
    struct db_clock *clock; /* of that reader */
    uint64_t as_of;
    int64_t as_of_utc_us;   /* 0 = not known: of an older state */
    char currency[8];
    int64_t now_utc_us;
};

/* Rows drawn one by one. next: 1 = a row was written, 0 = the end was written, -errno. */
struct rows {
    int (*next)(struct rows *r, struct buf *out, struct err *err);
    void (*free)(struct rows *r);
};

struct answer {
    int status;               /* 0 = 200 */
    const char *content_type; /* NULL = application/json */
    struct buf body;
    struct rows *rows;        /* or this; it has taken ask->db */
    char next_page[PAGE_TOKEN_MAX]; /* "" = there is none */
};

/* 0: answered. Negative: the problem says why. */
typedef int report_fn(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem);
report_fn cost_answer, top_answer, waste_answer, units_answer, idle_answer, allocation_answer, anomalies_answer,
    forecast_answer;
report_fn budgets_answer, prices_answer, metrics_answer, page_answer, check_answer, health_answer;
report_fn focus_answer, focus_periods_answer, focus_schema_answer;
/* Is what is asked for a closed month's, so that its answer never changes? Then since which entry. */
bool focus_is_final(const struct ask *ask, uint64_t *ret_seq);

/* What check_answer says, for the other door. Negative: there is no comparison now. */
int check_books(struct report *report, const struct ask *ask, struct check_reply *ret, struct err *err) MUST_USE;

/* Opens a reader for a question: snapshot, as_of, currency. ask_fini() also when it failed. */
int ask_open(struct ask *ask, const struct report *report, struct problem *problem) MUST_USE;
void ask_fini(struct ask *ask);
/* 503 for a failure of SQLite. Returns -EINVAL. */
int ask_failed(struct problem *problem, const struct err *why);
/* Pins what is asked to an older state of the journal. 400 beyond what there is. */
int ask_pin(struct ask *ask, uint64_t as_of, struct problem *problem) MUST_USE;
/* "as_of":7,"as_of_time":"...","currency":"EUR", with a comma behind. */
void ask_json(const struct ask *ask, struct buf *out);
/* 404 unless the viewer sees this tenant and it exists: one answer for both, so nobody learns of others. */
int ask_tenant(const struct ask *ask, const char *tenant, struct problem *problem) MUST_USE;

/* ---- budgets, for whoever shows them ---- */
struct budget_row {
    char *tenant, *account, *period;
    char *budget, *resource; /* its name, NULL = the tenant's `budget`; whose time, NULL = money */
    bool current;            /* the period that holds now */
    bool soft;
    int64_t limit_micros, spent_micros, held_micros; /* limit -1 = none */
};
/* Reads the store unless the last reading is younger than max_age_ms; a failure leaves the old one, marked stale. */
void budgets_refresh(struct report *report, uint64_t max_age_ms);
/* What the viewer may see, by tenant then period; with budgets that have no account yet. */
int budgets_rows(const struct report *report, const struct ask *ask, struct list *ret, struct err *err) MUST_USE;
void budgets_rows_clear(struct list *rows);

#endif
