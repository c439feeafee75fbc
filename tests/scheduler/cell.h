/*
 * cell - a cell without doors, for tests: the commit turn, the core, the journal and a private Redis. Wishes are posted
 * straight into the turn. One cell per program.
 */
#ifndef REEVE_TESTS_SCHEDULER_CELL_H
#define REEVE_TESTS_SCHEDULER_CELL_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io/clock.h"
#include "quotas/store/store.h"
#include "base/io/numbered.h"
#include "scheduler/recover.h"
#include "scheduler/snapshot.h"
#include "scheduler/turn.h"
#include "tests/scheduler/redis_child.h"
#include "tests/scratch.h"

#define CELL "test"

/* A cell without doors: turn, core, journal, Redis. */
struct cell {
    struct scratch scratch;
    struct redis_child redis;
    char journal_dir[128];
    struct loop *loop;
    struct journal *journal;
    struct core *core;
    struct turn *turn;
    struct recovered_files files;
    int fatal;
    char why[600];
    uint64_t stop_at; /* the loop is stopped once so much is durable */
    uint32_t waiting; /* requests posted, not settled */
    uint64_t last_job;
    int64_t ahead_us; /* so much later than now was the newest fact, says cell_up() to the turn */
};

static struct cell cell;

static inline void on_durable(void *arg, uint64_t seq, const struct fact *fact)
{
    (void)arg;
    (void)seq;
    (void)fact;
}

static inline void on_ready(void *arg)
{
    (void)arg;
}

static inline void on_fatal(void *arg, int exit_code, const char *why)
{
    struct cell *c = arg;
    c->fatal = exit_code;
    snprintf(c->why, sizeof c->why, "%s", why);
    loop_stop(c->loop);
}

/* Idle: the turn is ready, nothing is on its way. */
static inline bool idle(const struct cell *c)
{
    struct turn_stats s;
    turn_stats(c->turn, &s);
    return s.state == TURN_READY && c->waiting == 0 && s.inbox == 0 && s.inflight == 0 && s.unsynced == 0 &&
           s.committed_total > 0 && s.seq == s.durable;
}

static inline bool on_turn(void *arg)
{
    struct cell *c = arg;
    bool again = turn_run(c->turn);
    if (idle(c))
        loop_stop(c->loop);
    return again;
}

static inline void settle(struct cell *c)
{
    struct err err = {0};
    ck_assert_msg(loop_run(c->loop, &err) == 0, "%s", err_text(&err));
}

/* Reads the files and brings the turn up; 0, or the code of what refused. */
static inline int cell_up(struct cell *c)
{
    struct err err = {0};
    c->fatal = 0;
    c->waiting = 0;
    ck_assert_int_eq(dir_make(c->journal_dir, 0700, NULL), 0);
    ck_assert_msg(journal_open(&c->journal, c->journal_dir, CELL, &err) == 0, "%s", err_text(&err));
    int rc = recover_files(c->journal, CELL, &core_limits_default, &c->core, &c->files, &err);
    snprintf(c->why, sizeof c->why, "%s", err_text(&err));
    if (rc < 0)
        return rc;
    ck_assert_int_eq(loop_new(&c->loop, NULL), 0);
    struct turn_setup setup = {.loop = c->loop, .core = c->core, .journal = c->journal, .redis_url = c->redis.url,
                               .cell = CELL, .writer = "tester", .term_floor = c->files.term,
                               .snapshot_seq = c->files.snapshot_seq,
                               .at_utc_us = c->files.at_utc_us + c->ahead_us,
                               .on_durable = on_durable, .on_ready = on_ready, .on_fatal = on_fatal, .arg = c};
    ck_assert_msg(turn_new(&c->turn, &setup, &err) == 0, "%s", err_text(&err));
    loop_on_turn(c->loop, on_turn, c);
    settle(c);
    return c->fatal;
}

static inline void cell_down(struct cell *c, bool clean)
{
    struct err err = {0};
    if (clean)
        ck_assert_msg(turn_close(c->turn, &err) == 0, "%s", err_text(&err));
    turn_free(c->turn);
    journal_close(c->journal);
    loop_free(c->loop);
    core_free(c->core);
    c->turn = NULL;
    c->loop = NULL;
    c->core = NULL;
    c->journal = NULL;
}

/* ---- wishes ---- */
struct wish {
    struct request base;
    struct cell *cell;
    int (*check)(struct wish *w, struct core *core, struct core_now now, struct fact *out);
    uint64_t n;
};

static inline enum request_step propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                 size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    int answer = w->check(w, core, now, out);
    ck_assert_int_ne(answer, CORE_REFUSED);
    *ret_count = answer == CORE_FACT && out->kind != FACT_NONE ? 1 : 0;
    return answer == CORE_FACT ? REQUEST_FACTS : REQUEST_LATER;
}

static inline bool settled(struct request *r)
{
    ((struct wish *)r)->cell->waiting--;
    return false;
}

static inline void unavailable(struct request *r, const char *why)
{
    ck_abort_msg("unavailable: %s", why);
    (void)r;
}

static inline void wish_free(struct request *r)
{
    free(r);
}

static const struct request_ops ops = {true, propose, settled, unavailable, wish_free};

static inline void post(struct cell *c, int (*check)(struct wish *w, struct core *core, struct core_now now,
                                                     struct fact *out), uint64_t n)
{
    struct wish *w = calloc(1, sizeof *w);
    *w = (struct wish){.base = {.ops = &ops}, .cell = c, .check = check, .n = n};
    c->waiting++;
    turn_post(c->turn, &w->base);
}

