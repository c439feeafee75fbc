#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* Who goes so that others get what they are guaranteed: scheduler/core/preempt.h, through facts. */

#define KILLED_AFTER (2 * MINUTE)

/* "own" is guaranteed 4 cores, "low" and "else" nothing; a core costs 36 an hour: a cent a second. */
static void policy(struct world *w, struct preempt_rule rule)
{
    struct policy_file p = {.currency = strdup("EUR"), .preempt = rule};
    world_price(&p, 0, 36 * EUR, 0);
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = 4000;
    (void)world_rule(&p, "low");
    (void)world_rule(&p, "else");
    MUST(world_apply(w, &p) == CORE_FACT);
}

static uint64_t submit(struct world *w, const char *tenant, uint64_t cores, int32_t priority, bool preemptible)
{
    struct job_spec spec = world_spec(cores * 1000, 64 << 20);
    spec.priority = priority;
    spec.preemptible = preemptible;
    return world_submit(w, tenant, spec);
}

static uint64_t start(struct world *w, const char *tenant, uint64_t cores, int32_t priority, bool preemptible)
{
    uint64_t job = submit(w, tenant, cores, priority, preemptible);
    MUST(world_decide(w) == 1 && world_run(w, job, 0));
    world_pass(w, SECOND);
    core_node_seen(w->core, "n1", w->now);
    return job;
}

/* Which of these is stopped, a bit each; looks at what its node is told. */
static unsigned stopped(struct world *w, const uint64_t *jobs, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        struct run_call run = {0};
        struct attempt_id id = {.job = jobs[i]};
        uint64_t paid_us;
        uint32_t cause;
        if (world_node_of(w, &id) == NULL)
            continue;
        bool stops = core_duty(w->core, id, true, &run, &paid_us, &cause) == DUTY_STOP;
        bits |= (unsigned)(stops && cause == END_PREEMPTED) << i;
        fields_clear(&run_call_fields, &run);
    }
    return bits;
}

/* Time goes on; its nodes are heard of. */
static void pass(struct world *w, int64_t us)
{
    world_pass(w, us);
    core_node_seen(w->core, "n1", w->now);
    core_node_seen(w->core, "n2", w->now);
    for (size_t i = 0; i < 20 && world_decide(w) > 0; i++) {
    }
}

static bool says(struct world *w, uint64_t job, const char *text)
{
    struct why_reply reply = {0};
    struct job_call call = {.job = job};
    bool found = false;
    MUST(core_why(w->core, &call, w->now, &reply));
    for (size_t i = 0; i < reply.blockers.count; i++)
        found |= strcmp(((const struct blocker *)reply.blockers.v)[i].text, text) == 0;
    for (size_t i = 0; i < reply.blockers.count && !found; i++)
        fprintf(stderr, "%s\n", ((const struct blocker *)reply.blockers.v)[i].text);
    fields_clear(&why_reply_fields, &reply);
    return found;
}

/* n1 has 4 cores, all borrowed by "low": four jobs of one core, the last one started last. */
static void all_is_lent(struct world *w, struct preempt_rule rule, bool preemptible, uint64_t jobs[4])
{
    world_init(w, NULL);
    policy(w, rule);
    world_hello(w, "n1", "b", 4, 16 * GIB);
    for (size_t i = 0; i < 4; i++)
        jobs[i] = start(w, "low", 1, 0, preemptible);
}

