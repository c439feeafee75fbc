/* Prices in the scheduler: classes of nodes, discounts, preemptible jobs, what was used, quotes. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: one micro-unit per core-millisecond, 1000 per core-second. Memory is free. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000
#define TOTAL "/@total"
#define USED(run, cpu) ((struct use_point){.run_us = (run), .cpu_us = (cpu)})

static struct world w;
static struct policy_file policy;

static struct price_version *begin(uint64_t slice_ms)
{
    struct core_limits limits = core_limits_default;
    limits.slice_ms = slice_ms;
    world_init(&w, &limits);
    policy = (struct policy_file){0};
    world_price(&policy, 0, PER_HOUR, 0);
    (void)world_rule(&policy, "acme");
    (void)world_rule(&policy, "acme/etl");
    return policy.prices.v;
}

static void apply(void)
{
    ck_assert_int_eq(world_apply(&w, &policy), CORE_FACT);
}

static void add_class(struct price_version *v, const char *name, int64_t cpu_hour)
{
    struct price_class *c = list_add(&v->classes, sizeof *c);
    MUST(c != NULL && str_set(&c->name, name) == 0 && counts_set(&c->per_hour, "cpu", (uint64_t)cpu_hour) == 0);
}

static void hello_again(const char *node, const char *class, uint64_t cores, uint64_t job)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t) "b1"};
    struct attempt_state *runs = job != 0 ? list_add(&call.attempts, sizeof *runs) : NULL;
    if (runs != NULL)
        *runs = (struct attempt_state){.id = {job, 0, 1}, .started_utc_us = w.now.utc_us};
    call.capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = 64 * GIB};
    if (class != NULL)
        MUST(pairs_set(&call.labels, "class", class) == 0);
    world_hello_as(&w, &call);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

static void hello(const char *node, const char *class, uint64_t cores)
{
    hello_again(node, class, cores, 0);
}

static uint64_t start(const char *tenant, struct job_spec spec)
{
    uint64_t job = world_submit(&w, tenant, spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    return job;
}

static void finish(void)
{
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err_text(&err));
    world_fini(&w);
}

static int64_t held(void)
{
    return world_account(&w, TOTAL).held_micros;
}

static int64_t spent(void)
{
    return world_account(&w, TOTAL).spent_micros;
}

/* One second passes; its node says what was used by then, if it counts at all. */
static void second(uint64_t job, uint64_t run_us, uint64_t cpu_us)
{
    struct attempt_id id = {job, 0, 1};
    world_pass(&w, SECOND);
    core_node_seen(w.core, "n1", w.now);
    core_node_seen(w.core, "n2", w.now);
    core_attempt_seen(w.core, "n1", id, run_us, w.now);
    core_attempt_used(w.core, "n1", id, USED(run_us, cpu_us));
    (void)world_decide(&w);
}

static void end(uint64_t job, uint64_t run_us, uint64_t cpu_us)
{
    struct attempt_state state = {.id = {job, 0, 1}, .ended = true};
    struct fact f;
    state.record = (struct exit_record){.cause = END_EXIT, .run_us = run_us, .usage = {.cpu_us = cpu_us}};
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &f), CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_ATTEMPT_ENDED);
    world_commit(&w, &f);
}

/* Every line of the attempt, joined where they say the same. */
static struct list lines_of(uint64_t job)
{
    struct job_view view = world_view(&w, job);
    struct attempt_view *a = &((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    struct list lines = a->charges;
    a->charges = (struct list){0};
    fields_clear(&job_view_fields, &view);
    return lines;
}

static void lines_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        fields_clear(&charge_fields, &((struct charge *)l->v)[i]);
    free(l->v);
}

static struct charge cpu_line(uint64_t job, size_t index)
{
    struct list lines = lines_of(job);
    struct charge found = {.by = UINT32_MAX};
    for (size_t i = 0; i < lines.count; i++) {
        const struct charge *c = &((const struct charge *)lines.v)[i];
        if (strcmp(c->resource, "cpu") == 0 && index-- == 0)
            found = *c;
    }
    found.resource = found.price_class = NULL;
    lines_clear(&lines);
    return found;
}

/* ---- who pays what ---------------------------------------------------------------------------------- */

START_TEST(a_hold_is_right_for_the_node_that_was_chosen)
{
    add_class(begin(60000), "big", 2 * PER_HOUR);
    apply();
    hello("n1", "big", 2);
    hello("n2", NULL, 64); /* packed: n1 comes first */
    uint64_t first = start("acme", world_spec(2000, GIB));
    ck_assert_int_eq(held(), 2 * 2 * 60 * PER_SECOND);
    uint64_t second_job = start("acme", world_spec(2000, GIB));
    ck_assert_int_eq(held(), 2 * 2 * 60 * PER_SECOND + 2 * 60 * PER_SECOND);
    hello_again("n1", "small", 2, first); /* its class changes: what runs there stays as it was placed */
    for (uint64_t s = 1; s <= 100; s++)
        second(first, s * SECOND, 0);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, 100 * SECOND));
    ck_assert(world_end(&w, second_job, 0, END_EXIT, 0, 100 * SECOND));
    ck_assert_int_eq(spent(), 100 * (2 * 2 + 2) * PER_SECOND);
    struct charge line = cpu_line(first, 0);
    ck_assert_int_eq(line.list_price, 2 * PER_HOUR);
    ck_assert_uint_eq(line.run_us, 100 * SECOND); /* all of it one line */
    finish();
}
END_TEST

