/* reeve-reportd's command line: the program, its rows and its manual page say the same. */
#include <check.h>
#include <stdlib.h>

#include "quotas/reports/options.h"
#include "tests/daemon_options.h"

static const struct {
    const char *option, *value, *says;
} refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--http-port", "65536", "--http-port: '65536' is not a whole number from 0 to 65535"},
    {"--cell", "..", "--cell: '..' is not a name"},
    {"--user", "1:2:3", "--user: '2:3' is not a whole number"},
    {"--debug=1", NULL, "--debug: '1' is too much; it takes no value"},
};

START_TEST(refuses)
{
    daemon_check_refusal(&report_options, refused[_i].option, refused[_i].value, refused[_i].says);
}
END_TEST

START_TEST(help)
{
    daemon_check_help(&report_options);
}
END_TEST

START_TEST(manual)
{
    daemon_check_manual(&report_options);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, refuses, 0, COUNT_OF(refused));
    tcase_add_test(c, help);
    tcase_add_test(c, manual);
    Suite *s = suite_create("reports/options");
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
