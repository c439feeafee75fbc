/* What a command line of `reeve confine` means, and how an end looks to a shell. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "tests/run.h"

static struct confine_request request;
static struct sandbox_spec spec;
static struct err err;

static const struct node_abilities able = {.features = 0};

/* The options of one line, completed; what args_parse() or the check says. */
static int read_line(char *line)
{
    char *argv[32] = {line};
    size_t count = 0;
    struct words words = {0};
    CLEANUP(buf_fini) struct buf args = {0};
    err = (struct err){0};
    request = (struct confine_request){.grace_ms = 5000};
    ck_assert_int_eq(words_split(line, argv + 1, 30, &count, &err), 0);
    int rc = args_parse(&confine_options, &request, NULL, (int)count + 1, argv, &words, &err);
    for (size_t i = 0; rc == 0 && i < words.count; i++)
        rc = strs_add(&request.job.call.spec.command, words.v[i]);
    free(words.v);
    rc = rc < 0 ? rc : job_spec_complete(&request.job.call.spec, &err);
    return rc < 0 ? rc : confine_sandbox(&request, &able, &spec, &args, &err);
}

#define SPEC(member) offsetof(struct sandbox_spec, member), sizeof(((struct sandbox_spec *)0)->member)
static const struct value_row {
    const char *line;
    size_t offset, size;
    uint64_t want;
} value_rows[] = {
    {"true", SPEC(cpu_milli), 1000},
    {"true", SPEC(mem_bytes), (uint64_t)256 << 20},
    {"true", SPEC(scratch_bytes), (uint64_t)64 << 20},
    {"true", SPEC(pids_max), 4096},
    {"true", SPEC(network), NET_NONE},
    {"true", SPEC(time_limit_us), 0},
    {"true", SPEC(lease_us), 0},
    {"true", SPEC(grace_us), 5000000},
    {"-c 0.25 true", SPEC(cpu_milli), 250},
    {"--memory=1Gi true", SPEC(mem_bytes), (uint64_t)1 << 30},
    {"--scratch 1Mi true", SPEC(scratch_bytes), (uint64_t)1 << 20},
    {"-t 90s true", SPEC(time_limit_us), 90000000},
    {"--network host true", SPEC(network), NET_HOST},
    {"--pids 12 true", SPEC(pids_max), 12},
    {"--grace 0ms true", SPEC(grace_us), 0},
    {"true --pids 12", SPEC(pids_max), 4096}, /* the command's own */
};

START_TEST(options_become_limits)
{
    const struct value_row *row = &value_rows[_i];
    char line[128];
    uint64_t value = 0;
    snprintf(line, sizeof line, "%s", row->line);
    ck_assert_msg(read_line(line) == 0, "%s: %s", row->line, err_text(&err));
    memcpy(&value, (const char *)&spec + row->offset, row->size);
    ck_assert_msg(value == row->want, "%s: %lu", row->line, (unsigned long)value);
    job_request_fini(&request.job);
}
END_TEST

static const struct refused_row {
    const char *line, *says;
} refused_rows[] = {
    {"--pids 1 true", "pids_max"},
    {"--pids 99999999 true", "--pids"},
    {"--scratch x true", "--scratch"},
    {"--hostname UPPER true", "hostname"},
    {"--hostname '' true", "hostname"},
    {"--network bridge true", "none of: none, host"},
    {"--root overlay true", "an overlay needs an image"},
    {"--image ../x true", "--image"},
    {"--volume a=tmp true", "volumes"},
    {"--seccomp other true", "no profile 'other'"},
    {"--images /nowhere/at/all true", "--images"},
    {"--node-volume x true", "NAME=PATH"},
    {"--node-volume =/ true", "NAME=PATH"},
    {"--node-volume x=:ro true", "NAME=PATH"},
    {"--uid-base 5 true", "--uid-base"},
    {"--cwd tmp true", "cwd"},
    {"--env = true", "--env"},
    {"--env REEVE_FENCE=1.1 true", "REEVE_"},
    {"--array 1-3 true", "'--array' is not an option"},
    {"--tenant acme true", "'--tenant' is not an option"},
    {"--stats=yes true", "takes no value"},
    {"", "command"},
};

