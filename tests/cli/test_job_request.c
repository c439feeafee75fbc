/* Job files, scripts with their own requests, and options that override both. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/json.h"
#include "cli/job_request.h"
#include "tests/run.h"

/* ---- scripts ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *what, *text;
    const char *json; /* of the submission, without the script; NULL = refused */
    const char *says;
} scripts[] = {
    {"a script without requests", "#!/bin/sh\ntrue\n", "{\"name\":\"job\"}", NULL},
    {"one line of requests", "#!/bin/sh\n#REEVE --cpu 2 --memory 4Gi --time 30m\ntrue\n",
     "{\"name\":\"job\",\"resources\":{\"cpu\":\"2\",\"memory\":4294967296},\"time_limit\":1800000}", NULL},
    {"several lines, also late ones", "#!/bin/sh\n#REEVE --cpu 2\ntrue\n#REEVE\t--cpu=3\n",
     "{\"name\":\"job\",\"resources\":{\"cpu\":\"3\"}}", NULL},
    {"quotes and backslashes as in a shell", "#!/bin/sh\n#REEVE --label 'a=b c' --label \"d=e\\\"f\" --label g=h\\ i\n",
     "{\"name\":\"job\",\"labels\":{\"a\":\"b c\",\"d\":\"e\\\"f\",\"g\":\"h i\"}}", NULL},
    {"an empty quoted word", "#!/bin/sh\n#REEVE --env A='' --env \"B=\"\n",
     "{\"name\":\"job\",\"env\":{\"A\":\"\",\"B\":\"\"}}", NULL},
    {"a comment ends the line", "#!/bin/sh\n#REEVE --cpu 2 # --cpu 3\n",
     "{\"name\":\"job\",\"resources\":{\"cpu\":\"2\"}}", NULL},
    {"a '#' inside a word is none", "#!/bin/sh\n#REEVE --label a=b#c\n",
     "{\"name\":\"job\",\"labels\":{\"a\":\"b#c\"}}", NULL},
    {"carriage returns of another system", "#!/bin/sh\r\n#REEVE --cpu 2\r\n",
     "{\"name\":\"job\",\"resources\":{\"cpu\":\"2\"}}", NULL},
    {"the last line without its end", "#!/bin/sh\n#REEVE --cpu 2", "{\"name\":\"job\",\"resources\":{\"cpu\":\"2\"}}",
     NULL},
    {"a word that only begins alike", "#!/bin/sh\n#REEVED --cpu 2\n# REEVE --cpu 2\n", "{\"name\":\"job\"}", NULL},
    {"an array with a cap", "#!/bin/sh\n#REEVE --array 1-365%50\n",
     "{\"name\":\"job\",\"array\":{\"first\":1,\"last\":365,\"max_running\":50}}", NULL},
    {"a name of its own", "#!/bin/sh\n#REEVE --name nightly\n", "{\"name\":\"nightly\"}", NULL},
    {"a wrong size is told with its line", "#!/bin/sh\ntrue\n#REEVE --memory 4Gigs\n", NULL,
     "dir/job.sh:3: --memory: '4Gigs'"},
    {"an unknown option too", "#!/bin/sh\n#REEVE --memroy 4Gi\n", NULL,
     "dir/job.sh:2: '--memroy' is not an option here; did you mean --memory?"},
    {"a word too many", "#!/bin/sh\n#REEVE --cpu 2 cores\n", NULL, "dir/job.sh:2: 'cores' is not an option"},
    {"a quote that is not closed", "#!/bin/sh\n#REEVE --label 'a=b\n", NULL, "dir/job.sh:2: a quote ' is not closed"},
    {"a value that is missing", "#!/bin/sh\n#REEVE --cpu\n", NULL, "dir/job.sh:2: --cpu needs a value: N"},
    {"bytes that are no text", "#!/bin/sh\n\xff\xfe\n", NULL, "dir/job.sh: "},
};

