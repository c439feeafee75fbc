/* Text to number and back: exact, or refused with what to write instead. */
#include <check.h>
#include <inttypes.h>

#include "base/base64.h"
#include "base/parse.h"
#include "tests/base/sample.h"
#include "tests/run.h"

enum kind { U64, I64, SIZE, CPU, DURATION, MONEY, TIME };

static int parse(enum kind kind, const char *text, int64_t *ret, struct err *err)
{
    uint64_t number = (uint64_t)*ret;
    int rc = 0;
    switch (kind) {
    case U64:
        rc = parse_u64(text, 0, UINT64_MAX, &number, err);
        break;
    case SIZE:
        rc = parse_size(text, &number, err);
        break;
    case CPU:
        rc = parse_cpu(text, &number, err);
        break;
    case DURATION:
        rc = parse_duration(text, &number, err);
        break;
    case I64:
        return parse_i64(text, INT64_MIN, INT64_MAX, ret, err);
    case MONEY:
        return parse_money(text, ret, err);
    case TIME:
        return parse_time(text, ret, err);
    }
    *ret = (int64_t)number;
    return rc;
}

#define DAY INT64_C(86400000000)
static const struct {
    enum kind kind;
    const char *text;
    int64_t value;
} accepted[] = {
    { U64, "0", 0 }, { U64, "18446744073709551615", -1 }, { U64, "42", 42 },
    { I64, "-9223372036854775808", INT64_MIN }, { I64, "9223372036854775807", INT64_MAX }, { I64, "-1", -1 },
    { SIZE, "4096", 4096 }, { SIZE, "512Ki", 512 << 10 }, { SIZE, "4Gi", INT64_C(4) << 30 },
    { SIZE, "1.5Gi", INT64_C(3) << 29 }, { SIZE, "0.5Ki", 512 }, { SIZE, "1K", 1000 }, { SIZE, "1.5K", 1500 },
    { SIZE, "2T", INT64_C(2000000000000) }, { SIZE, "1Pi", INT64_C(1) << 50 }, { SIZE, "0", 0 }, { SIZE, "2.0", 2 },
    { SIZE, "16383.5Pi", INT64_C(-562949953421312) }, { SIZE, "0.0009765625Ki", 1 },
    { CPU, "2", 2000 }, { CPU, "0.5", 500 }, { CPU, "250m", 250 }, { CPU, "0.001", 1 }, { CPU, "1.250", 1250 },
    { DURATION, "250ms", 250 }, { DURATION, "30s", 30000 }, { DURATION, "15m", 900000 }, { DURATION, "2h", 7200000 },
    { DURATION, "1d", 86400000 }, { DURATION, "1h30m", 5400000 }, { DURATION, "1d2h3m4s5ms", 93784005 },
    { DURATION, "0s", 0 }, { DURATION, "90m", 5400000 },
    { MONEY, "12", 12000000 }, { MONEY, "12.50", 12500000 }, { MONEY, "-0.000001", -1 }, { MONEY, "0.1", 100000 },
    { MONEY, "-9223372036854.775808", INT64_MIN }, { MONEY, "9223372036854.775807", INT64_MAX },
    { TIME, "1970-01-01", 0 }, { TIME, "1970-01-02T00:00:00Z", DAY }, { TIME, "1969-12-31T23:59:59.999999Z", -1 },
    { TIME, "2026-11-01T14:00:00Z", INT64_C(1793541600000000) },
    { TIME, "2026-11-01T14:00:00+02:00", INT64_C(1793534400000000) },
    { TIME, "2026-11-01T14:00:00-00:30", INT64_C(1793543400000000) },
    { TIME, "2026-11-01T14:00:00.25Z", INT64_C(1793541600250000) }, { TIME, "2024-02-29", INT64_C(1709164800000000) },
    { TIME, "2000-02-29", INT64_C(951782400000000) }, { TIME, "0001-01-01", INT64_C(-62135596800000000) },
    { TIME, "9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999) },
};

START_TEST(what_people_write)
{
    int64_t value = 77;
    struct err err = { 0 };
    int rc = parse(accepted[_i].kind, accepted[_i].text, &value, &err);
    ck_assert_msg(rc == 0, "%s: %s", accepted[_i].text, err_text(&err));
    ck_assert_msg(value == accepted[_i].value, "%s: %" PRId64, accepted[_i].text, value);
}
END_TEST

static const struct {
    enum kind kind;
    const char *text;
} refused[] = {
    { U64, "" }, { U64, " 1" }, { U64, "1 " }, { U64, "+1" }, { U64, "-1" }, { U64, "01" }, { U64, "1.0" },
    { U64, "0x1" }, { U64, "1e3" }, { U64, "18446744073709551616" }, { U64, "99999999999999999999999" },
    { U64, "\xd9\xa1" }, { I64, "9223372036854775808" }, { I64, "-9223372036854775809" }, { I64, "--1" }, { I64, "-" },
    { SIZE, "" }, { SIZE, "4 Gigs" }, { SIZE, "4GB" }, { SIZE, "4gi" }, { SIZE, "1.3Ki" }, { SIZE, "0.5" },
    { SIZE, ".5Gi" }, { SIZE, "5.Gi" }, { SIZE, "-1" }, { SIZE, "16384Pi" }, { SIZE, "18446744073709551616" },
    { SIZE, "1Gi " }, { SIZE, "Gi" }, { SIZE, "1GiB" }, { SIZE, "1k" }, { SIZE, "1..5Gi" },
    { CPU, "" }, { CPU, "0.0001" }, { CPU, "0.5m" }, { CPU, "2 cores" }, { CPU, "-1" }, { CPU, "18446744073709552" },
    { DURATION, "" }, { DURATION, "30" }, { DURATION, "30 s" }, { DURATION, "1m1h" }, { DURATION, "1h1h" },
    { DURATION, "1.5h" }, { DURATION, "1h30" }, { DURATION, "-1s" }, { DURATION, "1w" }, { DURATION, "1sm" },
    { DURATION, "h" }, { DURATION, "213503982335d" }, { DURATION, "213503982334d15h" },
    { MONEY, "" }, { MONEY, "12.5000000" }, { MONEY, "1e3" }, { MONEY, "12 EUR" }, { MONEY, "$1" }, { MONEY, "1,5" },
    { MONEY, "9223372036854.775808" }, { MONEY, "+1" }, { MONEY, "--1" }, { MONEY, "-" }, { MONEY, "." },
    { TIME, "" }, { TIME, "2026" }, { TIME, "2026-13-01" }, { TIME, "2026-00-01" }, { TIME, "2026-02-29" },
    { TIME, "1900-02-29" }, { TIME, "2026-11-31" }, { TIME, "2026-11-01T14:00:00" }, { TIME, "2026-11-01 14:00:00Z" },
    { TIME, "2026-11-01T24:00:00Z" }, { TIME, "2026-11-01T14:00:60Z" }, { TIME, "2026-11-01T14:00Z" },
    { TIME, "2026-11-01T14:00:00.Z" }, { TIME, "2026-11-01T14:00:00.1234567Z" }, { TIME, "2026-11-01T14:00:00+24:00" },
    { TIME, "2026-11-01T14:00:00+0200" }, { TIME, "2026-11-01T14:00:00ZZ" }, { TIME, "0000-01-01" },
    { TIME, "0001-01-01T00:00:00+00:01" }, { TIME, "9999-12-31T23:59:59-00:01" }, { TIME, "2026-11-01T" },
    { TIME, "10000-01-01" }, { TIME, "2026-1-1" },
};

START_TEST(what_is_refused_leaves_the_value_and_quotes_the_text)
{
    int64_t value = 77;
    struct err err = { 0 };
    int rc = parse(refused[_i].kind, refused[_i].text, &value, &err);
    ck_assert_msg(rc < 0, "%d '%s' was read as %" PRId64, (int)refused[_i].kind, refused[_i].text, value);
    ck_assert_int_eq(value, 77);
    ck_assert_msg(err.text[0] == '\'' && strstr(err.text, " is not a") != NULL, "%s", err.text);
    ck_assert_int_lt(parse(refused[_i].kind, refused[_i].text, &value, NULL), 0);
}
END_TEST

START_TEST(the_sentence_says_what_to_write)
{
    struct err err = { 0 };
    uint64_t number = 0;
    ck_assert_int_lt(parse_size("4 Gigs", &number, &err), 0);
    ck_assert_str_eq(err.text, "'4 Gigs' is not a size; write 4Gi, 4096Mi or bytes");
    ck_assert_int_lt(parse_u64("101", 1, 100, &number, &err), 0);
    ck_assert_str_eq(err.text, "'101' is not a whole number from 1 to 100");
}
END_TEST

START_TEST(every_number_formats_to_text_that_reads_back)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    for (int i = 0; i < 20000; i++) {
        char text[PARSE_TEXT_MAX];
        uint64_t number = sample_number(&seed, UINT64_MAX), back = 1;
        int64_t whole = sample_signed(&seed, INT64_MIN, INT64_MAX), again = 1;
        int64_t us = sample_signed(&seed, INT64_C(-62135596800000000), INT64_C(253402300799999999));
        ck_assert_msg(parse_size(format_size(number, text), &back, NULL) == 0 && back == number,
                      "seed %" PRIu64 ": %s", first, text);
        ck_assert_msg(parse_cpu(format_cpu(number, text), &back, NULL) == 0 && back == number, "seed %" PRIu64 ": %s",
                      first, text);
        ck_assert_msg(parse_duration(format_duration(number, text), &back, NULL) == 0 && back == number,
                      "seed %" PRIu64 ": %s", first, text);
        ck_assert_msg(parse_money(format_money(whole, text), &again, NULL) == 0 && again == whole,
                      "seed %" PRIu64 ": %s", first, text);
        ck_assert_msg(parse_time(format_time(us, text), &again, NULL) == 0 && again == us, "seed %" PRIu64 ": %s",
                      first, text);
        ck_assert_uint_lt(strlen(format_time(whole, text)), PARSE_TEXT_MAX);
    }
}
END_TEST

