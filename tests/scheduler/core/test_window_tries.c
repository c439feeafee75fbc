/*
 * What a turn asks while a maintenance window is ahead: that no node with room stays open for long enough is found out
 * once, and holds until some node has more free or closes otherwise. Counted in tries, not in time.
 */
#include <check.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/windows.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define TENANTS 30
#define JOBS 300
#define NODES 4

static struct world w;
static struct core_limits limits;

/* Promises make a turn ask more, as they should; here it is about the rest. */
static void begin(uint32_t reserve_max)
{
    struct policy_file p = {0};
    char name[16];
    limits = core_limits_default;
    limits.reserve_max = reserve_max;
    world_init(&w, &limits);
    world_price(&p, 0, 1000, 0);
    for (int i = 0; i < TENANTS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        (void)world_rule(&p, name);
    }
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    for (int i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        world_hello(&w, name, "b", 64, 256 * GIB);
    }
}

static void pass(int64_t us)
{
    world_pass(&w, us);
    for (size_t i = 0; i < w.core->nodes_count; i++)
        core_node_seen(w.core, w.core->nodes[i]->name, w.now);
}

static uint64_t submit(int tenant, uint64_t cpu_milli, int64_t limit_us, const char *where)
{
    struct job_spec spec = world_spec(cpu_milli, GIB);
    char name[16];
    snprintf(name, sizeof name, "t%d", tenant);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    MUST(str_set(&spec.where, where) == 0);
    return world_submit(&w, name, spec);
}

/* node NULL: the whole cell. 0: it is refused. */
static uint64_t plan(const char *node, int64_t from_us, int64_t to_us)
{
    struct window_call call = {.from_utc_us = w.now.utc_us + from_us, .to_utc_us = w.now.utc_us + to_us,
                               .cell = node == NULL};
    struct window_reply reply = {0};
    struct fact f;
    if (node != NULL)
        MUST(strs_add(&call.nodes, node) == 0);
    int rc = core_check_window(w.core, &call, "root", w.now, &f, &reply, &w.refusal);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    fields_clear(&window_call_fields, &call);
    fields_clear(&refusal_fields, &w.refusal);
    return rc == CORE_FACT ? reply.window : 0;
}

static void drop(uint64_t window)
{
    struct fact f;
    ck_assert_int_eq(core_check_window_drop(w.core, &(struct window_drop_call){.window = window}, "root", w.now, &f,
                                            &w.refusal), CORE_FACT);
    world_commit(&w, &f);
}

/* In one turn, of which *ret_placed start. */
static uint64_t tries(size_t *ret_placed)
{
    struct core_stats before, after;
    core_stats(w.core, &before);
    *ret_placed = world_decide(&w);
    core_stats(w.core, &after);
    return after.decisions_total - before.decisions_total;
}

static bool is_live(uint64_t job)
{
    struct attempt_id id = {job, 0, 0};
    return world_node_of(&w, &id) != NULL;
}

START_TEST(who_would_meet_a_window_is_asked_about_once)
{
    size_t placed;
    begin(0);
    uint64_t window = plan(NULL, HOUR, 2 * HOUR);
    for (int i = 0; i < JOBS; i++)
        (void)submit(i % TENANTS, 100, 2 * HOUR + i * MINUTE, NULL); /* as many shapes */
    ck_assert_uint_eq(tries(&placed), 0);
    for (int turn = 0; turn < 5; turn++) {
        pass(MINUTE);
        ck_assert_uint_eq(tries(&placed), 0);
    }
    uint64_t quick = submit(0, 100, 10 * MINUTE, NULL), later = submit(1, 100, 40 * MINUTE, NULL);
    uint64_t asked = tries(&placed);
    ck_assert(placed == 2 && is_live(quick) && is_live(later));
    printf("%llu tries for 2 that start among %d that don't\n", (unsigned long long)asked, JOBS);
    ck_assert_uint_le(asked, 2 * TENANTS + 2);
    pass(MINUTE);
    ck_assert_uint_eq(tries(&placed), 0);
    /* Time alone makes more of them too long, and no fewer. */
    pass(20 * MINUTE);
    uint64_t late = submit(2, 100, 40 * MINUTE, NULL);
    ck_assert_uint_eq(tries(&placed), 0);
    ck_assert(!is_live(late));
    drop(window);
    (void)tries(&placed);
    ck_assert_uint_eq(placed, JOBS + 1);
    world_recount(w.core);
    world_fini(&w);
}
END_TEST

