#include <check.h>

#include "base/macros.h"
#include "base/nearest.h"
#include "tests/run.h"

static const char *const offered[] = {"cpu", "memory", "scratch", "submit", "show", "cancel", "time_limit"};
static const struct {
    const char *word, *meant;
} cases[] = {
    {"memroy", "memory"},       /* swapped */
    {"cpus", "cpu"},            /* one too much */
    {"sumbit", "submit"},
    {"timelimit", "time_limit"},
    {"cancle", "cancel"},
    {"shwo", "show"},
    {"cpu", "cpu"},
    {"mermoyr", "memory"},      /* three slips in seven letters */
    {"x", NULL},                /* a slip of one letter would be any name of one */
    {"", NULL},
    {"kill", NULL},
    {"memorandumorandumorandumorandumorandum", NULL},
};

START_TEST(of_a_slip_the_name_is_found)
{
    struct nearest n = nearest_to(cases[_i].word);
    for (size_t i = 0; i < COUNT_OF(offered); i++)
        nearest_offer(&n, offered[i]);
    if (cases[_i].meant == NULL)
        ck_assert_ptr_null(n.name);
    else
        ck_assert_str_eq(n.name, cases[_i].meant);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/nearest");
    TCase *t = tcase_create("nearest");
    tcase_add_loop_test(t, of_a_slip_the_name_is_found, 0, (int)COUNT_OF(cases));
    suite_add_tcase(s, t);
    return run_suite(s);
}
