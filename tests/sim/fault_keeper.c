/* Keepers, which outlive agents, and what really runs: isolation/keeper.c as a model. */
#include "tests/sim/fault_world.h"

#define NEVER INT64_MAX

/* ---- clocks ---- */
uint64_t keeper_boot_us(const struct world *w, const struct node *n)
{
    int64_t up_us = w->now_us - n->boot_began_us;
    return (uint64_t)(up_us + up_us * n->drift_ppm / 1000000 + SECOND);
}

/* The true time at which this node's clock will show it. */
static int64_t true_us(const struct node *n, uint64_t boot)
{
    int64_t up_us = (int64_t)boot - SECOND;
    return n->boot_began_us + up_us - up_us * n->drift_ppm / (1000000 + n->drift_ppm) + 1;
}

/* ---- records ---- */
struct attempt_here *keeper_find(struct node *n, struct attempt_id id)
{
    for (size_t i = 0; i < n->count; i++)
        if (attempt_id_equal(n->attempts[i].id, id))
            return &n->attempts[i];
    return NULL;
}

struct attempt_here *keeper_add(struct node *n, struct attempt_id id)
{
    if (n->count == n->size) {
        n->size = n->size == 0 ? 16 : n->size * 2;
        n->attempts = realloc(n->attempts, n->size * sizeof n->attempts[0]);
        MUST_NOT(n->attempts == NULL);
    }
    struct attempt_here *a = &n->attempts[n->count++];
    *a = (struct attempt_here){.id = id, .dies_us = NEVER};
    return a;
}

void keeper_look_at(struct world *w, size_t number, int64_t at_us, struct attempt_id id)
{
    struct event *e = event_at(w, at_us, EVENT_PROC);
    e->node = number;
    e->message = message_new(w, MESSAGE_PAID); /* nothing but an id */
    e->message->id = id;
    e->token = w->nodes[number].boot;
}

static void count_alive(struct world *w, struct attempt_id id, int by)
{
    struct attempt_id task = {id.job, id.task, 1};
    const uint64_t *alive = idset_find(&w->alive, task);
    idset_put(&w->alive, task, (alive == NULL ? 0 : *alive) + (uint64_t)by);
}

/* ---- what an attempt moves ---- */

/* In so long, and no further than is paid. */
static uint64_t moved(const struct attempt_here *a, uint64_t run_us)
{
    uint64_t most = measured_bound(a->io_paid);
    return MIN(a->io_per_us * run_us, most);
}

/* When it has moved all that is paid and is ended for it; UINT64_MAX: never, or it is being stopped anyway. */
static uint64_t io_end_us(const struct node *n, const struct attempt_here *a)
{
    bool bound = is_measured(a->io_paid) && a->io_per_us > 0 && world_counts_io(n->name) && a->dies_us == NEVER;
    return bound ? measured(a->io_paid) / a->io_per_us + 1 : UINT64_MAX;
}

/* What its node says: sometimes less than before, as if it had lost count. Not of what stands still, which was read
 * since: all of it is settled by that, and the hold let go. */
struct measure keeper_io_told(const struct world *w, const struct node *n, const struct attempt_here *a,
                              uint64_t run_us)
{
    uint64_t told = moved(a, run_us);
    if (!world_counts_io(n->name))
        return (struct measure){0};
    return measure_of(w->now_us / 1000 % 7 == 3 && !a->stood ? told / 2 : told);
}

void keeper_end(struct world *w, struct node *n, struct attempt_here *a, uint32_t cause, uint64_t run_us)
{
    if (a->proc == PROC_ALIVE)
        count_alive(w, a->id, -1);
    trace(w, "%s: over %llu.%u.%u %s", n->name, ID(a->id),
          end_causes[cause].name);
    a->proc = PROC_DEAD;
    a->ended = true;
    a->record = (struct exit_record){.cause = cause, .run_us = run_us, .started_utc_us = a->started_utc_us};
    a->record.exit_code = cause == END_EXIT ? (int32_t)(a->id.job % 7 == 3) : 0;
    if (world_counts_io(n->name)) /* with what was under way when it was stopped for it */
        a->record.usage.io_bytes = measure_of(moved(a, run_us) + (cause == END_IO_BUDGET ? WORLD_GIB / 512 : 0));
}

