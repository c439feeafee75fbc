/* Structs as tables: what goes in comes out, what lies is refused, before anything is allocated. */
#include <check.h>
#include <errno.h>

#include "base/arena.h"
#include "base/fact.h"
#include "base/field.h"
#include "base/proto.h"
#include "base/wire.h"
#include "tests/base/sample.h"
#include "tests/run.h"

#define ROUNDS 3000

/* --- round trips ------------------------------------------------------------------------------------------ */

START_TEST(what_is_encoded_decodes_to_an_equal_object_and_equal_bytes)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    for (int round = 0; round < ROUNDS; round++) {
        struct sample in, out, copy;
        struct buf bytes = { 0 }, again = { 0 };
        struct err err = { 0 };
        sample_fill(&seed, &in);
        in.hidden = (uint32_t)round;
        fields_encode(&sample_fields, &in, &bytes);
        ck_assert_msg(!bytes.failed, "seed %llu round %d", (unsigned long long)first, round);
        ck_assert_msg(fields_decode(&sample_fields, bytes.data, bytes.len, &out, &err) == 0, "seed %llu round %d: %s",
                      (unsigned long long)first, round, err_text(&err));
        ck_assert_msg(fields_equal(&sample_fields, &in, &out), "seed %llu round %d", (unsigned long long)first, round);
        ck_assert_int_eq(fields_copy(&sample_fields, &out, &copy), 0);
        fields_clear(&sample_fields, &out);
        ck_assert_msg(fields_equal(&sample_fields, &in, &copy), "seed %llu round %d", (unsigned long long)first, round);
        fields_encode(&sample_fields, &copy, &again);
        ck_assert_msg(again.len == bytes.len && memcmp(again.data, bytes.data, bytes.len) == 0, "seed %llu round %d",
                      (unsigned long long)first, round);
        buf_reset(&again);
        fields_diff(&sample_fields, &in, &copy, &again);
        ck_assert_str_eq(buf_text(&again), "");
        fields_clear(&sample_fields, &in);
        fields_clear(&sample_fields, &copy);
        buf_fini(&bytes);
        buf_fini(&again);
    }
}
END_TEST

START_TEST(an_empty_object_takes_no_room)
{
    struct sample in = { 0 }, out;
    struct buf bytes = { 0 };
    fields_encode(&sample_fields, &in, &bytes);
    ck_assert_uint_eq(bytes.len, 0);
    ck_assert_int_eq(fields_decode(&sample_fields, NULL, 0, &out, NULL), 0);
    ck_assert(fields_equal(&sample_fields, &in, &out));
    buf_fini(&bytes);
}
END_TEST

START_TEST(no_ceiling_is_passed_and_none_changes_the_bytes)
{
    uint64_t seed = sample_seed();
    struct sample in;
    struct buf whole = {0};
    sample_fill(&seed, &in);
    fields_encode(&sample_fields, &in, &whole);
    ck_assert(!whole.failed);
    for (size_t max = 1; max < whole.len + 64; max += max < 512 || max + 64 > whole.len ? 1 : 61) {
        struct buf b = {.max = max};
        fields_encode(&sample_fields, &in, &b);
        ck_assert_msg(b.failed || max >= whole.len, "%zu of %zu bytes", max, whole.len);
        /* An inner object's head may need room for a moment. */
        ck_assert_msg(!b.failed || max < whole.len + 8, "%zu of %zu bytes", max, whole.len);
        ck_assert(b.len <= max && (b.failed || memcmp(b.data, whole.data, whole.len) == 0));
        buf_fini(&b);
    }
    buf_fini(&whole);
    fields_clear(&sample_fields, &in);
}
END_TEST

START_TEST(all_but_numbers_own_memory)
{
    for (uint8_t kind = 0; kind < FIELD_KIND_COUNT; kind++)
        ck_assert_msg(field_owns(&(struct field){.kind = kind}) == (field_ops_of[kind]->size == 0), "kind %u", kind);
}
END_TEST

START_TEST(an_inner_object_of_any_length_round_trips)
{
    static const size_t lengths[] = { 1, 100, 119, 120, 121, 125, 126, 127, 128, 129, 130, 300 };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct sample in = { .inner.present = true }, out;
        struct buf bytes = { 0 };
        in.inner.label = calloc(1, lengths[i] + 1);
        memset(in.inner.label, 'x', lengths[i]);
        fields_encode(&sample_fields, &in, &bytes);
        ck_assert_int_eq(fields_decode(&sample_fields, bytes.data, bytes.len, &out, NULL), 0);
        ck_assert(fields_equal(&sample_fields, &in, &out));
        fields_clear(&sample_fields, &in);
        fields_clear(&sample_fields, &out);
        buf_fini(&bytes);
    }
}
END_TEST