START_TEST(what_was_lent_comes_back)
{
    struct world w;
    uint64_t low[4];
    all_is_lent(&w, (struct preempt_rule){0}, true, low);
    uint64_t own = submit(&w, "own", 2, 0, false);
    pass(&w, SECOND);
    ck_assert_uint_eq(stopped(&w, low, 4), 0); /* nobody has run for a minute */
    pass(&w, 57 * SECOND);
    ck_assert_uint_eq(stopped(&w, low, 4), 6); /* who has, though another is newer */
    ck_assert(says(&w, own, "placement: waits for 2 preempted attempts on n1 to end"));
    world_verify(&w, NULL);
    pass(&w, 10 * MINUTE); /* nobody else, however long they take */
    ck_assert_uint_eq(world_stops(&w), 2);
    ck_assert(world_end(&w, low[1], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, 0);
    ck_assert(says(&w, own, "placement: waits for 1 preempted attempt on n1 to end"));
    ck_assert(world_is(&w, low[1], "pending"));
    pass(&w, MINUTE); /* what was stopped first doesn't get its core back */
    ck_assert(world_is(&w, low[1], "pending"));
    ck_assert(world_end(&w, low[2], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, 0);
    ck_assert(world_run(&w, own, 0));
    world_verify(&w, NULL);
    ck_assert(world_end(&w, own, 0, END_EXIT, 0, KILLED_AFTER));
    pass(&w, MINUTE);
    ck_assert(world_run(&w, low[1], 0) && world_run(&w, low[2], 0));
    ck_assert_uint_eq(world_stops(&w), 2);
    world_fini(&w);
}
END_TEST

START_TEST(the_newest_that_ran_long_enough_go_first)
{
    struct world w;
    uint64_t low[4];
    all_is_lent(&w, (struct preempt_rule){.min_run_ms = 1000}, true, low);
    pass(&w, MINUTE);
    (void)submit(&w, "own", 2, 0, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 4), 12);
    world_fini(&w);
}
END_TEST

START_TEST(who_may_be_stopped_is_the_policys)
{
    static const struct {
        uint32_t reclaim;
        bool preemptible;
        unsigned stopped;
    } rows[] = {
        {RECLAIM_PREEMPTIBLE, true, 12}, {RECLAIM_PREEMPTIBLE, false, 0}, {RECLAIM_NEVER, true, 0},
        {RECLAIM_NEVER, false, 0},       {RECLAIM_ANY, true, 12},         {RECLAIM_ANY, false, 12},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        uint64_t low[4];
        all_is_lent(&w, (struct preempt_rule){.reclaim = rows[i].reclaim}, rows[i].preemptible, low);
        pass(&w, 2 * MINUTE);
        (void)submit(&w, "own", 2, 0, false);
        pass(&w, 0);
        ck_assert_msg(stopped(&w, low, 4) == rows[i].stopped, "row %zu: %u", i, stopped(&w, low, 4));
        world_verify(&w, NULL);
        world_fini(&w);
    }
}
END_TEST

/* Cents: who was told that it may be stopped pays what it used, others nothing of it, and neither a retry. */
START_TEST(who_pays_for_what_was_stopped)
{
    for (int preemptible = 0; preemptible < 2; preemptible++) {
        struct world w;
        uint64_t low[4];
        all_is_lent(&w, (struct preempt_rule){.reclaim = RECLAIM_ANY}, preemptible, low);
        pass(&w, 2 * MINUTE);
        (void)submit(&w, "own", 1, 0, false);
        pass(&w, 0);
        ck_assert_uint_eq(stopped(&w, low, 4), 8);
        ck_assert(world_end(&w, low[3], 0, END_PREEMPTED, 0, 100 * SECOND));
        struct job_view v = world_view(&w, low[3]);
        const struct attempt_view *a = v.attempts.v;
        ck_assert_str_eq(a->cause, "preempted");
        ck_assert_int_eq(a->spent_micros, preemptible ? EUR : 0);
        ck_assert_int_eq(a->written_off_micros, preemptible ? 0 : EUR);
        fields_clear(&job_view_fields, &v);
        ck_assert(world_is(&w, low[3], "pending"));
        world_verify(&w, NULL);
        world_fini(&w);
    }
}
END_TEST

START_TEST(inside_a_tenant_the_higher_priority_goes_first)
{
    struct world w;
    uint64_t jobs[4];
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 36 * EUR, 0);
    (void)world_rule(&p, "t");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 4, 16 * GIB);
    const int32_t priorities[] = {1, 3, 2, 1};
    for (size_t i = 0; i < 4; i++)
        jobs[i] = start(&w, "t", 1, priorities[i], i != 3);
    pass(&w, 2 * MINUTE);
    uint64_t first = submit(&w, "t", 2, 3, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, jobs, 4), 5); /* not the same priority, nor who isn't preemptible */
    ck_assert(world_end(&w, jobs[0], 0, END_PREEMPTED, 0, KILLED_AFTER));
    ck_assert(world_end(&w, jobs[2], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, MINUTE);
    ck_assert(world_run(&w, first, 0));
    ck_assert_uint_eq(world_stops(&w), 2);
    world_fini(&w);
}
END_TEST