/* What is confirmed and dead is of no more use: the agent would only know it again. */
void keeper_sweep(struct node *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        struct attempt_here *a = &n->attempts[i];
        if (a->over && a->proc != PROC_ALIVE)
            idset_put(&n->over, a->id, a->record.cause);
        else if (kept++ != i)
            n->attempts[kept - 1] = *a;
    }
    n->count = kept;
}

void keeper_kill_soon(struct world *w, size_t number, struct attempt_here *a, uint32_t cause)
{
    if (a->proc != PROC_ALIVE || a->dies_us != NEVER)
        return;
    a->dies_us = w->now_us + (int64_t)choose(w->choices, 17) * (int64_t)w->limits.kill_ms * 1000 / 16;
    a->dies_of = cause;
    keeper_look_at(w, number, a->dies_us, a->id);
}

uint64_t keeper_run_us(const struct world *w, const struct node *n, const struct attempt_here *a)
{
    return (a->stood ? a->stood_boot_us : keeper_boot_us(w, n)) - a->started_boot_us;
}

/* It has heard that it shall, and what it had paid for beyond now is given back. */
void keeper_stand(struct world *w, const struct node *n, struct attempt_here *a)
{
    if (a->stood || a->suspends % 2 == 0 || a->proc != PROC_ALIVE)
        return;
    a->paid_us = MIN(keeper_run_us(w, n, a), a->paid_us);
    a->stood = true;
    a->stood_boot_us = a->started_boot_us + a->paid_us;
    trace(w, "%s: %llu.%u.%u stands still", n->name, ID(a->id));
}

void keeper_begin(struct world *w, const struct node *n, struct attempt_here *a)
{
    a->proc = PROC_ALIVE;
    count_alive(w, a->id, 1);
    a->started_boot_us = keeper_boot_us(w, n);
    a->started_utc_us = WORLD_UTC + w->now_us + n->utc_offset_us;
    w->launched++;
    keeper_stand(w, n, a);
}

/* While it stands still only who kills it, and its lease, can end it. */
static void stander_looks(struct world *w, size_t number, struct attempt_here *a)
{
    struct node *n = &w->nodes[number];
    uint64_t now = keeper_boot_us(w, n), lease = a->lease_from_boot_us + a->lease_us;
    if (a->dies_us <= w->now_us)
        keeper_end(w, n, a, a->dies_of, a->paid_us);
    else if (now < lease)
        keeper_look_at(w, number, true_us(n, lease), a->id);
    else
        keeper_kill_soon(w, number, a, END_LEASE);
}

/* What a keeper's own timers say, whether there is an agent or not. */
void keeper_looks(struct world *w, size_t number, struct attempt_here *a)
{
    struct node *n = &w->nodes[number];
    if (a->proc != PROC_ALIVE)
        return;
    if (a->stood) {
        stander_looks(w, number, a);
        return;
    }
    uint64_t now = keeper_boot_us(w, n);
    uint64_t done = a->started_boot_us + a->needs_us, paid = a->started_boot_us + a->paid_us;
    uint64_t limit = a->limit_us == 0 ? UINT64_MAX : a->started_boot_us + a->limit_us;
    uint64_t lease = a->lease_from_boot_us + a->lease_us;
    if (a->dies_us <= w->now_us) {
        keeper_end(w, n, a, a->dies_of, MIN(now - a->started_boot_us, a->paid_us));
        return;
    }
    uint64_t io = io_end_us(n, a) == UINT64_MAX ? UINT64_MAX : a->started_boot_us + io_end_us(n, a);
    if (now >= io && io < MIN(MIN(done, paid), limit)) {
        keeper_end(w, n, a, END_IO_BUDGET, io - a->started_boot_us);
        return;
    }
    if (now >= paid && paid < done) {
        keeper_end(w, n, a, limit <= paid ? END_TIME_LIMIT : END_BUDGET, a->paid_us);
        return;
    }
    if (now >= limit && limit < done) {
        keeper_end(w, n, a, END_TIME_LIMIT, a->limit_us);
        return;
    }
    if (now >= done) {
        keeper_end(w, n, a, END_EXIT, a->needs_us);
        return;
    }
    if (now >= lease)
        keeper_kill_soon(w, number, a, END_LEASE);
    uint64_t next = MIN(MIN(MIN(done, paid), io), MIN(limit, now >= lease ? UINT64_MAX : lease));
    keeper_look_at(w, number, true_us(n, next), a->id);
}