START_TEST(the_nearest_discount_and_the_preemptible_rate_hold)
{
    struct price_version *v = begin(60000);
    MUST(counts_set(&v->discounts, "acme", 50000000) == 0 && counts_set(&v->discounts, "acme/etl", 10000000) == 0);
    v->preemptible_percent = 30;
    apply();
    hello("n1", NULL, 64);
    (void)start("acme", world_spec(1000, GIB));
    ck_assert_int_eq(held(), 60 * PER_SECOND / 2);
    struct job_spec spec = world_spec(1000, GIB);
    spec.preemptible = true;
    uint64_t job = start("acme/etl", spec);
    ck_assert_int_eq(held(), 60 * PER_SECOND / 2 + 60 * PER_SECOND * 27 / 100);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 10 * SECOND));
    struct charge line = cpu_line(job, 0);
    ck_assert_int_eq(line.list_price, PER_HOUR);
    ck_assert_int_eq(line.price, PER_HOUR * 27 / 100);
    ck_assert(line.preemptible);
    ck_assert_int_eq(line.micros, 10 * PER_SECOND * 27 / 100);
    finish();
}
END_TEST

/* ---- what was used ---------------------------------------------------------------------------------- */

static void begin_by(const char *by, uint64_t slice_ms)
{
    MUST(pairs_set(&begin(slice_ms)->by, "cpu", by) == 0);
    apply();
    hello("n1", NULL, 64);
}

START_TEST(use_is_charged_and_the_hold_is_by_request)
{
    begin_by("use", 60000);
    uint64_t job = start("acme", world_spec(4000, GIB));
    for (uint64_t s = 1; s <= 300; s++) {
        second(job, s * SECOND, s * SECOND / 2);
        ck_assert_int_le(spent(), (int64_t)s * PER_SECOND / 2);
        ck_assert_int_ge(held(), 4 * 20 * PER_SECOND);
    }
    end(job, 300 * SECOND, 150 * SECOND);
    ck_assert_int_eq(spent(), 150 * PER_SECOND);
    ck_assert_int_eq(held(), 0);
    ck_assert_uint_eq(cpu_line(job, 0).by, PRICE_BY_USE);
    ck_assert_uint_eq(cpu_line(job, 0).amount, 500);
    finish();
}
END_TEST

START_TEST(lost_beats_delay_the_settlement_and_lose_nothing)
{
    begin_by("use", 60000);
    uint64_t job = start("acme", world_spec(4000, GIB));
    struct attempt_id id = {job, 0, 1};
    for (uint64_t s = 1; s <= 300; s++) {
        world_pass(&w, SECOND);
        core_node_seen(w.core, "n1", w.now); /* it lives, but nothing is heard of the attempt */
        (void)world_decide(&w);
    }
    ck_assert_int_eq(spent(), 0);
    ck_assert_int_ge(held(), 4 * 300 * PER_SECOND); /* all of it is covered by request */
    core_attempt_seen(w.core, "n1", id, 300 * SECOND, w.now);
    core_attempt_used(w.core, "n1", id, USED(300 * SECOND, 60 * SECOND));
    for (uint64_t s = 301; s <= 340; s++)
        second(job, s * SECOND, 60 * SECOND);
    ck_assert_int_gt(spent(), 0);
    end(job, 340 * SECOND, 60 * SECOND);
    ck_assert_int_ge(spent(), 60 * PER_SECOND - 40); /* what milli-cores round off the last line */
    ck_assert_int_le(spent(), 60 * PER_SECOND);
    finish();
}
END_TEST

