/* reeve-agent's command line: the program, its rows and its manual page say the same. */
#include <check.h>
#include <stdlib.h>

#include "agent/options.h"
#include "tests/daemon_options.h"

static const struct {
    const char *option, *value, *says;
} refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--name", "a b", "--name: 'a b' is not a name; write 1 to 63 letters"},
    {"--cpus", "0", "--cpus: '0' is out of range; write 0.001 to 1073741.824"},
    {"--memory", "2048Ti", "--memory: '2048Ti' is out of range; write 1 to 1Pi"},
    {"--scratch", "lots", "--scratch: 'lots' is not a size"},
    {"--generic", "gpu", "--generic: 'gpu' is not NAME=VALUE"},
    {"--generic", "gpu=many", "--generic: 'many' is not a whole number"},
    {"--label", "=x", "--label: '=x' is not NAME=VALUE"},
    {"--label", "a=\xff", "--label: "},
    {"--logs-age", "7", "--logs-age: '7' is not a duration"},
};

START_TEST(refuses)
{
    daemon_check_refusal(&agent_options, refused[_i].option, refused[_i].value, refused[_i].says);
}
END_TEST

START_TEST(help)
{
    daemon_check_help(&agent_options);
}
END_TEST

START_TEST(manual)
{
    daemon_check_manual(&agent_options);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, refuses, 0, COUNT_OF(refused));
    tcase_add_test(c, help);
    tcase_add_test(c, manual);
    Suite *s = suite_create("agent/options");
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
