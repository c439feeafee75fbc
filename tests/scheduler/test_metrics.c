/* What reeved and reportd tell Prometheus, and the dashboard that shows it. */

#include "scheduler/metrics.h"
#include "tests/promtool.h"
#include "tests/run.h"

START_TEST(promtool_finds_nothing_wrong)
{
    uint64_t calls[CLIENT_METHOD_COUNT] = {0};
    struct metrics_input in = {.calls_total = calls};
    struct buf out = {0};
    metrics_write(&in, &out);
    promtool_check(buf_text(&out));
    buf_fini(&out);
}
END_TEST

/* Each figure that the dashboard names is one of a daemon's. */
START_TEST(the_dashboard_names_what_there_is)
{
    static const char *const sources[] = {"scheduler/metrics.c", "quotas/reports/metrics.c"};
    struct buf dashboard = {0}, text = {0};
    struct err err = {0};
    size_t names = 0;
    ck_assert_msg(file_read("packaging/grafana/reeve.json", 1 << 20, &dashboard, &err) == 0, "%s", err_text(&err));
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        ck_assert_msg(file_read(sources[i], 1 << 20, &text, &err) == 0, "%s", err_text(&err));
    for (const char *at = buf_text(&dashboard); (at = strstr(at, "reeve_")) != NULL; names++) {
        char name[80];
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        snprintf(name, sizeof name, "\"%.*s\"", (int)len, at);
        ck_assert_msg(strstr(buf_text(&text), name) != NULL, "%s is no figure of reeved or reeve-reportd", name);
        at += len;
    }
    ck_assert_uint_gt(names, 20);
    buf_fini(&dashboard);
    buf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("metrics");
    tcase_add_test(tc, promtool_finds_nothing_wrong);
    tcase_add_test(tc, the_dashboard_names_what_there_is);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
