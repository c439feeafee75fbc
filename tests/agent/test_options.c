/* reeve-agent's command line: the program, its rows and its manual page say the same. */
#include "agent/options.h"
#include "tests/daemon_options.h"

static const struct daemon_refusal refused[] = {
    {NULL, NULL, "--dir is missing; write --dir DIR"},
    {"--name", "a b", "--name: 'a b' is not a name; write 1 to 63 letters"},
    {"--cpus", "0", "--cpus: '0' is out of range; write 0.001 to 1073741.824"},
    {"--memory", "2048Ti", "--memory: '2048Ti' is out of range; write 1 to 1Pi"},
    {"--scratch", "lots", "--scratch: 'lots' is not a size"},
    {"--generic", "gpu", "--generic: 'gpu' is not NAME=VALUE"},
    {"--generic", "gpu=many", "--generic: 'many' is not a whole number"},
    {"--label", "=x", "--label: '=x' is not NAME=VALUE"},
    {"--label", "a=\xff", "--label: "},
    {"--max-attempts", "0", "--max-attempts: '0' is not a whole number from 1 to 65536"},
    {"--max-attempts", "65537", "--max-attempts: '65537' is not a whole number from 1 to 65536"},
    {"--logs-age", "7", "--logs-age: '7' is not a duration"},
};

int main(void)
{
    return daemon_options_run("agent/options", &agent_options, refused, COUNT_OF(refused));
}
