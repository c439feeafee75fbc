#include <check.h>

#include "policies/preempt.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

/* Random trees, nodes and tasks on a real ledger; what was stopped waits again. */

#define TENANTS 12
#define NODES 3
#define TASKS 40
#define DEPTH 5
#define CORES 8

struct toy_task {
    size_t tenant;
    uint64_t cores, gpus, run_us;
    int32_t priority;
    bool preemptible;
    int node; /* -1: waits */
    uint32_t epoch;
    int64_t since;
};
struct toy {
    uint64_t seed;
    struct ledger *l;
    char paths[TENANTS][64];
    struct strs lines[TENANTS];
    size_t depth[TENANTS], tenants;
    struct toy_task tasks[TASKS];
    struct resources needs[TASKS];
    struct capacity free[NODES];
    int64_t at;
    uint32_t reclaim;
    uint64_t min_run_us;
    size_t preempted, reclaimed, own;
};
struct row {
    int64_t v[DEPTH];     /* borrowed at each depth */
    int64_t of[2][DEPTH]; /* of each resource */
};

static void guarantee(struct toy *t, struct tenant_rule *rule)
{
    struct quota_rule *q = &rule->quota;
    if (random_below(&t->seed, 3) > 0) {
        q->guaranteed.cpu_milli = 1000 * random_below(&t->seed, 7);
        if (random_below(&t->seed, 2) > 0)
            must(counts_set(&q->guaranteed.generic, "gpu", 1 + random_below(&t->seed, 3)));
    }
    if (strcmp(rule->path, TENANT_ROOT) == 0)
        return;
    if (random_below(&t->seed, 3) == 0)
        q->lend.cpu_milli = measure_of(1000 * random_below(&t->seed, 4));
    if (random_below(&t->seed, 4) == 0)
        q->borrow.cpu_milli = measure_of(1000 * random_below(&t->seed, 6));
}

static void make_tenants(struct toy *t)
{
    struct fact f = fact_policy(t->at);
    guarantee(t, fact_tenant(&f, TENANT_ROOT));
    t->tenants = 3 + random_below(&t->seed, TENANTS - 3);
    for (size_t i = 0; i < t->tenants; i++) {
        size_t above = i > 2 ? random_below(&t->seed, i) : TENANTS;
        bool top = above == TENANTS || t->depth[above] >= 3;
        snprintf(t->paths[i], sizeof t->paths[i], "%.50s%st%zu", top ? "" : t->paths[above], top ? "" : "/", i);
        t->depth[i] = top ? 1 : t->depth[above] + 1;
        guarantee(t, fact_tenant(&f, t->paths[i]));
    }
    ledger_apply(t->l, &f);
    fact_clear(&f);
    for (size_t i = 0; i < t->tenants; i++)
        ck_assert(ledger_path(t->l, t->paths[i], &t->lines[i]));
}

static void make_tasks(struct toy *t)
{
    for (size_t i = 0; i < TASKS; i++) {
        struct toy_task *k = &t->tasks[i];
        *k = (struct toy_task){.tenant = random_below(&t->seed, t->tenants),
                               .cores = 1 + random_below(&t->seed, random_below(&t->seed, 3) ? 2 : 6),
                               .gpus = random_below(&t->seed, 3) ? 0 : 1 + random_below(&t->seed, 2),
                               .priority = (int32_t)random_below(&t->seed, 4),
                               .preemptible = random_below(&t->seed, 4) > 0,
                               .node = -1};
        struct fact f = fact_submit(t->l, t->at, i + 1, t->paths[k->tenant], "k", 1, 0);
        ledger_apply(t->l, &f);
        fact_clear(&f);
        t->needs[i].cpu_milli = k->cores * 1000;
        if (k->gpus > 0)
            must(counts_set(&t->needs[i].generic, "gpu", k->gpus));
    }
}

static void toy_init(struct toy *t, uint64_t seed)
{
    struct err err = {0};
    *t = (struct toy){.seed = seed, .at = AT_NOVEMBER, .reclaim = RECLAIM_ANY};
    must(ledger_new(&t->l, &err));
    make_tenants(t);
    make_tasks(t);
    for (size_t i = 0; i < NODES; i++)
        t->free[i] = (struct capacity){.v = {CORES, 0, 2}};
    t->reclaim = (uint32_t)random_below(&t->seed, 4) == 0 ? RECLAIM_PREEMPTIBLE : RECLAIM_ANY;
    t->min_run_us = random_below(&t->seed, 2) ? 0 : 50;
}

static void toy_fini(struct toy *t)
{
    for (size_t i = 0; i < t->tenants; i++)
        texts_clear(&t->lines[i]);
    for (size_t i = 0; i < TASKS; i++)
        fields_clear(&resources_fields, &t->needs[i]);
    ledger_free(t->l);
}

static struct capacity room_of(const struct toy_task *k)
{
    return (struct capacity){.v = {k->cores, 0, k->gpus}};
}