START_TEST(formats_are_the_short_ones)
{
    char t[PARSE_TEXT_MAX];
    ck_assert_str_eq(format_size(0, t), "0");
    ck_assert_str_eq(format_size(UINT64_C(4) << 30, t), "4Gi");
    ck_assert_str_eq(format_size(UINT64_C(1536) << 20, t), "1536Mi");
    ck_assert_str_eq(format_size(4097, t), "4097");
    ck_assert_str_eq(format_cpu(2000, t), "2");
    ck_assert_str_eq(format_cpu(250, t), "0.25");
    ck_assert_str_eq(format_cpu(1, t), "0.001");
    ck_assert_str_eq(format_duration(5400000, t), "1h30m");
    ck_assert_str_eq(format_duration(0, t), "0ms");
    ck_assert_str_eq(format_duration(86400250, t), "1d250ms");
    ck_assert_str_eq(format_money(12500000, t), "12.50");
    ck_assert_str_eq(format_money(-1, t), "-0.000001");
    ck_assert_str_eq(format_money(0, t), "0.00");
    ck_assert_str_eq(format_money(100, t), "0.0001");
    ck_assert_str_eq(format_time(INT64_C(1793541600000000), t), "2026-11-01T14:00:00Z");
    ck_assert_str_eq(format_time(-1, t), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(format_time(500000, t), "1970-01-01T00:00:00.5Z");
}
END_TEST

static const struct {
    const char *fact;
    const char *bytes;
    size_t len;
    bool valid;
} texts[] = {
    { "nothing is valid", "", 0, true },
    { "ASCII is valid", "abc", 3, true },
    { "two, three and four bytes are valid", "é€\xf0\x9f\x9a\x80", 9, true },
    { "the last code point is valid", "\xf4\x8f\xbf\xbf", 4, true },
    { "beyond the last code point is not", "\xf4\x90\x80\x80", 4, false },
    { "a surrogate is not", "\xed\xa0\x80", 3, false },
    { "the character before the surrogates is", "\xed\x9f\xbf", 3, true },
    { "an overlong slash is not", "\xc0\xaf", 2, false },
    { "overlong in three bytes is not", "\xe0\x9f\xbf", 3, false },
    { "overlong in four bytes is not", "\xf0\x8f\xbf\xbf", 4, false },
    { "a lone continuation is not", "a\x80", 2, false },
    { "a cut character is not", "\xe2\x82", 2, false },
    { "a cut character before ASCII is not", "\xe2\x82z", 3, false },
    { "0xff is not", "\xff", 1, false },
    { "five-byte forms are not", "\xf8\x88\x80\x80\x80", 5, false },
    { "NUL is not", "a\0b", 3, false },
};

START_TEST(utf8)
{
    struct err err = { 0 };
    char *exact = malloc(texts[_i].len + (texts[_i].len == 0));
    memcpy(exact, texts[_i].bytes, texts[_i].len);
    ck_assert_msg((parse_utf8(exact, texts[_i].len, &err) == 0) == texts[_i].valid, "%s: %s", texts[_i].fact, err.text);
    free(exact);
}
END_TEST

START_TEST(names_and_tenant_paths)
{
    static const char *const names[] = { "a", "A9._-", "0" };
    static const char *const no_names[] = { "", ".", "..", "-a", "_a", "a b", "a/b", "a\n", "é", "12345678901" };
    static const char *const paths[] = { "acme", "acme/etl", "1/2/3/4/5/6/7/8" };
    static const char *const no_paths[] = { "", "/", "/acme", "acme/", "a//b", "a/../b", "1/2/3/4/5/6/7/8/9", "a b",
                                            "x234567890123456789012345678901234567890123456789012345678901234" };
    struct err err = { 0 };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_msg(parse_name(names[i], 10, &err) == 0, "%s", names[i]);
    for (size_t i = 0; i < COUNT_OF(no_names); i++)
        ck_assert_msg(parse_name(no_names[i], 10, &err) < 0, "%s", no_names[i]);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ck_assert_msg(parse_tenant_path(paths[i], &err) == 0, "%s", paths[i]);
    for (size_t i = 0; i < COUNT_OF(no_paths); i++)
        ck_assert_msg(parse_tenant_path(no_paths[i], &err) < 0, "%s", no_paths[i]);
}
END_TEST

START_TEST(a_quote_is_short_and_harmless)
{
    char out[PARSE_QUOTE_MAX];
    char long_text[400];
    ck_assert_str_eq(format_quote("a\x1b[31m\n\x7f", out), "'a?[31m?" "?'");
    for (size_t i = 0; i < sizeof long_text - 1; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    for (size_t len = 0; len < sizeof long_text - 2; len++) {
        char copy[400];
        memcpy(copy, long_text, len);
        copy[len] = '\0';
        format_quote(copy, out);
        ck_assert_uint_lt(strlen(out), PARSE_QUOTE_MAX);
        if (len % 2 == 0)
            ck_assert_int_eq(parse_utf8(out, strlen(out), NULL), 0);
    }
}
END_TEST

static const struct {
    const char *text, *bytes;
    size_t len;
} encoded[] = {
    { "", "", 0 }, { "Zg==", "f", 1 }, { "Zm8=", "fo", 2 }, { "Zm9v", "foo", 3 }, { "Zm9vYg==", "foob", 4 },
    { "AAEC/w==", "\0\1\2\xff", 4 }, { "+/+/", "\xfb\xff\xbf", 3 },
};

START_TEST(base64_has_one_text_for_one_value)
{
    struct buf out = { 0 };
    uint8_t bytes[16];
    size_t len = 99;
    base64_put(&out, encoded[_i].bytes, encoded[_i].len);
    ck_assert_str_eq(buf_text(&out), encoded[_i].text);
    ck_assert_uint_le(encoded[_i].len, base64_room(strlen(encoded[_i].text)));
    ck_assert_int_eq(base64_get(encoded[_i].text, strlen(encoded[_i].text), bytes, &len), 0);
    ck_assert_uint_eq(len, encoded[_i].len);
    ck_assert_mem_eq(bytes, encoded[_i].bytes, len);
    buf_fini(&out);
}
END_TEST

START_TEST(what_is_not_base64)
{
    static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm 9", "Zm9\n",
                                         "Z=9v", "Zm-_", "Zg==\n", "=m9v" };
    uint8_t bytes[16];
    size_t len = 99;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(base64_get(wrong[i], strlen(wrong[i]), bytes, &len) < 0 && len == 99, "%s", wrong[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/parse");
    TCase *tc = tcase_create("parse");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_people_write, 0, COUNT_OF(accepted));
    tcase_add_loop_test(tc, what_is_refused_leaves_the_value_and_quotes_the_text, 0, COUNT_OF(refused));
    tcase_add_test(tc, the_sentence_says_what_to_write);
    tcase_add_test(tc, every_number_formats_to_text_that_reads_back);
    tcase_add_test(tc, formats_are_the_short_ones);
    tcase_add_loop_test(tc, utf8, 0, COUNT_OF(texts));
    tcase_add_test(tc, names_and_tenant_paths);
    tcase_add_test(tc, a_quote_is_short_and_harmless);
    tcase_add_loop_test(tc, base64_has_one_text_for_one_value, 0, COUNT_OF(encoded));
    tcase_add_test(tc, what_is_not_base64);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
