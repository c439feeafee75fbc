/* JSON: strict, with a place and a sentence; what is written reads back; no input crashes. */
#include <check.h>
#include <errno.h>

#include "base/io/json.h"
#include "base/io/tree.h"
#include "base/job_spec.h"
#include "base/parse.h"
#include "tests/base/sample.h"
#include "tests/run.h"

static int read_sample(const char *text, enum json_mode mode, struct sample *ret, struct err *err)
{
    return json_read(&sample_fields, text, strlen(text), mode, ret, err);
}

/* --- round trips ------------------------------------------------------------------------------------------ */

static void assert_reads_back(const struct sample *in, const char *text, size_t len, const char *how, uint64_t seed)
{
    struct sample out;
    struct err err = { 0 };
    struct buf differs = { 0 };
    int rc = json_read(&sample_fields, text, len, JSON_STRICT, &out, &err);
    ck_assert_msg(rc == 0, "seed %llu, %s: %s\n%s", (unsigned long long)seed, how, err_text(&err), text);
    fields_diff(&sample_fields, in, &out, &differs);
    ck_assert_msg(fields_equal(&sample_fields, in, &out), "seed %llu, %s differs in: %s\n%s",
                  (unsigned long long)seed, how, buf_text(&differs), text);
    fields_clear(&sample_fields, &out);
    buf_fini(&differs);
}

START_TEST(what_is_written_reads_back_equal)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    for (int round = 0; round < 2000; round++) {
        struct sample in;
        struct buf line = { 0 }, pretty = { 0 };
        sample_fill(&seed, &in);
        ck_assert_int_eq(json_write(&sample_fields, &in, &line), 0);
        ck_assert_ptr_null(strchr(buf_text(&line), '\n'));
        assert_reads_back(&in, line.data, line.len, "one line", first);
        ck_assert_int_eq(json_write_pretty(&sample_fields, &in, &pretty), 0);
        assert_reads_back(&in, pretty.data, pretty.len, "pretty", first);
        fields_clear(&sample_fields, &in);
        buf_fini(&line);
        buf_fini(&pretty);
    }
}
END_TEST

START_TEST(text_cut_or_changed_anywhere_never_crashes_or_touches_the_object)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    struct sample in, untouched;
    struct buf line = { 0 };
    sample_fill(&seed, &in);
    ck_assert_int_eq(json_write(&sample_fields, &in, &line), 0);
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < line.len + 3000; i++) {
        struct sample out = untouched;
        struct err err = { 0 };
        size_t len = i < line.len ? i : line.len;
        char *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, line.data, len);
        if (i >= line.len)
            exact[sample_below(&seed, len)] = (char)sample_random(&seed);
        int rc = json_read(&sample_fields, exact, len, JSON_STRICT, &out, &err);
        ck_assert_msg(rc == 0 || (rc == -EINVAL && err.text[0] != '\0'), "seed %llu: %d",
                      (unsigned long long)first, rc);
        ck_assert_msg(i >= line.len || rc < 0, "a cut text was read");
        if (rc == 0)
            fields_clear(&sample_fields, &out);
        else
            ck_assert_msg(memcmp(&out, &untouched, sizeof out) == 0, "a failure touched the object");
        free(exact);
    }
    fields_clear(&sample_fields, &in);
    buf_fini(&line);
}
END_TEST

/* --- what is read and what is written --------------------------------------------------------------------- */

