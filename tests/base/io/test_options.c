/* Command lines of daemons: every way to write an option, and every way to get one wrong. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/options.h"
#include "tests/run.h"

struct target {
    bool flag;
    const char *path, *text, *name;
    uint32_t small;
    uint64_t large, milli, bytes, ms;
    struct option_user user;
    char called[64];
    char **rest;
};

static int set_called(void *object, const char *value, struct err *err)
{
    struct target *t = object;
    if (strcmp(value, "bad") == 0)
        return err_set(err, -EINVAL, "'bad' is not good");
    if (strcmp(value, "huge") == 0)
        return err_set(err, -ENOMEM, "out of memory");
    strncat(t->called, value, sizeof t->called - strlen(t->called) - 1);
    return 0;
}

#define PLACE(member) .offset = offsetof(struct target, member)
static const struct option_row rows[] = {
    {.name = "path", .value = "DIR", .kind = OPTION_PATH, PLACE(path), .required = true, .help = "where"},
    {.name = "flag", .kind = OPTION_FLAG, PLACE(flag), .help = "more"},
    {.name = "text", .value = "TEXT", .kind = OPTION_TEXT, PLACE(text), .help = "words"},
    {.name = "name", .value = "NAME", .kind = OPTION_NAME, PLACE(name), .max = 8, .fallback = "joe", .help = "who"},
    {.name = "small", .value = "N", .kind = OPTION_U32, PLACE(small), .min = 2, .max = 100, .help = "few"},
    {.name = "large", .value = "N", .kind = OPTION_U64, PLACE(large), .help = "many"},
    {.name = "cpu", .value = "N", .kind = OPTION_CPU, PLACE(milli), .min = 1, .max = 8000, .help = "cores"},
    {.name = "size", .value = "SIZE", .kind = OPTION_SIZE, PLACE(bytes), .fallback = "1Gi", .help = "bytes"},
    {.name = "age", .value = "DURATION", .kind = OPTION_DURATION, PLACE(ms), .max = 86400000, .help = "time"},
    {.name = "user", .value = "UID:GID", .kind = OPTION_USER, PLACE(user), .help = "whose"},
    {.name = "call", .value = "X", .kind = OPTION_CALL, .set = set_called, .repeated = true, .help = "odd ones"},
};
static const struct option_table table = {.program = "prog", .about = "Does things.", .rows = rows,
                                          .count = COUNT_OF(rows)};
static const struct option_table with_rest = {.program = "prog", .rows = rows, .count = COUNT_OF(rows),
                                              .rest = "COMMAND ...", .rest_offset = offsetof(struct target, rest)};

/* What came of it, as one line. */
static void describe(const struct target *t, struct buf *out)
{
    buf_addf(out, "%s %d %s %s %u %llu %llu %llu %llu", t->path, t->flag, t->text == NULL ? "-" : t->text, t->name,
             t->small, (unsigned long long)t->large, (unsigned long long)t->milli, (unsigned long long)t->bytes,
             (unsigned long long)t->ms);
    if (t->user.given)
        buf_addf(out, " %u:%u", t->user.uid, t->user.gid);
    if (t->called[0] != '\0')
        buf_addf(out, " %s", t->called);
}

static const struct {
    const char *what;
    const char *argv[8];
    const char *want;
} good[] = {
    {"what isn't given falls back, or stays", {"--path", "p"}, "p 0 - joe 7 0 0 1073741824 0"},
    {"a value behind its option", {"--path", "p", "--small", "9", "--cpu", "0.5"}, "p 0 - joe 9 0 500 1073741824 0"},
    {"a value behind =", {"--path=p=q", "--age=1h30m", "--size=4Ki"}, "p=q 0 - joe 7 0 0 4096 5400000"},
    {"a flag", {"--flag", "--path=p"}, "p 1 - joe 7 0 0 1073741824 0"},
    {"the last one counts", {"--path=p", "--path=q", "--name=a", "--name=b"}, "q 0 - b 7 0 0 1073741824 0"},
    {"what may be repeated comes every time", {"--path=p", "--call", "x", "--call=y"},
     "p 0 - joe 7 0 0 1073741824 0 xy"},
    {"a text may be empty or look like an option", {"--path=p", "--text", "--flag", "--text=", "--text", "--"},
     "p 0 -- joe 7 0 0 1073741824 0"},
    {"the edges belong to the range", {"--path=p", "--small=2", "--cpu=8", "--age=1d"},
     "p 0 - joe 2 0 8000 1073741824 86400000"},
    {"the largest number", {"--path=p", "--large=18446744073709551615"},
     "p 0 - joe 7 18446744073709551615 0 1073741824 0"},
    {"a user", {"--path=p", "--user", "990:0"}, "p 0 - joe 7 0 0 1073741824 0 990:0"},
};

