/*
 * Who waits for what ends where its money does is told so, is promised no more than holds whatever money comes, and
 * isn't delayed by whoever is let past.
 */
#include <check.h>

#include "scheduler/core/claims.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/paying.h"

/* ---- promised and expected --------------------------------------------------------------------------- */

/* acme has no budget, poor one for so many core-seconds a day, rich one that never ends. */
static void begin_poor(int64_t seconds, uint32_t paid_end)
{
    struct policy_file p = {0};
    (void)world_rule(&p, "acme");
    struct tenant_rule *poor = world_rule(&p, "poor");
    poor->budget = budget(seconds * PER_SECOND, PERIOD_DAY);
    poor->paid_end = paid_end;
    (void)world_rule(&p, "short");
    begin(&p);
}

static void raise_poor(int64_t seconds, uint32_t paid_end)
{
    struct policy_file p = {0};
    (void)world_rule(&p, "acme");
    struct tenant_rule *poor = world_rule(&p, "poor");
    poor->budget = budget(seconds * PER_SECOND, PERIOD_DAY);
    poor->paid_end = paid_end;
    (void)world_rule(&p, "short");
    apply(&p);
}

START_TEST(who_waits_is_expected_when_money_ends_and_promised_for_when_it_does_not)
{
    begin_poor(4 * 600, PAID_END_STOP);
    (void)start("poor", 4000, HOUR); /* can be paid for ten minutes */
    uint64_t head = submit("acme", 8000, HOUR);
    turn();
    const struct reservation *r = promise_of(head);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(r->start_utc_us, w.now.utc_us + HOUR + kill_us());
    expected(head, w.now.utc_us + 10 * MINUTE + kill_us());
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = head}, w.now, &why));
    ck_assert_int_eq(why.start_to_utc_us, promise_of(head)->expected_utc_us);
    fields_clear(&why_reply_fields, &why);
    live_for(10 * MINUTE + SECOND);
    ck_assert(is_live(head));
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(who_would_run_into_what_is_expected_waits)
{
    begin_poor(4 * 600, PAID_END_STOP);
    (void)start("poor", 4000, HOUR);
    uint64_t head = submit("acme", 8000, HOUR);
    turn();
    uint64_t longer = submit("acme", 3000, HOUR / 2), shorter = submit("acme", 3000, 8 * MINUTE);
    uint64_t beside = submit("acme", 2000, 0);
    decide();
    ck_assert(!is_live(longer) && is_live(shorter) && !is_live(beside)); /* not beside it AND who may run on */
    live_for(10 * MINUTE + SECOND);
    ck_assert(is_live(head));
    verify();
    world_fini(&w);
}
END_TEST