START_TEST(what_its_node_does_not_count_is_charged_by_request)
{
    begin_by("use", 60000);
    uint64_t job = start("acme", world_spec(1000, GIB));
    for (uint64_t s = 1; s <= 100; s++)
        second(job, s * SECOND, 0);
    ck_assert_int_gt(spent(), 0);
    end(job, 100 * SECOND, 0);
    ck_assert_int_eq(spent(), 100 * PER_SECOND);
    ck_assert_uint_eq(cpu_line(job, 0).by, PRICE_BY_REQUEST);
    finish();
}
END_TEST

START_TEST(a_counter_that_went_back_is_charged_by_request_until_it_is_known_again)
{
    begin_by("use", 60000);
    uint64_t job = start("acme", world_spec(1000, GIB));
    for (uint64_t s = 1; s <= 60; s++)
        second(job, s * SECOND, s * SECOND / 10);
    int64_t before = spent();
    ck_assert_int_gt(before, 0);
    for (uint64_t s = 61; s <= 200; s++)
        second(job, s * SECOND, (s - 60) * SECOND / 100); /* begins anew, and stays below what is charged for long */
    end(job, 200 * SECOND, 140 * SECOND / 100);
    ck_assert_uint_eq(cpu_line(job, 0).by, PRICE_BY_USE);
    ck_assert_uint_eq(cpu_line(job, 1).by, PRICE_BY_REQUEST);
    ck_assert_uint_eq(cpu_line(job, 2).by, PRICE_BY_USE);
    finish();
}
END_TEST

START_TEST(what_is_greater_never_costs_more_than_was_held)
{
    begin_by("greater", 60000);
    uint64_t job = start("acme", world_spec(1000, GIB));
    for (uint64_t s = 1; s <= 200; s++) {
        int64_t before = spent() + held();
        second(job, s * SECOND, 3 * s * SECOND);
        ck_assert_int_le(spent(), before);
    }
    end(job, 200 * SECOND, 600 * SECOND);
    ck_assert_int_le(spent(), 600 * PER_SECOND);
    ck_assert_int_ge(spent(), 200 * PER_SECOND);
    struct core_stats stats;
    core_stats(w.core, &stats);
    ck_assert_int_gt(stats.written_off_micros, 0); /* beyond the hold: the platform's */
    finish();
}
END_TEST

/* The scheduler dies between any two settlements and goes on from the journal, or from a snapshot. */
START_TEST(a_restart_changes_no_micro_unit)
{
    uint64_t seed = random_seed("price restart");
    int64_t want = -1;
    struct core_limits limits = core_limits_default;
    limits.slice_ms = 20000;
    for (int way = 0; way < 3; way++) {
        uint64_t steps = seed, cpu_us = 0;
        begin_by("use", limits.slice_ms);
        uint64_t job = start("acme", world_spec(1700, GIB));
        for (uint64_t s = 1; s <= 120; s++) {
            cpu_us += random_below(&steps, 1700000);
            second(job, s * SECOND, cpu_us);
            if (way == 0 || s % 7 != 0)
                continue;
            struct core *to = way == 1 ? world_restored(&w, &limits) : world_replayed(&w, &limits);
            ck_assert_uint_eq(core_hash(to), core_hash(w.core));
            core_free(w.core);
            w.core = to;
            core_node_seen(w.core, "n1", w.now);
            core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, 1}, s * SECOND, w.now);
            core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, 1},
                              USED(s * SECOND, cpu_us));
        }
        end(job, 121 * SECOND, cpu_us + 1);
        ck_assert(want == -1 || spent() == want);
        want = spent();
        ck_assert_int_le(want, (int64_t)(cpu_us + 1) / 1000);
        ck_assert_int_ge(want, (int64_t)(cpu_us + 1) / 1000 - 21);
        finish();
    }
}
END_TEST

START_TEST(only_its_own_node_says_what_an_attempt_used)
{
    begin_by("use", 60000);
    uint64_t job = start("acme", world_spec(1000, GIB));
    for (uint64_t s = 1; s <= 100; s++) {
        second(job, s * SECOND, s * SECOND / 2);
        core_attempt_used(w.core, "n2", (struct attempt_id){job, 0, 1}, USED(s * SECOND, 1));
        core_attempt_used(w.core, "n1", (struct attempt_id){job, 3, 1}, USED(s * SECOND, 1));
        core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, 2}, USED(s * SECOND, 1));
    }
    end(job, 100 * SECOND, 50 * SECOND);
    ck_assert_int_eq(spent(), 50 * PER_SECOND);
    finish();
}
END_TEST