static const char big[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1";
static const struct {
    const char *what;
    const char *argv[6];
    const char *says; /* how the message begins */
    int code;
} bad[] = {
    {"nothing at all", {NULL}, "--path is missing; write --path DIR", -EINVAL},
    {"unknown: what there is is said", {"--nope"}, "'--nope' is not an option; there are --path, --flag,", -EINVAL},
    {"part of a name is not the name", {"--pat", "p"}, "'--pat' is not an option", -EINVAL},
    {"more than a name is not the name", {"--paths=p"}, "'--paths=p' is not an option", -EINVAL},
    {"a word", {"--path=p", "word"}, "'word' is not an option", -EINVAL},
    {"an empty word", {"--path=p", ""}, "'' is not an option", -EINVAL},
    {"one dash", {"-path", "p"}, "'-path' is not an option", -EINVAL},
    {"a name of nothing", {"--=p"}, "'--=p' is not an option", -EINVAL},
    {"-- where nothing may follow", {"--path=p", "--", "x"}, "'--' is not an option", -EINVAL},
    {"control characters don't reach the terminal", {"--\033[2J"}, "'--?[2J' is not an option", -EINVAL},
    {"a long one is cut", {big}, "'aaaaaaaaaaaaaaaaaaaa", -EINVAL},
    {"a value is missing", {"--path"}, "--path: its value is missing; write --path DIR", -EINVAL},
    {"a flag with a value", {"--flag=yes"}, "--flag: 'yes' is too much; it takes no value", -EINVAL},
    {"help with a value", {"--help=1"}, "'--help=1' is not an option", -EINVAL},
    {"an empty path", {"--path="}, "--path: '' is not a path", -EINVAL},
    {"a name with a slash", {"--name=a/b"}, "--name: 'a/b' is not a name; write 1 to 8 ", -EINVAL},
    {"a name too long", {"--name=abcdefghi"}, "--name: 'abcdefghi' is not a name; write 1 to 8 ", -EINVAL},
    {"below the range", {"--small=1"}, "--small: '1' is not a whole number from 2 to 100", -EINVAL},
    {"above the range", {"--small", "101"}, "--small: '101' is not a whole number from 2 to 100", -EINVAL},
    {"no number", {"--small="}, "--small: '' is not a whole number from 2 to 100", -EINVAL},
    {"a sign", {"--large=-1"}, "--large: '-1' is not a whole number", -EINVAL},
    {"beyond 64 bits", {"--large=18446744073709551616"},
     "--large: '18446744073709551616' is not a whole number", -EINVAL},
    {"no cores", {"--cpu=0"}, "--cpu: '0' is out of range; write 0.001 to 8", -EINVAL},
    {"too many cores", {"--cpu=8001m"}, "--cpu: '8001m' is out of range; write 0.001 to 8", -EINVAL},
    {"four gigs", {"--size", "4 Gigs"}, "--size: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes", -EINVAL},
    {"which unit?", {"--age=30"}, "--age: '30' is not a duration; write 30s", -EINVAL},
    {"too old", {"--age=25h"}, "--age: '25h' is out of range; write 0ms to 1d", -EINVAL},
    {"a user by name", {"--user=joe"}, "--user: 'joe' is not UID:GID; write two numbers, like 990:990", -EINVAL},
    {"no group", {"--user=990:"}, "--user: '' is not a whole number", -EINVAL},
    {"the user that is nobody", {"--user=4294967295:1"}, "--user: '4294967295' is not a whole number", -EINVAL},
    {"a user without end", {"--user", big}, "--user: 'aaaaaaaaaaaaaaaaaaaa", -EINVAL},
    {"what a setter refuses", {"--call", "bad"}, "--call: 'bad' is not good", -EINVAL},
    {"what a setter can't do", {"--call", "huge"}, "--call: out of memory", -ENOMEM},
};

static int parse(const struct option_table *t, struct target *target, const char *const *words, struct err *err)
{
    static char *argv[10]; /* what is parsed points into the words: they stay until the next call */
    int argc = 1;
    argv[0] = (char[]){"prog"};
    for (int i = 1; argv[i] != NULL; i++)
        free(argv[i]);
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(words[argc - 1]);
        ck_assert_ptr_nonnull(argv[argc]);
    }
    argv[argc] = NULL;
    *target = (struct target){.small = 7};
    return options_parse(t, target, argc, argv, err);
}

