/* Options of the command line: every way to write one, and every way to get one wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/args.h"
#include "tests/run.h"

struct target {
    bool flag, some;
    const char *text;
    uint32_t small;
    uint64_t large;
    char called[32];
};

static int set_called(void *into, const char *value, struct err *err)
{
    struct target *t = into;
    if (strcmp(value, "bad") == 0)
        return err_set(err, -22, "'bad' is not good");
    strncat(t->called, value, sizeof t->called - strlen(t->called) - 1);
    return 0;
}

static const struct option_row rows[] = {
    {.name = "flag", .letter = 'f', .kind = OPTION_FLAG, .offset = offsetof(struct target, flag), .help = ""},
    {.name = "text", .letter = 't', .kind = OPTION_TEXT, .value = "TEXT", .offset = offsetof(struct target, text),
     .help = ""},
    {.name = "small", .kind = OPTION_U32, .value = "N", .max = 100, .offset = offsetof(struct target, small),
     .help = ""},
    {.name = "large", .kind = OPTION_U64, .value = "N", .offset = offsetof(struct target, large), .help = ""},
    {.name = "some", .kind = OPTION_FLAG, .offset = offsetof(struct target, some), .help = "", .of = "verify rerate"},
    {.name = "called", .letter = 'c', .kind = OPTION_CALL, .value = "X", .set = set_called, .help = ""},
};
static const struct option_set anywhere = OPTION_SET(rows);
static const struct option_set before_words = OPTION_SET_BEFORE_WORDS(rows);

static const struct {
    const char *what;
    bool before_words;
    const char *argv[8];
    const char *want; /* "flag text small large called | words", or NULL */
    const char *says; /* the error */
} cases[] = {
    {"nothing", false, {NULL}, "0 - 0 0  |", NULL},
    {"long with a value behind it", false, {"--text", "a", "--small", "7"}, "0 a 7 0  |", NULL},
    {"long with =", false, {"--text=a=b", "--large=18446744073709551615"}, "0 a=b 0 18446744073709551615  |", NULL},
    {"short with a value behind it, or in it", false, {"-t", "a", "-cx", "-c", "y"}, "0 a 0 0 xy |", NULL},
    {"options may stand behind words", false, {"one", "-f", "two", "--text", "x"}, "1 x 0 0  | one two", NULL},
    {"-- ends them", false, {"-f", "--", "--text", "-x"}, "1 - 0 0  | --text -x", NULL},
    {"- alone is a word", false, {"-"}, "0 - 0 0  | -", NULL},
    {"a value may look like an option", false, {"--text", "--flag"}, "0 --flag 0 0  |", NULL},
    {"a value may be empty", false, {"--text="}, "0  0 0  |", NULL},
    {"the last one wins", false, {"--small=1", "--small=2"}, "0 - 2 0  |", NULL},
    {"words of another command are left alone", true, {"-f", "grep", "-t", "--", "--text"},
     "1 - 0 0  | grep -t -- --text", NULL},
    {"-- before another command is ours", true, {"-f", "--", "grep", "--"}, "1 - 0 0  | grep --", NULL},
    {"global options are found too", false, {"--json", "-f"}, "1 - 0 0  |", NULL},
    {"what goes with some words", false, {"--some", "rerate"}, "0 - 0 0  | rerate", NULL},
    {"with the first of several", false, {"verify", "--some", "credit"}, "0 - 0 0  | verify credit", NULL},
    {"with no other", false, {"credit", "--some"}, NULL, "--some doesn't go with 'credit', only with: verify rerate"},
    {"nor with a part of one", false, {"rer", "--some"}, NULL, "--some doesn't go with 'rer', only with: "},
    {"unknown", false, {"--nope"}, NULL, "'--nope' is not an option here"},
    {"a negative number", false, {"-5"}, NULL,
     "'-5' is not an option here; a word that begins with - stands behind --"},
    {"unknown letter", false, {"-z"}, NULL, "'-z' is not an option here"},
    {"part of a name is not the name", false, {"--tex", "a"}, NULL,
     "'--tex' is not an option here; did you mean --text?"},
    {"a value is missing", false, {"--text"}, NULL, "--text needs a value: TEXT"},
    {"a letter's value is missing", false, {"-t"}, NULL, "--text needs a value: TEXT"},
    {"a flag with a value", false, {"--flag=1"}, NULL, "--flag takes no value"},
    {"a number that is none", false, {"--small", "many"}, NULL, "--small: "},
    {"a number out of range", false, {"--small", "101"}, NULL, "--small: "},
    {"a number beyond 64 bits", false, {"--large", "18446744073709551616"}, NULL, "--large: "},
    {"what a setter refuses is named", false, {"--called", "bad"}, NULL, "--called: 'bad' is not good"},
};