static const struct {
    const char *in, *out; /* between the braces; out as json_write gives it, without i32 and item */
} forms[] = {
    { "\"u64\":18446744073709551615", NULL },
    { "\"u64\":\"18446744073709551615\"", "\"u64\":\"18446744073709551615\"" },
    { "\"u64\":9223372036854775807", "\"u64\":9223372036854775807" },
    { "\"i64\":-9223372036854775808", "\"i64\":-9223372036854775808" },
    { "\"flag\":true", "\"flag\":true" },
    { "\"flag\":false", "" },
    { "\"color\":\"blue\"", "\"color\":\"blue\"" },
    { "\"cpu\":2", "\"cpu\":\"2\"" },
    { "\"cpu\":0.5", "\"cpu\":\"0.5\"" },
    { "\"cpu\":2.0", "\"cpu\":\"2\"" },
    { "\"cpu\":\"250m\"", "\"cpu\":\"0.25\"" },
    { "\"size\":\"4Gi\"", "\"size\":4294967296" },
    { "\"size\":4096", "\"size\":4096" },
    { "\"size\":\"18446744073709551615\"", "\"size\":\"18446744073709551615\"" },
    { "\"duration\":\"1h30m\"", "\"duration\":5400000" },
    { "\"duration\":250", "\"duration\":250" },
    { "\"money\":12", "\"money\":\"12.00\"" },
    { "\"money\":12.5", "\"money\":\"12.50\"" },
    { "\"money\":0.000001", "\"money\":\"0.000001\"" },
    { "\"money\":\"-3\"", "\"money\":\"-3.00\"" },
    { "\"money\":-0.1", "\"money\":\"-0.10\"" },
    { "\"money\":1e3", "\"money\":\"1000.00\"" },
    { "\"time\":\"2026-11-01\"", "\"time\":\"2026-11-01T00:00:00Z\"" },
    { "\"name\":\"\"", "" },
    { "\"name\":\"a\\tb\"", "\"name\":\"a\\tb\"" },
    { "\"name\":\"\\ud83d\\ude80\"", "\"name\":\"\xf0\x9f\x9a\x80\"" },
    { "\"text\":\"a\\n\\u001b\"", "\"text\":\"a\\n\\u001b\"" },
    { "\"bytes\":\"AAEC/w==\"", "\"bytes\":\"AAEC/w==\"" },
    { "\"strs\":\"one\"", "\"strs\":[\"one\"]" },
    { "\"strs\":[\"\",\"b\"]", "\"strs\":[\"\",\"b\"]" },
    { "\"strs\":[]", "" },
    { "\"pairs\":{\"b\":\"\",\"a\":\"1\"}", "\"pairs\":{\"a\":\"1\",\"b\":\"\"}" },
    { "\"counts\":{\"gpu\":0}", "\"counts\":{\"gpu\":0}" },
    { "\"moneys\":{\"cpu\":0.04}", "\"moneys\":{\"cpu\":\"0.04\"}" },
    { "\"inner\":{}", "\"inner\":{\"first\":0}" },
    { "\"inner\":{\"first\":7}", "\"inner\":{\"first\":7}" },
    { "\"items\":[{},{\"size\":1}]", "\"items\":[{},{\"size\":1}]" },
    { "\"keyed\":{\"b\":{},\"a\":{\"size\":1}}", "\"keyed\":{\"b\":{},\"a\":{\"size\":1}}" },
};

/* The object without the rows that are always there. */
static void write_short(const struct sample *s, struct buf *out)
{
    struct buf whole = { 0 };
    ck_assert_int_eq(json_write(&sample_fields, s, &whole), 0);
    for (const char *at = buf_text(&whole); *at != '\0';) {
        static const char *const always[] = { ",\"i32\":0", "\"i32\":0,", ",\"item\":{}", "\"item\":{},",
                                              "\"item\":{}" };
        size_t skip = 0;
        for (size_t i = 0; i < COUNT_OF(always) && skip == 0; i++)
            if (strncmp(at, always[i], strlen(always[i])) == 0)
                skip = strlen(always[i]);
        if (skip == 0)
            buf_add(out, at, 1);
        at += skip > 0 ? skip : 1;
    }
    buf_fini(&whole);
}

