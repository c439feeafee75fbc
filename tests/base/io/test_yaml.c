/* YAML files: the sentences of JSON, with line and column; what is written reads back. */
#include <check.h>
#include <errno.h>

#include "base/io/json.h"
#include "base/io/tree.h"
#include "base/io/yaml.h"
#include "base/job_spec.h"
#include "base/policy.h"
#include "tests/base/sample.h"
#include "tests/run.h"

static int read_text(const struct fields *f, const char *text, void *object, struct err *err)
{
    return yaml_read(f, "t.yaml", text, strlen(text), object, err);
}

/* --- round trips ------------------------------------------------------------------------------------------ */

static void assert_reads_back(const struct sample *in, const struct buf *text, const char *how, uint64_t seed)
{
    struct sample out;
    struct err err = { 0 };
    struct buf differs = { 0 };
    int rc = yaml_read(&sample_fields, "t.yaml", text->data, text->len, &out, &err);
    ck_assert_msg(rc == 0, "seed %llu, %s: %s\n%s", (unsigned long long)seed, how, err_text(&err), buf_text(text));
    fields_diff(&sample_fields, in, &out, &differs);
    ck_assert_msg(fields_equal(&sample_fields, in, &out), "seed %llu, %s differs in: %s\n%s", (unsigned long long)seed,
                  how, buf_text(&differs), buf_text(text));
    fields_clear(&sample_fields, &out);
    buf_fini(&differs);
}

START_TEST(what_is_written_reads_back_and_so_does_json)
{
    const uint64_t first = sample_seed();
    uint64_t seed = first;
    for (int round = 0; round < 1000; round++) {
        struct sample in;
        struct buf yaml = { 0 }, line = { 0 }, pretty = { 0 };
        sample_fill(&seed, &in);
        ck_assert_int_eq(yaml_write(&sample_fields, &in, &yaml), 0);
        assert_reads_back(&in, &yaml, "YAML", first);
        ck_assert_int_eq(json_write(&sample_fields, &in, &line), 0);
        assert_reads_back(&in, &line, "JSON", first);
        ck_assert_int_eq(json_write_pretty(&sample_fields, &in, &pretty), 0);
        assert_reads_back(&in, &pretty, "pretty JSON", first);
        fields_clear(&sample_fields, &in);
        buf_fini(&yaml);
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
    struct buf text = { 0 };
    sample_fill(&seed, &in);
    ck_assert_int_eq(yaml_write(&sample_fields, &in, &text), 0);
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < text.len + 2000; i++) {
        struct sample out = untouched;
        struct err err = { 0 };
        size_t len = i < text.len ? i : text.len;
        char *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, text.data, len);
        if (i >= text.len)
            exact[sample_below(&seed, len)] = (char)sample_random(&seed);
        int rc = yaml_read(&sample_fields, "t.yaml", exact, len, &out, &err);
        ck_assert_msg(rc == 0 || (rc == -EINVAL && strncmp(err.text, "t.yaml:", 7) == 0), "seed %llu: %d %s",
                      (unsigned long long)first, rc, err.text);
        if (rc == 0)
            fields_clear(&sample_fields, &out);
        else
            ck_assert_msg(memcmp(&out, &untouched, sizeof out) == 0, "a failure touched the object");
        free(exact);
    }
    fields_clear(&sample_fields, &in);
    buf_fini(&text);
}
END_TEST

/* --- places and sentences --------------------------------------------------------------------------------- */

