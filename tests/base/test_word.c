/* The last bytes of a key, and memory that is zero whatever lay there before. */
#include <check.h>

#include "base/word.h"
#include "base/zeroed.h"
#include "tests/run.h"

START_TEST(a_tail_is_what_a_copy_of_so_many_bytes_is)
{
    uint8_t bytes[] = {0xff, 1, 0x82, 3, 0x84, 5, 0x86, 0xff};
    for (size_t from = 0; from < 2; from++)
        for (size_t len = 0; len < sizeof(uint64_t) && from + len <= sizeof bytes; len++) {
            uint64_t word = 0;
            memcpy(&word, bytes + from, len);
            ck_assert_uint_eq(word_tail(bytes + from, len), word);
        }
}
END_TEST

START_TEST(what_was_let_go_of_comes_back_as_zeros)
{
    static const uint8_t zeros[100];
    for (int i = 0; i < 20; i++) {
        uint8_t *p = zeroed(20, 5);
        ck_assert_ptr_nonnull(p);
        ck_assert_mem_eq(p, zeros, sizeof zeros);
        memset(p, 0xa5, sizeof zeros);
        free(p);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/word");
    TCase *t = tcase_create("word");
    tcase_add_test(t, a_tail_is_what_a_copy_of_so_many_bytes_is);
    tcase_add_test(t, what_was_let_go_of_comes_back_as_zeros);
    suite_add_tcase(s, t);
    return run_suite(s);
}
