/* Varints and length-prefixed bytes, read without trust. */
#include <check.h>
#include <string.h>

#include "base/wire.h"
#include "tests/run.h"

static const struct {
    uint64_t value;
    size_t len;
} numbers[] = {
    { 0, 1 }, { 1, 1 }, { 127, 1 }, { 128, 2 }, { 16383, 2 }, { 16384, 3 }, { UINT32_MAX, 5 },
    { UINT64_C(1) << 62, 9 }, { (UINT64_C(1) << 63) - 1, 9 }, { UINT64_C(1) << 63, 10 }, { UINT64_MAX, 10 },
};

START_TEST(a_number_reads_back_and_fails_cut_anywhere)
{
    struct buf b = { 0 };
    wire_put_u64(&b, numbers[_i].value);
    ck_assert_uint_eq(b.len, numbers[_i].len);
    struct wire_reader r = wire_reader(b.data, b.len);
    ck_assert_uint_eq(wire_get_u64(&r), numbers[_i].value);
    ck_assert(!r.bad && wire_at_end(&r));
    for (size_t len = 0; len < b.len; len++) {
        r = wire_reader(b.data, len);
        ck_assert_uint_eq(wire_get_u64(&r), 0);
        ck_assert(r.bad);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(signed_numbers_read_back_and_small_ones_are_short)
{
    static const int64_t values[] = { 0, -1, 1, -64, 63, -65, 64, INT32_MIN, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct buf b = { 0 };
        wire_put_i64(&b, values[i]);
        struct wire_reader r = wire_reader(b.data, b.len);
        ck_assert_int_eq(wire_get_i64(&r), values[i]);
        ck_assert(!r.bad && wire_at_end(&r));
        if (values[i] >= -64 && values[i] < 64)
            ck_assert_uint_eq(b.len, 1);
        buf_fini(&b);
    }
}
END_TEST

static const struct {
    const char *fact;
    uint8_t bytes[12];
    size_t len;
} bad_numbers[] = {
    { "zero in two bytes is overlong", { 0x80, 0x00 }, 2 },
    { "one in three bytes is overlong", { 0x81, 0x80, 0x00 }, 3 },
    { "a 65th bit is refused", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 }, 10 },
    { "an eleventh byte is refused", { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00 }, 11 },
    { "nothing is no number", { 0 }, 0 },
};

START_TEST(a_number_has_one_spelling)
{
    struct wire_reader r = wire_reader(bad_numbers[_i].bytes, bad_numbers[_i].len);
    uint64_t value = wire_get_u64(&r);
    ck_assert_msg(value == 0 && r.bad, "%s", bad_numbers[_i].fact);
}
END_TEST

START_TEST(bytes_are_borrowed_and_a_lying_length_is_bad)
{
    static const uint8_t fine[] = { 3, 'a', 'b', 'c', 0 };
    static const uint8_t lies[] = { 4, 'a', 'b', 'c' };
    static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a' };
    size_t len = 9;
    struct wire_reader r = wire_reader(fine, sizeof fine);
    ck_assert_ptr_eq(wire_get_bytes(&r, &len), fine + 1);
    ck_assert_uint_eq(len, 3);
    ck_assert_ptr_nonnull(wire_get_bytes(&r, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert(wire_at_end(&r) && !r.bad);
    r = wire_reader(lies, sizeof lies);
    ck_assert_ptr_null(wire_get_bytes(&r, &len));
    ck_assert(r.bad);
    r = wire_reader(huge, sizeof huge);
    ck_assert_ptr_null(wire_get_bytes(&r, &len));
    ck_assert(r.bad);
}
END_TEST

START_TEST(after_a_fault_every_read_gives_zero)
{
    static const uint8_t bytes[] = { 9, 1, 2, 3 };
    size_t len = 7;
    struct wire_reader r = wire_reader(bytes, sizeof bytes);
    ck_assert_ptr_null(wire_get_bytes(&r, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_uint_eq(wire_get_u64(&r), 0);
    ck_assert_int_eq(wire_get_i64(&r), 0);
    ck_assert_ptr_null(wire_get_bytes(&r, &len));
    ck_assert(r.bad);
    r = wire_reader(NULL, 0);
    ck_assert(wire_at_end(&r) && !r.bad);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/wire");
    TCase *tc = tcase_create("wire");
    tcase_add_loop_test(tc, a_number_reads_back_and_fails_cut_anywhere, 0, COUNT_OF(numbers));
    tcase_add_test(tc, signed_numbers_read_back_and_small_ones_are_short);
    tcase_add_loop_test(tc, a_number_has_one_spelling, 0, COUNT_OF(bad_numbers));
    tcase_add_test(tc, bytes_are_borrowed_and_a_lying_length_is_bad);
    tcase_add_test(tc, after_a_fault_every_read_gives_zero);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
