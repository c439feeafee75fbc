/*
 * book_rows - the inside of the book: prepared statements by name, and one function per kind of fact.
 * Only book*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_BOOK_ROWS_H
#define REEVE_QUOTAS_REPORTS_BOOK_ROWS_H

#include "quotas/reports/book.h"
#include "quotas/reports/db.h"

enum book_sql {
    SQL_META_LOAD,
    SQL_META_SAVE,
    SQL_META_COUNT,
    SQL_META_CURRENCY,
    SQL_JOB_ADD,
    SQL_JOB_CANCEL,
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
    SQL_SET_FIND,
    SQL_SET_ADD,
    SQL_SET_MEMBER,
    SQL_CHARGE_ADD,
    SQL_SPEND_ADD,
    SQL_POLICY_ADD,
    SQL_TENANT_SET,
    SQL_TENANT_REMOVE,
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
    struct buf scratch;
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
book_fn book_policy_set, book_job_submitted, book_tasks_cancelled, book_task_held, book_task_released;
book_fn book_attempt_placed, book_attempt_running, book_hold_renewed, book_attempt_stopping, book_attempt_unreachable,
    book_attempt_reached, book_attempt_ended;

book_fn book_node_joined, book_node_lost;
/* After the fact's own rows: what others are told of it. */
book_fn book_event;

/* Posts the growth to `spent_micros` as charge rows. */
int book_charge(struct book *b, uint64_t seq, struct attempt_id id, const struct book_attempt *attempt,
                const struct list *charges, int64_t spent_micros, int64_t at_utc_us, struct err *err) MUST_USE;
/* The number of a set of accounts, made when new. */
int book_accounts(struct book *b, const struct strs *names, int64_t *ret, struct err *err) MUST_USE;

#endif
