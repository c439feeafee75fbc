/* The command table against itself and against the manual pages, which are written by hand. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/job_spec.h"
#include "cli/commands.h"
#include "tests/daemon_options.h"
#include "tests/run.h"

static struct buf read_page(const char *path)
{
    struct buf page = {0};
    struct err err = {0};
    ck_assert_msg(file_read(path, 1 << 20, &page, &err) == 0, "%s (tests run in the top folder)", err.text);
    return page;
}

START_TEST(each_row_is_whole_and_alone)
{
    const struct command *c = &commands[_i];
    ck_assert(c->run != NULL);
    ck_assert_msg(strncmp(c->usage, c->name, strlen(c->name)) == 0, "usage of %s: %s", c->name, c->usage);
    ck_assert_msg(strncmp(c->example, c->name, strlen(c->name)) == 0, "example of %s: %s", c->name, c->example);
    ck_assert_ptr_null(strchr(c->help, '\n'));
    ck_assert_uint_le(strlen(c->help), 100);
    ck_assert_ptr_eq(commands_find(c->name), c); /* no second row of this name */
}
END_TEST

static void check_rows_of(const struct option_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct option_row *row = &set->rows[i];
        ck_assert_msg((row->kind == OPTION_FLAG) == (row->value == NULL), "--%s", row->name);
        ck_assert_msg((row->kind == OPTION_CALL) == (row->set != NULL), "--%s", row->name);
        ck_assert_ptr_nonnull(row->help);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(set->rows[k].name, row->name);
            ck_assert_msg(row->letter == 0 || set->rows[k].letter != row->letter, "-%c twice", row->letter);
        }
        for (const struct option_set *also = set->also; also != NULL; also = also->also)
            for (size_t k = 0; k < also->count; k++) {
                ck_assert_str_ne(also->rows[k].name, row->name);
                ck_assert_msg(row->letter == 0 || also->rows[k].letter != row->letter, "-%c twice", row->letter);
            }
        for (size_t k = 0; k < args_global.count; k++)
            ck_assert_str_ne(args_global.rows[k].name, row->name);
    }
}

START_TEST(each_option_has_what_its_kind_needs)
{
    const struct option_set *set = commands[_i].options;
    for (const struct option_set *also = set; also != NULL; also = also->also)
        check_rows_of(also);
}
END_TEST

START_TEST(the_manual_has_each_command_its_options_and_its_example)
{
    struct buf page = read_page("docs/man/reeve.1");
    const struct command *c = &commands[_i];
    char want[128];
    snprintf(want, sizeof want, ".It Cm %s", c->name);
    ck_assert_msg(strstr(page.data, want) != NULL, "reeve.1 lacks '%s'", want);
    snprintf(want, sizeof want, "$ reeve %s", c->name);
    ck_assert_msg(strstr(page.data, want) != NULL, "reeve.1 lacks an example of %s", c->name);
    for (const struct option_set *set = c->options; set != NULL; set = set->also)
        for (size_t i = 0; i < set->count; i++) {
            snprintf(want, sizeof want, "Fl -%s", set->rows[i].name);
            ck_assert_msg(strstr(page.data, want) != NULL, "reeve.1 lacks '%s' of %s", want, c->name);
        }
    buf_fini(&page);
}
END_TEST

static void check_rows(const struct buf *page, const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        char want[128];
        if (row->flags & FIELD_HIDDEN)
            continue;
        snprintf(want, sizeof want, ".It Ic %s :", row->name);
        ck_assert_msg(strstr(page->data, want) != NULL, "reeve-job.5 lacks '%s'", want);
        if (row->kind == FIELD_STRUCT)
            check_rows(page, row->of);
    }
}

START_TEST(the_manual_has_each_field_of_a_job)
{
    struct buf page = read_page("docs/man/reeve-job.5");
    check_rows(&page, &job_spec_fields);
    buf_fini(&page);
}
END_TEST

START_TEST(help_of_a_command_shows_every_option)
{
    struct buf text = {0};
    const struct command *c = &commands[_i];
    commands_help(c, &text);
    ck_assert_ptr_nonnull(strstr(text.data, c->usage));
    for (const struct option_set *set = c->options; set != NULL; set = set->also)
        for (size_t i = 0; i < set->count; i++)
            ck_assert_ptr_nonnull(strstr(text.data, set->rows[i].help));
    buf_fini(&text);
}
END_TEST

