/* What people read: columns, figures, and text of tenants that must not reach a terminal as it is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/columns.h"
#include "tests/run.h"

static const struct column columns[] = {
    {"ID", true, true}, {"NAME", false, true}, {"EMPTY", false, false}, {"WAITING FOR", false, false}};

static const char *written(struct columns *t, bool heads, unsigned indent, int width)
{
    static struct buf text;
    buf_reset(&text);
    columns_write(t, heads, indent, width, &text);
    columns_fini(t);
    return buf_text(&text);
}

static struct columns two_rows(void)
{
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), false);
    static const char *const cells[] = {"812", "backfill", NULL, NULL, "9", "n\xc3\xa4me", "", "budget: short 2.70"};
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        columns_add(&t, cells[i]);
    return t;
}

START_TEST(columns_line_up_and_empty_ones_are_left_out)
{
    struct columns t = two_rows();
    ck_assert_str_eq(written(&t, true, 0, 0), " ID  NAME      WAITING FOR\n"
                                              "812  backfill\n"
                                              "  9  n\xc3\xa4me      budget: short 2.70\n");
}
END_TEST

START_TEST(the_last_column_is_cut_to_the_terminal)
{
    struct columns t = two_rows();
    ck_assert_str_eq(written(&t, false, 2, 28), "  812  backfill\n"
                                                "    9  n\xc3\xa4me      budget: sh\xe2\x80\xa6\n");
}
END_TEST

START_TEST(what_does_not_fit_beside_the_others_stands_below_them)
{
    struct columns t = two_rows();
    ck_assert_str_eq(written(&t, true, 0, 20), " ID  NAME\n"
                                               "    WAITING FOR\n"
                                               "812  backfill\n"
                                               "  9  n\xc3\xa4me\n"
                                               "    budget: short 2\xe2\x80\xa6\n");
    t = two_rows();
    ck_assert_str_eq(written(&t, false, 0, 10), "812\n"
                                                "    backfill\n"
                                                "  9\n"
                                                "    n\xc3\xa4me\n"
                                                "    budget: short 2.70\n"); /* no room to cut it to */
}
END_TEST

START_TEST(wide_lines_go_on_at_a_word)
{
    struct buf out = {0};
    static const char text[] = "state      \033[32mrunning\033[0m   node n1   since 14:32\n\n  a\n";
    format_fold(&out, text, 0);
    ck_assert_str_eq(buf_text(&out), text);
    buf_reset(&out);
    format_fold(&out, text, 27);
    ck_assert_str_eq(buf_text(&out), "state      \033[32mrunning\033[0m   node\n    n1   since 14:32\n\n  a\n");
    buf_reset(&out);
    format_fold(&out, "    averyveryverylongword and 20 more\n", 20);
    ck_assert_str_eq(buf_text(&out), "    averyveryverylongword\n        and 20 more\n");
    buf_fini(&out);
}
END_TEST

START_TEST(without_rows_only_the_heads_are_written)
{
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), false);
    ck_assert_str_eq(written(&t, true, 0, 80), "ID  NAME\n");
}
END_TEST

START_TEST(colours_take_no_columns)
{
    struct columns t;
    columns_init(&t, columns, 2, true);
    columns_add(&t, "1");
    format_styled(columns_cell(&t), true, STYLE_GOOD, "up");
    columns_next(&t);
    ck_assert_str_eq(written(&t, false, 0, 0), "1  \033[32mup\033[0m\n");
    ck_assert_uint_eq(format_columns("\033[32mup\033[0m\xc3\xa4"), 3);
}
END_TEST

/* ---- hostile text ----------------------------------------------------------------------------------------- */

static const struct {
    const char *what, *text, *want;
} hostile[] = {
    {"plain text stays", "n\xc3\xa4me \xe2\x82\xac", "n\xc3\xa4me \xe2\x82\xac"},
    {"escape sequences are shown, not obeyed", "\033[2J\033]0;x\007", "?[2J?]0;x?"},
    {"newlines make no second line", "a\nb\r\tc", "a?b??c"},
    {"delete", "a\x7f" "b", "a?b"},
    {"C1 controls, too", "a\xc2\x9b" "31mb\xc2\xa0" "c", "a?31mb\xc2\xa0" "c"},
    {"nothing", NULL, ""},
};

START_TEST(text_of_tenants)
{
    struct buf out = {0};
    format_safe(&out, hostile[_i].text);
    ck_assert_msg(strcmp(buf_text(&out), hostile[_i].want) == 0, "%s: %s", hostile[_i].what, buf_text(&out));
    buf_fini(&out);
}
END_TEST

/* ---- figures ---------------------------------------------------------------------------------------------- */

