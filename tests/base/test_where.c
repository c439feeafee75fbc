/* Which nodes a condition matches; which texts are none. */
#include <check.h>

#include "base/where.h"
#include "tests/base/sample.h"
#include "tests/run.h"

static const struct match_row {
    const char *where;
    bool is; /* on n1: zone=eu disk=ssd mem_gen=4 speed=2.5 "odd name"="a b" in=x empty="" version=12.4.1 */
} matches[] = {
    {"zone == eu", true}, {"zone == us", false}, {"zone != us", true}, {"zone != eu", false},
    {"zone==eu&&disk!=hdd", true}, {"rack == r1", false}, {"rack != r1", true}, {"!(rack == r1)", true},
    {"exists disk", true}, {"exists rack", false}, {"!exists rack", true}, {"!exists disk", false},
    {"zone in (us, eu)", true}, {"zone in (us)", false}, {"rack in (r1, r2)", false}, {"!(zone in (us))", true},
    {"mem_gen >= 4", true}, {"mem_gen > 4", false}, {"mem_gen <= 4", true}, {"mem_gen < 4", false},
    {"mem_gen < 10", true}, {"mem_gen > -1", true}, {"speed >= 2.500001", false}, {"speed > 2.4", true},
    {"rack >= 0", false}, {"!(rack >= 0)", true}, {"zone >= 0", false}, {"version >= 12", false},
    {"mem_gen == 4", true}, {"mem_gen == 4.0", false},
    {"node == n1", true}, {"node in (n2, n3)", false}, {"exists node", true}, {"node != n1", false},
    {"\"odd name\" == \"a b\"", true}, {"\"in\" == x", true}, {"empty == \"\"", true}, {"empty != \"\"", false},
    {"zone == us || disk == ssd", true}, {"zone == us || disk == ssd && mem_gen == 5", false},
    {"(zone == us || disk == ssd) && mem_gen == 4", true}, {"zone == eu || disk == hdd && mem_gen == 5", true},
    {"(zone == eu || disk == hdd) && mem_gen == 5", false},
    {"!(zone == eu && disk == ssd)", false}, {"!(!(zone == eu))", true}, {"((((zone == eu))))", true},
    {"zone\t==\neu", true}, {"a-b.c/d:e+f@g != x", true},
};

static void labels_of(struct pairs *labels)
{
    static const char *const pairs[][2] = {{"zone", "eu"}, {"disk", "ssd"}, {"mem_gen", "4"}, {"speed", "2.5"},
                                           {"odd name", "a b"}, {"in", "x"}, {"empty", ""}, {"version", "12.4.1"}};
    *labels = (struct pairs){0};
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        ck_assert_int_eq(pairs_set(labels, pairs[i][0], pairs[i][1]), 0);
}

static void clear(struct pairs *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        free(labels->v[i].key);
        free(labels->v[i].value);
    }
    free(labels->v);
}

START_TEST(a_condition_holds_or_it_does_not)
{
    const struct match_row *r = &matches[_i];
    struct where w, again;
    struct err err = {0};
    struct pairs labels;
    struct buf text = {0}, second = {0};
    labels_of(&labels);
    ck_assert_msg(where_parse(r->where, &w, &err) == 0, "%s: %s", r->where, err_text(&err));
    ck_assert_msg(where_matches(&w, "n1", &labels) == r->is, "%s", r->where);
    where_format(&w, &text);
    ck_assert_msg(where_parse(buf_text(&text), &again, &err) == 0, "%s: %s", buf_text(&text), err_text(&err));
    ck_assert_msg(where_matches(&again, "n1", &labels) == r->is, "%s, written as %s", r->where, buf_text(&text));
    where_format(&again, &second);
    ck_assert_str_eq(buf_text(&text), buf_text(&second));
    buf_fini(&text);
    buf_fini(&second);
    clear(&labels);
}
END_TEST

static const struct {
    const char *where, *written;
} written[] = {
    {"  zone==eu  ", "zone == eu"},
    {"\"zone\" == \"eu\"", "zone == eu"},
    {"((a==1)&&((b!=2)))||!exists c", "a == 1 && b != 2 || !exists c"},
    {"(a == 1 || b == 2) && c in(\"x\",  \"y z\")", "(a == 1 || b == 2) && c in (x, \"y z\")"},
    {"a == 1 && (b == 2 && c == 3)", "a == 1 && b == 2 && c == 3"},
    {"!(exists a)", "!exists a"},
    {"!((a == 1))", "!(a == 1)"},
    {"!(!(a < 1.50))", "!(!(a < 1.50))"},
    {"\"exists\" == \"in\"", "\"exists\" == \"in\""},
};

START_TEST(equal_conditions_are_written_alike)
{
    struct where w;
    struct err err = {0};
    struct buf text = {0};
    ck_assert_int_eq(where_parse(written[_i].where, &w, &err), 0);
    where_format(&w, &text);
    ck_assert_str_eq(buf_text(&text), written[_i].written);
    buf_fini(&text);
}
END_TEST

