#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* The cell at a glance: core_top(). */

static struct top_reply look(struct world *w, const char *tenant, uint32_t rows,
                             bool (*may_see)(void *arg, const char *tenant))
{
    struct top_reply reply;
    struct top_call call = {(char *)(uintptr_t)tenant, rows};
    ck_assert_int_eq(core_top(w->core, &call, may_see, NULL, w->now, &reply), 0);
    return reply;
}

static bool all(void *arg, const char *tenant)
{
    (void)arg, (void)tenant;
    return true;
}

static bool only_labs(void *arg, const char *tenant)
{
    (void)arg;
    return strcmp(tenant, "labs") == 0;
}

static const struct top_tenant *row(const struct top_reply *r, size_t at, const char *path)
{
    ck_assert_uint_lt(at, r->tenants.count);
    const struct top_tenant *t = &((const struct top_tenant *)r->tenants.v)[at];
    ck_assert_str_eq(t->path, path);
    return t;
}

static void submit_many(struct world *w, const char *tenant, uint32_t tasks)
{
    struct job_spec spec = world_spec(1000, 64 << 20);
    spec.array = (struct job_array){.present = tasks > 1, .last = tasks - 1};
    (void)world_submit(w, tenant, spec);
}

/* Ten cores: labs has four, acme two with its own job; acme/etl may run nothing more, acme/ml isn't there at all. */
static void begin(struct world *w)
{
    struct policy_file p = {.currency = strdup("EUR")};
    world_init(w, NULL);
    world_price(&p, 0, 0, 0);
    world_rule(&p, "acme")->weight = 3;
    world_rule(&p, "acme/etl")->weight = 3;
    (void)world_rule(&p, "acme/ml");
    (void)world_rule(&p, "labs");
    ((struct tenant_rule *)p.tenants.v)[1].quota.max_running = 1;
    ck_assert_int_eq(world_apply(w, &p), CORE_FACT);
    world_hello(w, "n1", "b1", 10, UINT64_C(64) << 30);
    world_hello(w, "n2", "b1", 10, UINT64_C(64) << 30);
    struct drain_call drain = {"n2", true, "disk"};
    struct fact f;
    ck_assert_int_eq(core_check_drain(w->core, &drain, "root", w->now, &f, &w->refusal), CORE_FACT);
    world_commit(w, &f);
    submit_many(w, "labs", 4);
    submit_many(w, "acme", 2);
    submit_many(w, "acme/etl", 5);
    while (world_decide(w) > 0) {
    }
}

START_TEST(each_tenant_stands_beside_what_would_be_fair)
{
    struct world w;
    begin(&w);
    struct top_reply r = look(&w, NULL, 0, all);
    ck_assert_uint_eq(r.tenants.count, 4); /* acme/ml neither uses nor wants anything */
    ck_assert_uint_eq(row(&r, 0, "/")->fair_ppm, 1000000);
    ck_assert_uint_eq(row(&r, 0, "/")->share_ppm, 350000); /* 7 of 20 cores, the drained ones too */
    const struct top_tenant *labs = row(&r, 1, "labs"), *acme = row(&r, 2, "acme"), *etl = row(&r, 3, "acme/etl");
    ck_assert_uint_eq(labs->share_ppm, 200000);
    ck_assert_str_eq(labs->resource, "cpu");
    ck_assert_uint_eq(labs->fair_ppm, 250000);  /* weight 1 beside 3 */
    ck_assert_uint_eq(acme->fair_ppm, 750000);
    ck_assert_uint_eq(etl->fair_ppm, 562500);   /* weight 3 beside acme's own jobs */
    ck_assert_uint_eq(acme->running, 3);
    ck_assert_uint_eq(etl->running, 1);
    ck_assert_uint_eq(etl->queued, 4);
    ck_assert_ptr_null(labs->why);
    ck_assert_ptr_null(acme->why);              /* its own jobs all run */
    ck_assert_ptr_nonnull(strstr(etl->why, "acme/etl"));
    ck_assert_uint_eq(counts_get(&r.nodes, "up"), 1);
    ck_assert_uint_eq(counts_get(&r.nodes, "drained"), 1);
    ck_assert_uint_eq(counts_get(&r.used, "cpu"), 7000);
    ck_assert_uint_eq(counts_get(&r.total, "cpu"), 20000);
    ck_assert_uint_eq(counts_get(&r.used, "memory"), 7 * (128 << 20)); /* scratch lies in it */
    ck_assert_uint_eq(counts_get(&r.used, "scratch"), 7 * (64 << 20));
    ck_assert_uint_eq(counts_get(&r.total, "scratch"), 0);
    ck_assert_uint_eq(r.live, 7);
    ck_assert_uint_eq(r.queued, 4);
    ck_assert_uint_eq(r.left_out, 0);
    fields_clear(&top_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(a_caller_sees_its_own_in_the_light_of_all)
{
    struct world w;
    begin(&w);
    struct top_reply r = look(&w, NULL, 0, only_labs);
    ck_assert_uint_eq(r.tenants.count, 1);
    ck_assert_uint_eq(row(&r, 0, "labs")->fair_ppm, 250000);
    fields_clear(&top_reply_fields, &r);
    r = look(&w, "acme", 1, all);
    ck_assert_uint_eq(r.tenants.count, 1);
    (void)row(&r, 0, "acme");
    ck_assert_uint_eq(r.left_out, 1);
    fields_clear(&top_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(an_empty_cell_has_nothing_to_show)
{
    struct world w;
    world_init(&w, NULL);
    struct top_reply r = look(&w, NULL, 0, all);
    ck_assert_uint_eq(r.tenants.count, 0);
    ck_assert_uint_eq(r.total.count, 0);
    ck_assert_uint_eq(r.nodes.count, 0);
    fields_clear(&top_reply_fields, &r);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/top");
    TCase *t = tcase_create("top");
    tcase_add_test(t, each_tenant_stands_beside_what_would_be_fair);
    tcase_add_test(t, a_caller_sees_its_own_in_the_light_of_all);
    tcase_add_test(t, an_empty_cell_has_nothing_to_show);
    suite_add_tcase(s, t);
    return run_suite(s);
}
