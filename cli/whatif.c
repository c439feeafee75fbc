/*
 * whatif - what another policy, or other machines, would have made of the same history. The scheduler's core, which
 * decides there, is reeve-sim's: this finds that program and becomes it. So its options, their help and what it prints
 * are said once, there (scheduler/sim/options.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/services.h"

#define ENGINE "reeve-sim"

int cmd_whatif(struct cli *cli, int argc, char **argv)
{
    char program[CLI_SOCKET_PATH_MAX];
    if (service_find_program(ENGINE, program, sizeof program) < 0) {
        fprintf(stderr, "reeve: whatif: " ENGINE ", which simulates, is not installed beside reeve\n");
        return CLI_UNREACHABLE;
    }
    char **args = calloc((size_t)argc + 4, sizeof *args);
    if (args == NULL || (cli->dir != NULL && setenv("REEVE_DIR", cli->dir, 1) != 0)) {
        fprintf(stderr, "reeve: whatif: out of memory\n");
        return CLI_UNREACHABLE;
    }
    static char engine[] = ENGINE, whatif[] = "--whatif", json[] = "--json";
    size_t n = 0;
    args[n++] = engine;
    args[n++] = whatif;
    if (cli->json) /* it stood before the command */
        args[n++] = json;
    for (int i = 1; i < argc; i++)
        args[n++] = argv[i];
    execv(program, args);
    fprintf(stderr, "reeve: whatif: start '%s': %s\n", program, strerror(errno));
    free(args);
    return CLI_UNREACHABLE;
}
