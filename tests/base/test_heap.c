#include <check.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/heap.h"
#include "tests/random.h"
#include "tests/run.h"

#define NODES 200

struct node {
    int64_t key;
    uint32_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x > y) - (x < y);
}

static struct heap_rank rank_of(const void *object)
{
    const struct node *n = object;
    return (struct heap_rank){n->key / 10, (uint64_t)n->key % 10 / 5};
}
/* No ranks; some that tie now and then. */
static const struct heap_kind kinds[] = {{by_key, offsetof(struct node, at), NULL},
                                         {by_key, offsetof(struct node, at), rank_of}};

static bool is_odd(void *arg, void *object)
{
    (void)arg;
    return ((const struct node *)object)->key % 2 != 0;
}

START_TEST(the_least_comes_out_whatever_came_left_and_moved)
{
    const struct heap_kind kind = kinds[_i];
    uint64_t seed = random_seed("heap"), r = seed;
    static struct node nodes[NODES];
    struct heap h = {0};
    ck_assert_ptr_null(heap_top(&h));
    ck_assert_int_eq(heap_reserve(&h, 3), 0);
    for (uint32_t i = 0; i < NODES; i++)
        nodes[i].at = HEAP_NOWHERE;
    for (int step = 0; step < 20000; step++) {
        struct node *n = &nodes[random_below(&r, NODES)];
        bool in = n->at != HEAP_NOWHERE;
        if (in && random_below(&r, 2) == 0) {
            heap_remove(&h, &kind, n);
        } else {
            n->key = (int64_t)random_below(&r, 50);
            if (in)
                heap_moved(&h, &kind, n);
            else
                heap_add(&h, &kind, n);
        }
        if (step % 1000 == 999)
            heap_take_out(&h, &kind, is_odd, NULL);
        const struct node *least = NULL;
        for (uint32_t i = 0; i < NODES; i++)
            if (nodes[i].at != HEAP_NOWHERE && (least == NULL || nodes[i].key < least->key))
                least = &nodes[i];
        for (uint32_t i = 0; i < h.count; i++)
            ck_assert_uint_eq(((const struct node *)h.v[i].object)->at, i);
        ck_assert(step % 1000 != 999 || least == NULL || least->key % 2 == 0);
        ck_assert_msg(heap_top(&h) == least, "REEVE_SEED=%" PRIu64 ": step %d", seed, step);
    }
    heap_fini(&h);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/heap");
    TCase *t = tcase_create("heap");
    tcase_add_loop_test(t, the_least_comes_out_whatever_came_left_and_moved, 0, COUNT_OF(kinds));
    suite_add_tcase(s, t);
    return run_suite(s);
}
