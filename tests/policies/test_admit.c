#include <check.h>
#include <string.h>

#include "policies/admit.h"
#include "tests/run.h"

#define GIB ((uint64_t)1 << 30)

static struct count gpus[] = {{"gpu", 4}}, many[] = {{"gpu", 8}}, licence[] = {{"matlab", 1}};
static const struct resources small = {8000, 32 * GIB, 0, {0}}, large = {64000, 256 * GIB, 0, {gpus, 1}},
                              lean = {96000, 16 * GIB, 0, {0}};
static char *some[] = {"swap", "io.read_bps"}, *others[] = {"swap", "io.weight"},
            *both[] = {"io.read_bps", "io.weight"};
static const struct pairs unlabelled;
static const struct strs few = {some, 2}, more = {others, 2}, none;
static const struct admit_node nodes[] = {{"node-01", &small, &few, &unlabelled},
                                          {"node-07", &large, &more, &unlabelled}};
static const struct admit_node odd[] = {{"wide", &lean, &none, &unlabelled}, {"deep", &large, &none, &unlabelled}};

struct row {
    struct resources need;
    const struct admit_node *nodes;
    size_t count;
    const char *where, *message, *hint; /* NULL message: it could run */
};

static const struct row rows[] = {
    {{8000, GIB, 0, {0}}, nodes, 2, NULL, NULL, NULL},
    {{96000, GIB, 0, {0}}, NULL, 0, NULL, NULL, NULL},
    {{96000, GIB, 0, {0}},
     nodes,
     2,
     "resources.cpu",
     "needs 96 cpu on one node, the largest node has 64 (node-07)",
     "resources.cpu <= 64"},
    {{1000, 300 * GIB, 0, {0}},
     nodes,
     2,
     "resources.memory",
     "needs 300Gi memory on one node, the largest node has 256Gi (node-07)",
     "resources.memory <= 256Gi"},
    {{1000, 200 * GIB, 100 * GIB, {0}},
     nodes,
     2,
     "resources.memory",
     "needs 300Gi memory on one node (100Gi of it scratch), the largest node has 256Gi (node-07)",
     "resources.memory <= 156Gi"},
    {{1000, GIB, 300 * GIB, {0}},
     nodes,
     2,
     "resources.memory",
     "needs 301Gi memory on one node (300Gi of it scratch), the largest node has 256Gi (node-07)",
     "resources.memory + resources.scratch <= 256Gi"},
    {{1000, GIB, 0, {many, 1}},
     nodes,
     2,
     "resources.generic.gpu",
     "needs 8 gpu on one node, the largest node has 4 (node-07)",
     "resources.generic.gpu <= 4"},
    {{1000, GIB, 0, {licence, 1}},
     nodes,
     2,
     "resources.generic.matlab",
     "needs 1 matlab on one node, no node has any",
     ""},
    {{90000, 100 * GIB, 0, {0}}, odd, 2, "resources", "no node has 90 cpu and 100Gi memory together", ""},
};

START_TEST(what_no_node_can_hold_is_refused_with_the_smallest_change)
{
    const struct row *r = &rows[_i];
    struct admit_answer a = {0};
    bool fits = admit_by_nodes(&r->need, r->nodes, r->count, &a);
    ck_assert_int_eq(fits, r->message == NULL);
    if (fits)
        return;
    ck_assert_str_eq(a.where, r->where);
    ck_assert_str_eq(a.message, r->message);
    ck_assert_str_eq(a.hint, r->hint);
}
END_TEST

START_TEST(more_than_a_tenant_may_ever_use_is_refused)
{
    struct tenant_rule rule = {.path = (char[]){"acme"},
                               .quota = {.max = {.cpu_milli = 4000, .generic = {gpus, 1}}}};
    struct resources need = {.cpu_milli = 4000, .mem_bytes = 900 * GIB, .generic = {gpus, 1}};
    struct admit_answer a = {0};
    ck_assert(admit_by_quota(&need, &rule, &a)); /* memory is not limited */
    need.generic = (struct counts){many, 1};
    ck_assert(!admit_by_quota(&need, &rule, &a));
    ck_assert_str_eq(a.message, "needs 8 gpu, acme may use at most 4 at once");
    ck_assert_str_eq(a.hint, "resources.generic.gpu <= 4");
    need.cpu_milli = 4001;
    ck_assert(!admit_by_quota(&need, &rule, &a));
    ck_assert_str_eq(a.hint, "resources.cpu <= 4");
}
END_TEST

START_TEST(a_budget_that_never_pays_for_the_first_hold_is_refused)
{
    struct tenant_rule rule = {.path = (char[]){"acme"}};
    struct admit_answer a = {0};
    ck_assert(admit_by_budget(INT64_C(1) << 50, &rule, &a));
    rule.budget = (struct budget_rule){.present = true, .limit_micros = 1000000, .period = PERIOD_DAY};
    ck_assert(admit_by_budget(1000000, &rule, &a));
    ck_assert(!admit_by_budget(1000001, &rule, &a));
    ck_assert_str_eq(a.where, "acme");
    ck_assert_ptr_nonnull(strstr(a.message, "1.000001"));
}
END_TEST

START_TEST(what_no_node_can_enforce_is_refused_with_what_each_lacks)
{
    static char *swap[] = {"swap"}, *write[] = {"io.write_bps", "swap"};
    struct admit_answer a = {0};
    ck_assert(admit_by_features(&(struct strs){0}, nodes, 2, &a));
    ck_assert(admit_by_features(&(struct strs){swap, 1}, nodes, 2, &a));
    ck_assert(admit_by_features(&(struct strs){write, 2}, nodes, 0, &a)); /* nothing is known about nodes to come */
    ck_assert(!admit_by_features(&(struct strs){write, 2}, nodes, 2, &a));
    ck_assert_str_eq(a.where, "limits.io.write_bps");
    ck_assert_str_eq(a.message,
                     "no node can enforce io.write_bps; node-01 lacks: io.write_bps; node-07 lacks: io.write_bps");
    ck_assert_str_eq(a.hint, "without limits.io.write_bps");
    ck_assert(!admit_by_features(&(struct strs){both, 2}, nodes, 2, &a)); /* each has one of them */
    ck_assert_str_eq(a.message, "no node can enforce io.read_bps and io.weight; node-01 lacks: io.weight; node-07 "
                                "lacks: io.read_bps");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("admit");
    TCase *t = tcase_create("rows");
    tcase_add_loop_test(t, what_no_node_can_hold_is_refused_with_the_smallest_change, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_no_node_can_enforce_is_refused_with_what_each_lacks);
    tcase_add_test(t, more_than_a_tenant_may_ever_use_is_refused);
    tcase_add_test(t, a_budget_that_never_pays_for_the_first_hold_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