START_TEST(help_lists_every_command)
{
    struct buf text = {0};
    commands_help(NULL, &text);
    for (size_t i = 0; i < commands_count; i++)
        ck_assert_ptr_nonnull(strstr(text.data, commands[i].help));
    buf_fini(&text);
    ck_assert_ptr_null(commands_find("frobnicate"));
}
END_TEST

/* Who has typed half a command asks there and then; but what a job is to run is not asked for ours. */
static const struct asking_row {
    const char *args[DAEMON_ARGS_MAX + 1];
    bool helped;
} asking[] = {
    {{"show", "--help"}, true},
    {{"show", "3", "--help"}, true},
    {{"ledger", "verify", "-h"}, true},
    {{"show", "--", "--help"}, false},
    {{"run", "--help"}, true},
    {{"run", "grep", "--help"}, false},
};
START_TEST(help_is_asked_for_anywhere_but_behind_a_jobs_command)
{
    struct buf text = {0};
    setenv("REEVE_SOCKET", "/nowhere", 1);
    int code = daemon_run("reeve", asking[_i].args, STDOUT_FILENO, &text);
    ck_assert_int_eq(code == 0, asking[_i].helped);
    ck_assert_int_eq(strncmp(buf_text(&text), "usage: reeve ", 13) == 0, asking[_i].helped);
    buf_fini(&text);
}
END_TEST

/* Nobody is asked for what can't be: said at once, with what to write. */
static const struct mistake_row {
    const char *args[DAEMON_ARGS_MAX + 1];
    const char *says;
} mistakes[] = {
    {{"history", "--state", "foo"}, "reeve: history: --state: 'foo' is none of: succeeded failed cancelled"},
    {{"history", "--state", "running"}, "reeve: history: --state: 'running' is none of: succeeded"},
    {{"ps", "--state", "foo"}, "reeve: ps: --state: 'foo' is none of: pending held running suspended paused succeeded"},
    {{"admin", "move", "acme"}, "reeve: admin: 'move acme' is none of: diff FILE, apply FILE, move FROM TO"},
    {{"audit", "head", "x"}, "reeve: audit: 'head x' is none of: verify [FOLDER], head"},
    {{"ledger", "credit", "acme"}, "reeve: ledger: 'credit acme' is none of: verify, credit TENANT AMOUNT"},
    {{"helo"}, "reeve: 'helo' is not a command; did you mean 'help'?"},
    {{"ledger", "verify", "--dry-run"}, "reeve: ledger: --dry-run doesn't go with 'verify', only with: rerate"},
};
START_TEST(a_mistake_is_answered_with_what_to_write)
{
    struct buf text = {0};
    setenv("REEVE_SOCKET", "/nowhere", 1);
    ck_assert_int_eq(daemon_run("reeve", mistakes[_i].args, STDERR_FILENO, &text), 2);
    ck_assert_msg(strncmp(buf_text(&text), mistakes[_i].says, strlen(mistakes[_i].says)) == 0, "%s", buf_text(&text));
    buf_fini(&text);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("commands");
    tcase_add_loop_test(t, each_row_is_whole_and_alone, 0, (int)commands_count);
    tcase_add_loop_test(t, each_option_has_what_its_kind_needs, 0, (int)commands_count);
    tcase_add_loop_test(t, the_manual_has_each_command_its_options_and_its_example, 0, (int)commands_count);
    tcase_add_test(t, the_manual_has_each_field_of_a_job);
    tcase_add_loop_test(t, help_of_a_command_shows_every_option, 0, (int)commands_count);
    tcase_add_test(t, help_lists_every_command);
    tcase_add_loop_test(t, help_is_asked_for_anywhere_but_behind_a_jobs_command, 0, (int)COUNT_OF(asking));
    tcase_add_loop_test(t, a_mistake_is_answered_with_what_to_write, 0, (int)COUNT_OF(mistakes));
    Suite *s = suite_create("cli/commands");
    suite_add_tcase(s, t);
    return run_suite(s);
}
