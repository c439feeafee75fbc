#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/alike.h"
#include "base/fact.h"
#include "tests/run.h"

static struct buf bytes[3];

static void encode(struct buf *out, uint64_t job, const char *word)
{
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = 7};
    f.submitted.job = job;
    ck_assert_int_eq(str_set(&f.submitted.tenant, "acme"), 0);
    ck_assert_int_eq(str_set(&f.submitted.key, "k"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.path, "acme"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.spec.command, "echo"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.spec.command, word), 0);
    f.submitted.spec.resources.cpu_milli = 1000;
    f.submitted.spec.priority = -3;
    buf_reset(out);
    fact_encode(&f, out);
    ck_assert(!out->failed);
    fact_clear(&f);
}

static void begin(void)
{
    encode(&bytes[0], 1, "a");
    encode(&bytes[1], 2, "a");
    encode(&bytes[2], 3, "b");
}

static void end(void)
{
    for (size_t i = 0; i < COUNT_OF(bytes); i++)
        buf_fini(&bytes[i]);
}

/* As it is read without any memory. */
static void assert_same(const struct fact *f, const struct buf *from)
{
    struct fact plain = {0};
    ck_assert_int_eq(fact_decode(from->data, from->len, &plain, NULL), 0);
    ck_assert(fields_equal(fact_fields(f->kind), fact_body_const(f), fact_body_const(&plain)));
    ck_assert_uint_eq(plain.submitted.spec_from.len, 0);
    fact_clear(&plain);
}

static struct fact read(struct arena *a, struct alike *known, const struct buf *from)
{
    struct fact f = {0};
    struct err err = {0};
    ck_assert_msg(fact_decode_in(a, known, from->data, from->len, &f, &err) == 0, "%s", err.text);
    return f;
}

/* What it was read from lies in the fact's bytes, and says all of it. */
static void assert_says(const struct fact *f, const struct buf *from)
{
    struct bytes said = f->submitted.spec_from;
    struct buf spec = {0};
    ck_assert((char *)said.data > from->data && (char *)said.data + said.len <= from->data + from->len);
    fields_encode(&job_spec_fields, &f->submitted.spec, &spec);
    ck_assert(spec.len == said.len && memcmp(spec.data, said.data, spec.len) == 0);
    buf_fini(&spec);
}

START_TEST(what_two_facts_say_alike_is_read_once_and_outlives_the_first)
{
    struct arena arena = {0};
    struct alike known = {0};
    begin();
    const char *words[COUNT_OF(bytes)];
    for (size_t i = 0; i < COUNT_OF(bytes); i++) {
        arena_reset(&arena);
        struct fact f = read(&arena, &known, &bytes[i]);
        assert_same(&f, &bytes[i]);
        assert_says(&f, &bytes[i]);
        words[i] = f.submitted.spec.command.v[1];
    }
    ck_assert_ptr_eq(words[0], words[1]);
    ck_assert_str_eq(words[0], "a");
    ck_assert_str_eq(words[2], "b");
    ck_assert_uint_eq(known.count, 2);
    alike_fini(&known);
    arena_fini(&arena);
    end();
}
END_TEST

START_TEST(what_is_more_than_it_may_keep_is_read_each_time)
{
    struct arena arena = {0};
    struct alike known = {0};
    begin();
    (void)read(&arena, &known, &bytes[0]);
    known.bytes = ALIKE_MAX_BYTES - 10;
    for (int i = 0; i < 2; i++) {
        arena_reset(&arena);
        struct fact f = read(&arena, &known, &bytes[2]);
        assert_same(&f, &bytes[2]);
        assert_says(&f, &bytes[2]);
        f = read(&arena, &known, &bytes[1]);
        assert_same(&f, &bytes[1]);
    }
    ck_assert_uint_eq(known.count, 1);
    alike_fini(&known);
    arena_fini(&arena);
    end();
}
END_TEST

/* Nothing that was refused is known afterwards, and what is known makes nothing sound. */
START_TEST(damaged_facts_are_refused_as_without_it)
{
    struct arena arena = {0};
    struct alike known = {0};
    begin();
    (void)read(&arena, &known, &bytes[0]);
    for (size_t at = 0; at < bytes[1].len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct fact f = {0}, plain = {0};
            arena_reset(&arena);
            bytes[1].data[at] ^= (char)(1u << bit);
            int rc = fact_decode_in(&arena, &known, bytes[1].data, bytes[1].len, &f, NULL);
            ck_assert_int_eq(rc, fact_decode(bytes[1].data, bytes[1].len, &plain, NULL));
            if (rc == 0 && f.kind == FACT_JOB_SUBMITTED)
                assert_same(&f, &bytes[1]);
            fact_clear(&plain);
            bytes[1].data[at] ^= (char)(1u << bit);
        }
    alike_fini(&known);
    arena_fini(&arena);
    end();
}
END_TEST

START_TEST(many_are_found_again)
{
    struct alike known = {0};
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 1000; i++) {
            struct bytes from = {(uint8_t *)&i, sizeof i};
            struct attempt_id id = {i, 0, 0};
            if (round == 0)
                alike_add(&known, &attempt_id_fields, from, &id);
            const struct attempt_id *found = alike_find(&known, &attempt_id_fields, from);
            ck_assert_uint_eq(found->job, i);
            ck_assert_ptr_null(alike_find(&known, &job_spec_fields, from)); /* of another table */
        }
    alike_fini(&known);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/alike");
    TCase *tc = tcase_create("alike");
    tcase_add_test(tc, what_two_facts_say_alike_is_read_once_and_outlives_the_first);
    tcase_add_test(tc, what_is_more_than_it_may_keep_is_read_each_time);
    tcase_add_test(tc, damaged_facts_are_refused_as_without_it);
    tcase_add_test(tc, many_are_found_again);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
