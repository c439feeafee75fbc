/* Weights in a tree: what they come to is held against the plainest reading of the rule, on random trees. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "agent/fairio/share_tree.h"
#include "tests/random.h"
#include "tests/run.h"

#define WANTS_MAX 24

static struct share_tree tree;

static void teardown(void)
{
    share_tree_fini(&tree);
}

static const struct part_row {
    const char *says;
    struct share_given rows[4];
    struct {
        const char *path;
        uint32_t part;
    } wants[5];
} parts[] = {
    {"who wants it alone has all of it", {{"a", {.weight = 1}}}, {{"a", 1000000}}},
    {"siblings share by their weights",
     {{"a", {.weight = 100}}, {"b", {.weight = 200}}, {"c", {.weight = 700}}},
     {{"a", 100000}, {"b", 200000}, {"c", 700000}}},
    {"who isn't named has the default", {{"a", {.weight = 300}}}, {{"a", 750000}, {"nobody", 250000}}},
    {"what is below a tenant shares what it has",
     {{"a", {.weight = 100}}, {"b", {.weight = 100}}, {"a/x", {.weight = 300}}},
     {{"a/x", 375000}, {"a/y", 125000}, {"b", 500000}}},
    {"a tenant's own jobs are a child of the default weight",
     {{"a", {.weight = 900}}, {"a/x", {.weight = 300}}}, {{"a", 250000}, {"a/x", 750000}}},
    {"its weight counts although only those below it want the disk",
     {{"a", {.weight = 300}}}, {{"a/x/deep", 750000}, {"b", 250000}}},
    {"a name that begins like another is another's",
     {{"a", {.weight = 300}}}, {{"a/x", 428571}, {"a-b", 142857}, {"ab", 142857}, {"a.c/x", 142857}, {"b", 142857}}},
    {"nobody has nothing", {{"a", {.weight = 10000}}, {"b", {.weight = 1}}, {"a/x", {.weight = 1}}},
     {{"a", 990000}, {"a/x", 9900}, {"b", 100}}},
};

START_TEST(a_weight_comes_to_what_the_tree_makes_of_it)
{
    const struct part_row *row = &parts[_i];
    struct share_want wants[5] = {0};
    size_t rows = 0, count = 0;
    while (rows < COUNT_OF(row->rows) && row->rows[rows].path != NULL)
        rows++;
    for (; count < COUNT_OF(row->wants) && row->wants[count].path != NULL; count++)
        wants[count] = (struct share_want){.path = row->wants[count].path, .index = (uint32_t)count};
    ck_assert_int_eq(share_tree_set(&tree, row->rows, rows), 0);
    share_tree_weigh(&tree, wants, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(wants[i].has.weight == row->wants[wants[i].index].part, "%s: %s has %u", row->says, wants[i].path,
                      wants[i].has.weight);
}
END_TEST

static const struct reserved_row {
    const char *says;
    struct share_given rows[4];
    uint64_t together;
    struct {
        const char *path;
        uint32_t reserved_ppm;
    } wants[4];
} reserved_rows[] = {
    {"one alone", {{"a", {.weight = 1, .reserved_ppm = 300000}}}, 300000, {{"a", 300000}, {"b", 0}}},
    {"what is reserved below is a part of what is above",
     {{"a", {.weight = 1, .reserved_ppm = 300000}}, {"a/x", {.weight = 100, .reserved_ppm = 200000}}}, 300000,
     {{"a/x", 250000}, {"a/y", 50000}}},
    {"who doesn't want it leaves it to those with the same parent",
     {{"a", {.weight = 1, .reserved_ppm = 300000}}, {"a/x", {.weight = 1, .reserved_ppm = 200000}}}, 300000,
     {{"a/y", 300000}, {"b", 0}}},
    {"and to nobody else", {{"a", {.weight = 1, .reserved_ppm = 300000}}}, 300000, {{"b", 0}, {"c/d", 0}}},
    {"its own jobs are a child of the default weight",
     {{"a", {.weight = 1, .reserved_ppm = 300000}}, {"a/x", {.weight = 200}}}, 300000,
     {{"a", 100000}, {"a/x", 200000}}},
    {"more below than above widens what is above",
     {{"a", {.weight = 1, .reserved_ppm = 100000}},
      {"a/x", {.weight = 1, .reserved_ppm = 200000}},
      {"a/y", {.weight = 1, .reserved_ppm = 50000}}},
     250000, {{"a/x", 200000}, {"a/y", 50000}}},
    {"one below who isn't named", {{"a/x/deep", {.weight = 1, .reserved_ppm = 200000}}, {"b", {.weight = 1}}}, 200000,
     {{"a/x/deep", 200000}, {"b", 0}}},
};

START_TEST(what_is_reserved_is_shared_below)
{
    const struct reserved_row *row = &reserved_rows[_i];
    struct share_want wants[4] = {0};
    size_t rows = 0, count = 0;
    while (rows < COUNT_OF(row->rows) && row->rows[rows].path != NULL)
        rows++;
    for (; count < COUNT_OF(row->wants) && row->wants[count].path != NULL; count++)
        wants[count] = (struct share_want){.path = row->wants[count].path, .index = (uint32_t)count};
    ck_assert_int_eq(share_tree_set(&tree, row->rows, rows), 0);
    ck_assert_msg(share_tree_reserved_ppm(&tree) == row->together, "%s", row->says);
    share_tree_weigh(&tree, wants, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(wants[i].has.reserved_ppm == row->wants[wants[i].index].reserved_ppm, "%s: %s has %u", row->says,
                      wants[i].path, wants[i].has.reserved_ppm);
}
END_TEST

START_TEST(limits_are_caps_under_caps)
{
    const struct share_given rows[] = {{"a/x", {.weight = 1, .limits.ops_per_s = 7}},
                                       {"a", {.weight = 1, .limits = {.ops_per_s = 9, .ppm = 5}}},
                                       {"a-b", {.weight = 1, .limits.ppm = 4}},
                                       {"a/y", {.weight = 1}},
                                       {"b", {.weight = 1, .reserved_ppm = 3}}};
    struct share_tree before = {0};
    struct fq_cap caps[3];
    ck_assert_int_eq(share_tree_set(&before, rows, 2), 0);
    ck_assert_int_eq(share_tree_set(&tree, rows, COUNT_OF(rows)), 0);
    ck_assert_uint_eq(tree.caps, 3);
    share_tree_caps(&tree, &before, caps); /* a, a/x, a-b */
    ck_assert(caps[0].under == 0 && caps[0].was == 1 && caps[0].limits.ppm == 5);
    ck_assert(caps[1].under == 1 && caps[1].was == 2 && caps[1].limits.ops_per_s == 7);
    ck_assert(caps[2].under == 0 && caps[2].was == 0 && caps[2].limits.ppm == 4);
    ck_assert(share_tree_cap(&tree, "a") == 1 && share_tree_cap(&tree, "a/y") == 1);
    ck_assert_uint_eq(share_tree_cap(&tree, "a/z"), 1);
    ck_assert(share_tree_cap(&tree, "a/x") == 2 && share_tree_cap(&tree, "a/x/deep/er") == 2);
    ck_assert(share_tree_cap(&tree, "a-b/c") == 3 && share_tree_cap(&tree, "b") == 0);
    ck_assert_uint_eq(share_tree_cap(&tree, "ab"), 0);
    struct fq_limits l = share_tree_limits(&tree, "a/x/deep");
    ck_assert(l.ops_per_s == 7 && l.ppm == 5 && l.bytes_per_s == 0);
    l = share_tree_limits(&tree, "b");
    ck_assert(l.ops_per_s == 0 && l.ppm == 0);
    share_tree_fini(&before);
}
END_TEST