static const struct {
    const char *where, *says;
} refused[] = {
    {"", "it ends where a label should be"},
    {"zone", "it ends where ==, !=, <, <=, >, >= or in should be"},
    {"zone = eu", "character 6: '= eu', where ==, !=, <, <=, >, >= or in should be"},
    {"zone == ", "it ends where a value should be"},
    {"zone == eu us", "character 12: 'us', where && or || should be"},
    {"zone == eu &&", "it ends where a label should be"},
    {"zone == eu & disk == ssd", "character 12: '& disk == ssd', where && or || should be"},
    {"zone == eu and disk == ssd", "character 12: 'and', where && or || should be"},
    {"== eu", "character 1: '==', where a label should be"},
    {"in == x", "character 1: 'in', where a label should be"},
    {"zone == in", "character 9: 'in', where a value should be"},
    {"\"\" == x", "character 2: '', where a label should be"},
    {"!zone == eu", "character 2: 'zone', where '(' or exists should be"},
    {"!!exists zone", "character 2: '!', where '(' or exists should be"},
    {"(zone == eu", "it ends where &&, || or ')' should be"},
    {"zone == eu)", "character 11: ')', where && or || should be"},
    {"zone in eu", "character 9: 'eu', where '(' should be"},
    {"zone in ()", "character 10: ')', where a value should be"},
    {"zone in (eu", "it ends where ',' or ')' should be"},
    {"zone in (eu,)", "character 13: ')', where a value should be"},
    {"mem_gen >= four", "character 12: 'four' is not a number; write 4, 12.5 or at most six decimals"},
    {"mem_gen >= 4Gi", "character 12: '4Gi' is not a number; write 4, 12.5 or at most six decimals"},
    {"mem_gen >= 99999999999999999999", "character 12: '99999999999999999999' is not a number; write 4, 12.5 or at "
                                        "most six decimals"},
    {"zone == \"eu", "character 10: 'eu', where a value should be"},
    {"zone == \"e\x01u\"", "character 10: 'e?u\"', where a value should be"},
    {"zone == $eu", "character 9: '$eu', where a value should be"},
    {"exists", "it ends where a label should be"},
    {"(((((((((((((((((a == 1)))))))))))))))))", "character 17: too many parentheses inside each other; at most 16"},
};

START_TEST(what_is_no_condition_is_refused_with_the_place)
{
    struct where w;
    struct err err = {0};
    ck_assert_msg(where_parse(refused[_i].where, &w, &err) < 0, "%s", refused[_i].where);
    ck_assert_str_eq(err_text(&err), refused[_i].says);
}
END_TEST

START_TEST(a_condition_has_bounds)
{
    struct where w;
    struct err err = {0};
    struct buf text = {0};
    buf_add_str(&text, "a==1");
    for (int i = 1; i < 64; i++)
        buf_add_str(&text, "&&a==1");
    ck_assert_int_eq(where_parse(buf_text(&text), &w, &err), 0); /* 64 tests, 63 signs */
    buf_add_str(&text, "&&a==1");
    ck_assert_int_lt(where_parse(buf_text(&text), &w, &err), 0);
    ck_assert_str_eq(err_text(&err), "character 389: too many conditions; at most 128");
    buf_reset(&text);
    buf_add_str(&text, "a in (0");
    for (int i = 1; i < 127; i++)
        buf_add_str(&text, ",0");
    size_t len = text.len;
    buf_add_str(&text, ")");
    ck_assert_int_eq(where_parse(buf_text(&text), &w, &err), 0);
    text.len = len;
    buf_add_str(&text, ",0)");
    ck_assert_int_lt(where_parse(buf_text(&text), &w, &err), 0);
    buf_reset(&text);
    buf_add_str(&text, "a != ");
    while (text.len < WHERE_TEXT_MAX)
        buf_add_str(&text, "x");
    ck_assert_int_eq(where_parse(buf_text(&text), &w, &err), 0);
    buf_add_str(&text, "x");
    ck_assert_int_lt(where_parse(buf_text(&text), &w, &err), 0);
    ck_assert_str_eq(err_text(&err), "longer than 1024 characters");
    buf_fini(&text);
}
END_TEST

static const struct {
    const char *where;
    unsigned count;
    const char *lacks;
} lacking[] = {
    {"zone == eu && disk == ssd", 0, ""},
    {"zone == us && disk == ssd && rack == r1", 2, "zone == us && rack == r1"},
    {"disk == ssd && (zone == us || rack == r1)", 1, "(zone == us || rack == r1)"},
    {"zone == us || rack == r1", 1, "(zone == us || rack == r1)"},
    {"disk == ssd && (zone == eu && mem_gen > 4)", 1, "mem_gen > 4"},
};

START_TEST(what_does_not_hold_is_named)
{
    struct where w;
    struct err err = {0};
    struct pairs labels;
    struct buf text = {0};
    labels_of(&labels);
    ck_assert_int_eq(where_parse(lacking[_i].where, &w, &err), 0);
    ck_assert_uint_eq(where_lacks(&w, "n1", &labels, &text), lacking[_i].count);
    ck_assert_str_eq(buf_text(&text), lacking[_i].lacks);
    buf_fini(&text);
    clear(&labels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("where");
    TCase *tests = tcase_create("where");
    tcase_add_loop_test(tests, a_condition_holds_or_it_does_not, 0, (int)COUNT_OF(matches));
    tcase_add_loop_test(tests, equal_conditions_are_written_alike, 0, (int)COUNT_OF(written));
    tcase_add_loop_test(tests, what_is_no_condition_is_refused_with_the_place, 0, (int)COUNT_OF(refused));
    tcase_add_test(tests, a_condition_has_bounds);
    tcase_add_loop_test(tests, what_does_not_hold_is_named, 0, (int)COUNT_OF(lacking));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
