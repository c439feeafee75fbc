/* reeve-warden's command line: the program, its rows and its manual page say the same. */
#include "isolation/warden.h"
#include "tests/daemon_options.h"

static const struct daemon_refusal refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--cgroup", "../a", "--cgroup: '../a' is not 1 to 32 letters, digits, '_' or '-'"},
    {"--cgroup", NULL, "--cgroup: its value is missing; write --cgroup NAME"},
    {"--agent-uid", "0", "--agent-uid: '0' is not a whole number from 1 to 4294967294"},
    {"--uid-base", "0", "--uid-base: '0' is not a whole number from 65536 to"},
    {"--socket-fd", "-1", "--socket-fd: '-1' is not a whole number from 0 to 2147483647"},
    {"agent", NULL, "'agent' is not an option; there are --dir, --cgroup"},
};

int main(void)
{
    return daemon_options_run("isolation/options", &warden_options, refused, COUNT_OF(refused));
}