/* An end gives more: it is found out anew, of all that ask alike at once, and then holds again. */
START_TEST(an_end_is_one_more_look)
{
    size_t placed;
    begin(0);
    (void)plan(NULL, HOUR, 2 * HOUR);
    uint64_t job = submit(0, 100, MINUTE, NULL);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    for (int i = 0; i < JOBS; i++)
        (void)submit(i % TENANTS, 100, 2 * HOUR + i * MINUTE, NULL);
    ck_assert_uint_eq(tries(&placed), 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(tries(&placed), 0);
    ck_assert_uint_eq(tries(&placed), 0);
    world_fini(&w);
}
END_TEST

/* A policy changes for how long what may be preempted needs a node. */
START_TEST(another_minimum_run_time_is_another_question)
{
    size_t placed;
    begin(0);
    (void)plan(NULL, 30 * MINUTE, 2 * HOUR);
    struct policy_file p = {.preempt = {.present = true, .min_run_ms = 3600000}};
    world_price(&p, 0, 1000, 0);
    for (int i = 0; i < 3; i++)
        (void)world_rule(&p, i == 0 ? "t0" : i == 1 ? "t1" : "t2");
    ck_assert_msg(world_apply(&w, &p) == CORE_FACT, "%s", w.refusal.message);
    struct job_spec spec = world_spec(100, GIB);
    spec.preemptible = true;
    uint64_t job = world_submit(&w, "t0", spec);
    ck_assert_uint_eq(tries(&placed), 0);
    struct policy_file quick = {.preempt = {.present = true, .min_run_ms = 60000}};
    world_price(&quick, 0, 1000, 0);
    for (int i = 0; i < 3; i++)
        (void)world_rule(&quick, i == 0 ? "t0" : i == 1 ? "t1" : "t2");
    ck_assert_msg(world_apply(&w, &quick) == CORE_FACT, "%s", w.refusal.message);
    (void)tries(&placed);
    ck_assert(placed == 1 && is_live(job));
    world_fini(&w);
}
END_TEST

/* ---- against a look at every node ----------------------------------------------------------------------- */

static int64_t closes_utc_us(const struct node *n)
{
    int64_t utc_us = INT64_MAX;
    for (size_t i = 0; i < w.core->windows_count; i++)
        if (window_closes(&w.core->windows[i]->as, &w.core->windows[i]->where, n))
            utc_us = MIN(utc_us, w.core->windows[i]->as.from_utc_us);
    return utc_us;
}

/* A node that would take it now. */
static const struct node *taker(const struct job *j)
{
    const struct shape *s = j->shape;
    int64_t end_utc_us = w.now.utc_us + (int64_t)(s->limit_us + (limits.grace_ms + limits.kill_ms) * 1000);
    for (size_t i = 0; i < w.core->nodes_count; i++) {
        const struct node *n = w.core->nodes[i];
        struct capacity free = n->total;
        capacity_take(&free, &n->used);
        if (node_is_usable(n) && capacity_fits(&s->need, &free) && shape_suits(s, n) && end_utc_us <= closes_utc_us(n))
            return n;
    }
    return NULL;
}

static void change_windows(uint64_t *r, uint64_t *windows, size_t count)
{
    char name[16];
    uint64_t *window = &windows[random_below(r, count)];
    snprintf(name, sizeof name, "n%d", (int)random_below(r, NODES));
    if (*window != 0 && window_find(w.core, *window) != NULL && random_below(r, 4) == 0) {
        drop(*window);
        *window = 0;
    } else if (random_below(r, 4) == 0) {
        int64_t from_us = MINUTE * (int64_t)(1 + random_below(r, 90));
        *window = plan(random_below(r, 3) == 0 ? NULL : name, from_us,
                       from_us + MINUTE * (int64_t)(1 + random_below(r, 60)));
    }
}

/* Whatever comes and goes, what is kept says what a look at every node would. */
START_TEST(nobody_waits_whom_a_node_would_take)
{
    static const char *const wheres[] = {NULL, NULL, "node != n0", "node in (n1, n2)"};
    uint64_t seed = random_seed("window tries") + (uint64_t)_i, r = seed, windows[8] = {0};
    size_t waited = 0;
    begin(0);
    for (int turn = 0; turn < 300; turn++) {
        change_windows(&r, windows, COUNT_OF(windows));
        for (uint64_t more = random_below(&r, 6); more > 0; more--)
            (void)submit((int)random_below(&r, TENANTS), 1000 * (1 + random_below(&r, 40)),
                         MINUTE * (int64_t)(1 + random_below(&r, 120)), wheres[random_below(&r, COUNT_OF(wheres))]);
        for (int idle = 0; idle < 3;) /* first a window that is over goes, then what waited for that starts */
            idle = world_decide(&w) > 0 ? 0 : idle + 1;
        for (uint64_t job = 1; job < w.core->next_job; job++) {
            const struct job *j = job_find(w.core, job);
            if (j == NULL || j->finished || is_live(job))
                continue;
            const struct node *n = j->tasks_count == 0 ? taker(j) : NULL; /* a record: it waits for its next try */
            ck_assert_msg(n == NULL, "seed %llu: job %llu waits, and %s would take it", (unsigned long long)seed,
                          (unsigned long long)job, n != NULL ? n->name : "");
            waited++;
        }
        for (uint64_t job = 1; job < w.core->next_job; job++)
            if (is_live(job) && (world_run(&w, job, 0), random_below(&r, 20) == 0))
                ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
        world_recount(w.core);
        pass(MINUTE);
    }
    ck_assert_uint_gt(waited, 1000);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/window tries");
    TCase *t = tcase_create("tries");
    tcase_add_test(t, who_would_meet_a_window_is_asked_about_once);
    tcase_add_test(t, an_end_is_one_more_look);
    tcase_add_test(t, another_minimum_run_time_is_another_question);
    tcase_add_loop_test(t, nobody_waits_whom_a_node_would_take, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
