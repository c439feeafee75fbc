/* What people see of guarantees and rates: refusals, why, the lines of a change; decide() comes back in time. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static struct quota_rule *quota(struct policy_file *p, const char *path, uint64_t cores)
{
    struct quota_rule *q = &world_rule(p, path)->quota;
    q->guaranteed.cpu_milli = cores * 1000;
    return q;
}

/* Two teams of one company with four cores each, one more of the company's own; a laboratory with four, of which it
 * lends one. */
static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    (void)quota(&p, "acme", 1);
    quota(&p, "acme/etl", 4)->borrow.cpu_milli = measure_of(2000);
    (void)quota(&p, "acme/ml", 4);
    quota(&p, "labs", 4)->lend.cpu_milli = measure_of(1000);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 64, 256 * GIB);
}

static void finish(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

static char *why_first(uint64_t job, char **ret_change)
{
    struct why_reply r;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &r));
    ck_assert_uint_gt(r.blockers.count, 0);
    char *text = strdup(((const struct blocker *)r.blockers.v)[0].text);
    *ret_change = r.change != NULL ? strdup(r.change) : NULL;
    fields_clear(&why_reply_fields, &r);
    return text;
}

static void says(uint64_t job, const char *text, const char *change)
{
    char *found_change, *found = why_first(job, &found_change);
    ck_assert_str_eq(found, text);
    ck_assert_str_eq(found_change, change);
    free(found);
    free(found_change);
}

START_TEST(a_team_borrows_up_to_its_limit_and_why_says_what_is_missing)
{
    begin();
    uint64_t first = world_submit(&w, "acme/etl", world_spec(5000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t second = world_submit(&w, "acme/etl", world_spec(2000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(second, "borrow: acme/etl can use 6 cpu with what it may borrow (4 guaranteed), uses 5, needs 2, short 1",
         "quota.borrow.cpu of acme/etl grows by 1");
    ck_assert(world_run(&w, first, 0));
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, MINUTE));
    ck_assert_uint_eq(world_decide(&w), 1); /* what blocked it has ended */
    finish();
}
END_TEST

START_TEST(all_that_is_lent_is_in_use)
{
    begin();
    for (int i = 0; i < 2; i++)
        (void)world_submit(&w, "acme/ml", world_spec(5000, GIB));
    ck_assert_uint_eq(world_decide(&w), 2); /* four its own, four of etl, one of acme, one of labs */
    uint64_t job = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "borrow: of 10 cpu guaranteed in the cell and lent 10 are in use, needs 1, short 1",
         "cpu guaranteed to / grows by 1");
    (void)world_submit(&w, "labs", world_spec(3000, GIB)); /* its own, whatever others do */
    ck_assert_uint_eq(world_decide(&w), 1);
    finish();
}
END_TEST

START_TEST(what_can_never_be_borrowed_is_refused_at_once)
{
    begin();
    struct job_spec spec = world_spec(7000, GIB);
    uint64_t job;
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.message, "needs 7 cpu, acme/etl can use at most 6 with what it may borrow");
    ck_assert_str_eq(w.refusal.hint, "resources.cpu <= 6");
    spec = world_spec(11000, GIB);
    ck_assert_int_eq(world_try_submit(&w, "acme/ml", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "needs 11 cpu, all guaranteed in the cell and lent is 10");
    finish();
}
END_TEST

START_TEST(lowering_below_use_starts_nothing_new_and_stops_nothing)
{
    begin();
    uint64_t first = world_submit(&w, "acme/etl", world_spec(6000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    struct policy_file p = {0};
    (void)quota(&p, "acme", 1);
    quota(&p, "acme/etl", 1)->borrow.cpu_milli = measure_of(0);
    (void)quota(&p, "acme/ml", 4);
    quota(&p, "labs", 4)->lend.cpu_milli = measure_of(1000);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert(world_is(&w, first, "running"));
    uint64_t second = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(second, "borrow: acme/etl can use 1 cpu with what it may borrow (1 guaranteed), uses 6, needs 1, short 6",
         "quota.borrow.cpu of acme/etl grows by 6");
    ck_assert(world_run(&w, first, 0));
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, MINUTE));
    ck_assert_uint_eq(world_decide(&w), 1);
    finish();
}
END_TEST

static void rates(uint32_t submits, uint32_t starts)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    struct quota_rule *q = &world_rule(&p, "acme")->quota;
    q->submits_per_minute = submits;
    q->starts_per_minute = starts;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 64, 256 * GIB);
}

static struct job_spec array_of(uint32_t tasks)
{
    struct job_spec spec = world_spec(100, GIB / 16);
    spec.array = (struct job_array){.present = true, .last = tasks - 1};
    return spec;
}