/* ---- the rule, read plainly: at each level, from above, among the children below which somebody wants it ---- */

static bool is_below(const char *path, const char *top, size_t len)
{
    return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static double plain_part(const struct share_want *wants, size_t count, const char *path)
{
    double part = 1;
    size_t len = 0, whole = strlen(path);
    while (len < whole) {
        size_t above = len;
        len += (len > 0) + strcspn(path + len + (len > 0), "/");
        double sum = 0, mine = 0;
        char seen[WANTS_MAX][64] = {{0}};
        size_t seen_count = 0;
        for (size_t i = 0; i < count; i++) {
            const char *other = wants[i].path;
            if (above > 0 && !is_below(other, path, above))
                continue;
            if (above > 0 && other[above] == '\0') {
                sum += IO_WEIGHT_DEFAULT; /* the parent's own jobs */
                continue;
            }
            size_t end = above + (above > 0) + strcspn(other + above + (above > 0), "/");
            char child[64];
            snprintf(child, sizeof child, "%.*s", (int)end, other);
            bool known = false;
            for (size_t k = 0; k < seen_count; k++)
                known |= strcmp(seen[k], child) == 0;
            if (known)
                continue;
            memcpy(seen[seen_count++], child, sizeof child);
            uint32_t weight = share_tree_get(&tree, child)->weight;
            sum += weight;
            if (is_below(path, child, end) && end == len)
                mine = weight;
        }
        part *= mine / sum;
    }
    double children = 0; /* its own jobs beside its children */
    char seen[WANTS_MAX][64] = {{0}};
    size_t seen_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_below(wants[i].path, path, whole) || wants[i].path[whole] == '\0')
            continue;
        size_t end = whole + 1 + strcspn(wants[i].path + whole + 1, "/");
        char child[64];
        snprintf(child, sizeof child, "%.*s", (int)end, wants[i].path);
        bool known = false;
        for (size_t k = 0; k < seen_count; k++)
            known |= strcmp(seen[k], child) == 0;
        if (!known)
            children += share_tree_get(&tree, child)->weight;
        if (!known)
            memcpy(seen[seen_count++], child, sizeof child);
    }
    return part * IO_WEIGHT_DEFAULT / (IO_WEIGHT_DEFAULT + children);
}