/* As forecast.h has it: what fits beside the head once all have ended doesn't when one of them gets money. */
START_TEST(money_that_comes_breaks_no_promise)
{
    begin_poor(4 * 540, PAID_END_STOP);
    (void)start("poor", 4000, 0);
    (void)start("acme", 4000, 10 * MINUTE);
    uint64_t head = submit("acme", 6000, HOUR), beside = submit("acme", 1500, 0);
    turn();
    ck_assert(!is_live(head) && !is_live(beside));
    int64_t promised_us = promise_of(head)->start_utc_us;
    ck_assert_int_eq(promised_us, w.now.utc_us + 10 * MINUTE + kill_us());
    live_for(MINUTE);
    raise_poor(100000, PAID_END_STOP);
    live_for(9 * MINUTE + SECOND);
    ck_assert(is_live(head));
    ck_assert_int_le(task(head)->placed_utc_us, promised_us);
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(a_raise_moves_what_is_expected_and_not_what_was_promised)
{
    begin_poor(4 * 600, PAID_END_STOP);
    (void)start("poor", 4000, HOUR);
    uint64_t head = submit("acme", 8000, HOUR);
    turn();
    int64_t promised_us = promise_of(head)->start_utc_us, begin_us = w.now.utc_us;
    raise_poor(4 * 1200, PAID_END_STOP);
    live_for(2 * SECOND);
    turn();
    ck_assert_int_eq(promise_of(head)->start_utc_us, promised_us);
    expected(head, begin_us + 20 * MINUTE + kill_us());
    raise_poor(4 * 100000, PAID_END_STOP);
    live_for(2 * SECOND);
    turn();
    expected(head, promised_us);
    verify();
    world_fini(&w);
}
END_TEST

/* It was told that its paid time is final; then there is money. */
START_TEST(a_final_slice_is_no_promise)
{
    begin_poor(4 * 18 + 2, PAID_END_STOP);
    uint64_t first = start("poor", 4000, HOUR), head = submit("acme", 8000, HOUR);
    turn();
    int64_t promised_us = promise_of(head)->start_utc_us;
    live_for(15 * SECOND);
    ck_assert(task(first)->final);
    ck_assert_int_eq(promise_of(head)->start_utc_us, promised_us);
    raise_poor(4 * 100000, PAID_END_STOP);
    live_for(30 * SECOND);
    ck_assert(is_live(first) && !is_live(head));
    ck_assert_int_eq(promise_of(head)->start_utc_us, promised_us);
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(who_is_paused_where_money_ends_gives_its_cores)
{
    begin_poor(4 * 600, PAID_END_PAUSE);
    (void)start("poor", 4000, HOUR);
    uint64_t head = submit("acme", 8000, HOUR);
    turn();
    expected(head, w.now.utc_us + 10 * MINUTE);
    live_for(10 * MINUTE + 2 * SECOND);
    ck_assert(is_live(head));
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(the_memory_of_who_is_paused_comes_when_the_pause_is_over)
{
    begin_poor(4 * 600, PAID_END_PAUSE);
    (void)start("poor", 4000, 2 * HOUR);
    struct job_spec spec = world_spec(1000, 63 * GIB + GIB / 2);
    uint64_t head = world_submit(&w, "acme", spec);
    turn();
    int64_t stop_us = forecast_stop_us(w.core, END_BUDGET);
    expected(head, w.now.utc_us + 20 * MINUTE + stop_us);
    ck_assert_int_eq(promise_of(head)->start_utc_us, w.now.utc_us + 2 * HOUR + kill_us());
    verify();
    world_fini(&w);
}
END_TEST

/* Ten minutes until somebody is expected to start, an hour until he is sure to. */
START_TEST(who_can_be_paid_for_a_short_time_only_is_let_past)
{
    begin_poor(4 * 600, PAID_END_STOP);
    (void)start("poor", 4000, HOUR);
    uint64_t head = submit("acme", 8000, HOUR);
    turn();
    int64_t promised_us = promise_of(head)->start_utc_us;
    uint64_t paid = submit_with("acme", 3000, HOUR / 2, 3 * 300 * PER_SECOND);  /* five minutes */
    uint64_t longer = submit_with("acme", 2000, HOUR / 2, 2 * 1000 * PER_SECOND); /* more than ten */
    uint64_t beyond = submit_with("acme", 2500, 2 * HOUR, 5 * 150 * PER_SECOND); /* may run into the promise */
    decide();
    ck_assert(is_live(paid));
    ck_assert(!is_live(longer));
    ck_assert(!is_live(beyond));
    ck_assert_int_eq(promise_of(head)->start_utc_us, promised_us);
    live_for(10 * MINUTE + SECOND);
    ck_assert(!is_live(paid) && is_live(head));
    verify();
    world_fini(&w);
}
END_TEST

/* ---- among many -------------------------------------------------------------------------------------- */
#define POOR 3
#define JOBS 400

static const char *const poor_names[POOR] = {"poor0", "poor1", "poor2"};
static uint64_t r; /* random */

/* Random budgets: of the day, of cores' time, for a window of some days, now and then of the root's year, too. */
static void random_policy(struct policy_file *p, int64_t most_s)
{
    world_rule(p, "acme")->weight = 1000; /* it goes first */
    for (size_t i = 0; i < POOR; i++) {
        struct tenant_rule *rule = world_rule(p, poor_names[i]);
        int64_t seconds = (int64_t)random_below(&r, (uint64_t)most_s) + 60;
        rule->budget = budget(seconds * PER_SECOND, random_below(&r, 3) == 0 ? PERIOD_FIXED : PERIOD_DAY);
        if (rule->budget.period == PERIOD_FIXED) {
            rule->budget.from_utc_us = WORLD_START_UTC;
            rule->budget.to_utc_us = WORLD_START_UTC + DAY * (int64_t)(1 + random_below(&r, 3));
        }
        rule->paid_end = random_below(&r, 2) == 0 ? PAID_END_STOP : PAID_END_CHECKPOINT;
        if (random_below(&r, 2) == 0)
            continue;
        struct budget_rule *b = list_add(&rule->budgets, sizeof *b);
        *b = budget(CORE_SECONDS(seconds / 2 + 30), PERIOD_DAY);
        MUST(str_set(&b->name, "cores") == 0 && str_set(&b->resource, "cpu") == 0);
    }
}

/* Is another asked before all, for it has waited for so long? */
static bool goes_before(uint64_t job)
{
    const struct reserves *all = w.core->reserves;
    for (size_t i = 0; i < all->count; i++)
        if (all->v[i].shape != job_find(w.core, job)->shape && all->v[i].firm_utc_us <= w.now.utc_us)
            return true;
    return false;
}

static uint64_t who_is_first(void)
{
    const struct tenant *t = claims_next(w.core);
    const struct entry *first = t != NULL ? queue_first(heap_top(&t->shapes)) : NULL;
    bool acme = first != NULL && strcmp(entry_job(first)->tenant, "acme") == 0; /* no money keeps it */
    bool others_come = w.core->blocked_until_utc_us <= w.now.utc_us;       /* a day begins, and with it their money */
    return acme && !others_come && !goes_before(entry_job(first)->id) ? entry_job(first)->id : 0;
}

static bool has_some(const char *tenant)
{
    for (uint64_t job = 1; job < w.core->next_job; job++) {
        const struct job *j = job_find(w.core, job);
        if (j != NULL && !j->finished && strcmp(j->tenant, tenant) == 0)
            return true;
    }
    return false;
}

/* one: a tenant with a budget has one job at a time, so nobody gives anything back to another. */
static void submit_some(bool one)
{
    for (uint64_t more = random_below(&r, 4); more > 0 && w.core->next_job < JOBS; more--) {
        uint64_t who = random_below(&r, 2 + POOR);
        const char *tenant = who < 2 ? "acme" : poor_names[who - 2];
        int64_t limit_us = random_below(&r, 4) == 0 ? 0 : MINUTE * (int64_t)(1 + random_below(&r, 60));
        uint64_t cpu = (1 + random_below(&r, 8)) * 1000;
        int64_t own = who < 2 && random_below(&r, 3) == 0 ? (int64_t)(random_below(&r, 600) + 1) * PER_SECOND : 0;
        struct job_spec spec = world_spec(cpu, GIB * (1 + random_below(&r, 12)));
        uint64_t job;
        spec.time_limit_ms = (uint64_t)limit_us / 1000;
        spec.budget_micros = own;
        if (one && who >= 2 && has_some(tenant))
            fields_clear(&job_spec_fields, &spec);
        else
            (void)world_try_submit(&w, tenant, NULL, &spec, &job); /* what no budget could ever pay is refused */
    }
}

/* Some end by themselves. */
static void end_some(bool poor)
{
    for (size_t i = 0; i < live_count; i++) {
        bool budgeted = strncmp(job_find(w.core, live[i].job)->tenant, "poor", 4) == 0;
        if ((poor || !budgeted) && random_below(&r, 30) == 0)
            end_live(i, END_EXIT);
    }
}

struct seen {
    uint64_t job;
    const struct node *node;
    int64_t start_utc_us, expected_utc_us;
};

static struct seen look(uint64_t job)
{
    const struct reservation *k = job != 0 && !is_live(job) ? promise_of(job) : NULL;
    if (k == NULL)
        return (struct seen){job, NULL, NEVER_US, NEVER_US};
    return (struct seen){job, k->node, k->start_utc_us, k->expected_utc_us};
}

/* Who was first, and what is promised to him; job 0: nobody who waits. */
static struct seen first_after_a_turn(void)
{
    uint64_t first = who_is_first();
    (void)world_decide(&w);
    struct seen now = look(first);
    run_new();
    verify();
    now.job = is_live(first) ? 0 : first;
    return now;
}

static bool is_same(const struct seen *before, const struct seen *now)
{
    return now->job != 0 && now->job == before->job;
}

static uint64_t begin_many(const char *name, int loop, int64_t most_s)
{
    static const char *const names[NODES] = {"n1", "n2", "n3"};
    struct policy_file p = {0};
    uint64_t seed = random_seed(name) + (uint64_t)loop;
    r = seed;
    random_policy(&p, most_s);
    begin(&p);
    for (size_t i = 1; i < NODES; i++)
        world_hello(&w, names[i], "b1", 4 + i * 2, 32 * GIB);
    return seed;
}

/* Nobody overruns and no node goes: for as long as somebody is asked first, what was promised to him moves only
 * earlier. Days begin, budgets are raised and cut, attempts end and give back. */
START_TEST(whatever_money_comes_a_promise_moves_only_earlier)
{
    uint64_t seed = begin_many("money comes", _i, 40000), kept = 0, sooner = 0;
    struct seen before = {0};
    pass_alone(DAY - 2 * HOUR);
    w.core->limits.slice_ms = 240000;
    for (int minute = 0; minute < 300; minute++) {
        end_some(true);
        if (minute < 240)
            submit_some(false);
        if (random_below(&r, 10) == 0) {
            struct policy_file p = {0};
            random_policy(&p, 40000);
            world_price(&p, 0, PER_HOUR, 0);
            (void)world_apply(&w, &p); /* one that turns a budget into another thing is refused */
        }
        struct seen now = first_after_a_turn();
        if (is_same(&before, &now)) {
            ck_assert_msg(now.start_utc_us <= before.start_utc_us, "seed %llu: job %llu was promised %lld, now %lld",
                          (unsigned long long)seed, (unsigned long long)now.job, (long long)before.start_utc_us,
                          (long long)now.start_utc_us);
            kept += now.start_utc_us != NEVER_US;
            sooner += now.expected_utc_us < now.start_utc_us;
        }
        before = now;
        pass(MINUTE);
    }
    printf("%llu promises kept, %llu expected sooner\n", (unsigned long long)kept, (unsigned long long)sooner);
    world_fini(&w);
}
END_TEST

/* What has a budget has one job, and ends with its money or its limit alone: what is expected on a node moves only
 * earlier, too, whoever is let past. */
START_TEST(while_none_comes_what_is_expected_moves_only_earlier)
{
    uint64_t seed = begin_many("no money comes", _i, 12000), kept = 0, sooner = 0;
    struct seen before = {0};
    w.core->limits.slice_ms = 240000;
    for (int minute = 0; minute < 300; minute++) {
        end_some(false);
        submit_some(true);
        struct seen now = first_after_a_turn();
        if (is_same(&before, &now) && before.node == now.node && now.node != NULL) {
            ck_assert_msg(now.expected_utc_us <= before.expected_utc_us + 1000, /* of a rounded cost */
                          "seed %llu: job %llu was expected %lld, now %lld", (unsigned long long)seed,
                          (unsigned long long)now.job, (long long)before.expected_utc_us,
                          (long long)now.expected_utc_us);
            kept++;
            sooner += now.expected_utc_us < now.start_utc_us;
        }
        before = now;
        pass(MINUTE);
    }
    printf("%llu kept, %llu of them sooner than promised\n", (unsigned long long)kept, (unsigned long long)sooner);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("expected");
    TCase *t = tcase_create("ends");
    tcase_add_test(t, who_waits_is_expected_when_money_ends_and_promised_for_when_it_does_not);
    tcase_add_test(t, who_would_run_into_what_is_expected_waits);
    tcase_add_test(t, money_that_comes_breaks_no_promise);
    tcase_add_test(t, a_raise_moves_what_is_expected_and_not_what_was_promised);
    tcase_add_test(t, a_final_slice_is_no_promise);
    tcase_add_test(t, who_is_paused_where_money_ends_gives_its_cores);
    tcase_add_test(t, the_memory_of_who_is_paused_comes_when_the_pause_is_over);
    tcase_add_test(t, who_can_be_paid_for_a_short_time_only_is_let_past);
    tcase_add_loop_test(t, whatever_money_comes_a_promise_moves_only_earlier, 0, 12);
    tcase_add_loop_test(t, while_none_comes_what_is_expected_moves_only_earlier, 0, 12);
    suite_add_tcase(s, t);
    return run_suite(s);
}
