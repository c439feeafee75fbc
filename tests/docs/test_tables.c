/*
 * The tables of the program against the documents, which are written by hand:
 * docs/protocol.md names each method with just its parameters and results, reeve-tenants(5) each key of the policy.
 * (reeve(1) and reeve-job(5): tests/cli/test_commands.c.)
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/policy.h"
#include "base/proto.h"
#include "tests/run.h"

#define LINE_MAX_BYTES 1024

static struct buf read_page(const char *path)
{
    struct buf page = {0};
    struct err err = {0};
    ck_assert_msg(file_read(path, 1 << 20, &page, &err) == 0, "%s (tests run in the top folder)", err.text);
    return page;
}

/* The row "| `method` | ... | parameters | results |" of the section of that heading, without its last bar. */
static void find_row(const char *page, const char *section, const char *method, char row[LINE_MAX_BYTES])
{
    char want[128];
    snprintf(want, sizeof want, "\n%s\n", section);
    const char *from = strstr(page, want);
    ck_assert_msg(from != NULL, "protocol.md lacks '%s'", section);
    snprintf(want, sizeof want, "\n| `%s` |", method);
    const char *at = strstr(from + 1, want), *next = strstr(from + 1, "\n## ");
    ck_assert_msg(at != NULL && (next == NULL || at < next), "protocol.md lacks %s in '%s'", method, section);
    size_t len = strcspn(at + 1, "\n");
    ck_assert_msg(len < LINE_MAX_BYTES && len > 2 && at[len] == '|', "the row of %s", method);
    memcpy(row, at + 1, len);
    row[len - 1] = '\0';
}

/* Cuts the last cell off. */
static char *last_cell(char *row)
{
    char *bar = strrchr(row, '|');
    ck_assert_ptr_nonnull(bar);
    *bar = '\0';
    return bar + 1;
}

/* What is said in brackets names values, not fields. */
static void blank_brackets(char *cell)
{
    bool inside = false;
    for (char *c = cell; *c != '\0'; c++) {
        inside = inside || *c == '(';
        bool ends = *c == ')';
        if (inside)
            *c = ' ';
        inside = inside && !ends;
    }
}

/* Each field once in backticks, in asterisks when `optional` and others may leave it out, and no other name. */
static void check_cell(const char *method, char *cell, const struct fields *f, bool optional)
{
    size_t named = 0, fields = 0;
    blank_brackets(cell);
    for (size_t i = 0; f != NULL && i < f->count; i++) {
        const struct field *row = &f->rows[i];
        char want[128];
        bool may_lack = optional && (row->flags & FIELD_REQUIRED) == 0;
        snprintf(want, sizeof want, may_lack ? "*`%s`*" : " `%s`", row->name);
        ck_assert_msg(strstr(cell, want) != NULL, "protocol.md: %s lacks '%s' in '%s'", method, want, cell);
        fields++;
    }
    for (const char *c = cell; (c = strchr(c, '`')) != NULL; c++)
        named++;
    for (const char *c = cell; (c = strstr(c, "`{}`")) != NULL; c++)
        named -= 2;
    ck_assert_msg(named == 2 * fields, "protocol.md: %s names what isn't there: '%s'", method, cell);
}

static void check_methods(const char *section, const struct method *methods, size_t count, bool from_others)
{
    struct buf page = read_page("docs/protocol.md");
    for (size_t i = 0; i < count; i++) {
        char row[LINE_MAX_BYTES];
        find_row(page.data, section, methods[i].name, row);
        char *results = last_cell(row), *params = last_cell(row);
        check_cell(methods[i].name, params, methods[i].params, from_others);
        check_cell(methods[i].name, results, methods[i].result, false);
    }
    buf_fini(&page);
}

START_TEST(the_protocol_has_each_method_with_its_fields)
{
    check_methods("## Methods for clients", client_methods, CLIENT_METHOD_COUNT, true);
    check_methods("## Methods of the reports", report_methods, REPORT_METHOD_COUNT, true);
    check_methods("## Methods between nodes and the scheduler", agent_calls, AGENT_CALL_COUNT, true);
    check_methods("## Methods between nodes and the scheduler", node_calls, NODE_CALL_COUNT, false);
}
END_TEST

/* A tenant's path is the key that its rule stands under. */
static void check_keys(const char *page, const struct fields *f, bool keyed)
{
    for (size_t i = keyed ? 1 : 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        char want[128];
        if (row->flags & (FIELD_HIDDEN | FIELD_OUTPUT))
            continue;
        snprintf(want, sizeof want, "\n.It Ic %s :", row->name);
        ck_assert_msg(strstr(page, want) != NULL, "reeve-tenants.5 lacks '%s'", want + 1);
        if (row->kind == FIELD_STRUCT || row->kind == FIELD_LIST)
            check_keys(page, row->of, (row->flags & FIELD_KEYED) != 0);
    }
}

START_TEST(the_manual_has_each_key_of_the_policy)
{
    struct buf page = read_page("docs/man/reeve-tenants.5");
    check_keys(page.data, &policy_file_fields, false);
    buf_fini(&page);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("tables");
    tcase_add_test(t, the_protocol_has_each_method_with_its_fields);
    tcase_add_test(t, the_manual_has_each_key_of_the_policy);
    Suite *s = suite_create("docs/tables");
    suite_add_tcase(s, t);
    return run_suite(s);
}