static struct fact start_of(struct toy *t, size_t i)
{
    struct toy_task *k = &t->tasks[i];
    struct fact f = fact_place(t->l, t->at, (struct attempt_id){i + 1, 0, k->epoch + 1}, t->paths[k->tenant], false, 0);
    must(fields_copy(&resources_fields, &t->needs[i], &f.placed.resources));
    open_accounts(t->l, &f);
    return f;
}

static struct attempt_id id_of(const struct toy *t, size_t i)
{
    return (struct attempt_id){i + 1, 0, t->tasks[i].epoch};
}

static void start(struct toy *t, size_t i, int node, const struct fact *f)
{
    struct toy_task *k = &t->tasks[i];
    struct capacity need = room_of(k);
    ck_assert(capacity_fits(&need, &t->free[node]));
    ledger_apply(t->l, f);
    capacity_take(&t->free[node], &need);
    k->node = node;
    k->epoch++;
    k->since = ++t->at;
    k->run_us = random_below(&t->seed, 100);
}

static void stop(struct toy *t, size_t i)
{
    struct toy_task *k = &t->tasks[i];
    struct capacity need = room_of(k);
    struct fact f = fact_end(t->at, id_of(t, i), 0, NEXT_QUEUED, false);
    ledger_apply(t->l, &f);
    fact_clear(&f);
    capacity_add(&t->free[k->node], &need);
    k->node = -1;
}

/* ---- what has to hold -------------------------------------------------------------------------------- */

static int64_t left_of(const struct toy *t, const char *path, size_t r)
{
    return r == 0 ? ledger_left(t->l, path, 0, "cpu") / 1000 : ledger_left(t->l, path, 3, "gpu");
}

static bool is_shared(const struct toy *t, size_t r)
{
    return ledger_share(t->l, TENANT_ROOT, r == 0 ? 0 : 3, r == 0 ? "cpu" : "gpu").total > 0;
}

static struct row borrowed(const struct toy *t)
{
    struct row row = {0};
    for (size_t i = 0; i < t->tenants; i++)
        for (size_t r = 0; r < 2; r++) {
            int64_t amount = is_shared(t, r) ? MAX(-left_of(t, t->paths[i], r), 0) : 0;
            row.of[r][t->depth[i]] += amount;
            row.v[t->depth[i]] += amount;
        }
    return row;
}

static int compare_rows(const struct row *a, const struct row *b)
{
    for (size_t i = 0; i < DEPTH; i++)
        if (a->v[i] != b->v[i])
            return a->v[i] < b->v[i] ? -1 : 1;
    return 0;
}

/* Some resource that the task needs and this one uses is borrowed by its own tenant. */
static bool has_borrowed(const struct toy *t, size_t victim, size_t by)
{
    const struct toy_task *v = &t->tasks[victim], *k = &t->tasks[by];
    return (is_shared(t, 0) && left_of(t, t->paths[v->tenant], 0) < 0) ||
           (is_shared(t, 1) && v->gpus > 0 && k->gpus > 0 && left_of(t, t->paths[v->tenant], 1) < 0);
}

/* Could it start, nobody borrowing more than before, if only these went? By the sums alone. */
static bool plainly_fits(struct toy *t, size_t by, int node, const struct preempt_candidate *v, size_t count,
                         size_t but, const struct fact *f)
{
    struct row before = borrowed(t);
    struct capacity free = t->free[node], need = room_of(&t->tasks[by]);
    struct ledger_blocker b;
    for (size_t i = 0; i < count; i++)
        if (v[i].chosen && i != but) {
            ledger_without(t->l, v[i].id, true);
            capacity_add(&free, &v[i].need);
        }
    bool fits = capacity_fits(&need, &free) && ledger_check(t->l, f, &b) == LEDGER_FITS;
    if (fits) {
        ledger_apply(t->l, f);
        struct row after = borrowed(t);
        for (size_t i = 0; i < DEPTH; i++)
            fits &= after.of[0][i] <= before.of[0][i] && after.of[1][i] <= before.of[1][i];
        ledger_revert(t->l, f);
    }
    for (size_t i = 0; i < count; i++)
        if (v[i].chosen && i != but)
            ledger_without(t->l, v[i].id, false);
    return fits;
}

static void check_choice(struct toy *t, size_t by, int node, const struct preempt_candidate *v, size_t count,
                         const struct fact *f)
{
    for (size_t i = 0; i < count; i++) {
        if (!v[i].chosen)
            continue;
        size_t victim = (size_t)v[i].id.job - 1;
        const struct toy_task *k = &t->tasks[victim];
        ck_assert_msg(!plainly_fits(t, by, node, v, count, i, f), "task %zu need not have gone", victim);
        ck_assert_uint_ge(k->run_us, t->min_run_us);
        if (k->tenant == t->tasks[by].tenant) {
            ck_assert(k->preemptible && k->priority < t->tasks[by].priority);
            t->own++;
            continue;
        }
        ck_assert(k->preemptible || t->reclaim == RECLAIM_ANY);
        ck_assert_msg(has_borrowed(t, victim, by), "task %zu is within what %s is guaranteed", victim,
                      t->paths[k->tenant]);
        t->reclaimed++;
    }
}