/* --- hostile bytes ---------------------------------------------------------------------------------------- */

/* Read into an arena the same bytes say the same, good or bad. */
static void decode_there(const uint8_t *bytes, size_t len, int expected, const struct sample *same)
{
    struct arena arena = { 0 };
    struct wire_reader r = wire_reader(bytes, len);
    struct sample there;
    r.arena = &arena;
    ck_assert_int_eq(fields_read(&sample_fields, r, &there, NULL), expected);
    ck_assert(expected < 0 || fields_equal(&sample_fields, &there, same));
    arena_fini(&arena);
}

/* A copy of exactly the right length, so that the sanitizer sees a read beyond it. */
static int decode_exact(const uint8_t *bytes, size_t len, struct err *err)
{
    struct sample out;
    uint8_t *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, bytes, len);
    memset(&out, 0x5a, sizeof out);
    struct sample before = out;
    int rc = fields_decode(&sample_fields, exact, len, &out, err);
    decode_there(exact, len, rc, &out);
    if (rc == 0)
        fields_clear(&sample_fields, &out);
    else
        ck_assert_msg(memcmp(&before, &out, sizeof out) == 0, "a failure touched the object");
    free(exact);
    return rc;
}

START_TEST(bytes_cut_or_changed_anywhere_are_refused_or_read_but_never_crash)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    for (int round = 0; round < 20; round++) {
        struct sample in;
        struct buf bytes = { 0 };
        sample_fill(&seed, &in);
        fields_encode(&sample_fields, &in, &bytes);
        for (size_t len = 0; len <= bytes.len; len++)
            (void)decode_exact((uint8_t *)bytes.data, len, NULL);
        for (int flip = 0; flip < 500 && bytes.len > 0; flip++) {
            size_t at = sample_below(&seed, bytes.len);
            char was = bytes.data[at];
            bytes.data[at] = (char)sample_random(&seed);
            struct err err = { 0 };
            int rc = decode_exact((uint8_t *)bytes.data, bytes.len, &err);
            ck_assert_msg(rc == 0 || (rc == -EBADMSG && err.text[0] != '\0'), "seed %llu round %d: %d",
                          (unsigned long long)first, round, rc);
            bytes.data[at] = was;
        }
        fields_clear(&sample_fields, &in);
        buf_fini(&bytes);
    }
}
END_TEST

