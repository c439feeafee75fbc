/* Money in the books: what is held and spent on which account, and what a time costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/books_state.h"

static void limit_of(struct books *b, struct book_account *a)
{
    char path[32];
    size_t len = strcspn(a->name, "@");
    if (a->name[len] == '\0' || len >= sizeof path || strcmp(a->name, "/@total") == 0)
        return;
    snprintf(path, sizeof path, "%.*s", (int)len, a->name);
    a->limit = book_tenant_of(b, path)->budget;
}

/* One that is new has its tenant's limit; book_limits() when that changes. */
static struct book_account *account_of(struct books *b, const char *name)
{
    size_t at = nameset_find(&b->accounts_by_name, b->accounts, sizeof b->accounts[0], b->accounts_count, name);
    if (at < b->accounts_count)
        return &b->accounts[at];
    b->accounts = book_room(b->accounts, b->accounts_count, &b->accounts_size, sizeof b->accounts[0]);
    struct book_account *a = &b->accounts[b->accounts_count++];
    snprintf(a->name, sizeof a->name, "%s", name);
    a->limit = -1;
    limit_of(b, a);
    return a;
}

int64_t book_price(const struct book_job *j, uint64_t us)
{
    return (int64_t)(((__uint128_t)j->cpu_milli * us + 500000) / 1000000);
}

bool book_is_about(int64_t a, int64_t b)
{
    return a - b <= 4 && b - a <= 4; /* one rounding each, of time and of I/O */
}

/* ---- I/O ---- */

bool world_counts_io(const char *node)
{
    return strtoul(node + 1, NULL, 10) % WORLD_BLIND != 0;
}

int64_t book_io_price(uint64_t bytes)
{
    return (int64_t)(((__uint128_t)bytes * WORLD_PER_GIB + WORLD_GIB / 2) / WORLD_GIB);
}

void book_io_pay(struct books *b, struct attempt_id id, struct book_task *t, struct measure paid, bool rests)
{
    bool counts = world_counts_io(b->nodes[t->node].name);
    REQUIRE(b, id, is_measured(paid) == counts, "pays for I/O where nobody counts, or not where somebody does");
    REQUIRE(b, id, !counts || rests || measured(paid) >= measured(t->io_paid), "loses I/O that was paid for");
    REQUIRE(b, id, !counts || measured(paid) <= measured(t->io_paid) + 2 * WORLD_GIB,
            "pays for I/O that it can't want");
    REQUIRE(b, id, !rests || measured(paid) == t->io_charged, "holds for I/O while it stands still");
    t->io_paid = paid;
}

void book_io_charge(struct books *b, struct attempt_id id, struct book_task *t, const struct list *charges)
{
    const struct charge *lines = charges->v;
    for (size_t i = 0; i < charges->count; i++)
        if (strcmp(lines[i].resource, RESOURCE_IO) == 0)
            t->io_charged += lines[i].amount;
    REQUIRE(b, id, t->io_charged <= measured(t->io_paid), "is charged I/O that wasn't held for");
}

/* ---- accounts, time ---- */

void book_limits(struct books *b)
{
    for (size_t i = 0; i < b->accounts_count; i++)
        limit_of(b, &b->accounts[i]);
}

static struct book_account *account_of_job(struct books *b, uint64_t job)
{
    char name[48];
    snprintf(name, sizeof name, "job:%llu", (unsigned long long)job);
    return account_of(b, name);
}

void book_open_job(struct books *b, uint64_t job)
{
    int64_t budget = book_job_of(b, job)->budget;
    if (budget > 0)
        account_of_job(b, job)->limit = budget;
}

void book_close_job(struct books *b, uint64_t job)
{
    if (book_job_of(b, job)->budget == 0)
        return;
    struct book_account *a = account_of_job(b, job);
    require(b, a->held == 0, "%s is closed while money is held on it", a->name);
    a->name[0] = '\0';
}

/* On every tenant of the line that has a budget, on everything, and on the job's own. */
static void check_accounts(struct books *b, struct attempt_id id, const struct book_job *j, const struct strs *accounts)
{
    size_t want = 1;
    bool all = accounts->count > 0;
    for (const struct book_tenant *t = &b->tenants[j->tenant]; t != NULL; t = book_one_up(b, t)) {
        if (t->budget < 0)
            continue;
        bool found = false;
        size_t len = strlen(t->path);
        want++;
        for (size_t i = 0; i < accounts->count; i++)
            found |= strncmp(accounts->v[i], t->path, len) == 0 && accounts->v[i][len] == '@';
        all &= found;
    }
    if (j->budget > 0) {
        char name[48];
        snprintf(name, sizeof name, "job:%llu", (unsigned long long)id.job);
        want++;
        all &= accounts->count > 0 && strcmp(accounts->v[accounts->count - 1], name) == 0;
    }
    REQUIRE(b, id, all && accounts->count == want, "its money is held on other accounts than its tenant's line has");
}

