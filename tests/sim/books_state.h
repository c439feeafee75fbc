/* What fault_books*.c keep. Its own counts, from facts alone. */
#ifndef REEVE_TESTS_SIM_BOOKS_STATE_H
#define REEVE_TESTS_SIM_BOOKS_STATE_H

#include "base/task_state.h"
#include "tests/sim/fault_books.h"
#include "tests/sim/keyset.h"
#include "tests/sim/nameset.h"

struct book_account {
    char name[48]; /* "": closed */
    int64_t limit, spent, held;
};
#define NOBODY SIZE_MAX
struct book_tenant {
    char path[32];
    size_t up; /* its parent; NOBODY: it is the root */
    bool ruled;
    uint64_t cpu_max, running_max, queued_max; /* 0 = none */
    int64_t budget;                            /* -1 = none */
    uint64_t cpu, running, queued;
};
struct book_node {
    char name[8];
    uint64_t cpu, mem;
    uint32_t live, max_attempts;      /* max 0: it takes any number */
    int64_t joined_utc_us;            /* when it said so */
    bool drained;
    int64_t drained_utc_us;
    int64_t quarantined_until_utc_us; /* 0: it isn't */
    struct attempt_id tried;          /* the one that it got since; job 0: none */
};
struct book_task {
    uint32_t epoch, failures, faults;
    bool along;     /* it is stopped because another of its gang ended */
    bool live, final, held, cancelled, stopped, requeued, succeeded, left_out, suspended, paused;
    int64_t not_before_utc_us;
    size_t node;
    int64_t spent, hold;
    uint64_t paid_us, settled_us;
    struct measure io_paid;
    uint64_t io_charged; /* bytes */
    size_t accounts[8], accounts_count;
};
struct book_job {
    bool there;
    uint64_t cpu_milli, mem_bytes, limit_us;
    int64_t budget;
    size_t tenant;
    bool picky;        /* its `retry` is what some jobs of the world have (fault_propose.c) */
    uint32_t retries, loss, count, ended, cap, live; /* cap 0 = none */
    uint32_t gang, gang_min; /* so many start together, or as few; 0 = each alone */
    uint32_t per_node; /* 0 = as many as fit */
    bool on_hold;
    uint64_t after; /* 0 = none */
    uint32_t after_on, after_tasks;
    bool preemptible;
    int64_t start_by_utc_us, finish_by_utc_us; /* INT64_MAX = none */
    struct book_task *tasks;
};
struct books {
    struct books_rules rules;
    char wrong[256];
    uint64_t term, last_job;
    int64_t last_utc_us;
    struct book_job *jobs; /* by id */
    struct book_account *accounts;
    struct book_tenant *tenants;
    struct book_node *nodes;
    struct keyset keys;    /* of all jobs */
    struct nameset accounts_by_name, tenants_by_name, nodes_by_name;
    struct list windows;   /* struct fact_window */
    size_t jobs_size;
    size_t accounts_count, accounts_size, tenants_count, tenants_size, nodes_count, nodes_size;
};

/* What it says is made up only when it doesn't hold. */
#define require(b, holds, ...) ((holds) ? (void)0 : books_wrong(b, __VA_ARGS__))
#define REQUIRE(b, id, holds, what) \
    require(b, holds, "attempt %llu.%u.%u: " what, (unsigned long long)(id).job, (id).task, (id).epoch)
void books_wrong(struct books *b, const char *format, ...) PRINTF_LIKE(2, 3);
struct book_job *book_job_of(const struct books *b, uint64_t id);                /* NULL: there is none */
struct book_task *book_live_task(struct books *b, struct attempt_id id);     /* NULL: and that is wrong */
void *book_room(void *old, size_t count, size_t *size, size_t each);
struct book_tenant *book_tenant_of(struct books *b, const char *path);
struct book_tenant *book_one_up(const struct books *b, const struct book_tenant *t); /* NULL: it is the root */
/* fault_books_money.c */
int64_t book_price(const struct book_job *j, uint64_t us);
bool book_is_about(int64_t a, int64_t b);
/* Of so many bytes. */
int64_t book_io_price(uint64_t bytes);
/* What is paid of its I/O from now on. */
void book_io_pay(struct books *b, struct attempt_id id, struct book_task *t, struct measure paid, bool rests);
/* The lines about it, of a renewal or an end. */
void book_io_charge(struct books *b, struct attempt_id id, struct book_task *t, const struct list *charges);
void book_limits(struct books *b); /* of all accounts, as their tenants have them now */
void book_open_job(struct books *b, uint64_t job);
void book_close_job(struct books *b, uint64_t job); /* it is over */
void book_hold(struct books *b, struct attempt_id id, struct book_task *t, const struct strs *accounts,
               int64_t micros);
void book_settle(struct books *b, struct attempt_id id, struct book_task *t, int64_t spent);
void book_check_cost(struct books *b, const struct book_job *j, const struct book_task *t,
                     const struct fact_ended *e);
void book_opened(struct books *b, const struct fact *f);
void book_accounts_closed(struct books *b, const struct fact *f);
void book_compare_accounts(struct books *b, const struct ledger *l);
/* fault_books_suspend.c */
void book_suspended(struct books *b, const struct fact *f);
/* Whether it stands still from now on: its cores are its node's meanwhile. */
void book_rest(struct books *b, struct attempt_id id, struct book_task *t, bool rests);
struct book_node *book_node_of(struct books *b, const char *name);
/* fault_books_nodes.c */
void book_joined(struct books *b, const struct fact *f);
void book_drained(struct books *b, const struct fact *f);
void book_lost(struct books *b, const struct fact *f);
void book_quarantined(struct books *b, const struct fact *f);
void book_try(struct books *b, struct attempt_id id, struct book_node *n, int64_t at_utc_us);
/* fault_books_windows.c */
void book_window_set(struct books *b, const struct fact *f);
void book_window_dropped(struct books *b, const struct fact *f);
void book_windows_free(struct books *b);
/* May it be placed there then: will it be over when the node closes? May it be stopped because it closes? */
bool book_windows_allow(const struct books *b, const char *node, const struct book_job *j, int64_t at_utc_us);
bool book_windows_stop(const struct books *b, const char *node, const struct book_job *j, int64_t at_utc_us);
/* fault_books_preempt.c */
void book_preempted(struct books *b, const struct fact *f);
/* ---- fault_follows.c ---- */
/* The first of a task's gang; *ret_end: the first behind it. A task alone is its own. */
uint32_t books_gang(const struct book_job *j, uint32_t task, uint32_t *ret_end);
/* Of the others of its gang: does one wait; over: is one over that failed? */
bool books_others(const struct book_job *j, uint32_t task, bool over);
uint32_t books_tasks_on(const struct book_job *j, size_t node);
bool books_node_fault(uint32_t cause);
struct follows {
    uint32_t next, state, retry;
};
/* The last instant at which an attempt may be placed. */
int64_t books_start_until(const struct book_job *j, const struct book_task *t);
/* Before the next attempt, after so many failures or faults; picky: by the `retry` of a job of the world. */
int64_t books_pause_us(uint32_t times, bool picky);
struct follows books_follows(const struct book_job *j, const struct book_task *t, const struct exit_record *r,
                             int64_t at_utc_us);

#endif