static size_t candidates(struct toy *t, int node, struct preempt_candidate *v)
{
    size_t count = 0;
    for (size_t i = 0; i < TASKS; i++) {
        const struct toy_task *k = &t->tasks[i];
        if (k->node == node)
            v[count++] = (struct preempt_candidate){.id = id_of(t, i),
                                                    .path = &t->lines[k->tenant],
                                                    .resources = &t->needs[i],
                                                    .need = room_of(k),
                                                    .priority = k->priority,
                                                    .preemptible = k->preemptible,
                                                    .run_us = k->run_us,
                                                    .start_utc_us = k->since};
    }
    return count;
}

/* Stops who has to go for it on one node and starts it there. false: nobody, or nobody who would do. */
static bool preempt_on(struct toy *t, size_t by, int node, const struct fact *f)
{
    struct preempt_candidate v[TASKS];
    struct preempt_answer answer;
    struct capacity need = room_of(&t->tasks[by]);
    size_t count = candidates(t, node, v);
    struct preempt_ask ask = {f, t->tasks[by].priority, &need, &t->free[node], t->reclaim, t->min_run_us};
    struct row before = borrowed(t);
    bool found = preempt_choose(t->l, &ask, v, count, &answer);
    struct row same = borrowed(t);
    ck_assert_int_eq(compare_rows(&before, &same), 0);
    if (!found || answer.count == 0)
        return false;
    size_t reclaimed = t->reclaimed;
    check_choice(t, by, node, v, count, f);
    for (size_t i = 0; i < count; i++)
        if (v[i].chosen)
            stop(t, (size_t)v[i].id.job - 1);
    start(t, by, node, f);
    struct row after = borrowed(t);
    ck_assert_msg(compare_rows(&after, &before) < (t->reclaimed > reclaimed ? 0 : 1), "what is borrowed doesn't fall");
    t->preempted++;
    return true;
}

static bool start_plainly(struct toy *t, size_t i, const struct fact *f)
{
    struct ledger_blocker b;
    struct capacity need = room_of(&t->tasks[i]);
    for (int n = 0; n < NODES; n++)
        if (capacity_fits(&need, &t->free[n]) && ledger_check(t->l, f, &b) == LEDGER_FITS) {
            start(t, i, n, f);
            return true;
        }
    return false;
}

/* One pass over all that waits, from a random one on. false: nothing changed. */
static bool pass(struct toy *t, bool starts, bool preempts)
{
    size_t from = random_below(&t->seed, TASKS);
    bool changed = false;
    for (size_t n = 0; n < TASKS; n++) {
        size_t i = (from + n) % TASKS;
        if (t->tasks[i].node >= 0)
            continue;
        struct fact f = start_of(t, i);
        bool started = starts && start_plainly(t, i, &f);
        for (int node = 0; preempts && !started && node < NODES; node++)
            started = preempt_on(t, i, node, &f);
        changed |= started;
        fact_clear(&f);
    }
    return changed;
}

static void time_passes(struct toy *t)
{
    for (size_t i = 0; i < TASKS; i++)
        t->tasks[i].run_us = 100;
}

START_TEST(preemption_alone_comes_to_rest_and_what_is_borrowed_falls)
{
    uint64_t seed = random_seed("preempt");
    size_t reclaimed = 0, own = 0;
    for (size_t i = 0; i < 300; i++) {
        struct toy t;
        toy_init(&t, seed + i);
        while (pass(&t, true, false)) {
        }
        for (size_t passes = 0; pass(&t, false, true); passes++) {
            ck_assert_msg(t.preempted < 1000, "no rest: seed %llu", (unsigned long long)(seed + i));
            time_passes(&t);
        }
        reclaimed += t.reclaimed;
        own += t.own;
        toy_fini(&t);
    }
    ck_assert_uint_gt(reclaimed, 100);
    ck_assert_uint_gt(own, 100);
}
END_TEST

/* Whoever was stopped starts again wherever there is room, borrows again, and may reclaim. */
START_TEST(a_closed_world_comes_to_rest)
{
    uint64_t seed = random_seed("preempt");
    size_t most = 0;
    for (size_t i = 0; i < 300; i++) {
        struct toy t;
        toy_init(&t, seed + i);
        while (pass(&t, true, true)) {
            ck_assert_msg(t.preempted <= 2 * TASKS, "no rest: seed %llu", (unsigned long long)(seed + i));
            time_passes(&t);
        }
        most = MAX(most, t.preempted);
        toy_fini(&t);
    }
    printf("at most %zu preemptions among %d tasks\n", most, TASKS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("preempt");
    TCase *t = tcase_create("worlds");
    tcase_add_loop_test(t, preemption_alone_comes_to_rest_and_what_is_borrowed_falls, 0, 4);
    tcase_add_loop_test(t, a_closed_world_comes_to_rest, 0, 4);
    suite_add_tcase(s, t);
    return run_suite(s);
}