START_TEST(written_well)
{
    struct target t;
    struct err err = {0};
    struct buf got = {0};
    int wish = parse(&table, &t, good[_i].argv, &err);
    ck_assert_msg(wish == OPTIONS_RUN, "%s: %s", good[_i].what, err.text);
    describe(&t, &got);
    ck_assert_msg(strcmp(buf_text(&got), good[_i].want) == 0, "%s: %s", good[_i].what, buf_text(&got));
    buf_fini(&got);
}
END_TEST

START_TEST(written_badly)
{
    struct target t;
    struct err err = {0};
    int rc = parse(&table, &t, bad[_i].argv, &err);
    ck_assert_msg(rc == bad[_i].code, "%s: %d", bad[_i].what, rc);
    ck_assert_msg(strncmp(err.text, bad[_i].says, strlen(bad[_i].says)) == 0, "%s: %s", bad[_i].what, err.text);
}
END_TEST

static const struct {
    const char *argv[4];
    int wish;
} wishes[] = {
    {{"--help"}, OPTIONS_HELP},
    {{"--version"}, OPTIONS_VERSION},
    {{"--path=p", "--help", "--nope"}, OPTIONS_HELP}, /* whoever asks for help gets it */
    {{"--version", "--help"}, OPTIONS_VERSION},
};

START_TEST(asked_for)
{
    struct target t;
    ck_assert_int_eq(parse(&table, &t, wishes[_i].argv, NULL), wishes[_i].wish);
}
END_TEST

START_TEST(the_rest_is_somebody_elses)
{
    struct target t;
    const char *const words[] = {"--path=p", "--", "run", "--help", "--", NULL};
    ck_assert_int_eq(parse(&with_rest, &t, words, NULL), OPTIONS_RUN);
    ck_assert_str_eq(t.rest[0], "run");
    ck_assert_str_eq(t.rest[1], "--help");
    ck_assert_str_eq(t.rest[2], "--");
    ck_assert_ptr_null(t.rest[3]);
    ck_assert_int_eq(parse(&with_rest, &t, words + 4, NULL), -EINVAL); /* --path is still required */
    const char *const none[] = {"--path=p", NULL};
    ck_assert_int_eq(parse(&with_rest, &t, none, NULL), OPTIONS_RUN);
    ck_assert_ptr_null(t.rest[0]);
}
END_TEST

START_TEST(help_comes_from_the_rows)
{
    struct buf text = {0};
    options_help(&with_rest, &text);
    static const char *const lines[] = {
        "usage: prog --path DIR [option ...] [-- COMMAND ...]\n",
        "\n  --path DIR            where (required)\n",
        "\n  --flag                more\n",
        "\n  --name NAME           who; default: joe\n",
        "\n  --call X              odd ones; may be repeated\n",
        "\n  --help                ",
        "\n  --version             ",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        ck_assert_msg(strstr(buf_text(&text), lines[i]) != NULL, "%s is not in\n%s", lines[i], buf_text(&text));
    buf_fini(&text);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, written_well, 0, COUNT_OF(good));
    tcase_add_loop_test(c, written_badly, 0, COUNT_OF(bad));
    tcase_add_loop_test(c, asked_for, 0, COUNT_OF(wishes));
    tcase_add_test(c, the_rest_is_somebody_elses);
    tcase_add_test(c, help_comes_from_the_rows);
    Suite *s = suite_create("options");
    suite_add_tcase(s, c);
    return run_suite(s);
}
