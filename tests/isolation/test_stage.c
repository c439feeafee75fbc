/* The pure parts of inputs and outputs: links that stay, reports that are believed, paths with numbers, the args. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "agent/core/launch_args.h"
#include "base/io/json.h"
#include "isolation/spec/stage.h"
#include "isolation/spec/ops.h"
#include "tests/run.h"

static const struct link_row {
    const char *target;
    uint32_t depth;
    bool stays;
} links[] = {
    {"a", 0, true},        {"a/b/c", 0, true},    {"./a", 0, true},          {"", 0, false},
    {"/a", 5, false},      {"..", 0, false},      {"..", 1, true},           {"../..", 1, false},
    {"../../a", 2, true},  {"a/..", 3, false},    {"a/../b", 3, false},      {"../a/../b", 3, false},
    {"./../a", 1, true},   {".//..//a", 1, true}, {"../../../x", 2, false},  {"...", 0, true},
    {"..a", 0, true},      {"a/...", 0, true},    {"./.", 0, true},          {"../.", 1, true},
};

START_TEST(a_link_that_stays_in_its_folder)
{
    const struct link_row *r = &links[_i];
    ck_assert_msg(stage_link_stays(r->target, r->depth) == r->stays, "'%s', %u deep", r->target, r->depth);
}
END_TEST

static struct stage_report sound(void)
{
    static struct stage_report r;
    memset(&r, 0, sizeof r);
    r.id = (struct attempt_id){812, 17, 3};
    r.items = 2;
    r.about = STAGE_ABOUT_NONE;
    stage_report_seal(&r);
    return r;
}

START_TEST(any_changed_byte_breaks_a_report)
{
    struct stage_report r = sound();
    struct attempt_id id = r.id, other = id;
    other.epoch++;
    ck_assert(stage_report_is_sound(&r, id));
    ck_assert(!stage_report_is_sound(&r, other));
    for (size_t i = 0; i < sizeof r; i++) {
        ((unsigned char *)&r)[i] ^= 1;
        ck_assert_msg(!stage_report_is_sound(&r, id), "byte %zu", i);
        ((unsigned char *)&r)[i] ^= 1;
    }
}
END_TEST

/* It comes from a process with the job's rights, which can seal whatever it likes. */
START_TEST(a_sealed_report_is_still_looked_at)
{
    struct stage_report r = sound();
    struct {
        uint32_t *at, value;
    } lies[] = {{&r.phase, STAGE_PHASE_COUNT}, {&r.why, STAGE_WHY_COUNT},     {&r.items, STAGE_ITEMS_MAX + 1},
                {&r.about, 2},                 {&r.at, STAGE_ITEMS_MAX + 1}};
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        uint32_t was = *lies[i].at;
        *lies[i].at = lies[i].value;
        stage_report_seal(&r);
        ck_assert_msg(!stage_report_is_sound(&r, r.id), "lie %zu", i);
        *lies[i].at = was;
    }
    memset(r.path, 'x', sizeof r.path);
    stage_report_seal(&r);
    ck_assert(!stage_report_is_sound(&r, r.id));
}
END_TEST

START_TEST(every_reason_has_its_words)
{
    for (uint32_t why = STAGE_WHY_NONE + 1; why < STAGE_WHY_COUNT; why++)
        ck_assert_msg(stage_why_says(why)[0] != '\0' && stage_why_hint(why) != NULL, "%u", why);
    ck_assert_str_eq(stage_why_says(STAGE_WHY_COUNT), "");
}
END_TEST

START_TEST(paths_have_their_numbers_filled_in)
{
    char out[STAGE_PATH_MAX + 1], most[STAGE_PATH_MAX + 2];
    ck_assert_int_eq(stage_path_fill("/a/{job}/{task}/{task}x{tas}{", 812, 17, out), 0);
    ck_assert_str_eq(out, "/a/812/17/17x{tas}{");
    memset(most, 'x', sizeof most);
    most[STAGE_PATH_MAX] = '\0';
    ck_assert_int_eq(stage_path_fill(most, 1, 1, out), 0);
    memcpy(most + STAGE_PATH_MAX - 5, "{job}", 6);
    ck_assert_int_eq(stage_path_fill(most, 12345, 1, out), 0);
    ck_assert_int_eq(stage_path_fill(most, 123456, 1, out), -ENAMETOOLONG);
}
END_TEST

START_TEST(an_order_becomes_the_stagers_list)
{
    static const char text[] =
        "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"in\"},{\"name\":\"out\",\"writable\":true}],"
        "\"inputs\":[{\"from\":\"/mnt/in/{task}\",\"max\":1000}],"
        "\"outputs\":[{\"from\":\"a\",\"to\":\"/mnt/out/{job}\",\"when\":\"always\",\"sha256\":"
        "\"ff00000000000000000000000000000000000000000000000000000000000001\"}]}";
    struct run_call order = {.id = {812, 17, 1}, .term = 3, .paid_us = 1};
    struct node_abilities able = {0};
    struct sandbox_spec spec;
    struct err err = {0};
    struct buf out = {0};
    ck_assert_int_eq(json_read(&job_spec_fields, text, strlen(text), JSON_STRICT, &order.spec, &err), 0);
    ck_assert_msg(job_spec_complete(&order.spec, &err) == 0, "%s", err.text);
    ck_assert_int_eq(launch_sandbox(&order, 1000, &able, &spec, &err), 0);
    ck_assert_uint_eq(spec.stages, STAGE_INPUTS | STAGE_OUTPUTS);
    ck_assert_uint_eq(spec.mover, 0); /* none for the job itself */
    ck_assert(sandbox_has_mover(&spec));
    ck_assert_int_eq(launch_args(&order, &out, &err), 0);
    struct stage_item item;
    const char *first = memmem(out.data, out.len, "/mnt/in/17", 11);
    ck_assert(first != NULL && strcmp(first + 11, "/tmp/17") == 0);
    memcpy(&item, first - sizeof item, sizeof item);
    ck_assert(item.flags == 0 && item.max_bytes == 1000 && item.index == 0);
    const char *second = memmem(out.data, out.len, "/mnt/out/812", 13);
    ck_assert_ptr_nonnull(second);
    second -= sizeof "/tmp/a";
    ck_assert_str_eq(second, "/tmp/a");
    memcpy(&item, second - sizeof item, sizeof item);
    ck_assert_uint_eq(item.flags, STAGE_FLAGS);
    ck_assert(item.digest[0] == 0xff && item.digest[31] == 1 && item.max_bytes == 0);
    fields_clear(&job_spec_fields, &order.spec);
    buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stage");
    TCase *t = tcase_create("stage");
    tcase_add_loop_test(t, a_link_that_stays_in_its_folder, 0, (int)COUNT_OF(links));
    tcase_add_test(t, any_changed_byte_breaks_a_report);
    tcase_add_test(t, a_sealed_report_is_still_looked_at);
    tcase_add_test(t, every_reason_has_its_words);
    tcase_add_test(t, paths_have_their_numbers_filled_in);
    tcase_add_test(t, an_order_becomes_the_stagers_list);
    suite_add_tcase(s, t);
    return run_suite(s);
}