static void random_path(uint64_t *r, char out[64])
{
    static const char *const names[] = {"a", "b", "ab", "a-", "c"};
    size_t depth = 1 + random_below(r, 4), len = 0;
    for (size_t i = 0; i < depth; i++)
        len += (size_t)snprintf(out + len, 64 - len, "%s%s", i > 0 ? "/" : "", names[random_below(r, COUNT_OF(names))]);
}

/* What is reserved for `top` and all below it: its own, or what its children have together. */
static uint64_t plain_reserved(const char *top)
{
    struct share_given rows[WANTS_MAX];
    size_t count = share_tree_rows(&tree, rows), len = strlen(top);
    uint64_t own = 0, below = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].path, top) == 0)
            own = rows[i].share.reserved_ppm;
        bool is_nearest = is_below(rows[i].path, top, len) && rows[i].path[len] == '/';
        for (size_t k = 0; is_nearest && k < count; k++) /* nobody named between them */
            is_nearest = k == i || strlen(rows[k].path) <= len || !is_below(rows[k].path, top, len) ||
                         !is_below(rows[i].path, rows[k].path, strlen(rows[k].path));
        below += is_nearest ? plain_reserved(rows[i].path) : 0;
    }
    return own > below ? own : below;
}

/* Whose who is there has all that is reserved for it; nobody has what is another's. Rounding loses a millionth each. */
static void check_reserved(const struct share_want *wants, size_t count, uint64_t seed)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const char *path = wants[i].path;
        sum += wants[i].has.reserved_ppm;
        for (size_t len = strcspn(path, "/"); len <= strlen(path); len += 1 + strcspn(path + len + 1, "/")) {
            char top[64];
            uint64_t has = 0;
            snprintf(top, sizeof top, "%.*s", (int)len, path);
            for (size_t k = 0; k < count; k++)
                has += is_below(wants[k].path, top, len) ? wants[k].has.reserved_ppm : 0;
            ck_assert_msg(has + WANTS_MAX * 4 >= plain_reserved(top), "seed %lu: %s has %lu", (unsigned long)seed, top,
                          (unsigned long)has);
            if (path[len] == '\0')
                break;
        }
    }
    ck_assert_uint_le(sum, share_tree_reserved_ppm(&tree));
}

START_TEST(random_trees_come_to_the_plain_rule)
{
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint64_t r = seed;
        char names[2 * WANTS_MAX][64];
        struct share_given rows[WANTS_MAX];
        struct share_want wants[WANTS_MAX] = {0};
        size_t count = 0, tries = 1 + random_below(&r, WANTS_MAX);
        for (size_t i = 0; i < WANTS_MAX; i++) {
            random_path(&r, names[i]);
            rows[i] = (struct share_given){names[i], {.weight = 1 + (uint32_t)random_below(&r, IO_WEIGHT_MAX)}};
            rows[i].share.reserved_ppm = random_below(&r, 3) == 0 ? (uint32_t)random_below(&r, 40000) : 0;
        }
        ck_assert_int_eq(share_tree_set(&tree, rows, WANTS_MAX), 0);
        for (size_t i = 0; i < tries; i++) {
            char *name = names[WANTS_MAX + count];
            random_path(&r, name);
            bool known = false;
            for (size_t k = 0; k < count; k++)
                known |= strcmp(wants[k].path, name) == 0;
            if (!known)
                wants[count++].path = name;
        }
        share_tree_weigh(&tree, wants, count);
        check_reserved(wants, count, seed);
        for (size_t i = 0; i < count; i++) {
            double should = plain_part(wants, count, wants[i].path) * FQ_WEIGHT_MAX;
            double off = (double)wants[i].has.weight - (should < 1 ? 1 : should);
            ck_assert_msg(off < 1.5 && off > -1.5, "seed %lu: %s has %u, should have %.1f", (unsigned long)seed,
                          wants[i].path, wants[i].has.weight, should);
        }
    }
}
END_TEST

START_TEST(of_two_rows_with_one_path_one_counts)
{
    const struct share_given rows[] = {{"a", {.weight = 5}}, {"b", {.weight = 6}}, {"a", {.weight = 5}}};
    ck_assert_int_eq(share_tree_set(&tree, rows, 3), 0);
    ck_assert_uint_eq(tree.count, 2);
    ck_assert_int_eq(share_tree_set(&tree, NULL, 0), 0);
    ck_assert(tree.count == 0 && !share_tree_has(&tree, "a"));
    share_tree_weigh(&tree, NULL, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/share_tree");
    TCase *t = tcase_create("tree");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_loop_test(t, a_weight_comes_to_what_the_tree_makes_of_it, 0, (int)COUNT_OF(parts));
    tcase_add_loop_test(t, what_is_reserved_is_shared_below, 0, (int)COUNT_OF(reserved_rows));
    tcase_add_test(t, limits_are_caps_under_caps);
    tcase_add_test(t, random_trees_come_to_the_plain_rule);
    tcase_add_test(t, of_two_rows_with_one_path_one_counts);
    suite_add_tcase(s, t);
    return run_suite(s);
}