START_TEST(starts_drip_and_decide_says_when_the_next_is_due)
{
    rates(0, 6);
    uint64_t job = world_submit(&w, "acme", array_of(20));
    size_t started = world_decide(&w);
    ck_assert_uint_eq(started, 6);
    says(job, "rate: acme may start 6 tasks a minute; the next may start at 2026-11-24T00:00:10Z",
         "it is 2026-11-24T00:00:10Z");
    while (started < 20) {
        /* Nothing happens but time, and only as much as decide() asked for. */
        ck_assert(w.next_boot_us != UINT64_MAX && w.next_boot_us > w.now.boot_us);
        world_pass(&w, (int64_t)(w.next_boot_us - w.now.boot_us));
        core_node_seen(w.core, "n1", w.now);
        started += world_decide(&w);
        ck_assert_int_le((int64_t)started - 6, (w.now.utc_us - WORLD_START_UTC) / (10 * SECOND));
    }
    ck_assert_int_eq(w.now.utc_us - WORLD_START_UTC, 140 * SECOND);
    finish();
}
END_TEST

START_TEST(who_submits_too_fast_is_told_when_to_come_back)
{
    rates(10, 0);
    struct job_spec spec = array_of(8);
    uint64_t job;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
    spec = array_of(5);
    ck_assert_int_eq(world_try_submit(&w, "acme", "again", &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "rate");
    ck_assert_uint_eq(w.refusal.retry_after_ms, 18000);
    world_pass(&w, 18 * SECOND);
    spec = array_of(5);
    ck_assert_int_eq(world_try_submit(&w, "acme", "again", &spec, &job), CORE_FACT);
    spec = array_of(11);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.hint, "at most 10 tasks in one job");
    finish();
}
END_TEST

START_TEST(the_lines_of_a_change_name_every_aspect)
{
    begin();
    struct policy_file p = {0};
    struct apply_reply reply;
    struct fact f;
    (void)quota(&p, "acme", 2);
    struct quota_rule *q = quota(&p, "acme/etl", 4);
    q->borrow.cpu_milli = measure_of(0);
    q->borrow.mem_bytes = measure_of(GIB);
    q->starts_per_minute = 7;
    (void)quota(&p, "acme/ml", 4);
    quota(&p, "labs", 4)->lend.cpu_milli = measure_of(1000);
    struct apply_call call = {.policy = p, .dry_run = true};
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_uint_eq(reply.changes.count, 3);
    ck_assert_str_eq(reply.changes.v[0], "~ acme  quota.guaranteed  cpu 1 -> cpu 2");
    ck_assert_str_eq(reply.changes.v[1], "~ acme/etl  quota.borrow  cpu 2 -> cpu 0 memory 1Gi");
    ck_assert_str_eq(reply.changes.v[2], "~ acme/etl  quota.starts_per_minute  none -> 7");
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_file_fields, &call.policy);
    finish();
}
END_TEST

static void is_refused(struct policy_file *p, const char *text)
{
    ck_assert_int_eq(world_apply(&w, p), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, text);
}

START_TEST(a_guarantee_that_makes_no_sense_is_refused)
{
    world_init(&w, NULL);
    struct policy_file p = {0};
    quota(&p, "/", 4)->borrow.cpu_milli = measure_of(0);
    is_refused(&p, "tenants./.quota.borrow: there is nobody above the cell to borrow from");
    p = (struct policy_file){0};
    quota(&p, "acme", 4)->max.cpu_milli = 3000;
    is_refused(&p, "tenants.acme.quota.guaranteed.cpu: is above its quota.cpu");
    p = (struct policy_file){0};
    for (int i = 0; i < 8; i++) {
        char path[8] = {'t', (char)('0' + i), '\0'};
        quota(&p, path, 0)->guaranteed.mem_bytes = MEM_BYTES_MAX;
    }
    is_refused(&p, "tenants.t7.quota.guaranteed.memory: all of them together exceed 2^53");
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core/quota");
    TCase *t = tcase_create("quota");
    tcase_add_test(t, a_team_borrows_up_to_its_limit_and_why_says_what_is_missing);
    tcase_add_test(t, all_that_is_lent_is_in_use);
    tcase_add_test(t, what_can_never_be_borrowed_is_refused_at_once);
    tcase_add_test(t, lowering_below_use_starts_nothing_new_and_stops_nothing);
    tcase_add_test(t, starts_drip_and_decide_says_when_the_next_is_due);
    tcase_add_test(t, who_submits_too_fast_is_told_when_to_come_back);
    tcase_add_test(t, the_lines_of_a_change_name_every_aspect);
    tcase_add_test(t, a_guarantee_that_makes_no_sense_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
