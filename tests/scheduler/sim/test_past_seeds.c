/* Histories as the fuzzer of the journal's reader takes them: both its ways lead to the same file. With REEVE_SEEDS=DIR
 * they are left there, to begin with. */
#include <check.h>
#include <stdlib.h>

#include "tests/fuzz/past_input.h"
#include "tests/run.h"
#include "tests/scheduler/sim/past_world.h"

static void leave(const char *name, const struct buf *input)
{
    const char *dir = getenv("REEVE_SEEDS");
    char path[512];
    if (dir == NULL)
        return;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    file_put(path, input->data, input->len);
}

START_TEST(a_history_is_the_same_file_either_way)
{
    struct world w;
    struct past_files files;
    struct buf facts = {.max = 1 << 20}, whole = {.max = 1 << 20}, a = {.max = 1 << 20}, b = {.max = 1 << 20};
    people_act(&w);
    world_write(&w, &files);
    buf_add(&facts, "\0", 1);
    for (size_t i = 0; i < w.journal.count; i++) {
        const struct bytes *f = &((const struct bytes *)w.journal.v)[i];
        const uint8_t len[2] = {(uint8_t)f->len, (uint8_t)(f->len >> 8)};
        ck_assert_uint_lt(f->len, 1 << 16);
        buf_add(&facts, len, sizeof len);
        buf_add(&facts, f->data, f->len);
    }
    buf_add(&whole, "\1", 1);
    buf_add(&whole, files.segment.data, files.segment.len);
    past_input((const uint8_t *)facts.data, facts.len, &a);
    past_input((const uint8_t *)whole.data, whole.len, &b);
    ck_assert_uint_eq(a.len, files.segment.len);
    ck_assert_mem_eq(a.data, files.segment.data, a.len);
    ck_assert_uint_eq(b.len, files.segment.len);
    ck_assert_mem_eq(b.data, files.segment.data, b.len);
    leave("facts", &facts);
    leave("segment", &whole);
    for (struct buf *done[] = {&facts, &whole, &a, &b, NULL}, **d = done; *d != NULL; d++)
        buf_fini(*d);
    past_files_end(&files);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/past_seeds");
    TCase *t = tcase_create("seeds");
    tcase_add_test(t, a_history_is_the_same_file_either_way);
    suite_add_tcase(s, t);
    return run_suite(s);
}
