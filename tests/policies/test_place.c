#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policies/place.h"
#include "tests/run.h"

#define NODES 300

static struct place_item nodes[NODES];
static char names[NODES][16];

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

/* What the index must answer, the slow way. */
static const struct place_item *plain_find(const struct capacity *need, const struct place_item *avoid, int64_t end_us,
                                           bool spread)
{
    const struct place_item *best = NULL;
    for (size_t i = 0; i < NODES; i++) {
        const struct place_item *n = &nodes[i];
        if (!n->in_index || n == avoid || end_us > n->until_us || !capacity_fits(need, &n->free))
            continue;
        bool less = best == NULL || n->free.v[0] < best->free.v[0] ||
                    (n->free.v[0] == best->free.v[0] && strcmp(n->name, best->name) < 0);
        if (best == NULL || less != spread)
            best = n;
    }
    return best;
}

static struct place_item *listed[NODES];
static size_t listed_count;

static void list_item(void *arg, struct place_item *item)
{
    (void)arg;
    listed[listed_count++] = item;
}

START_TEST(an_index_filled_at_once_is_as_one_filled_one_by_one)
{
    static struct place_item copies[NODES];
    uint64_t r = (uint64_t)_i * 7919 + 88172645463325252u;
    struct place_index index = {0}, at_once = {0};
    size_t count = (size_t)_i * 29;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "n%03zu", i);
        nodes[i] = (struct place_item){.name = names[i], .free = {{draw(&r, 9), draw(&r, 9), draw(&r, 3)}}};
        place_add(&index, &nodes[i]);
    }
    listed_count = 0;
    place_each(&index, list_item, NULL);
    ck_assert_uint_eq(listed_count, count);
    for (size_t i = 0; i < count; i++) {
        copies[i] = (struct place_item){.name = listed[i]->name, .free = listed[i]->free};
        listed[i] = &copies[i];
    }
    place_fill(&at_once, listed, count);
    ck_assert_uint_eq(at_once.count, count);
    for (int step = 0; step < 500; step++) {
        struct capacity need = {.v = {draw(&r, 10), draw(&r, 10), draw(&r, 4)}};
        const struct place_item *a = place_find(&index, &need, NULL), *b = place_find(&at_once, &need, NULL);
        ck_assert_pstr_eq(a != NULL ? a->name : NULL, b != NULL ? b->name : NULL);
    }
    for (size_t i = 0; i < count; i++)
        place_remove(&at_once, &copies[i]);
    ck_assert_ptr_null(at_once.root);
}
END_TEST

/* A branch that claims more than it has isn't wrong, but costs the way down. */
static struct capacity most_of(const struct place_item *t)
{
    struct capacity most = t->free;
    const struct place_item *const below[] = {t->left, t->right};
    for (size_t i = 0; i < 2; i++) {
        struct capacity other = below[i] != NULL ? most_of(below[i]) : (struct capacity){0};
        for (size_t k = 0; k < CAPACITY_DIMS; k++)
            most.v[k] = MAX(most.v[k], other.v[k]);
        most.features |= other.features;
    }
    ck_assert_mem_eq(&most, &t->most, sizeof most);
    return most;
}

START_TEST(the_index_finds_what_a_scan_finds)
{
    uint64_t seed = (uint64_t)_i * 7919 + 88172645463325252u, r = seed;
    struct place_index index = {0};
    for (size_t i = 0; i < NODES; i++) {
        snprintf(names[i], sizeof names[i], _i % 2 == 0 ? "n%03zu" : "rack-long-%03zu", i);
        nodes[i] = (struct place_item){.name = names[i], .free = {{draw(&r, 9), draw(&r, 9), draw(&r, 3)}}};
        if (draw(&r, 4) > 0)
            place_add(&index, &nodes[i]);
    }
    for (int step = 0; step < 3000; step++) {
        struct place_item *n = &nodes[draw(&r, NODES)];
        struct capacity free = {.v = {draw(&r, 9), draw(&r, 9), draw(&r, 3)}, .features = draw(&r, 8)},
                        need = {.v = {draw(&r, 9), draw(&r, 9), draw(&r, 3)}, .features = draw(&r, 4)};
        switch (draw(&r, 4)) {
        case 0:
            place_remove(&index, n);
            n->until_us = (int64_t)draw(&r, 5);
            break;
        case 1:
            if (!n->in_index)
                place_add(&index, n);
            break;
        default: place_set(&index, n, &free); break;
        }
        const struct place_item *avoid = draw(&r, 2) ? &nodes[draw(&r, NODES)] : NULL;
        ck_assert_msg(place_find(&index, &need, avoid) == plain_find(&need, avoid, INT64_MIN, false),
                      "seed %d, step %d", _i, step);
        int64_t end_us = (int64_t)draw(&r, 6);
        ck_assert_msg(place_find_until(&index, &need, avoid, end_us) == plain_find(&need, avoid, end_us, false),
                      "seed %d, step %d", _i, step);
        int64_t longest_us = INT64_MIN;
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].in_index && capacity_fits(&need, &nodes[i].free))
                longest_us = MAX(longest_us, nodes[i].until_us);
        ck_assert_msg(place_longest_us(&index, &need) == longest_us, "seed %d, step %d", _i, step);
        struct place_query emptiest = {.need = &need, .end_us = INT64_MIN, .spread = true, .avoid = avoid};
        ck_assert_msg(place_search(&index, &emptiest) == plain_find(&need, avoid, INT64_MIN, true), "seed %d, step %d",
                      _i, step);
        if (index.root != NULL && step % 64 == 0)
            (void)most_of(index.root);
    }
}
END_TEST

START_TEST(the_fullest_node_that_fits_is_taken_and_ties_go_by_name)
{
    struct place_index index = {0};
    struct place_item big = {.name = "big", .free = {{8, 8}}}, b = {.name = "b", .free = {{4, 8}}},
                      a = {.name = "a", .free = {{4, 8}}}, lean = {.name = "lean", .free = {{3, 1}}};
    place_add(&index, &big);
    place_add(&index, &b);
    place_add(&index, &a);
    place_add(&index, &lean);
    ck_assert_ptr_eq(place_find(&index, &(struct capacity){.v = {2, 2}}, NULL), &a);
    ck_assert_ptr_eq(place_find(&index, &(struct capacity){.v = {2, 2}}, &a), &b);
    ck_assert_ptr_eq(place_find(&index, &(struct capacity){.v = {2, 1}}, NULL), &lean);
    ck_assert_ptr_eq(place_find(&index, &(struct capacity){.v = {5, 1}}, NULL), &big);
    ck_assert_ptr_null(place_find(&index, &(struct capacity){.v = {9, 1}}, NULL));
    ck_assert_ptr_null(place_find(&index, &(struct capacity){.v = {1, 1, 1}}, NULL));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("place");
    TCase *t = tcase_create("index");
    tcase_add_loop_test(t, the_index_finds_what_a_scan_finds, 0, 10);
    tcase_add_loop_test(t, an_index_filled_at_once_is_as_one_filled_one_by_one, 0, 10);
    tcase_add_test(t, the_fullest_node_that_fits_is_taken_and_ties_go_by_name);
    suite_add_tcase(s, t);
    return run_suite(s);
}
