/* reeve-sim's command line: the program, its rows and its manual page say the same. */
#include "scheduler/sim/options.h"
#include "tests/daemon_options.h"

static const struct daemon_refusal refused[] = {
    {"--jobs", "0", "--jobs: '0' is not a whole number from 1"},
    {"--nodes", "2y2", "--nodes: '2y2' is not a count and cores, like 120x2"},
    {"--swf", "/nowhere", "/nowhere"},
    {"--journal", "/nowhere", "open '/nowhere'"},
    {"--since", "7d", "--archive and --since are about a journal"},
    {"--against", "x.yaml", "--against says what is, for --whatif"},
    {"--run-time", "soon", "--run-time: 'soon' is not"},
};

int main(void)
{
    return daemon_options_run("sim/options", &sim_options, refused, COUNT_OF(refused));
}