#define TAG_NUMBER(id) ((id) << 1)
#define TAG_BYTES(id) ((id) << 1 | 1)
static const struct {
    const char *fact;
    uint8_t bytes[24];
    size_t len;
    const char *says; /* NULL: accepted */
} hostile[] = {
    { "an unknown number is skipped", { TAG_NUMBER(60), 0xff, 0x01 }, 3, NULL },
    { "unknown bytes are skipped", { TAG_BYTES(60), 2, 'a', 'b' }, 4, NULL },
    { "a huge unknown id is skipped", { 0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f, 7 }, 7, NULL },
    { "id 0 is no field", { 0, 1 }, 2, "not a record of this kind" },
    { "an unknown field cut short is refused", { TAG_BYTES(60), 9, 'a' }, 3, "an unknown field is cut short" },
    { "a tag cut short is refused", { 0x80 }, 1, "not a record of this kind" },
    { "an overlong tag is refused", { 0x84, 0x00, 1 }, 3, "not a record of this kind" },
    { "an overlong number is refused", { TAG_NUMBER(2), 0x81, 0x00 }, 3, "u32: cut short" },
    { "a number above 32 bits is refused", { TAG_NUMBER(2), 0x80, 0x80, 0x80, 0x80, 0x10 }, 6,
      "u32: 4294967296 is above 4294967295" },
    { "a bool is 0 or 1", { TAG_NUMBER(5), 2 }, 2, "flag: 2 is above 1" },
    { "an enum value without a name is refused", { TAG_NUMBER(6), 2 }, 2, "color: there is no value 2" },
    { "an enum value beyond the names is refused", { TAG_NUMBER(6), 9 }, 2, "color: there is no value 9" },
    { "a number below its minimum is refused", { 0xa0, 0x1f, 4 }, 3, "bounded: 4 is below 5" },
    { "a signed number below its minimum is refused", { TAG_NUMBER(23), 21 }, 2, "small: -11 is below -10" },
    { "a field given twice is refused", { TAG_NUMBER(2), 1, TAG_NUMBER(2), 1 }, 4, "u32: is there twice" },
    { "bytes where a number is due are refused", { TAG_BYTES(2), 1, 1 }, 3, "u32: has another shape" },
    { "a number where bytes are due is refused", { TAG_NUMBER(12), 1 }, 2, "name: has another shape" },
    { "a length that lies is refused", { TAG_BYTES(12), 5, 'a' }, 3, "name: cut short" },
    { "a length of 2^64-1 is refused",
      { TAG_BYTES(12), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 11, "name: cut short" },
    { "a length beyond 64 bits is refused",
      { TAG_BYTES(12), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 }, 11, "name: cut short" },
    { "NUL in a text is refused", { TAG_BYTES(12), 2, 'a', 0 }, 4, "name: byte 1 is NUL" },
    { "invalid UTF-8 is refused", { TAG_BYTES(12), 2, 0xc0, 0x80 }, 4, "name: byte 0 is not valid UTF-8" },
    { "invalid UTF-8 in a list is refused", { TAG_BYTES(15), 1, 'a', TAG_BYTES(15), 1, 0xff }, 6,
      "strs[1]: byte 0 is not valid UTF-8" },
    { "keys must rise", { TAG_BYTES(16), 4, 1, 'b', 1, 'x', 0x21, 4, 1, 'a', 1, 'x' }, 12,
      "pairs: keys are not sorted" },
    { "a key given twice is refused", { TAG_BYTES(17), 3, 1, 'a', 1, TAG_BYTES(17), 3, 1, 'a', 2 }, 10,
      "counts: names are not sorted, or one is there twice" },
    { "an empty key is refused", { TAG_BYTES(17), 2, 0, 1 }, 4, "counts: 0 bytes in a key" },
    { "an entry with something behind it is refused", { TAG_BYTES(17), 4, 1, 'a', 1, 9 }, 6,
      "counts: an entry is not name and number" },
    { "an entry whose key lies is refused", { TAG_BYTES(16), 3, 9, 'a', 1 }, 5, "pairs: cut short" },
    { "a fault inside is named with its path", { TAG_BYTES(20), 3, TAG_BYTES(1), 1, 0xff }, 5,
      "item.name: byte 0 is not valid UTF-8" },
    { "a fault in a list is named with its place",
      { TAG_BYTES(21), 0, TAG_BYTES(21), 4, TAG_BYTES(3), 2, TAG_NUMBER(2), 0x80 }, 8,
      "items[1].inners[0].first: cut" },
    { "an inner object longer than the whole is refused", { TAG_BYTES(20), 100, 1 }, 3, "item: cut short" },
};

START_TEST(hostile_bytes)
{
    struct err err = { 0 };
    int rc = decode_exact(hostile[_i].bytes, hostile[_i].len, &err);
    if (hostile[_i].says == NULL) {
        ck_assert_msg(rc == 0, "%s: %s", hostile[_i].fact, err.text);
        return;
    }
    ck_assert_msg(rc == -EBADMSG, "%s: %d", hostile[_i].fact, rc);
    ck_assert_msg(strncmp(err.text, hostile[_i].says, strlen(hostile[_i].says)) == 0, "%s: %s", hostile[_i].fact,
                  err.text);
}
END_TEST

START_TEST(a_list_beyond_its_bound_is_refused_at_the_first_element_too_many)
{
    struct err err = { 0 };
    struct buf bytes = { 0 };
    for (int i = 0; i < 7; i++)
        buf_add(&bytes, "\x2b\x00", 2); /* items: an empty one */
    ck_assert_int_eq(decode_exact((uint8_t *)bytes.data, bytes.len, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "items[6]: 7 entries; at most 6");
    buf_fini(&bytes);
}
END_TEST

/* A table that contains itself: depth comes from the bytes alone. */
struct nest { struct list inner; };
static const struct fields nest_fields;
static const struct field nest_rows[] = { FIELD_ROW(nest, 1, "inner", FIELD_LIST, inner, .of = &nest_fields) };
static const struct fields nest_fields = FIELDS_TABLE("nest", nest, nest_rows);

static size_t nested_bytes(uint8_t *out, int levels)
{
    size_t len = 0;
    for (int i = 0; i < levels; i++) {
        memmove(out + 2, out, len);
        out[0] = TAG_BYTES(1);
        out[1] = (uint8_t)len;
        len += 2;
    }
    return len;
}

START_TEST(nesting_stops_at_the_limit)
{
    uint8_t bytes[128];
    struct nest out;
    struct err err = { 0 };
    size_t len = nested_bytes(bytes, FIELDS_DEPTH_MAX - 1);
    ck_assert_int_eq(fields_decode(&nest_fields, bytes, len, &out, &err), 0);
    fields_clear(&nest_fields, &out);
    len = nested_bytes(bytes, 60);
    ck_assert_int_eq(fields_decode(&nest_fields, bytes, len, &out, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "nested too deep"));
    ck_assert_int_eq(fields_check_table(&nest_fields, &err), -EINVAL);
}
END_TEST

/* --- ranges, differences, tables -------------------------------------------------------------------------- */

START_TEST(what_could_not_be_read_back_is_not_written)
{
    char long_name[FIELD_STR_MAX_DEFAULT + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    char bad_utf8[] = "\xff";
    struct pair unsorted[] = { { bad_utf8, NULL }, { long_name, NULL } };
    struct count too_much = { long_name + 1000, UINT64_MAX };
    const struct sample objects[] = {
        { .name = long_name },           { .name = bad_utf8 },
        { .color = 2 },                  { .color = 77 },
        { .small = 11 },                 { .bounded = 51 },
        { .time = INT64_MAX },           { .bytes = { (uint8_t *)long_name, 1001 } },
        { .pairs = { unsorted, 1 } },    { .pairs = { unsorted, 2 } },
        { .moneys = { &too_much, 1 } },  { .item.name = long_name },
    };
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        struct buf bytes = { 0 };
        struct err err = { 0 };
        struct sample object = objects[i];
        if (object.bounded == 0)
            object.bounded = 5;
        fields_encode(&sample_fields, &object, &bytes);
        ck_assert_msg(bytes.failed, "object %zu was written", i);
        ck_assert_msg(fields_check(&sample_fields, &object, &err) == -EINVAL, "object %zu is said to be fine", i);
        buf_fini(&bytes);
    }
}
END_TEST

START_TEST(a_range_is_checked_in_the_kind_s_own_words)
{
    struct sample s = { .bounded = 5, .small = 11 };
    struct err err = { 0 };
    ck_assert_int_eq(fields_check(&sample_fields, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "small: 11 is above 10");
    s.small = 0;
    ck_assert_int_eq(fields_check(&sample_fields, &s, &err), 0);
    s.bounded = 0;
    ck_assert_int_eq(fields_check(&sample_fields, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "bounded: 0 is below 5");
    struct resources r = { .mem_bytes = MEM_BYTES_MAX + 1 };
    ck_assert_int_eq(fields_check(&resources_fields, &r, &err), -EINVAL);
    ck_assert_str_eq(err.text, "memory: 1125899906842625 is above 1Pi");
}
END_TEST

START_TEST(a_negative_amount_needs_a_row_that_allows_it)
{
    struct job_spec spec = { .budget_micros = -1 };
    struct err err = { 0 };
    ck_assert_int_eq(fields_check(&job_spec_fields, &spec, &err), -EINVAL);
    ck_assert_str_eq(err.text, "budget: -0.000001 is below 0.00");
}
END_TEST

START_TEST(differences_are_named_by_their_path)
{
    struct job_spec a = { .resources.mem_bytes = 1, .array.present = true }, b = { .retries = 2 };
    struct buf out = { 0 };
    fields_diff(&job_spec_fields, &a, &b, &out);
    ck_assert_str_eq(buf_text(&out), "resources.memory, array, retries");
    buf_fini(&out);
}
END_TEST

START_TEST(absent_and_empty_texts_are_the_same)
{
    char empty[] = "";
    struct sample a = { .name = empty }, b = { 0 };
    struct buf bytes = { 0 };
    ck_assert(fields_equal(&sample_fields, &a, &b));
    fields_encode(&sample_fields, &a, &bytes);
    ck_assert_uint_eq(bytes.len, 0);
    buf_fini(&bytes);
}
END_TEST

static void assert_sound(const struct fields *f)
{
    struct err err = { 0 };
    if (f != NULL)
        ck_assert_msg(fields_check_table(f, &err) == 0, "%s", err_text(&err));
}

static void assert_sound_methods(const struct method *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_sound(m[i].params);
        assert_sound(m[i].result);
    }
}

START_TEST(every_table_of_the_program_is_sound)
{
    assert_sound(&sample_fields);
    assert_sound(&policy_file_fields);
    for (uint32_t kind = FACT_NONE + 1; kind < FACT_KIND_COUNT; kind++) {
        ck_assert_ptr_nonnull(fact_fields(kind));
        assert_sound(fact_fields(kind));
    }
    assert_sound_methods(client_methods, CLIENT_METHOD_COUNT);
    assert_sound_methods(agent_calls, AGENT_CALL_COUNT);
    assert_sound_methods(node_calls, NODE_CALL_COUNT);
    assert_sound_methods(report_methods, REPORT_METHOD_COUNT);
}
END_TEST

START_TEST(an_unsound_table_is_found)
{
    const struct field rows[][2] = {
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 1, "b", FIELD_U32, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "a", FIELD_U32, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "b", FIELD_U64, u64) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 0, "b", FIELD_U32, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "b", FIELD_ENUM, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "b", FIELD_U64, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64, .min = 2, .max = 1), FIELD_ROW(sample, 2, "b", FIELD_U32, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "b", FIELD_U32, u32) },
        { FIELD_ROW(sample, 1, "a", FIELD_U64, u64), FIELD_ROW(sample, 2, "b", FIELD_U32, u32, .flags = FIELD_ALIKE) },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fields f = FIELDS_TABLE("broken", sample, rows[i]);
        if (i == 5)
            f.size = offsetof(struct sample, u32) + sizeof(uint32_t);
        if (i == 7)
            f.size = FIELDS_SIZE_MAX + 1;
        ck_assert_msg(fields_check_table(&f, NULL) == -EINVAL, "table %zu is said to be sound", i);
    }
}
END_TEST