START_TEST(what_is_wrong_is_said)
{
    const struct refused_row *row = &refused_rows[_i];
    char line[128];
    snprintf(line, sizeof line, "%s", row->line);
    int rc = read_line(line);
    ck_assert_msg(rc < 0 && strstr(err_text(&err), row->says) != NULL, "%s: %d %s", row->line, rc, err_text(&err));
    job_request_fini(&request.job);
}
END_TEST

/* The warden's words are absolute; the job's rows lie behind the node's and reach the job all the same. */
START_TEST(what_the_node_offers_goes_to_the_warden)
{
    char line[] = "--images /usr/../usr --node-volume a=/usr/.:ro:noexec --device d=/dev/./null -m 1Gi "
                  "--private-net b=10.0.0.1/24:route --image i --volume a=/v true";
    static const char *const want[] = {"--images", "/usr", "--volume", "a=/usr:ro:noexec", "--device", "d=/dev/null",
                                       "--private-net", "b=10.0.0.1/24:route"};
    ck_assert_msg(read_line(line) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(request.node.warden.count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++)
        ck_assert_str_eq(request.node.warden.v[i], want[i]);
    ck_assert_uint_eq(spec.mem_bytes, (uint64_t)1 << 30);
    ck_assert_str_eq(spec.root.image, "i");
    ck_assert_str_eq(spec.root.volumes[0].path, "/v");
    job_request_fini(&request.job);
    node_options_fini(&request.node);
}
END_TEST

START_TEST(a_node_is_not_told_more_than_it_can_be)
{
    static char name[] = "--io-device", path[] = "/";
    char *argv[2 * NODE_OPTION_WORDS_MAX + 2] = {name};
    struct words words = {0};
    request = (struct confine_request){0};
    for (int i = 0; i < NODE_OPTION_WORDS_MAX; i++) {
        argv[1 + 2 * i] = name;
        argv[2 + 2 * i] = path;
    }
    int rc = args_parse(&confine_options, &request, NULL, 2 * NODE_OPTION_WORDS_MAX + 1, argv, &words, &err);
    ck_assert_int_eq(rc, -E2BIG);
    node_options_fini(&request.node);
}
END_TEST

START_TEST(ends_look_as_to_a_shell)
{
    static const struct {
        struct keeper_record record;
        int stopped_by, code;
    } rows[] = {
        {{.cause = END_EXIT, .exit_code = 0}, 0, 0},
        {{.cause = END_EXIT, .exit_code = 255}, SIGINT, 255}, /* it had ended by itself */
        {{.cause = END_SIGNAL, .signal = SIGSYS}, 0, 128 + SIGSYS},
        {{.cause = END_OOM, .signal = SIGKILL}, 0, 137},
        {{.cause = END_TIME_LIMIT, .signal = SIGTERM}, 0, 124},
        {{.cause = END_CANCELLED, .signal = SIGTERM}, SIGINT, 130},
        {{.cause = END_CANCELLED, .exit_code = 3}, SIGTERM, 143},
        {{.cause = END_LAUNCH_FAILED}, 0, 125},
        {{.cause = 4711}, 0, 125},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_int_eq(confine_exit_code(&rows[i].record, rows[i].stopped_by), rows[i].code);
}
END_TEST

START_TEST(the_explained_command_comes_behind_a_shell_word_by_word)
{
    struct strs command = {0};
    ck_assert_int_eq(strs_add(&command, "a b"), 0);
    ck_assert_int_eq(strs_add(&command, "$(c)"), 0);
    ck_assert_int_eq(confine_explain_command(&command), 0);
    ck_assert_uint_eq(command.count, 6);
    ck_assert_str_eq(command.v[0], "/bin/sh");
    ck_assert_str_eq(command.v[4], "a b");
    ck_assert_str_eq(command.v[5], "$(c)");
    for (size_t i = 0; i < command.count; i++)
        free(command.v[i]);
    free(command.v);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("confine");
    tcase_add_loop_test(t, options_become_limits, 0, (int)COUNT_OF(value_rows));
    tcase_add_loop_test(t, what_is_wrong_is_said, 0, (int)COUNT_OF(refused_rows));
    tcase_add_test(t, what_the_node_offers_goes_to_the_warden);
    tcase_add_test(t, a_node_is_not_told_more_than_it_can_be);
    tcase_add_test(t, ends_look_as_to_a_shell);
    tcase_add_test(t, the_explained_command_comes_behind_a_shell_word_by_word);
    Suite *s = suite_create("cli/confine");
    suite_add_tcase(s, t);
    return run_suite(s);
}