void book_hold(struct books *b, struct attempt_id id, struct book_task *t, const struct strs *accounts,
               int64_t micros)
{
    const struct book_job *j = book_job_of(b, id.job);
    check_accounts(b, id, j, accounts);
    t->accounts_count = MIN(accounts->count, COUNT_OF(t->accounts));
    for (size_t i = 0; i < t->accounts_count; i++) {
        struct book_account *a = account_of(b, accounts->v[i]);
        t->accounts[i] = (size_t)(a - b->accounts);
        a->held += micros;
        REQUIRE(b, id, a->limit < 0 || a->spent + a->held <= a->limit || micros == 0,
                "more is held than its budget has");
    }
    t->hold = micros;
}

void book_settle(struct books *b, struct attempt_id id, struct book_task *t, int64_t spent)
{
    REQUIRE(b, id, spent >= t->spent && spent - t->spent <= t->hold, "settles more than was held, or less than before");
    for (size_t i = 0; i < t->accounts_count; i++) {
        b->accounts[t->accounts[i]].spent += spent - t->spent;
        b->accounts[t->accounts[i]].held -= t->hold;
    }
    t->spent = spent;
    t->hold = 0;
}

void book_check_cost(struct books *b, const struct book_job *j, const struct book_task *t, const struct fact_ended *e)
{
    bool needed_away = e->record.cause == END_PREEMPTED || e->record.cause == END_MAINTENANCE;
    if (books_node_fault(e->record.cause) || e->record.cause == END_GANG_LOST || (needed_away && !j->preemptible)) {
        REQUIRE(b, e->id, e->spent_micros == t->spent, "the tenant pays for the platform's fault");
        return;
    }
    int64_t cost = book_price(j, MIN(e->record.run_us, t->paid_us)) + book_io_price(t->io_charged);
    REQUIRE(b, e->id, !is_measured(e->record.usage.io_bytes) ||
                          t->io_charged == MIN(measured(e->record.usage.io_bytes), measured(t->io_paid)),
            "is not charged all I/O that its node counted and it has paid for, once");
    REQUIRE(b, e->id, book_is_about(e->spent_micros, cost),
            "costs something else than the time that it ran and what it moved");
}

void book_opened(struct books *b, const struct fact *f)
{
    const struct book_account *a = account_of(b, f->budget_opened.account);
    require(b, a->limit == f->budget_opened.limit_micros && a->spent + a->held == 0,
            "account %s is opened with another limit than its tenant's, or twice", a->name);
}

static bool is_named(const struct books *b, size_t account)
{
    for (uint64_t id = 1; id <= b->last_job; id++) {
        const struct book_job *j = book_job_of(b, id);
        for (uint32_t i = 0; j != NULL && j->live > 0 && i < j->count; i++)
            for (size_t k = 0; j->tasks[i].live && k < j->tasks[i].accounts_count; k++)
                if (j->tasks[i].accounts[k] == account)
                    return true;
    }
    return false;
}

/* Nobody holds anything on it, nor names it; "/@total" and those of jobs end otherwise. */
void book_accounts_closed(struct books *b, const struct fact *f)
{
    const struct closed_account *v = f->accounts_closed.accounts.v;
    for (size_t i = 0; i < f->accounts_closed.accounts.count; i++) {
        struct book_account *a = account_of(b, v[i].account);
        require(b, a->held == 0 && !is_named(b, (size_t)(a - b->accounts)), "%s is closed while it is held on",
                v[i].account);
        require(b, a->spent == v[i].spent_micros, "%s is closed with another sum than was spent", v[i].account);
        require(b, strchr(v[i].account, '@') != NULL && strcmp(v[i].account, "/@total") != 0, "%s is no period's",
                v[i].account);
        a->name[0] = '\0';
    }
}

static bool same_account(const struct account_view *view, void *arg)
{
    struct books *b = arg;
    const struct book_account *a = account_of(b, view->name);
    require(b, a->limit == view->limit_micros && a->spent == view->spent_micros && a->held == view->held_micros,
            "account %s: %lld spent, %lld held of %lld by the books, %lld, %lld of %lld by the ledger", view->name,
            (long long)a->spent, (long long)a->held, (long long)a->limit, (long long)view->spent_micros,
            (long long)view->held_micros, (long long)view->limit_micros);
    return b->wrong[0] == '\0';
}

void book_compare_accounts(struct books *b, const struct ledger *l)
{
    ledger_each_account(l, same_account, b);
    for (size_t i = 0; i < b->accounts_count; i++) {
        struct account_view view;
        const struct book_account *a = &b->accounts[i];
        require(b, a->name[0] == '\0' || a->spent + a->held == 0 || ledger_account(l, a->name, &view),
                "account %s isn't in the ledger", a->name);
    }
}