START_TEST(parsing)
{
    struct target t = {0};
    struct cli cli = {0};
    struct words words = {0};
    struct err err = {0};
    char *argv[10] = {(char[]){"prog"}};
    int argc = 1;
    while (cases[_i].argv[argc - 1] != NULL) {
        argv[argc] = strdup(cases[_i].argv[argc - 1]);
        argc++;
    }
    int rc = args_parse(cases[_i].before_words ? &before_words : &anywhere, &t, &cli, argc, argv, &words, &err);
    if (cases[_i].says != NULL) {
        ck_assert_msg(rc < 0, "%s", cases[_i].what);
        ck_assert_msg(strncmp(err.text, cases[_i].says, strlen(cases[_i].says)) == 0, "%s: %s", cases[_i].what,
                      err.text);
    } else {
        ck_assert_msg(rc == 0, "%s: %s", cases[_i].what, err.text);
        struct buf got = {0};
        buf_addf(&got, "%d %s %u %llu %s |", t.flag, t.text != NULL ? t.text : "-", t.small,
                 (unsigned long long)t.large, t.called);
        for (size_t i = 0; i < words.count; i++)
            buf_addf(&got, " %s", words.v[i]);
        ck_assert_str_eq(buf_text(&got), cases[_i].want);
        buf_fini(&got);
        free(words.v);
    }
    for (int i = 1; i < argc; i++)
        free(argv[i]);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    uint64_t job;
    uint32_t task, epoch;
    bool has_task, has_epoch;
} refs[] = {
    {"812", true, 812, 0, 0, false, false},
    {"812.0", true, 812, 0, 0, true, false},
    {"812.17", true, 812, 17, 0, true, false},
    {"812.17.2", true, 812, 17, 2, true, true},
    {"0", false, 0, 0, 0, false, false},
    {"812.17.0", false, 0, 0, 0, false, false},
    {"812.17.2.1", false, 0, 0, 0, false, false},
    {"812.", false, 0, 0, 0, false, false},
    {".1", false, 0, 0, 0, false, false},
    {"", false, 0, 0, 0, false, false},
    {"-1", false, 0, 0, 0, false, false},
    {"8a", false, 0, 0, 0, false, false},
    {"812.4294967295", false, 0, 0, 0, false, false},
    {"9223372036854775808", false, 0, 0, 0, false, false},
    {"1111111111111111111111111111111111111111111111111111111111111111111111", false, 0, 0, 0, false, false},
};

START_TEST(job_refs)
{
    struct job_ref ref = {0};
    struct err err = {0};
    int rc = job_ref_parse(refs[_i].text, &ref, &err);
    ck_assert_msg((rc == 0) == refs[_i].good, "'%s': %s", refs[_i].text, err.text);
    ck_assert_uint_eq(ref.job, refs[_i].job);
    ck_assert_uint_eq(ref.task, refs[_i].task);
    ck_assert_uint_eq(ref.epoch, refs[_i].epoch);
    ck_assert_int_eq(ref.has_task, refs[_i].has_task);
    ck_assert_int_eq(ref.has_epoch, refs[_i].has_epoch);
}
END_TEST

static char dir_a[] = "/a", socket_b[] = "/b/c/x.sock";
static const struct {
    const char *what, *env_socket, *env_dir;
    char *option_dir, *option_socket;
    const char *scheduler, *report;
} places[] = {
    {"by default", NULL, NULL, NULL, NULL, "/run/reeve/reeve.sock", "/run/reeve/report/report.sock"},
    {"by REEVE_DIR", NULL, "/e", NULL, NULL, "/e/reeve.sock", "/e/report/report.sock"},
    {"by REEVE_SOCKET, the reports beside it", "/s/r.sock", NULL, NULL, NULL, "/s/r.sock", "/s/report/report.sock"},
    {"an option wins over both", "/s/r.sock", "/e", dir_a, NULL, "/a/reeve.sock", "/a/report/report.sock"},
    {"both options", NULL, NULL, dir_a, socket_b, "/b/c/x.sock", "/a/report/report.sock"},
    {"a bare socket name is here", "x.sock", NULL, NULL, NULL, "x.sock", "./report/report.sock"},
    {"an empty variable is none", "", "", NULL, NULL, "/run/reeve/reeve.sock", "/run/reeve/report/report.sock"},
};

START_TEST(sockets)
{
    struct cli cli = {.dir = places[_i].option_dir, .socket = places[_i].option_socket};
    unsetenv("REEVE_DIR");
    unsetenv("REEVE_SOCKET");
    if (places[_i].env_dir != NULL)
        setenv("REEVE_DIR", places[_i].env_dir, 1);
    if (places[_i].env_socket != NULL)
        setenv("REEVE_SOCKET", places[_i].env_socket, 1);
    cli_find_sockets(&cli);
    ck_assert_msg(strcmp(cli.scheduler_path, places[_i].scheduler) == 0, "%s: %s", places[_i].what, cli.scheduler_path);
    ck_assert_msg(strcmp(cli.report_path, places[_i].report) == 0, "%s: %s", places[_i].what, cli.report_path);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("args");
    tcase_add_loop_test(t, parsing, 0, COUNT_OF(cases));
    tcase_add_loop_test(t, job_refs, 0, COUNT_OF(refs));
    tcase_add_loop_test(t, sockets, 0, COUNT_OF(places));
    Suite *s = suite_create("cli/args");
    suite_add_tcase(s, t);
    return run_suite(s);
}
