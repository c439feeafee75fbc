/* How many attempts a node takes at once, whatever else there is room for. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;
static uint64_t hellos;

/* How many facts that was. */
static int hello(const char *node, uint32_t max_attempts)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t)"b", .number = ++hellos,
                              .max_attempts = max_attempts};
    struct fact f;
    call.capacity = (struct resources){.cpu_milli = 16000, .mem_bytes = 64 * GIB};
    MUST(core_check_hello(w.core, &call, w.now, &f, &w.refusal) == CORE_FACT);
    int facts = f.kind != FACT_NONE;
    if (facts > 0)
        world_commit(&w, &f);
    core_node_seen(w.core, node, w.now);
    return facts;
}

static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 1000, 0);
    (void)world_rule(&p, "acme");
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    hellos = 0;
}

static uint64_t submit(const char *tenant, int64_t limit_us)
{
    struct job_spec spec = world_spec(100, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    return world_submit(&w, tenant, spec);
}

static bool is_live(uint64_t job)
{
    struct attempt_id id = {job, 0, 0};
    return world_node_of(&w, &id) != NULL;
}

static bool everybody(void *arg, const char *tenant)
{
    (void)arg;
    (void)tenant;
    return true;
}

static uint32_t live_on(const char *node)
{
    struct node_reply reply;
    uint32_t live = UINT32_MAX;
    ck_assert_int_eq(core_nodes(w.core, w.now, &reply), 0);
    for (size_t i = 0; i < reply.nodes.count; i++) {
        const struct node_row *row = &((const struct node_row *)reply.nodes.v)[i];
        live = strcmp(row->node, node) == 0 ? row->running : live;
    }
    fields_clear(&node_reply_fields, &reply);
    return live;
}

static void end_one(uint64_t job)
{
    (void)world_run(&w, job, 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
}

START_TEST(so_many_start_and_no_more)
{
    begin();
    ck_assert_int_eq(hello("n1", 3), 1);
    for (int i = 0; i < 5; i++)
        (void)submit("acme", 0);
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert_int_eq(hello("n2", 0), 1); /* any number */
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(live_on("n1"), 3);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

/* What `why` says is short, and with what it says would help it starts. */
START_TEST(why_says_it_and_one_more_admits_it)
{
    begin();
    ck_assert_int_eq(hello("n1", 2), 1);
    for (int i = 0; i < 2; i++)
        (void)submit("acme", 0);
    uint64_t job = submit("acme", 0);
    ck_assert_uint_eq(world_decide(&w), 2);
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_uint_eq(why.blockers.count, 1);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "placement");
    ck_assert_str_eq(b->resource, "attempts");
    ck_assert_str_eq(b->text, "placement: no node has room now; nearest is n1 with 0 attempts free, needs 1");
    ck_assert(b->limit == 2 && b->used == 2 && b->free == 0 && b->need == 1 && b->short_by == 1);
    ck_assert_str_eq(why.change, "attempts free on n1 grows by 1");
    fields_clear(&why_reply_fields, &why);
    ck_assert_int_eq(hello("n1", 3), 1);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(with_fewer_than_run_there_nothing_is_stopped_and_nothing_starts)
{
    uint64_t jobs[6];
    begin();
    ck_assert_int_eq(hello("n1", 4), 1);
    for (int i = 0; i < 6; i++)
        jobs[i] = submit("acme", 0);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_int_eq(hello("n1", 2), 1);
    ck_assert_int_eq(hello("n1", 2), 0); /* the same again is nothing new */
    ck_assert_uint_eq(live_on("n1"), 4);
    world_verify(&w, NULL);
    end_one(jobs[0]);
    ck_assert_uint_eq(world_decide(&w), 0);
    end_one(jobs[1]);
    ck_assert_uint_eq(world_decide(&w), 0);
    end_one(jobs[2]);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_int_eq(hello("n1", 0), 1);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(a_gang_finds_them_all_or_none)
{
    begin();
    ck_assert_int_eq(hello("n1", 2), 1);
    ck_assert_int_eq(hello("n2", 1), 1);
    struct job_spec spec = world_spec(100, GIB);
    spec.array = (struct job_array){.present = true, .last = 3};
    spec.gang = 4;
    uint64_t refused, job;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &refused), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_int_eq(hello("n2", 2), 1);
    uint64_t before = submit("globex", 0);
    ck_assert_uint_eq(world_decide(&w), 1);
    spec = world_spec(100, GIB);
    spec.array = (struct job_array){.present = true, .last = 3};
    spec.gang = 4;
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_msg(strstr(((struct blocker *)why.blockers.v)->text, "3 of the 4 tasks that start together") != NULL,
                  "%s", ((struct blocker *)why.blockers.v)->text);
    fields_clear(&why_reply_fields, &why);
    end_one(before);
    ck_assert_uint_eq(world_decide(&w), 4);
    world_fini(&w);
}
END_TEST

/* Two places, one is taken for an hour: who needs both is promised them, and who would still be there then isn't let
 * past. */
START_TEST(a_promise_counts_them)
{
    begin();
    ck_assert_int_eq(hello("n1", 2), 1);
    (void)submit("globex", HOUR);
    ck_assert_uint_eq(world_decide(&w), 1);
    struct job_spec spec = world_spec(100, GIB);
    spec.array = (struct job_array){.present = true, .last = 1};
    spec.gang = 2;
    spec.time_limit_ms = 60000;
    (void)world_submit(&w, "acme", spec);
    uint64_t longer = submit("globex", 2 * HOUR), shorter = submit("globex", HOUR / 2);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(shorter) && !is_live(longer));
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(who_is_paused_has_one)
{
    struct core_limits limits = core_limits_default;
    struct policy_file p = {0};
    limits.slice_ms = 8000;
    world_init(&w, &limits);
    world_price(&p, 0, 36 * EUR / 10, 0);
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->paid_end = PAID_END_PAUSE;
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 800, .period = PERIOD_DAY};
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    hellos = 0;
    ck_assert_int_eq(hello("n1", 1), 1);
    uint64_t job = submit("acme", 0);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    for (uint64_t s = 1; s < 20; s++) {
        world_pass(&w, SECOND);
        core_node_seen(w.core, "n1", w.now);
        core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, 1}, MIN(s, 8) * SECOND, w.now);
        (void)world_decide(&w);
    }
    ck_assert(world_is(&w, job, "paused"));
    (void)submit("globex", 0);
    ck_assert_uint_eq(world_decide(&w), 0);
    world_fini(&w);
}
END_TEST