START_TEST(with_age_nobody_goes_who_would_be_first_again)
{
    struct world w;
    uint64_t old;
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR"), .order = {.present = true, .age_ms = 60000}};
    world_price(&p, 0, 36 * EUR, 0);
    (void)world_rule(&p, "t");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 4, 16 * GIB);
    old = start(&w, "t", 4, 1, true);
    pass(&w, 5 * MINUTE);
    (void)submit(&w, "t", 2, 3, false);
    pass(&w, MINUTE);
    ck_assert_uint_eq(stopped(&w, &old, 1), 0);
    (void)submit(&w, "t", 2, 30, false);
    pass(&w, MINUTE);
    ck_assert_uint_eq(stopped(&w, &old, 1), 1);
    world_fini(&w);
}
END_TEST

/* The guarantee is lent out on n1, and n2 has room: as much goes as was borrowed too much, the start is on n2. */
START_TEST(room_elsewhere_is_used)
{
    struct world w;
    uint64_t low[4];
    all_is_lent(&w, (struct preempt_rule){0}, true, low);
    pass(&w, 2 * MINUTE);
    world_hello(&w, "n2", "b", 4, 16 * GIB);
    uint64_t own = submit(&w, "own", 1, 0, false), other = submit(&w, "else", 1, 0, true);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 4), 8);
    ck_assert(says(&w, own, "placement: waits for 1 preempted attempt on n1 to end"));
    pass(&w, MINUTE);
    ck_assert(world_end(&w, low[3], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, MINUTE);
    ck_assert(world_run(&w, own, 0));
    ck_assert(world_is(&w, other, "pending"));
    ck_assert_uint_eq(world_stops(&w), 1);
    world_fini(&w);
}
END_TEST

/* Its tenant's first task would borrow, so a borrower is first in the fair order: it doesn't get what was stopped. */
START_TEST(for_whom_somebody_was_stopped_is_asked_first)
{
    struct world w;
    uint64_t low[2];
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_rule(&p, TENANT_ROOT)->quota.guaranteed.cpu_milli = 1000;
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = 4000;
    (void)world_rule(&p, "low");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 5, 16 * GIB);
    (void)start(&w, "own", 3, 0, false);
    for (size_t i = 0; i < 2; i++)
        low[i] = start(&w, "low", 1, 0, true);
    pass(&w, 2 * MINUTE);
    (void)submit(&w, "own", 2, 1, false);
    uint64_t own = submit(&w, "own", 1, 0, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 2), 2);
    (void)submit(&w, "low", 1, 0, false);
    ck_assert(world_end(&w, low[1], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, 2 * SECOND);
    ck_assert(world_run(&w, own, 0));
    ck_assert_uint_eq(world_stops(&w), 1);
    world_fini(&w);
}
END_TEST

/* It needs 2 cores, one is not borrowed and one will be given back: nobody borrows the first meanwhile. */
static uint64_t takes_one_of_two(struct world *w, uint64_t low[2], uint64_t *ret_other)
{
    world_init(w, NULL);
    policy(w, (struct preempt_rule){0});
    world_hello(w, "n1", "b", 8, 16 * GIB);
    low[0] = start(w, "low", 2, 1, true);
    low[1] = start(w, "low", 1, 0, true);
    pass(w, 2 * MINUTE);
    uint64_t own = submit(w, "own", 2, 0, false);
    *ret_other = submit(w, "else", 1, 0, false);
    pass(w, 0);
    ck_assert_uint_eq(stopped(w, low, 2), 2);
    ck_assert(world_is(w, *ret_other, "pending"));
    return own;
}