static const struct {
    const char *text, *says;
} refused[] = {
    { "name: x\nresources:\n  cpu: 1\n  memory: 4 Gigs\n",
      "t.yaml:4:11: resources.memory: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes" },
    { "resources:\n  memroy: 4Gi\n", "t.yaml:2:3: resources.memroy: unknown key; did you mean 'memory'?" },
    { "resources:\n  zebra: 4Gi\n", "t.yaml:2:3: resources.zebra: unknown key; known here: cpu, memory, scratch" },
    { "cpu: 4\n", "t.yaml:1:1: cpu: unknown key; it belongs under 'resources'" },
    { "array: 10\n", "t.yaml:1:8: array: 10 is not an object with the keys first, last, max_running" },
    { "after: 3\n", "t.yaml:1:8: after: 3 is not a list of objects with the keys job," },
    { "after: [3]\n", "t.yaml:1:9: after[0]: 3 is not an object with the keys job," },
    { "array:\n  first: 1\n", "t.yaml:2:3: array.last: is missing" },
    { "name: x\nname: y\n", "t.yaml:2:1: 'name' is there twice" },
    { "{name: x,\n name: y}\n", "t.yaml:2:2: 'name' is there twice" },
    { "env:\n  A: 1\n  A: 2\n", "t.yaml:3:3: 'A' is there twice" },
    { "name: &a x\n", "t.yaml:1:7: anchors" },
    { "env: &a {}\n", "t.yaml:1:6: anchors" },
    { "name: *a\n", "t.yaml:1:7: aliases" },
    { "*a : b\n", "t.yaml:1:1: aliases" },
    { "name: !!str 5\n", "t.yaml:1:7: tags" },
    { "command: !x [a]\n", "t.yaml:1:10: tags" },
    { "!x {}\n", "t.yaml:1:1: tags" },
    { "name: x\n<<: {a: b}\n", "t.yaml:2:1: merge keys" },
    { "name: x\n---\nname: y\n", "t.yaml:2:1: a second document" },
    { "%YAML 1.1\n---\nname: x\n", "t.yaml:1:1: directives" },
    { "? [a]\n: b\n", "t.yaml:1:3: a key is not one plain text" },
    { "\"a\\0b\": 1\n", "t.yaml:1:1: a key holds a NUL byte" },
    { "name: \"a\\0b\"\n", "t.yaml:1:7: name: byte 1 is NUL" },
    { "", "t.yaml:1:1: holds nothing" },
    { "# only a remark\n", "t.yaml:1:1: holds nothing" },
    { "~\n", "t.yaml:1:1: holds nothing" },
    { "- a\n", "t.yaml:1:1: a list is not an object" },
    { "hello\n", "t.yaml:1:1: 'hello' is not an object" },
    { "name:\n", "t.yaml:1:6: name: null is not a text; leave the key out instead" },
    { "retries: 010\n", "t.yaml:1:10: retries: '010' is not a whole number" },
    { "retries: \"1\"\n", "t.yaml:1:10: retries: '1' is not a whole number" },
    { "retries: 1.5\n", "t.yaml:1:10: retries: 1.5 is not a whole number" },
    { "retries: 99999999999999999999\n", "t.yaml:1:10: retries: '99999999999999999999' is not a whole number" },
    { "budget: 1e3\n", "t.yaml:1:9: budget: '1e3' is not an amount" },
    { "budget: 0.0000001\n", "t.yaml:1:9: budget: '0.0000001' is not an amount" },
    { "time_limit: 1.5h\n", "t.yaml:1:13: time_limit: '1.5h' is not a duration" },
    { "lease: yes\n", "t.yaml:1:8: lease: 'yes' is none of: patient, fast" },
    { "command:\n  - a\n  - [b]\n", "t.yaml:3:5: command[1]: a list is not a text" },
    { "name: [\n", "t.yaml:2:1: not YAML: " },
    { "name: x\n\tcwd: y\n", "t.yaml:2:1: not YAML: " },
    { "name: x\n\xff: 1\n", "t.yaml:2:1: not YAML: invalid leading UTF-8 octet" },
    { "name: x\n\x01: 1\n", "t.yaml:2:1: not YAML: control characters are not allowed" },
    { "name: \"\\ud800\"\n", "t.yaml:1:" },
};

START_TEST(what_is_refused_and_where)
{
    struct job_spec spec;
    struct err err = { 0 };
    int rc = read_text(&job_spec_fields, refused[_i].text, &spec, &err);
    ck_assert_msg(rc == -EINVAL, "%s: %d", refused[_i].text, rc);
    ck_assert_msg(strncmp(err.text, refused[_i].says, strlen(refused[_i].says)) == 0, "%s: %s", refused[_i].text,
                  err.text);
    ck_assert_int_eq(read_text(&job_spec_fields, refused[_i].text, &spec, NULL), -EINVAL);
}
END_TEST