static char *json_without_script(struct submit_call *call)
{
    struct buf out = {0};
    ck_assert_int_eq(str_set(&call->spec.script, NULL), 0);
    ck_assert_int_eq(json_write(&job_spec_fields, &call->spec, &out), 0);
    return buf_take(&out);
}

START_TEST(script)
{
    struct job_request r = {0};
    struct err err = {0};
    int rc = job_request_read_text(&r, "dir/job.sh", scripts[_i].text, strlen(scripts[_i].text), &err);
    if (scripts[_i].json != NULL) {
        ck_assert_msg(rc == 0, "%s: %s", scripts[_i].what, err.text);
        ck_assert_str_eq(r.call.spec.script, scripts[_i].text);
        char *json = json_without_script(&r.call);
        ck_assert_msg(strcmp(json, scripts[_i].json) == 0, "%s: %s", scripts[_i].what, json);
        free(json);
    } else {
        ck_assert_msg(rc < 0, "%s", scripts[_i].what);
        ck_assert_msg(strncmp(err.text, scripts[_i].says, strlen(scripts[_i].says)) == 0, "%s: %s", scripts[_i].what,
                      err.text);
    }
    job_request_fini(&r);
}
END_TEST

/* ---- files ------------------------------------------------------------------------------------------------ */

START_TEST(a_file_may_say_tenant_and_key)
{
    static const char text[] = "tenant: acme/etl\nkey: k1\ncommand: [sort, -u]\nresources: {cpu: 500m}\n";
    struct job_request r = {0};
    struct err err = {0};
    ck_assert_msg(job_request_read_text(&r, "j.yaml", text, strlen(text), &err) == 0, "%s", err.text);
    ck_assert_str_eq(r.call.tenant, "acme/etl");
    ck_assert_str_eq(r.call.key, "k1");
    ck_assert_uint_eq(r.call.spec.command.count, 2);
    ck_assert_uint_eq(r.call.spec.resources.cpu_milli, 500);
    ck_assert_int_eq(job_request_make_key(&r, &err), 0);
    ck_assert_str_eq(r.call.key, "k1"); /* a key that is there stays */
    job_request_fini(&r);
}
END_TEST