START_TEST(what_it_is_about_to_use_is_not_lent_again)
{
    struct world w;
    uint64_t low[2], other, own = takes_one_of_two(&w, low, &other);
    ck_assert(world_end(&w, low[1], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, 2 * SECOND);
    ck_assert(world_run(&w, own, 0));
    ck_assert_uint_eq(world_stops(&w), 1);
    ck_assert(world_end(&w, own, 0, END_EXIT, 0, KILLED_AFTER)); /* and then it is, also what waited for the limit */
    pass(&w, 0);
    ck_assert(world_run(&w, other, 0));
    world_fini(&w);
}
END_TEST

START_TEST(who_waits_for_what_is_kept_in_the_ledger_is_told_so)
{
    struct world w;
    uint64_t low[2], other;
    (void)takes_one_of_two(&w, low, &other);
    ck_assert(says(&w, other, "borrow: of 4 cpu guaranteed in the cell and lent 5 are in use, needs 1, short 2, with "
                              "what is kept for jobs for which others are stopped"));
    world_fini(&w);
}
END_TEST

START_TEST(what_was_kept_in_the_ledger_is_lent_when_its_task_is_cancelled)
{
    struct world w;
    uint64_t low[2], other, own = takes_one_of_two(&w, low, &other);
    struct job_call call = {.job = own};
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert(core_check_cancel(w.core, &call, "root", w.now, &f, 1, &count, &reply, &w.refusal) == CORE_FACT);
    world_commit(&w, &f);
    pass(&w, 0);
    ck_assert(world_run(&w, other, 0)); /* whatever becomes of the victim */
    world_fini(&w);
}
END_TEST

START_TEST(a_cancelled_preemptor_gives_the_room_up)
{
    struct world w;
    uint64_t low[4];
    all_is_lent(&w, (struct preempt_rule){0}, true, low);
    pass(&w, 2 * MINUTE);
    uint64_t own = submit(&w, "own", 2, 0, false), other = submit(&w, "else", 1, 0, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 4), 12);
    struct job_call call = {.job = own};
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert(core_check_cancel(w.core, &call, "root", w.now, &f, 1, &count, &reply, &w.refusal) == CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &f);
    ck_assert(world_end(&w, low[2], 0, END_PREEMPTED, 0, KILLED_AFTER));
    ck_assert(world_end(&w, low[3], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, MINUTE);
    ck_assert(world_run(&w, other, 0));
    ck_assert(world_run(&w, low[2], 0) || world_run(&w, low[3], 0));
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(when_its_node_is_lost_it_looks_elsewhere)
{
    struct world w;
    uint64_t low[4], more[4];
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = 8000;
    (void)world_rule(&p, "low");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 4, 16 * GIB);
    for (size_t i = 0; i < 4; i++)
        low[i] = start(&w, "low", 1, 0, true);
    world_hello(&w, "n2", "b", 4, 16 * GIB);
    for (size_t i = 0; i < 4; i++)
        more[i] = start(&w, "low", 1, 1, true);
    pass(&w, 2 * MINUTE);
    uint64_t own = submit(&w, "own", 2, 0, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 4), 12); /* the less important ones */
    ck_assert_uint_eq(stopped(&w, more, 4), 0);
    world_hello(&w, "n1", "another boot", 1, 16 * GIB); /* smaller, too */
    for (size_t i = 0; i < 10; i++)
        pass(&w, SECOND);
    ck_assert_uint_eq((unsigned)__builtin_popcount(stopped(&w, more, 4)), 2);
    for (size_t i = 0; i < 4; i++)
        if (stopped(&w, more, 4) & 1U << i)
            ck_assert(world_end(&w, more[i], 0, END_PREEMPTED, 0, KILLED_AFTER));
    pass(&w, MINUTE);
    ck_assert(world_run(&w, own, 0));
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(a_recovered_core_asks_for_nobody_else)
{
    struct world w, v = {0};
    uint64_t low[4], next_boot_us;
    static struct fact facts[64];
    all_is_lent(&w, (struct preempt_rule){0}, true, low);
    pass(&w, 2 * MINUTE);
    (void)submit(&w, "own", 2, 0, false);
    pass(&w, 0);
    ck_assert_uint_eq(stopped(&w, low, 4), 12);
    v = w;
    v.core = world_restored(&w, NULL);
    core_node_seen(v.core, "n1", v.now);
    ck_assert_uint_eq(stopped(&v, low, 4), 12);
    for (size_t i = 0; i < 10; i++) {
        world_pass(&v, SECOND);
        core_node_seen(v.core, "n1", v.now);
        ck_assert_uint_eq(core_decide(v.core, v.now, facts, COUNT_OF(facts), &next_boot_us), 0);
    }
    core_free(v.core);
    world_fini(&w);
}
END_TEST

/* What the store refuses is asked for again, a cancelled victim stays cancelled, who ends by itself is just over. */
START_TEST(whatever_becomes_of_the_victims)
{
    struct world w;
    uint64_t low[4], next_boot_us;
    static struct fact facts[64];
    all_is_lent(&w, (struct preempt_rule){0}, true, low);
    pass(&w, 2 * MINUTE);
    uint64_t own = submit(&w, "own", 2, 0, false);
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next_boot_us);
    ck_assert_uint_eq(count, 2);
    for (size_t i = 0; i < count; i++)
        world_refuse(&w, &facts[i], "store");
    pass(&w, 2 * SECOND);
    ck_assert_uint_eq(stopped(&w, low, 4), 12);
    struct job_call call = {.job = low[2]};
    struct cancel_reply reply;
    ck_assert(core_check_cancel(w.core, &call, "root", w.now, facts, 1, &count, &reply, &w.refusal) == CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &facts[0]);
    ck_assert(world_end(&w, low[2], 0, END_PREEMPTED, 0, KILLED_AFTER));
    ck_assert(world_is(&w, low[2], "cancelled"));
    ck_assert(world_end(&w, low[3], 0, END_EXIT, 0, KILLED_AFTER));
    ck_assert(world_is(&w, low[3], "succeeded"));
    pass(&w, 0);
    ck_assert(world_run(&w, own, 0));
    ck_assert_uint_eq(world_stops(&w), 2);
    world_fini(&w);
}
END_TEST

