/*
 * top - what there is to look at while it changes: the cell (top.c), the disk of this node (top_io.c).
 */
#ifndef REEVE_CLI_TOP_H
#define REEVE_CLI_TOP_H

#include "cli/cli.h"

/* As the agent of this node writes it; until interrupted on a terminal, else (or once) one look. Exit code. */
int top_io(struct cli *cli, bool once);

#endif