static inline int check_policy(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    struct apply_call call = {0};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(str_set(&call.policy.currency, "EUR"), 0);
    struct price_version *price = list_add(&call.policy.prices, sizeof *price);
    price->version = 1;
    price->from_utc_us = 1;
    ck_assert_int_eq(counts_set(&price->per_hour, "cpu", 40000), 0);
    struct tenant_rule *t = list_add(&call.policy.tenants, sizeof *t);
    ck_assert_int_eq(str_set(&t->path, "acme"), 0);
    t->budget =
        (struct budget_rule){.present = true, .limit_micros = 100000000 + (int64_t)w->n, .period = PERIOD_MONTH};
    int answer = core_check_policy(core, &call, "root", 0, now, out, &reply, &refusal);
    ck_assert_msg(answer != CORE_REFUSED, "%s: %s", refusal.where, refusal.message);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
    return answer;
}

static inline int check_hello(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    (void)w;
    char node[] = "n1", boot[] = "boot-1", instance[] = "i1", version[] = "0.1.0";
    struct hello_call call = {
        .node = node,
        .boot_id = boot,
        .instance = instance,
        .version = version,
        .capacity = {.cpu_milli = 64000, .mem_bytes = (uint64_t)64 << 30, .scratch_bytes = (uint64_t)1 << 40}};
    struct refusal refusal = {0};
    return core_check_hello(core, &call, now, out, &refusal);
}

static inline int check_submit(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    struct submit_call call = {0};
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    char key[32];
    snprintf(key, sizeof key, "key-%llu", (unsigned long long)w->n);
    ck_assert_int_eq(str_set(&call.tenant, "acme"), 0);
    ck_assert_int_eq(str_set(&call.key, key), 0);
    ck_assert_int_eq(strs_add(&call.spec.command, "/bin/true"), 0);
    call.spec.time_limit_ms = 60000;
    call.spec.resources.cpu_milli = 1000;
    call.spec.resources.mem_bytes = 64 << 20;
    int answer = core_check_submit(core, &call, 0, "root", now, out, &reply, &refusal);
    ck_assert_msg(answer != CORE_REFUSED, "%s: %s", refusal.where, refusal.message);
    if (answer == CORE_FACT && out->kind == FACT_JOB_SUBMITTED)
        w->cell->last_job = out->submitted.job;
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    return answer;
}

static inline int check_ended(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    struct attempt_state s = {
        .id = {w->n, 0, 1},
        .ended = true,
        .started_utc_us = now.utc_us - 1000000,
        .record = {.cause = END_EXIT, .run_us = 900000 + w->n, .started_utc_us = now.utc_us - 1000000}};
    return core_check_ended(core, "n1", &s, now, out);
}

/* Some life: tenants, a node, jobs that are placed, half of which have ended. */
static inline void live(struct cell *c, uint64_t from, uint64_t to)
{
    if (from == 1) {
        post(c, check_policy, 0);
        settle(c);
        post(c, check_hello, 0);
        settle(c);
    }
    for (uint64_t i = from; i <= to; i++)
        post(c, check_submit, i);
    settle(c);
    for (uint64_t i = from; i <= to; i += 2)
        post(c, check_ended, c->last_job - (to - i));
    settle(c);
}

/* ---- what must be true afterwards ---- */
struct state {
    uint64_t hash, seq, live;
    int64_t spent, held;
};

static inline bool sum(const struct account_view *v, void *arg)
{
    struct state *s = arg;
    s->spent += v->spent_micros;
    s->held += v->held_micros;
    return true;
}

static inline struct state state_of(struct cell *c)
{
    struct state s = {.seq = journal_seq(c->journal)};
    struct core_stats stats;
    struct err err = {0};
    core_stats(c->core, &stats);
    s.live = stats.starting + stats.running;
    ledger_each_account(core_ledger(c->core), sum, &s);
    ck_assert_msg(core_verify(c->core, &err) == 0, "%s", err_text(&err));
    return s;
}

static inline void books_agree(struct cell *c)
{
    struct store_sync *store = NULL;
    struct store_status status;
    struct list accounts = {0};
    struct state s = state_of(c);
    int64_t spent = 0, held = 0, holds_micros = 0;
    uint64_t holds = 0;
    ASK_STORE(store_sync_open(&store, c->redis.url, CELL, NULL));
    ASK_STORE(store_status(store, &status, NULL));
    ASK_STORE(store_accounts(store, &accounts, NULL));
    ASK_STORE(store_holds(store, &holds, &holds_micros, NULL));
    const struct store_account *a = accounts.v;
    for (size_t i = 0; i < accounts.count; i++) {
        spent += a[i].spent_micros;
        held += a[i].held_micros;
    }
    ck_assert_uint_eq(status.seq, s.seq);
    ck_assert_int_eq(spent, s.spent);
    ck_assert_int_eq(held, s.held);
    ck_assert_uint_eq(holds, s.live);
    store_accounts_clear(&accounts);
    store_sync_close(store);
}

static inline void set_up(void)
{
    memset(&cell, 0, sizeof cell);
    cell.scratch = scratch_new();
    snprintf(cell.journal_dir, sizeof cell.journal_dir, "%s/journal", cell.scratch.dir);
    redis_start(&cell.redis, cell.scratch.dir);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    live(&cell, 1, 20);
}

static inline void tear_down(void)
{
    if (cell.turn != NULL)
        cell_down(&cell, false);
    redis_stop(&cell.redis);
    scratch_remove(&cell.scratch);
}

#endif
