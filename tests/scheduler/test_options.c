/* reeved's command line: the program, its rows and its manual page say the same. */
#include "scheduler/reeved_options.h"
#include "tests/daemon_options.h"

static const struct daemon_refusal refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--dir=/nowhere", NULL, "--redis is missing; write --redis URL"},
    {"--port", "1", "'--port' is not an option; there are --dir, --redis, --cell"},
    {"--cell", "a/b", "--cell: 'a/b' is not a name"},
    {"--user", "root", "--user: 'root' is not UID:GID"},
    {"--agent-uid", "-1", "--agent-uid: '-1' is not a whole number from 0 to 4294967294"},
    {"--report-uid", NULL, "--report-uid: its value is missing; write --report-uid UID"},
};

int main(void)
{
    return daemon_options_run("scheduler/options", &reeved_options, refused, COUNT_OF(refused));
}