START_TEST(each_kind_in_and_out)
{
    struct sample s;
    struct buf in = { 0 }, expected = { 0 }, out = { 0 };
    struct err err = { 0 };
    buf_addf(&in, "{%s}", forms[_i].in);
    int rc = read_sample(buf_text(&in), JSON_STRICT, &s, &err);
    if (forms[_i].out == NULL) {
        ck_assert_int_eq(rc, -EINVAL);
    } else {
        ck_assert_msg(rc == 0, "%s: %s", forms[_i].in, err_text(&err));
        write_short(&s, &out);
        buf_addf(&expected, "{%s}", forms[_i].out);
        ck_assert_msg(strcmp(buf_text(&out), buf_text(&expected)) == 0, "%s gave %s", forms[_i].in, buf_text(&out));
        fields_clear(&sample_fields, &s);
    }
    buf_fini(&in);
    buf_fini(&expected);
    buf_fini(&out);
}
END_TEST

static const struct {
    const char *text, *says; /* the beginning of the sentence */
} refused[] = {
    { "{\"zzz\":1}", "zzz: unknown key; known here: u64, u32, i64, i32, flag" },
    { "{\"item\":{\"zzz\":1}}", "item.zzz: unknown key; known here: name, size, inners" },
    { "{\"hidden\":1}", "hidden: unknown key" },
    { "{\"inner\":{\"present\":true}}", "inner.present: unknown key; known here: first, label, words" },
    { "{\"items\":[{},{\"inners\":[{\"first\":\"x\"}]}]}", "items[1].inners[0].first: 'x' is not a whole number" },
    { "{\"keyed\":{\"a\":{\"name\":\"b\"}}}", "keyed.a.name: unknown key; known here: size, inners" },
    { "{\"keyed\":{\"\":{}}}", "keyed.: a key is empty" },
    { "{\"keyed\":[]}", "keyed: a list is not an object of objects" },
    { "{\"keyed\":{\"a\":1}}", "keyed.a: 1 is not an object" },
    { "{\"u32\":1,\"u32\":2}", "line 1, column" },
    { "{\"u32\":4294967296}", "u32: 4294967296 is above 4294967295" },
    { "{\"u32\":-1}", "u32: -1 is below 0" },
    { "{\"u32\":1.0}", "u32: 1 is not a whole number" },
    { "{\"u32\":\"1\"}", "u32: '1' is not a whole number" },
    { "{\"u64\":\"5\"}", "u64: '5' is not a whole number" },
    { "{\"u64\":\"18446744073709551616\"}", "u64: '18446744073709551616' is not a whole number" },
    { "{\"i64\":9223372036854775808}", "line 1, column" },
    { "{\"i32\":2147483648}", "i32: 2147483648 is above 2147483647" },
    { "{\"small\":-11}", "small: -11 is below -10" },
    { "{\"bounded\":4}", "bounded: 4 is below 5" },
    { "{\"bounded\":0}", "bounded: 0 is below 5" },
    { "{\"flag\":1}", "flag: 1 is not true or false" },
    { "{\"color\":\"black\"}", "color: 'black' is none of: red, green, blue" },
    { "{\"color\":0}", "color: 0 is none of: red" },
    { "{\"cpu\":\"2 cores\"}", "cpu: '2 cores' is not a number of cores; write 2, 0.5 or 250m" },
    { "{\"cpu\":-1}", "cpu: '-1' is not a number of cores" },
    { "{\"cpu\":1e300}", "cpu: '1.0000000000000001e+300' is not a number of cores" },
    { "{\"cpu\":0.0001}", "cpu: '0.0001' is not a number of cores" },
    { "{\"size\":\"4 Gigs\"}", "size: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes" },
    { "{\"size\":{}}", "size: an object is not a size; write 4Gi" },
    { "{\"duration\":\"30\"}", "duration: '30' is not a duration; write 30s" },
    { "{\"duration\":-1}", "duration: '-1' is not a duration" },
    { "{\"money\":0.0000001}", "money: '" },
    { "{\"money\":\"12 EUR\"}", "money: '12 EUR' is not an amount" },
    { "{\"money\":9223372036855}", "money: '9223372036855' is not an amount" },
    { "{\"time\":1}", "time: 1 is not a time; write 2026-11-01" },
    { "{\"name\":null}", "name: null is not a text; leave the key out instead" },
    { "{\"name\":5}", "name: 5 is not a text" },
    { "{\"name\":\"a\\nb\"}", "name: byte 1 is a control character (a newline)" },
    { "{\"name\":\"a\\u009b\"}", "name: byte 1 is a control character" },
    { "{\"name\":\"a\\u007f\"}", "name: byte 1 is a control character" },
    { "{\"name\":\"a\\u0000b\"}", "line 1, column" },
    { "{\"name\":\"\\ud800\"}", "line 1, column" },
    { "{\"name\":\"\xff\"}", "line 1, column" },
    { "{\"name\":\"\xc0\xaf\"}", "line 1, column" },
    { "{\"bytes\":\"Zg\"}", "bytes: 'Zg' is not base64 text" },
    { "{\"strs\":[1]}", "strs[0]: 1 is not a text" },
    { "{\"strs\":{}}", "strs: an object is not a list of texts" },
    { "{\"strs\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
      "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
      "strs: 21 entries; at most 20" },
    { "{\"pairs\":{\"a\":1}}", "pairs.a: 1 is not a text" },
    { "{\"pairs\":{\"\":\"\"}}", "pairs.: 0 bytes in a key; at least 1" },
    { "{\"pairs\":{\"a\\n\":\"\"}}", "pairs.a?: byte 1 is a control character" },
    { "{\"counts\":{\"a\":-1}}", "counts.a: -1 is below 0" },
    { "{\"counts\":{\"a\":1.5}}", "counts.a: 1.5 is not a whole number" },
    { "{\"moneys\":{\"a\":-1}}", "moneys.a: an amount is below 0" },
    { "{\"items\":[1]}", "items[0]: 1 is not an object" },
    { "{\"items\":{}}", "items: an object is not a list" },
    { "{\"items\":[{},{},{},{},{},{},{}]}", "items: 7 entries; at most 6" },
    { "[]", "a list is not an object" },
    { "5", "line 1, column" },
    { "", "line 1, column" },
    { "{} {}", "line 1, column" },
    { "{\"u32\":1}x", "line 1, column" },
};