/* ---- quotes ----------------------------------------------------------------------------------------- */

START_TEST(a_quote_names_the_likely_node_and_at_most_the_dearest)
{
    add_class(begin(900000), "big", 3 * PER_HOUR);
    apply();
    hello("n1", "big", 2);
    hello("n2", NULL, 64);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 100000;
    uint64_t job;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
    ck_assert_int_eq(w.quote.quote_micros, 3 * 100 * PER_SECOND);
    spec = world_spec(4000, GIB); /* fits n2 only */
    spec.time_limit_ms = 100000;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
    ck_assert_int_eq(w.quote.quote_micros, 4 * 100 * PER_SECOND);
    ck_assert_int_eq(w.quote.quote_max_micros, 3 * 4 * 105 * PER_SECOND);
    ck_assert_int_eq(w.quote.quote_until_utc_us, w.now.utc_us + MINUTE);
    finish();
}
END_TEST

/* Random books, random starts while the quote is valid: no start costs more than was expected, none more than at most.
 * */
START_TEST(a_quote_is_honoured)
{
    uint64_t seed = random_seed("price quote");
    for (int i = 0; i < 300; i++) {
        struct price_version *v = begin(900000);
        int64_t from = WORLD_START_UTC;
        for (int k = 0; k < 4; k++) {
            from += (int64_t)random_below(&seed, 2 * MINUTE) + 1;
            world_price(&policy, from, (int64_t)random_below(&seed, 10 * PER_HOUR), 0);
        }
        (void)v;
        apply();
        hello("n1", NULL, 64);
        struct job_spec spec = world_spec(1000, GIB);
        spec.time_limit_ms = 1000 + random_below(&seed, 200000);
        uint64_t job, run_us = spec.time_limit_ms * 1000;
        ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
        world_pass(&w, (int64_t)random_below(&seed, MINUTE));
        core_node_seen(w.core, "n1", w.now);
        ck_assert_uint_eq(world_decide(&w), 1);
        ck_assert(world_run(&w, job, 0));
        for (uint64_t s = 1; s * SECOND <= run_us; s++)
            second(job, s * SECOND, 0);
        end(job, run_us, 0);
        ck_assert_int_le(spent(), w.quote.quote_micros);
        ck_assert_int_le(spent(), w.quote.quote_max_micros);
        finish();
    }
}
END_TEST

static int change_price(int64_t from_utc_us)
{
    policy = (struct policy_file){0};
    world_price(&policy, 0, PER_HOUR, 0);
    world_price(&policy, from_utc_us, 2 * PER_HOUR, 0);
    (void)world_rule(&policy, "acme");
    (void)world_rule(&policy, "acme/etl");
    return world_apply(&w, &policy);
}

START_TEST(no_price_changes_while_a_quote_is_valid)
{
    (void)begin(900000);
    apply();
    hello("n1", NULL, 64);
    (void)start("acme", world_spec(1000, GIB));
    ck_assert_int_eq(change_price(w.now.utc_us + MINUTE), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "state");
    ck_assert_int_eq(change_price(w.now.utc_us + MINUTE + 1), CORE_FACT);
    finish();
}
END_TEST

/* A mistake in the book is put right: what runs on pays the right price from where it was settled, and no more than was
 * held. */
START_TEST(past_prices_change_only_when_that_is_asked_for)
{
    (void)begin(60000);
    apply();
    hello("n1", NULL, 64);
    uint64_t job = start("acme", world_spec(1000, GIB));
    for (uint64_t s = 1; s <= 50; s++)
        second(job, s * SECOND, 0);
    struct list before = lines_of(job);
    uint64_t settled_us = ((const struct charge *)before.v)[0].run_us;
    lines_clear(&before);
    policy = (struct policy_file){0};
    world_price(&policy, 0, PER_HOUR / 2, 0);
    (void)world_rule(&policy, "acme");
    (void)world_rule(&policy, "acme/etl");
    struct apply_call call = {.policy = policy};
    struct apply_reply reply = {0};
    struct fact f;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_REFUSED);
    call.past_prices = true;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_uint_eq(((const struct price_version *)f.policy.prices.v)[0].version, 2); /* never the same number */
    world_commit(&w, &f);
    end(job, 60 * SECOND, 0);
    ck_assert_int_eq(spent(), (int64_t)(settled_us / SECOND) * PER_SECOND +
                                  (int64_t)(60 - settled_us / SECOND) * PER_SECOND / 2);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_file_fields, &policy);
    finish();
}
END_TEST

