/* A tenant goes to another place with what waits and runs there: names, keys, order, money; and what may not go. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0); /* 1000 micro-units per core-second, 0.9 per slice and core */
    world_rule(&p, "acme")->budget =
        (struct budget_rule){.present = true, .limit_micros = 50 * EUR, .period = PERIOD_DAY};
    struct tenant_rule *etl = world_rule(&p, "acme/etl");
    etl->budget = (struct budget_rule){.present = true, .limit_micros = 20 * EUR, .period = PERIOD_DAY};
    MUST(strs_add(&etl->users, "alice") == 0);
    (void)world_rule(&p, "acme/etl/night");
    world_rule(&p, "globex")->quota.max.cpu_milli = 3000;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 4, 64 * GIB);
}

static void finish(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

/* CORE_FACT: committed, and this is its line. */
static int move(const char *from, const char *to, const char *line)
{
    struct move_call call = {.from = (char *)(uintptr_t)from, .to = (char *)(uintptr_t)to};
    struct apply_reply reply;
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int answer = core_check_move(w.core, &call, "root", w.now, &f, &reply, &w.refusal);
    if (answer == CORE_FACT) {
        ck_assert_str_eq(reply.changes.v[0], line);
        world_commit(&w, &f);
    }
    fields_clear(&apply_reply_fields, &reply);
    return answer;
}

static void refused(const char *from, const char *to, const char *code, const char *text)
{
    ck_assert_int_eq(move(from, to, ""), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, code);
    ck_assert_str_eq(w.refusal.message, text);
}

static uint64_t submit_as(const char *tenant, const char *key, uint32_t tasks)
{
    struct job_spec spec = world_spec(1000, GIB);
    uint64_t job;
    spec.array = (struct job_array){.present = true, .last = tasks - 1};
    ck_assert_int_eq(world_try_submit(&w, tenant, key, &spec, &job), CORE_FACT);
    return job;
}

static void tenant_is(uint64_t job, const char *tenant)
{
    struct job_view v = world_view(&w, job);
    ck_assert_str_eq(v.row.tenant, tenant);
    fields_clear(&job_view_fields, &v);
}

START_TEST(what_waits_and_runs_goes_along_and_money_is_held_at_the_new_place)
{
    begin();
    uint64_t etl = submit_as("acme/etl", "k", 3), night = submit_as("acme/etl/night", "n", 3);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert(world_run(&w, etl, 0));
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").held_micros, 4 * 9 * EUR / 10);
    refused("acme/etl", "globex/etl", "state", "acme/etl can't go there: globex uses 0 of 3 cpu, 4 would come");
    ck_assert(world_end(&w, night, 0, END_EXIT, 0, MINUTE));
    ck_assert_int_eq(move("acme/etl", "globex/x", "~ acme/etl -> globex/x  tenants 2, jobs 2, running 3"), CORE_FACT);
    tenant_is(etl, "globex/x");
    tenant_is(night, "globex/x/night");
    ck_assert(core_user_may(w.core, "alice", 4242, "globex/x/night"));
    ck_assert(!core_user_may(w.core, "alice", 4242, "acme"));
    ck_assert_int_eq(world_account(&w, "globex/x@2026-11-24").limit_micros, 20 * EUR);
    ck_assert_int_eq(world_account(&w, "acme/etl@2026-11-24").limit_micros, -2); /* isn't there */
    /* The next slice is asked of the new place. */
    world_pass(&w, 12 * MINUTE);
    core_node_seen(w.core, "n1", w.now);
    core_attempt_seen(w.core, "n1", (struct attempt_id){etl, 0, 1}, 12 * 60000000, w.now);
    (void)world_decide(&w);
    struct account_view acme = world_account(&w, "acme@2026-11-24"), x = world_account(&w, "globex/x@2026-11-24");
    ck_assert_int_gt(acme.spent_micros, 0);
    ck_assert_int_gt(x.held_micros, acme.held_micros);
    /* And goes on: ends, starts anew within the new limits. */
    ck_assert(world_end(&w, etl, 0, END_EXIT, 0, 12 * MINUTE));
    ck_assert_uint_eq(world_decide(&w), 1);
    finish();
}
END_TEST

START_TEST(a_key_belongs_to_the_tenant_wherever_it_is)
{
    begin();
    uint64_t job = submit_as("acme/etl", "k", 2);
    ck_assert_int_eq(move("acme/etl", "acme/elt", "~ acme/etl -> acme/elt  tenants 2, jobs 1, running 0"), CORE_FACT);
    ck_assert_uint_eq(submit_as("acme/elt", "k", 2), job);
    ck_assert(w.quote.existed);
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", "k", &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "not_found");
    finish();
}
END_TEST

/* Who asks there for what a job asked for that went along asks alike. */
START_TEST(what_is_asked_for_stays_one_and_the_same)
{
    struct job_spec specs[4] = {world_spec(1000, GIB), world_spec(1000, GIB), world_spec(1000, GIB),
                                world_spec(1000, GIB)};
    uint64_t job;
    begin();
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        specs[i].array = (struct job_array){.present = true, .last = 3};
    ck_assert_int_eq(str_set(&specs[1].spread, "node"), 0);
    specs[2].gang = specs[3].gang = 4;
    specs[2].gang_min = 2;
    ck_assert_int_eq(str_set(&specs[3].within, "node"), 0);
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &specs[i], &job), CORE_FACT);
    ck_assert_int_eq(move("acme/etl", "zeta", "~ acme/etl -> zeta  tenants 2, jobs 4, running 0"), CORE_FACT);
    finish();
}
END_TEST