START_TEST(what_is_refused_and_how)
{
    struct sample s;
    struct err err = { 0 };
    int rc = read_sample(refused[_i].text, JSON_STRICT, &s, &err);
    ck_assert_msg(rc == -EINVAL, "%s: %d", refused[_i].text, rc);
    ck_assert_msg(strncmp(err.text, refused[_i].says, strlen(refused[_i].says)) == 0, "%s: %s", refused[_i].text,
                  err.text);
    ck_assert_int_eq(read_sample(refused[_i].text, JSON_STRICT, &s, NULL), -EINVAL);
}
END_TEST

START_TEST(a_required_row_must_be_there)
{
    static const struct field rows[] = {
        FIELD_ROW(sample, 1, "name", FIELD_STR, name, .flags = FIELD_REQUIRED, .help = "who it is"),
        FIELD_ROW(sample, 2, "u32", FIELD_U32, u32, .flags = FIELD_OUTPUT),
    };
    static const struct fields f = FIELDS_TABLE("strict", sample, rows);
    struct sample s;
    struct err err = { 0 };
    ck_assert_int_eq(json_read(&f, "{}", 2, JSON_STRICT, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "name: is missing: who it is");
    ck_assert_int_eq(json_read(&f, "{\"name\":\"\"}", 11, JSON_STRICT, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "name: is empty");
    ck_assert_int_eq(json_read(&f, "{\"name\":\"a\",\"u32\":1}", 20, JSON_STRICT, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "u32: unknown key; known here: name");
    ck_assert_int_eq(json_read(&f, "{\"name\":\"a\",\"u32\":1}", 20, JSON_LENIENT, &s, &err), 0);
    ck_assert_uint_eq(s.u32, 1);
    fields_clear(&f, &s);
}
END_TEST

START_TEST(a_lenient_reader_skips_what_it_does_not_know_but_nothing_else)
{
    struct sample s;
    struct err err = { 0 };
    ck_assert_int_eq(read_sample("{\"new\":[[{}]],\"u32\":5,\"item\":{\"new\":null}}", JSON_LENIENT, &s, &err), 0);
    ck_assert_uint_eq(s.u32, 5);
    fields_clear(&sample_fields, &s);
    ck_assert_int_eq(read_sample("{\"new\":1,\"u32\":-5}", JSON_LENIENT, &s, &err), -EINVAL);
}
END_TEST

START_TEST(deep_nesting_is_refused_not_followed)
{
    static const size_t depths[] = { 10, TREE_DEPTH_MAX - 1, TREE_DEPTH_MAX, 100, 2000, 100000 };
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        struct buf text = { 0 };
        struct sample s;
        struct err err = { 0 };
        buf_add_str(&text, "{\"new\":");
        for (size_t k = 0; k < depths[i]; k++)
            buf_add(&text, "[", 1);
        for (size_t k = 0; k < depths[i]; k++)
            buf_add(&text, "]", 1);
        buf_add(&text, "}", 1);
        int rc = json_read(&sample_fields, text.data, text.len, JSON_LENIENT, &s, &err);
        ck_assert_msg(rc == (depths[i] < TREE_DEPTH_MAX ? 0 : -EINVAL), "%zu: %s", depths[i], err_text(&err));
        if (rc == 0)
            fields_clear(&sample_fields, &s);
        buf_fini(&text);
    }
}
END_TEST

START_TEST(a_long_hostile_key_is_cut_in_the_sentence)
{
    struct buf text = { 0 };
    struct sample s;
    struct err err = { 0 };
    buf_add_str(&text, "{\"");
    for (int i = 0; i < 100000; i++)
        buf_add(&text, "\xc3\xa9", 2);
    buf_add_str(&text, "\":1}");
    ck_assert_int_eq(json_read(&sample_fields, text.data, text.len, JSON_STRICT, &s, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "...': unknown key; known here: u64"));
    buf_fini(&text);
}
END_TEST

START_TEST(output_is_valid_utf8_whatever_the_object_holds)
{
    char raw[] = "a\xff\xc3(\xe2\x82\xed\xa0\x80z";
    struct sample s = { .name = raw };
    struct buf out = { 0 };
    ck_assert_int_eq(json_write(&sample_fields, &s, &out), 0);
    ck_assert_int_eq(parse_utf8(out.data, out.len, NULL), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\"a\xef\xbf\xbd\xef\xbf\xbd("));
    buf_fini(&out);
}
END_TEST

START_TEST(a_full_buffer_is_a_failure)
{
    struct sample s = { .u32 = 1 };
    struct buf out = { .max = 12 };
    ck_assert_int_eq(json_write(&sample_fields, &s, &out), -ENOMEM);
    buf_fini(&out);
}
END_TEST

START_TEST(no_table_is_an_empty_object)
{
    struct buf out = { 0 };
    struct err err = { 0 };
    ck_assert_int_eq(json_write(NULL, NULL, &out), 0);
    ck_assert_str_eq(buf_text(&out), "{}");
    ck_assert_int_eq(json_read(NULL, "{}", 2, JSON_STRICT, NULL, &err), 0);
    ck_assert_int_eq(json_read(NULL, "{\"a\":1}", 7, JSON_STRICT, NULL, &err), -EINVAL);
    ck_assert_str_eq(err.text, "a: unknown key");
    buf_fini(&out);
}
END_TEST

/* --- the envelope ----------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int rc;
    const char *id, *says;
} messages[] = {
    { "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"m\"}", 0, "17", NULL },
    { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}}", 0, "", NULL },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":{}}", 0, "\"a\\\"b\"", NULL },
    { "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}", 0, "null", NULL },
    { "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"m\"", -EBADMSG, NULL, "not JSON: byte 37" },
    { "\xff", -EBADMSG, NULL, "not JSON: byte" },
    { "", -EBADMSG, NULL, "not JSON: byte 0" },
    { "[]", -EPROTO, "", "not an object; batches" },
    { "{\"id\":17,\"method\":\"m\"}", -EPROTO, "17", "jsonrpc is not" },
    { "{\"jsonrpc\":\"1.0\",\"id\":17,\"method\":\"m\"}", -EPROTO, "17", "jsonrpc is not" },
    { "{\"jsonrpc\":\"2.0\",\"id\":17}", -EPROTO, "17", "neither a call" },
    { "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":5}", -EPROTO, "17", "method is not a text" },
    { "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}", -EPROTO, "", "id is not a text" },
    { "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"m\"}", -EPROTO, "", "id is not a text" },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"parms\":{}}", -EPROTO, "1", "'parms' is no member" },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"result\":{}}", -EPROTO, "1", "both a call and an answer" },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", -EPROTO, "1", "neither a call" },
    { "{\"jsonrpc\":\"2.0\",\"result\":{}}", -EPROTO, "", "an answer has an id" },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":5}", -EPROTO, "1", "error is not an object" },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"0123456789012345678901234567890123456789012345678901234567890123456789\","
      "\"method\":\"m\"}", -EPROTO, "", "id is longer than 71 bytes" },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"012345678901234567890123456789012345678901234567890123456789012345678\","
      "\"method\":\"m\"}", 0, "\"012345678901234567890123456789012345678901234567890123456789012345678\"", NULL },
};

START_TEST(envelopes)
{
    struct json_message m = { 0 };
    struct err err = { 0 };
    int rc = json_message_parse(messages[_i].text, strlen(messages[_i].text), &m, &err);
    ck_assert_msg(rc == messages[_i].rc, "%s: %d %s", messages[_i].text, rc, err.text);
    if (messages[_i].id != NULL)
        ck_assert_str_eq(m.id, messages[_i].id);
    if (messages[_i].says != NULL)
        ck_assert_msg(strncmp(err.text, messages[_i].says, strlen(messages[_i].says)) == 0, "%s", err.text);
    if (rc == 0)
        json_message_fini(&m);
}
END_TEST

START_TEST(parts_are_read_by_their_table)
{
    static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"cpu\":0.5}}";
    struct json_message m;
    struct err err = { 0 };
    struct resources r;
    ck_assert_int_eq(json_message_parse(text, sizeof text - 1, &m, &err), 0);
    ck_assert_str_eq(m.method, "m");
    ck_assert_int_eq(json_part_read(m.params, &resources_fields, JSON_STRICT, &r, &err), 0);
    ck_assert_uint_eq(r.cpu_milli, 500);
    ck_assert_int_eq(json_part_read(m.result, &resources_fields, JSON_STRICT, &r, &err), 0);
    ck_assert_uint_eq(r.cpu_milli, 0);
    ck_assert_int_eq(json_part_read(m.params, NULL, JSON_STRICT, NULL, &err), -EINVAL);
    json_message_fini(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/io/json");
    TCase *tc = tcase_create("json");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_written_reads_back_equal);
    tcase_add_test(tc, text_cut_or_changed_anywhere_never_crashes_or_touches_the_object);
    tcase_add_loop_test(tc, each_kind_in_and_out, 0, COUNT_OF(forms));
    tcase_add_loop_test(tc, what_is_refused_and_how, 0, COUNT_OF(refused));
    tcase_add_test(tc, a_required_row_must_be_there);
    tcase_add_test(tc, a_lenient_reader_skips_what_it_does_not_know_but_nothing_else);
    tcase_add_test(tc, deep_nesting_is_refused_not_followed);
    tcase_add_test(tc, a_long_hostile_key_is_cut_in_the_sentence);
    tcase_add_test(tc, output_is_valid_utf8_whatever_the_object_holds);
    tcase_add_test(tc, a_full_buffer_is_a_failure);
    tcase_add_test(tc, no_table_is_an_empty_object);
    tcase_add_loop_test(tc, envelopes, 0, COUNT_OF(messages));
    tcase_add_test(tc, parts_are_read_by_their_table);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
