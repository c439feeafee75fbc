/* reeved's command line: the program, its rows and its manual page say the same. */
#include <check.h>
#include <stdlib.h>

#include "scheduler/reeved_options.h"
#include "tests/daemon_options.h"

static const struct {
    const char *option, *value, *says;
} refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--dir=/nowhere", NULL, "--redis is missing; write --redis URL"},
    {"--port", "1", "'--port' is not an option; there are --dir, --redis, --cell"},
    {"--cell", "a/b", "--cell: 'a/b' is not a name"},
    {"--user", "root", "--user: 'root' is not UID:GID"},
    {"--agent-uid", "-1", "--agent-uid: '-1' is not a whole number from 0 to 4294967294"},
    {"--report-uid", NULL, "--report-uid: its value is missing; write --report-uid UID"},
};

START_TEST(refuses)
{
    daemon_check_refusal(&reeved_options, refused[_i].option, refused[_i].value, refused[_i].says);
}
END_TEST

START_TEST(help)
{
    daemon_check_help(&reeved_options);
}
END_TEST

START_TEST(manual)
{
    daemon_check_manual(&reeved_options);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, refuses, 0, COUNT_OF(refused));
    tcase_add_test(c, help);
    tcase_add_test(c, manual);
    Suite *s = suite_create("scheduler/options");
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