START_TEST(the_order_of_turns_follows)
{
    begin();
    uint64_t first = submit_as("acme/etl", "a", 8), second = submit_as("globex", "b", 8);
    ck_assert_int_eq(move("acme/etl", "zeta", "~ acme/etl -> zeta  tenants 2, jobs 1, running 0"), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 4);
    struct job_view v = world_view(&w, first), u = world_view(&w, second);
    ck_assert_uint_eq(v.row.live, 2); /* two siblings now, half each */
    ck_assert_uint_eq(u.row.live, 2);
    fields_clear(&job_view_fields, &v);
    fields_clear(&job_view_fields, &u);
    finish();
}
END_TEST

START_TEST(what_may_not_go_is_refused_with_the_reason)
{
    begin();
    refused("/", "x", "bad_request", "the cell itself can't be moved");
    refused("nobody", "x", "not_found", "there is no tenant 'nobody'");
    refused("acme", "acme/etl/acme", "state", "acme/etl/acme would lie inside of itself");
    refused("acme", "globex", "state", "globex is there already");
    refused("acme", "nobody/acme", "not_found", "there is no tenant 'nobody'");
    refused("acme", "Bad Name", "bad_request",
            "'Bad Name' is not a tenant path; write 1 to 8 names joined by '/', like acme/etl");
    uint64_t job = submit_as("acme/etl", "k", 2);
    struct move_call call = {.from = (char *)(uintptr_t) "acme", .to = (char *)(uintptr_t) "x", .if_version = 7};
    struct apply_reply reply;
    struct fact f, other;
    ck_assert_int_eq(core_check_move(w.core, &call, "root", w.now, &f, &reply, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "stale_version");
    fields_clear(&refusal_fields, &w.refusal);
    /* While a move is on its way no path can be relied on; while anything is, no list is complete. */
    call.if_version = 0;
    ck_assert_int_eq(core_check_move(w.core, &call, "root", w.now, &f, &reply, &w.refusal), CORE_FACT);
    struct apply_reply second;
    ck_assert_int_eq(core_check_move(w.core, &call, "root", w.now, &other, &second, &w.refusal), CORE_LATER);
    struct job_spec spec = world_spec(1000, GIB);
    uint64_t none;
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &spec, &none), CORE_LATER);
    size_t count;
    struct cancel_reply cancel;
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = job}, "root", w.now, &other, 1, &count,
                                       &cancel, &w.refusal), CORE_LATER);
    ck_assert_uint_eq(world_decide(&w), 0);
    world_refuse(&w, &f, "bad");
    fields_clear(&apply_reply_fields, &reply);
    ck_assert_uint_eq(world_decide(&w), 2);
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core/move");
    TCase *t = tcase_create("move");
    tcase_add_test(t, what_waits_and_runs_goes_along_and_money_is_held_at_the_new_place);
    tcase_add_test(t, a_key_belongs_to_the_tenant_wherever_it_is);
    tcase_add_test(t, what_is_asked_for_stays_one_and_the_same);
    tcase_add_test(t, the_order_of_turns_follows);
    tcase_add_test(t, what_may_not_go_is_refused_with_the_reason);
    suite_add_tcase(s, t);
    return run_suite(s);
}