static void put_span(struct buf *out, uint64_t v)
{
    format_span(out, v);
}
static void put_money(struct buf *out, uint64_t v)
{
    format_cost(out, (int64_t)v, "EUR");
}
static void put_bar(struct buf *out, uint64_t v)
{
    format_bar(out, v, 4, 4);
}

static const struct {
    void (*put)(struct buf *out, uint64_t value);
    uint64_t value;
    const char *want;
} figures[] = {
    {format_bytes, 0, "0"},
    {format_bytes, 1023, "1023"},
    {format_bytes, 1024, "1Ki"},
    {format_bytes, 1536, "1.5Ki"},
    {format_bytes, ((uint64_t)4 << 30) - 1, "3.9Gi"}, /* never more than there is */
    {format_bytes, (uint64_t)4 << 30, "4Gi"},
    {format_bytes, UINT64_MAX, "15.9Ei"},
    {format_cpus, 500, "0.5"},
    {format_cpus, 2000, "2"},
    {put_span, 0, "0s"},
    {put_span, 1500, "1.5ms"},
    {put_span, 37000, "37ms"},
    {put_span, 4100000, "4.1s"},
    {put_span, 59000000, "59s"},
    {put_span, 252000000, "4m12s"},
    {put_span, 3900000000, "1h05m"},
    {put_span, 183600000000, "2d03h"},
    {put_money, 13020000, "13.02 EUR"},
    {put_money, (uint64_t)-1, "-0.000001 EUR"},
    {put_bar, 0, "\xe2\x96\x91\xe2\x96\x91\xe2\x96\x91\xe2\x96\x91"},
    {put_bar, 3, "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x91"},
    {put_bar, 9, "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88"},
};

START_TEST(figure)
{
    struct buf out = {0};
    figures[_i].put(&out, figures[_i].value);
    ck_assert_str_eq(buf_text(&out), figures[_i].want);
    buf_fini(&out);
}
END_TEST

START_TEST(a_command_is_shown_as_it_could_be_typed)
{
    struct strs words = {0};
    struct buf out = {0};
    static const char *const all[] = {"python3", "a b", "it's", "", "--x=\xc3\xa4", "tab\there"};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ck_assert_int_eq(strs_add(&words, all[i]), 0);
    format_words(&out, &words);
    ck_assert_str_eq(buf_text(&out), "python3 'a b' 'it'\\''s' '' --x=\xc3\xa4 'tab?here'");
    for (size_t i = 0; i < words.count; i++)
        free(words.v[i]);
    free(words.v);
    buf_fini(&out);
}
END_TEST

START_TEST(an_end_says_what_killed_it)
{
    struct buf out = {0};
    struct job_spec spec = {.resources = {.mem_bytes = (uint64_t)4 << 30}};
    struct attempt_view oom = {.sentence = (char[]){"killed: out of memory"},
                               .record = {.cause = END_OOM, .usage = {.mem_peak_bytes = (uint64_t)4 << 30}}};
    job_text_end(&out, &oom, &spec);
    ck_assert_str_eq(buf_text(&out), "killed: out of memory, peak 4Gi of 4Gi");
    buf_reset(&out);
    struct attempt_view killed = {.record = {.cause = END_SIGNAL, .signal = 9}};
    job_text_end(&out, &killed, &spec);
    ck_assert_str_eq(buf_text(&out), "killed by signal 9 (Killed)");
    buf_reset(&out);
    struct attempt_view launch = {.sentence = (char[]){"could not be started"},
                                  .record = {.cause = END_LAUNCH_FAILED, .detail = (char[]){"step root\033: no"}}};
    job_text_end(&out, &launch, &spec);
    ck_assert_str_eq(buf_text(&out), "could not be started: step root?: no");
    buf_fini(&out);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("columns");
    tcase_add_test(t, columns_line_up_and_empty_ones_are_left_out);
    tcase_add_test(t, the_last_column_is_cut_to_the_terminal);
    tcase_add_test(t, what_does_not_fit_beside_the_others_stands_below_them);
    tcase_add_test(t, wide_lines_go_on_at_a_word);
    tcase_add_test(t, without_rows_only_the_heads_are_written);
    tcase_add_test(t, colours_take_no_columns);
    tcase_add_loop_test(t, text_of_tenants, 0, COUNT_OF(hostile));
    tcase_add_loop_test(t, figure, 0, COUNT_OF(figures));
    tcase_add_test(t, a_command_is_shown_as_it_could_be_typed);
    tcase_add_test(t, an_end_says_what_killed_it);
    Suite *s = suite_create("cli/columns");
    suite_add_tcase(s, t);
    return run_suite(s);
}