START_TEST(its_grace_is_its_own)
{
    struct world w;
    world_init(&w, NULL);
    policy(&w, (struct preempt_rule){0});
    ck_assert_uint_eq(core_stop_grace_ms(w.core, END_PREEMPTED), core_limits_default.grace_ms);
    policy(&w, (struct preempt_rule){.grace_ms = 30000});
    ck_assert_uint_eq(core_stop_grace_ms(w.core, END_PREEMPTED), 30000);
    ck_assert_uint_eq(core_stop_grace_ms(w.core, END_CANCELLED), core_limits_default.grace_ms);
    world_fini(&w);
}
END_TEST

START_TEST(a_change_of_the_rule_is_said_and_is_a_raise)
{
    static const char *const lines[] = {"~ preempt.reclaim  preemptible -> any", "~ preempt.min_run  1m -> 5m",
                                        "~ preempt.grace  none -> 30s"};
    struct world w;
    struct fact f;
    world_init(&w, NULL);
    struct apply_call call = {.policy = {.two_persons = true,
                                         .preempt = {.reclaim = RECLAIM_ANY, .min_run_ms = 300000, .grace_ms = 30000}}};
    struct apply_reply reply = {0};
    MUST(strs_add(&call.policy.admins, "alice") == 0);
    struct policy_file p = {.currency = strdup("EUR"), .two_persons = true};
    MUST(strs_add(&p.admins, "alice") == 0);
    MUST(world_apply(&w, &p) == CORE_FACT);
    ck_assert(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal) == CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_POLICY_PROPOSED);
    ck_assert_uint_eq(f.policy_proposed.raises.count, 1);
    ck_assert_str_eq(f.policy_proposed.raises.v[0], "preempt");
    ck_assert_uint_eq(reply.changes.count, COUNT_OF(lines));
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        ck_assert_str_eq(reply.changes.v[i], lines[i]);
    core_refused(w.core, &f, "dropped", "", w.now);
    fact_clear(&f);
    fields_clear(&apply_reply_fields, &reply);
    call.policy.preempt.min_run_ms = 999;
    ck_assert(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal) == CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "preempt.min_run: at least 1s");
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&apply_call_fields, &call);
    world_fini(&w);
}
END_TEST

