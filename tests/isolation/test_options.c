/* reeve-warden's command line: the program, its rows and its manual page say the same. */
#include <check.h>
#include <stdlib.h>

#include "isolation/warden.h"
#include "tests/daemon_options.h"

static const struct {
    const char *option, *value, *says;
} refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--cgroup", "../a", "--cgroup: '../a' is not 1 to 32 letters, digits, '_' or '-'"},
    {"--cgroup", NULL, "--cgroup: its value is missing; write --cgroup NAME"},
    {"--agent-uid", "0", "--agent-uid: '0' is not a whole number from 1 to 4294967294"},
    {"--uid-base", "0", "--uid-base: '0' is not a whole number from 65536 to"},
    {"--socket-fd", "-1", "--socket-fd: '-1' is not a whole number from 0 to 2147483647"},
    {"agent", NULL, "'agent' is not an option; there are --dir, --cgroup"},
};

START_TEST(refuses)
{
    daemon_check_refusal(&warden_options, refused[_i].option, refused[_i].value, refused[_i].says);
}
END_TEST

START_TEST(help)
{
    daemon_check_help(&warden_options);
}
END_TEST

START_TEST(manual)
{
    daemon_check_manual(&warden_options);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, refuses, 0, COUNT_OF(refused));
    tcase_add_test(c, help);
    tcase_add_test(c, manual);
    Suite *s = suite_create("isolation/options");
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