/* --- helpers ---------------------------------------------------------------------------------------------- */

START_TEST(maps_stay_sorted_and_unique)
{
    struct pairs p = { 0 };
    struct counts c = { 0 };
    static const char *const keys[] = { "m", "b", "z", "a", "m", "zz", "" };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        ck_assert_int_eq(pairs_set(&p, keys[i], keys[i]), 0);
        ck_assert_int_eq(counts_set(&c, keys[i], i), 0);
    }
    ck_assert_uint_eq(p.count, 6);
    ck_assert_uint_eq(c.count, 6);
    for (size_t i = 1; i < p.count; i++) {
        ck_assert_int_lt(strcmp(p.v[i - 1].key, p.v[i].key), 0);
        ck_assert_int_lt(strcmp(c.v[i - 1].name, c.v[i].name), 0);
    }
    ck_assert_uint_eq(counts_get(&c, "m"), 4);
    ck_assert_uint_eq(counts_get(&c, "mm"), 0);
    ck_assert_str_eq(pairs_get(&p, "zz"), "zz");
    ck_assert_ptr_null(pairs_get(&p, "y"));
    struct sample s = { .pairs = p, .counts = c };
    fields_clear(&sample_fields, &s);
}
END_TEST

START_TEST(names_are_found_and_holes_are_not)
{
    struct buf out = { 0 };
    ck_assert_int_eq(names_find(&sample_color_names, "blue"), 3);
    ck_assert_int_eq(names_find(&sample_color_names, "black"), -1);
    ck_assert_str_eq(names_get(&sample_color_names, 1), "green");
    ck_assert_str_eq(names_get(&sample_color_names, 2), "?");
    ck_assert_str_eq(names_get(&sample_color_names, 400), "?");
    names_list(&sample_color_names, &out);
    ck_assert_str_eq(buf_text(&out), "red, green, blue");
    buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/fields");
    TCase *tc = tcase_create("fields");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_encoded_decodes_to_an_equal_object_and_equal_bytes);
    tcase_add_test(tc, an_empty_object_takes_no_room);
    tcase_add_test(tc, no_ceiling_is_passed_and_none_changes_the_bytes);
    tcase_add_test(tc, all_but_numbers_own_memory);
    tcase_add_test(tc, an_inner_object_of_any_length_round_trips);
    tcase_add_test(tc, bytes_cut_or_changed_anywhere_are_refused_or_read_but_never_crash);
    tcase_add_loop_test(tc, hostile_bytes, 0, COUNT_OF(hostile));
    tcase_add_test(tc, a_list_beyond_its_bound_is_refused_at_the_first_element_too_many);
    tcase_add_test(tc, nesting_stops_at_the_limit);
    tcase_add_test(tc, what_could_not_be_read_back_is_not_written);
    tcase_add_test(tc, a_range_is_checked_in_the_kind_s_own_words);
    tcase_add_test(tc, a_negative_amount_needs_a_row_that_allows_it);
    tcase_add_test(tc, differences_are_named_by_their_path);
    tcase_add_test(tc, absent_and_empty_texts_are_the_same);
    tcase_add_test(tc, every_table_of_the_program_is_sound);
    tcase_add_test(tc, an_unsound_table_is_found);
    tcase_add_test(tc, maps_stay_sorted_and_unique);
    tcase_add_test(tc, names_are_found_and_holes_are_not);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