START_TEST(json_is_read_too)
{
    static const char text[] = "{\"command\": [\"true\"], \"retries\": 3}";
    struct job_request r = {0};
    struct err err = {0};
    ck_assert_msg(job_request_read_text(&r, "j.json", text, strlen(text), &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.call.spec.retries, 3);
    job_request_fini(&r);
}
END_TEST

START_TEST(exit_codes_are_numbers_in_a_yaml_file)
{
    static const char text[] = "command: [true]\nretries: 1\nretry: {exit_codes: [75, 100-110], pause: 10s}\n";
    struct job_request r = {0};
    struct err err = {0};
    ck_assert_msg(job_request_read_text(&r, "j.yaml", text, strlen(text), &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.call.spec.retry.exit_codes.count, 2);
    ck_assert_str_eq(r.call.spec.retry.exit_codes.v[0], "75");
    ck_assert_uint_eq(r.call.spec.retry.pause_ms, 10000);
    job_request_fini(&r);
}
END_TEST

START_TEST(a_wrong_file_names_line_and_column)
{
    static const char text[] = "command: [true]\nresources:\n  memory: 4 Gigs\n";
    struct job_request r = {0};
    struct err err = {0};
    ck_assert_int_lt(job_request_read_text(&r, "train.yaml", text, strlen(text), &err), 0);
    ck_assert_msg(strncmp(err.text, "train.yaml:3:11: resources.memory: '4 Gigs'", 43) == 0, "%s", err.text);
    job_request_fini(&r);
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
    struct job_request r = {0};
    struct err err = {0};
    ck_assert_int_lt(job_request_read(&r, "/no/such.yaml", &err), 0);
    ck_assert_str_eq(err.text, "open '/no/such.yaml': No such file or directory");
}
END_TEST

START_TEST(a_huge_script_is_refused)
{
    struct job_request r = {0};
    struct err err = {0};
    char *text = malloc(JOB_SCRIPT_MAX + 2);
    memset(text, '#', JOB_SCRIPT_MAX + 1);
    text[1] = '!';
    text[JOB_SCRIPT_MAX + 1] = '\0';
    ck_assert_int_lt(job_request_read_text(&r, "s", text, JOB_SCRIPT_MAX + 1, &err), 0);
    ck_assert_str_eq(err.text, "s: a script has at most 262144 bytes");
    free(text);
    job_request_fini(&r);
}
END_TEST

/* ---- options ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *option, *value;
    const char *json; /* NULL = refused */
} options[] = {
    {"--cpu", "0.5", "{\"resources\":{\"cpu\":\"0.5\"}}"},
    {"--cpu", "-1", NULL},
    {"--memory", "512Mi", "{\"resources\":{\"memory\":536870912}}"},
    {"--memory", "99999999999Gi", NULL},
    {"--scratch", "1Gi", "{\"resources\":{\"scratch\":1073741824}}"},
    {"--gpu", "2", "{\"resources\":{\"generic\":{\"gpu\":2}}}"},
    {"--gpu", "0", NULL},
    {"--generic", "lic=3", "{\"resources\":{\"generic\":{\"lic\":3}}}"},
    {"--generic", "lic", NULL},
    {"--generic", "=3", NULL},
    {"--generic", "a/b=3", NULL},
    {"--time", "1h30m", "{\"time_limit\":5400000}"},
    {"--time", "30", NULL},
    {"--budget", "12.50", "{\"budget\":\"12.50\"}"},
    {"--budget", "12,50", NULL},
    {"--array", "0-9", "{\"array\":{\"first\":0,\"last\":9}}"},
    {"--array", "9-0", NULL},
    {"--array", "1-", NULL},
    {"--array", "-5", NULL},
    {"--array", "1-5%0", NULL},
    {"--array", "1-5%", NULL},
    {"--array", "1-99999999999999999999999999", NULL},
    {"--retries", "100", "{\"retries\":100}"},
    {"--retries", "101", NULL},
    {"--retry-on", "exit,time_limit", "{\"retry\":{\"on\":[\"exit\",\"time_limit\"]}}"},
    {"--retry-on", "exit,,signal", NULL},
    {"--retry-exit-codes", "75,100-110", "{\"retry\":{\"exit_codes\":[\"75\",\"100-110\"]}}"},
    {"--retry-not-exit-codes", "2", "{\"retry\":{\"not_exit_codes\":[\"2\"]}}"},
    {"--retry-pause", "10s", "{\"retry\":{\"pause\":10000}}"},
    {"--retry-pause", "soon", NULL},
    {"--retry-pause-max", "1h", "{\"retry\":{\"pause_max\":3600000}}"},
    {"--priority", "-1000", "{\"priority\":-1000}"},
    {"--priority", "1001", NULL},
    {"--label", "a=b=c", "{\"labels\":{\"a\":\"b=c\"}}"},
    {"--label", "a", NULL},
    {"--env", "REEVE_TEST_HERE", "{\"env\":{\"REEVE_TEST_HERE\":\"here\"}}"},
    {"--env", "REEVE_TEST_NOT_HERE", NULL},
    {"--env", "A=", "{\"env\":{\"A\":\"\"}}"},
    {"--network", "host", "{\"network\":\"host\"}"},
    {"--network", "bridge", NULL},
    {"--seccomp", "docker", "{\"seccomp\":\"docker\"}"},
    {"--seccomp", "Docker", NULL},
    {"--seccomp", "/nonexistent/x.json", NULL},
    {"--lease", "fast", "{\"lease\":\"fast\"}"},
    {"--on-node-loss", "hold", "{\"on_node_loss\":\"hold\"}"},
    {"--after", "812", "{\"after\":[{\"job\":812}]}"},
    {"--after", "812.17:afternotok", "{\"after\":[{\"job\":812,\"on\":\"afternotok\",\"task\":17}]}"},
    {"--after", "nightly:end:same", "{\"after\":[{\"key\":\"nightly\",\"on\":\"end\",\"tasks\":\"same\"}]}"},
    {"--input", "/mnt/in/day", "{\"inputs\":[{\"from\":\"/mnt/in/day\"}]}"},
    {"--input", "/mnt/in/{task}:day", "{\"inputs\":[{\"from\":\"/mnt/in/{task}\",\"to\":\"day\"}]}"},
    {"--input", ":day", NULL},
    {"--input", "/mnt/in/day:", NULL},
    {"--input", "", NULL},
    {"--output", "DAY:/mnt/out/{job}", "{\"outputs\":[{\"from\":\"DAY\",\"to\":\"/mnt/out/{job}\"}]}"},
    {"--output", "DAY", NULL},
    {"--start-by", "2h", "{\"start_by\":\"2h\"}"},
    {"--finish-by", "2026-11-24T06:00:00Z", "{\"finish_by\":\"2026-11-24T06:00:00Z\"}"},
    {"--finish-by", "soon", NULL},
    {"--if-unmet", "keep", "{\"if_unmet\":\"keep\"}"},
    {"--log-max", "1Mi", "{\"log_max\":1048576}"},
    {"--cwd", "/tmp/x", "{\"cwd\":\"/tmp/x\"}"},
    {"--tenant", "../x", NULL},
    {"--key", "", NULL},
};

START_TEST(option)
{
    struct job_request r = {0};
    struct words words = {0};
    struct err err = {0};
    char *argv[] = {(char[]){"submit"}, strdup(options[_i].option), strdup(options[_i].value)};
    setenv("REEVE_TEST_HERE", "here", 1);
    int rc = args_parse(&submit_options, &r, NULL, 3, argv, &words, &err);
    if (options[_i].json == NULL) {
        ck_assert_msg(rc < 0, "%s %s", options[_i].option, options[_i].value);
        ck_assert_msg(strncmp(err.text, options[_i].option, strlen(options[_i].option)) == 0, "%s", err.text);
    } else {
        ck_assert_msg(rc == 0, "%s %s: %s", options[_i].option, options[_i].value, err.text);
        char *json = json_without_script(&r.call);
        ck_assert_str_eq(json, options[_i].json);
        free(json);
        free(words.v);
    }
    free(argv[1]);
    free(argv[2]);
    job_request_fini(&r);
}
END_TEST

START_TEST(keys_differ_and_are_128_bits)
{
    struct job_request a = {0}, b = {0};
    ck_assert_int_eq(job_request_make_key(&a, NULL), 0);
    ck_assert_int_eq(job_request_make_key(&b, NULL), 0);
    ck_assert_uint_eq(strlen(a.call.key), 32);
    ck_assert_uint_eq(strspn(a.call.key, "0123456789abcdef"), 32);
    ck_assert_str_ne(a.call.key, b.call.key);
    job_request_fini(&a);
    job_request_fini(&b);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("job_request");
    tcase_add_loop_test(t, script, 0, COUNT_OF(scripts));
    tcase_add_test(t, a_file_may_say_tenant_and_key);
    tcase_add_test(t, json_is_read_too);
    tcase_add_test(t, exit_codes_are_numbers_in_a_yaml_file);
    tcase_add_test(t, a_wrong_file_names_line_and_column);
    tcase_add_test(t, a_file_that_is_not_there);
    tcase_add_test(t, a_huge_script_is_refused);
    tcase_add_loop_test(t, option, 0, COUNT_OF(options));
    tcase_add_test(t, keys_differ_and_are_128_bits);
    Suite *s = suite_create("cli/job_request");
    suite_add_tcase(s, t);
    return run_suite(s);
}