/* ---- the book as a policy --------------------------------------------------------------------------- */

static const char *line_of(struct apply_reply *reply, size_t i)
{
    return i < reply->changes.count ? reply->changes.v[i] : "";
}

START_TEST(a_change_of_prices_reads_as_one_line)
{
    struct price_version *v = begin(900000);
    apply();
    policy = (struct policy_file){0};
    world_price(&policy, 0, PER_HOUR, 0);
    (void)world_rule(&policy, "acme");
    (void)world_rule(&policy, "acme/etl");
    v = policy.prices.v;
    add_class(v, "big", 2 * PER_HOUR);
    MUST(counts_set(&v->discounts, "acme", 12500000) == 0 && pairs_set(&v->by, "cpu", "use") == 0);
    v->preemptible_percent = 40;
    struct apply_call call = {.policy = policy, .dry_run = true};
    struct apply_reply reply = {0};
    struct fact f;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_str_eq(line_of(&reply, 0),
                     "~ prices from 1970-01-01T00:00:00Z  cpu 3.60 -> "
                     "cpu 3.60; class big: cpu 7.20; discounts: acme 12.50%; preemptible 40%; cpu by use");
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_file_fields, &policy);
    finish();
}
END_TEST

static void nameless_class(struct price_version *v)
{
    add_class(v, "", 1);
}
static void class_twice(struct price_version *v)
{
    add_class(v, "big", 1);
    add_class(v, "big", 2);
}
static void dear_class(struct price_version *v)
{
    add_class(v, "big", PRICE_MICROS_MAX + 1);
}
static void discount_of_nobody(struct price_version *v)
{
    MUST(counts_set(&v->discounts, "acme//etl", 1) == 0);
}
static void discount_beyond(struct price_version *v)
{
    MUST(counts_set(&v->discounts, "acme", PRICE_DISCOUNT_MAX + 1) == 0);
}
static void gpu_by_use(struct price_version *v)
{
    MUST(pairs_set(&v->by, "gpu", "use") == 0);
}
static void by_guess(struct price_version *v)
{
    MUST(pairs_set(&v->by, "cpu", "guess") == 0);
}
static void more_when_preemptible(struct price_version *v)
{
    v->preemptible_percent = 101;
}
static const struct {
    void (*spoil)(struct price_version *v);
    const char *says;
} wrong[] = {
    {nameless_class, "without a name"},         {class_twice, "is there twice"},
    {dear_class, "at most 10000 an hour"},      {discount_of_nobody, "discounts.acme//etl"},
    {discount_beyond, "at most 100 percent"},   {gpu_by_use, "only the use of cpu and memory is measured"},
    {by_guess, "none of request, use, greater"}, {more_when_preemptible, "preemptible_percent"},
};

START_TEST(what_can_not_be_charged_is_refused_by_name)
{
    wrong[_i].spoil(begin(900000));
    ck_assert_int_eq(world_apply(&w, &policy), CORE_REFUSED);
    ck_assert_msg(strstr(w.refusal.message, wrong[_i].says) != NULL, "%s", w.refusal.message);
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core: prices");
    TCase *t = tcase_create("prices");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_hold_is_right_for_the_node_that_was_chosen);
    tcase_add_test(t, the_nearest_discount_and_the_preemptible_rate_hold);
    tcase_add_test(t, use_is_charged_and_the_hold_is_by_request);
    tcase_add_test(t, lost_beats_delay_the_settlement_and_lose_nothing);
    tcase_add_test(t, what_its_node_does_not_count_is_charged_by_request);
    tcase_add_test(t, a_counter_that_went_back_is_charged_by_request_until_it_is_known_again);
    tcase_add_test(t, what_is_greater_never_costs_more_than_was_held);
    tcase_add_test(t, a_restart_changes_no_micro_unit);
    tcase_add_test(t, only_its_own_node_says_what_an_attempt_used);
    tcase_add_test(t, a_quote_names_the_likely_node_and_at_most_the_dearest);
    tcase_add_test(t, a_quote_is_honoured);
    tcase_add_test(t, no_price_changes_while_a_quote_is_valid);
    tcase_add_test(t, past_prices_change_only_when_that_is_asked_for);
    tcase_add_test(t, a_change_of_prices_reads_as_one_line);
    tcase_add_loop_test(t, what_can_not_be_charged_is_refused_by_name, 0, (int)COUNT_OF(wrong));
    suite_add_tcase(s, t);
    return run_suite(s);
}