START_TEST(nobodys_share_counts_them)
{
    begin();
    ck_assert_int_eq(hello("n1", 1), 1);
    (void)submit("acme", 0);
    ck_assert_uint_eq(world_decide(&w), 1);
    struct top_reply top;
    ck_assert_int_eq(core_top(w.core, &(struct top_call){0}, everybody, NULL, w.now, &top), 0);
    for (size_t i = 0; i < top.tenants.count; i++) {
        const struct top_tenant *t = &((const struct top_tenant *)top.tenants.v)[i];
        if (strcmp(t->path, "acme") == 0)
            ck_assert_uint_lt(t->share_ppm, 20000); /* of memory, a 64th */
    }
    fields_clear(&top_reply_fields, &top);
    world_fini(&w);
}
END_TEST

START_TEST(more_than_anybody_could_list_is_refused)
{
    begin();
    struct hello_call call = {.node = (char *)(uintptr_t)"n1", .boot_id = (char *)(uintptr_t)"b",
                              .capacity = {.cpu_milli = 1000, .mem_bytes = GIB}, .max_attempts = NODE_ATTEMPTS_MAX + 1};
    struct fact f;
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "bad_request");
    call.max_attempts = NODE_ATTEMPTS_MAX;
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    world_fini(&w);
}
END_TEST

/* Whatever nodes say and when: at a placement none has more than it takes, and nobody waits while one takes more. */
START_TEST(random_nodes_have_no_more_and_nobody_waits_for_nothing)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4"};
    uint64_t seed = random_seed("node attempts") + (uint64_t)_i, r = seed;
    uint32_t most[COUNT_OF(names)] = {0};
    uint64_t jobs = 0;
    begin();
    for (int turn = 0; turn < 200; turn++) {
        size_t i = turn == 0 ? 1 : random_below(&r, COUNT_OF(names));
        if (turn == 0 || random_below(&r, 5) == 0)
            (void)hello(names[i], most[i] = (uint32_t)random_below(&r, 6) + 1);
        for (uint64_t more = random_below(&r, 4); more > 0; more--) {
            struct job_spec spec = world_spec(100, GIB);
            if (random_below(&r, 3) == 0)
                MUST(str_set(&spec.where, "node != n1") == 0);
            spec.per_node = (uint32_t)random_below(&r, 2) * 5;
            jobs = world_submit(&w, random_below(&r, 2) == 0 ? "acme" : "globex", spec);
        }
        for (uint64_t job = 1; job <= jobs; job++)
            if (is_live(job) && random_below(&r, 8) == 0)
                end_one(job);
        uint32_t before[COUNT_OF(names)], room = 0, waiting = 0;
        for (size_t k = 0; k < COUNT_OF(names); k++)
            before[k] = live_on(names[k]);
        (void)world_decide(&w);
        for (size_t k = 0; k < COUNT_OF(names); k++) {
            uint32_t now = live_on(names[k]);
            if (now == UINT32_MAX)
                continue; /* it hasn't come yet */
            ck_assert_msg(now <= MAX(most[k], before[k]), "seed %llu: %u on %s, which takes %u",
                          (unsigned long long)seed, now, names[k], most[k]);
            room += k > 0 && now < most[k]; /* there all may go */
        }
        for (uint64_t job = 1; job <= jobs; job++) {
            struct job_row row = {0};
            (void)core_job_row(w.core, job, w.now, &row);
            waiting += strcmp(row.state, "pending") == 0;
            fields_clear(&job_row_fields, &row);
        }
        ck_assert_msg(room == 0 || waiting == 0, "seed %llu: %u wait", (unsigned long long)seed, waiting);
        world_recount(w.core);
        world_pass(&w, SECOND);
        for (size_t k = 0; k < COUNT_OF(names); k++)
            core_node_seen(w.core, names[k], w.now);
    }
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/node attempts");
    TCase *t = tcase_create("at once");
    tcase_add_test(t, so_many_start_and_no_more);
    tcase_add_test(t, why_says_it_and_one_more_admits_it);
    tcase_add_test(t, with_fewer_than_run_there_nothing_is_stopped_and_nothing_starts);
    tcase_add_test(t, a_gang_finds_them_all_or_none);
    tcase_add_test(t, a_promise_counts_them);
    tcase_add_test(t, who_is_paused_has_one);
    tcase_add_test(t, nobodys_share_counts_them);
    tcase_add_test(t, more_than_anybody_could_list_is_refused);
    tcase_add_loop_test(t, random_nodes_have_no_more_and_nobody_waits_for_nothing, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