/* ---- a closed world ---------------------------------------------------------------------------------- */

#define JOBS 30

/* All that is to stop ends, all that starts runs. true: something did. */
static bool let_it_end(struct world *w, const uint64_t *jobs)
{
    bool some = false;
    for (size_t i = 0; i < JOBS; i++) {
        some |= world_run(w, jobs[i], 0);
        if (stopped(w, &jobs[i], 1) != 0) {
            ck_assert(world_end(w, jobs[i], 0, END_PREEMPTED, 0, KILLED_AFTER));
            some = true;
        }
    }
    return some;
}

START_TEST(a_closed_world_comes_to_rest)
{
    static const char *const paths[] = {"a", "a/x", "a/y", "b", "b/x", "c"};
    uint64_t seed = random_seed("preempt");
    size_t most = 0, all = 0;
    for (size_t round = 0; round < 40; round++) {
        struct world w;
        uint64_t jobs[JOBS];
        world_init(&w, NULL);
        struct policy_file p = {.currency = strdup("EUR"), .preempt = {.reclaim = RECLAIM_ANY, .min_run_ms = 1000}};
        for (size_t i = 0; i < COUNT_OF(paths); i++)
            world_rule(&p, paths[i])->quota.guaranteed.cpu_milli = 1000 * (1 + random_below(&seed, 4));
        MUST(world_apply(&w, &p) == CORE_FACT);
        world_hello(&w, "n1", "b", 8, 16 * GIB);
        world_hello(&w, "n2", "b", 5, 16 * GIB);
        for (size_t i = 0; i < JOBS; i++) {
            jobs[i] = submit(&w, paths[random_below(&seed, COUNT_OF(paths))], 1 + random_below(&seed, 4),
                             (int32_t)random_below(&seed, 3), random_below(&seed, 2) > 0);
            if (i % 3 == 0)
                pass(&w, 5 * SECOND);
        }
        for (size_t quiet = 0; quiet < 10;) {
            pass(&w, 2 * SECOND);
            quiet = let_it_end(&w, jobs) ? 0 : quiet + 1;
            ck_assert_uint_le(world_stops(&w), JOBS);
        }
        world_verify(&w, NULL);
        most = MAX(most, world_stops(&w));
        all += world_stops(&w);
        world_fini(&w);
    }
    printf("at most %zu stops among %d jobs, %zu in all\n", most, JOBS, all);
    ck_assert_uint_gt(all, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("preempt");
    TCase *t = tcase_create("core");
    tcase_add_test(t, what_was_lent_comes_back);
    tcase_add_test(t, the_newest_that_ran_long_enough_go_first);
    tcase_add_test(t, who_may_be_stopped_is_the_policys);
    tcase_add_test(t, who_pays_for_what_was_stopped);
    tcase_add_test(t, inside_a_tenant_the_higher_priority_goes_first);
    tcase_add_test(t, with_age_nobody_goes_who_would_be_first_again);
    tcase_add_test(t, room_elsewhere_is_used);
    tcase_add_test(t, for_whom_somebody_was_stopped_is_asked_first);
    tcase_add_test(t, what_it_is_about_to_use_is_not_lent_again);
    tcase_add_test(t, who_waits_for_what_is_kept_in_the_ledger_is_told_so);
    tcase_add_test(t, what_was_kept_in_the_ledger_is_lent_when_its_task_is_cancelled);
    tcase_add_test(t, a_cancelled_preemptor_gives_the_room_up);
    tcase_add_test(t, when_its_node_is_lost_it_looks_elsewhere);
    tcase_add_test(t, a_recovered_core_asks_for_nobody_else);
    tcase_add_test(t, whatever_becomes_of_the_victims);
    tcase_add_test(t, its_grace_is_its_own);
    tcase_add_test(t, a_change_of_the_rule_is_said_and_is_a_raise);
    tcase_add_test(t, a_closed_world_comes_to_rest);
    suite_add_tcase(s, t);
    return run_suite(s);
}