START_TEST(a_job_file_reads_as_people_write_it)
{
    static const char text[] = "# nightly\nname: crunch\ncommand: [sleep, 10, 1.50, true]\n"
                               "resources: {cpu: 0.5, memory: 4Gi, generic: {gpu: 2}}\n"
                               "env:\n  PORT: 8080\n  ANSWER: yes\n  EMPTY: ''\n"
                               "time_limit: 1h30m\nbudget: 12.500001\narray: {last: 5}\n"
                               "script: |\n  #!/bin/sh\n  true\n";
    struct job_spec spec;
    struct err err = { 0 };
    ck_assert_msg(read_text(&job_spec_fields, text, &spec, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(spec.command.count, 4);
    ck_assert_str_eq(spec.command.v[1], "10");
    ck_assert_str_eq(spec.command.v[2], "1.50");
    ck_assert_str_eq(spec.command.v[3], "true");
    ck_assert_uint_eq(spec.resources.cpu_milli, 500);
    ck_assert_uint_eq(counts_get(&spec.resources.generic, "gpu"), 2);
    ck_assert_str_eq(pairs_get(&spec.env, "PORT"), "8080");
    ck_assert_str_eq(pairs_get(&spec.env, "ANSWER"), "yes");
    ck_assert_str_eq(pairs_get(&spec.env, "EMPTY"), "");
    ck_assert_uint_eq(spec.time_limit_ms, 5400000);
    ck_assert_int_eq(spec.budget_micros, 12500001);
    ck_assert(spec.array.present);
    ck_assert_uint_eq(spec.array.last, 5);
    ck_assert_str_eq(spec.script, "#!/bin/sh\ntrue\n");
    fields_clear(&job_spec_fields, &spec);
}
END_TEST

START_TEST(a_policy_file_reads_and_writes)
{
    static const char text[] = "currency: EUR\nadmins: [root]\nprices:\n  - from: 2026-01-01T00:00:00Z\n    per_hour:\n"
                               "      cpu: 0.04\n      gpu: 2.50\ntenants:\n  acme:\n    quota:\n      cpu: 16\n"
                               "      memory: 64Gi\n    budget:\n      limit: 500.00\n      period: month\n"
                               "    users: [alice]\n";
    struct policy_file file;
    struct err err = { 0 };
    struct buf out = { 0 };
    ck_assert_msg(read_text(&policy_file_fields, text, &file, &err) == 0, "%s", err_text(&err));
    const struct tenant_rule *acme = file.tenants.v;
    ck_assert_str_eq(acme->path, "acme");
    ck_assert(acme->budget.present);
    ck_assert_int_eq(acme->budget.limit_micros, 500000000);
    ck_assert_int_eq(yaml_write(&policy_file_fields, &file, &out), 0);
    ck_assert_str_eq(buf_text(&out), text);
    fields_clear(&policy_file_fields, &file);
    buf_fini(&out);
}
END_TEST

static int read_repeated(const char *before, const char *piece, size_t times, const char *after, struct err *err)
{
    struct buf text = { 0 };
    struct job_spec spec;
    buf_add_str(&text, before);
    for (size_t i = 0; i < times; i++)
        buf_add_str(&text, piece);
    buf_add_str(&text, after);
    int rc = yaml_read(&job_spec_fields, "t.yaml", text.data, text.len, &spec, err);
    if (rc == 0)
        fields_clear(&job_spec_fields, &spec);
    buf_fini(&text);
    return rc;
}

START_TEST(deep_or_large_files_are_refused_quickly)
{
    struct err err = { 0 };
    ck_assert_int_eq(read_repeated("name: ", "[", 2000000, "", &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "nested too deep") != NULL, "%s", err.text);
    ck_assert_int_eq(read_repeated("", "a: ", 100000, "b", &err), -EINVAL);
    ck_assert_int_eq(read_repeated("", "- ", 1000000, "b", &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "nested too deep") != NULL, "%s", err.text);
    ck_assert_int_eq(read_repeated("command: [", "x,", 500000, "]", &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "command: 500000 entries; at most 1024") != NULL, "%s", err.text);
    ck_assert_int_eq(read_repeated("# ", "x", YAML_FILE_MAX, "", &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "t.yaml:1:1: 4194306 bytes; at most 4194304") != NULL, "%s", err.text);
}
END_TEST

START_TEST(many_distinct_keys_are_compared_without_squaring)
{
    struct buf text = { 0 };
    struct err err = { 0 };
    struct job_spec spec;
    buf_add_str(&text, "env:\n");
    for (int i = 0; i < 100000; i++)
        buf_addf(&text, "  K%d: x\n", i);
    ck_assert_int_eq(yaml_read(&job_spec_fields, "t.yaml", text.data, text.len, &spec, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "env: 100000 entries; at most") != NULL, "%s", err.text);
    buf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/io/yaml");
    TCase *tc = tcase_create("yaml");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_written_reads_back_and_so_does_json);
    tcase_add_test(tc, text_cut_or_changed_anywhere_never_crashes_or_touches_the_object);
    tcase_add_loop_test(tc, what_is_refused_and_where, 0, COUNT_OF(refused));
    tcase_add_test(tc, a_job_file_reads_as_people_write_it);
    tcase_add_test(tc, a_policy_file_reads_and_writes);
    tcase_add_test(tc, deep_or_large_files_are_refused_quickly);
    tcase_add_test(tc, many_distinct_keys_are_compared_without_squaring);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
