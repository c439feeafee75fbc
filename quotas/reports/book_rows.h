/*
 * book_rows - the inside of the book: prepared statements by name, and one function per kind of fact.
 * Only book*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_BOOK_ROWS_H
#define REEVE_QUOTAS_REPORTS_BOOK_ROWS_H

#include "quotas/reports/book.h"
#include "quotas/reports/book_billing.h"
#include "quotas/reports/db.h"

enum book_sql {
    SQL_META_LOAD,
    SQL_META_SAVE,
    SQL_META_COUNT,
    SQL_META_CURRENCY,
    SQL_JOB_ADD,
    SQL_JOB_CANCEL,
    SQL_JOB_LEFT_OUT,
    SQL_JOB_HOLD,
    SQL_JOB_PLACED,
    SQL_JOB_ENDED,
    SQL_JOB_SPENT,
    SQL_JOB_DONE,
    SQL_JOB_TENANT,
    SQL_END_COUNT,
    SQL_CAUSE_COUNT,
    SQL_ATTEMPT_ADD,
    SQL_ATTEMPT_FIND,
    SQL_ATTEMPT_STATE,
    SQL_ATTEMPT_STARTED,
    SQL_ATTEMPT_RENEWED,
    SQL_ATTEMPT_STOPPING,
    SQL_ATTEMPT_ENDED,
    SQL_ATTEMPT_IO,
    SQL_ATTEMPT_IO_CHARGED,
    SQL_IO_CHARGED,
    SQL_IO_DAY_ADD,
    SQL_SET_FIND,
    SQL_SET_ADD,
    SQL_SET_MEMBER,
    SQL_PATH_FIND,
    SQL_PATH_ADD,
    SQL_PRICE_FIND,
    SQL_CHARGE_ADD,
    SQL_CHARGE_FROM,
    SQL_SPEND_ADD,
    SQL_HOUR_ADD,
    SQL_ADJUSTED_ADD,
    SQL_ADJUSTED_LAST,
    SQL_BILLING_LOAD,
    SQL_BILLING_RULE,
    SQL_BILLING_UNTIL,
    SQL_BILLING_FIND,
    SQL_BILLING_ADD,
    SQL_BILLING_STRETCH,
    SQL_BILLING_CLOSE,
    SQL_BILLING_CLEAR,
    SQL_ZONE_FIND,
    SQL_ZONE_SET,
    SQL_POLICY_ADD,
    SQL_TENANT_SET,
    SQL_TENANT_REMOVE,
    SQL_TENANT_RULE,
    SQL_SETS_MOVE,
    SQL_MEMBERS_MOVE,
    SQL_CLOSED_ADD,
    SQL_CLOSED_FIND,
    SQL_CLOSED_MOVE,
    SQL_USERS_CLEAR,
    SQL_USER_ADD,
    SQL_ADMINS_CLEAR,
    SQL_ADMIN_ADD,
    SQL_PRICES_WITHDRAW,
    SQL_PRICE_VERSION,
    SQL_PRICES_CLEAR,
    SQL_PRICE_ADD,
    SQL_SPAN_OPEN,
    SQL_SPAN_END,
    SQL_SPAN_ADD,
    SQL_EVENT_ADD,
    SQL_EVENT_NEXT,
    SQL_HOOK_LOAD,
    SQL_HOOK_SAVE,
    BOOK_SQL_COUNT
};
extern const char *const book_sql_text[BOOK_SQL_COUNT];

struct book {
    sqlite3 *db;
    char cell[64];
    int lock;
    struct book_mark mark, committed;
    bool begun;
    bool stale; /* what is kept in memory is of a transaction that was rolled back */
    struct buf scratch;
    struct book_billing billing;
    sqlite3_stmt *sql[BOOK_SQL_COUNT];
};

/* Where a charge belongs; read from the attempt's row before it is changed. */
struct book_attempt {
    int64_t row, spent_micros, started_utc_us; /* started: or placed, when it was never seen running */
    int64_t accounts;
    bool ended;
};

/* db_bind + db_run of a named statement; the number of rows it changed, or -errno. */
int book_run(struct book *b, enum book_sql which, struct err *err, const char *shape, ...) MUST_USE;
/* For statements that must have changed a row: 0, the failure, or -EPROTO "<what> is not known". */
int book_known(int changed, struct err *err, const char *what, uint64_t id) MUST_USE;

/* One per kind of fact. */
typedef int book_fn(struct book *b, uint64_t seq, const struct fact *fact, struct err *err);
book_fn book_policy_set, book_tenant_moved, book_accounts_closed, book_job_submitted, book_tasks_cancelled,
    book_task_held, book_task_released;
book_fn book_attempt_placed, book_attempt_running, book_hold_renewed, book_attempt_stopping, book_attempt_unreachable,
    book_attempt_reached, book_attempt_ended, book_ledger_adjusted, book_period_closed;

book_fn book_node_joined, book_node_lost;
/* After the fact's own rows: what others are told of it. */
book_fn book_event;

/* Posts the growth to `spent_micros` as charge rows. */
int book_charge(struct book *b, uint64_t seq, struct attempt_id id, const struct book_attempt *attempt,
                const struct list *charges, int64_t spent_micros, int64_t at_utc_us, struct err *err) MUST_USE;
/* How much of its node's count is charged, as the renewal's marks say. */
int book_io_settled(struct book *b, int64_t attempt, const struct list *marks, struct err *err) MUST_USE;
/* It has ended and all is charged: its bytes go into the sums of its node's day. */
int book_io_ended(struct book *b, int64_t attempt, const struct fact *fact, struct err *err) MUST_USE;
/* A row of charges. Texts are borrowed. */
struct book_line {
    uint64_t seq;
    uint32_t line;             /* which charge of the entry */
    const char *kind;          /* "usage", or of a person: adjust_kind_names */
    int64_t attempt;           /* row; 0 = none */
    uint64_t job;              /* 0 = none */
    int64_t tenant, accounts;  /* rows */
    const char *resource, *price_class; /* class: NULL = none */
    uint32_t price_version, by;
    bool preemptible, measured;
    int64_t list_price, price;
    uint64_t amount;
    int64_t quantity;          /* billionths of an hour of a core, GiB or unit, when measured */
    uint64_t from_run_us, run_us;
    int64_t from_utc_us, to_utc_us, micros;
};
/* Posts it to the billing month where it belongs. */
int book_line_add(struct book *b, const struct book_line *line, struct err *err) MUST_USE;
/* The number of a tenant's path, made when new. */
int book_path(struct book *b, const char *path, int64_t *ret, struct err *err) MUST_USE;
/* What the first `us` of `whole` us of something are of its `total`; rounded on the cumulative. */
int64_t book_part(int64_t total, uint64_t us, uint64_t whole);
/* The number of a set of accounts, made when new. */
int book_accounts(struct book *b, const struct strs *names, int64_t *ret, struct err *err) MUST_USE;

#endif
