/* reeve-reportd's command line: the program, its rows and its manual page say the same. */
#include "quotas/reports/options.h"
#include "tests/daemon_options.h"

static const struct daemon_refusal refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--http-port", "65536", "--http-port: '65536' is not a whole number from 0 to 65535"},
    {"--cell", "..", "--cell: '..' is not a name"},
    {"--user", "1:2:3", "--user: '2:3' is not a whole number"},
    {"--debug=1", NULL, "--debug: '1' is too much; it takes no value"},
};

int main(void)
{
    return daemon_options_run("reports/options", &report_options, refused, COUNT_OF(refused));
}
