/*
 * ledger_rerate - `reeve ledger rerate`: reportd says which charge lines cost something else by the price book as it is
 * now, reeved posts the differences, each under a key of its own: twice is once.
 */
#ifndef REEVE_CLI_LEDGER_RERATE_H
#define REEVE_CLI_LEDGER_RERATE_H

#include "cli/cli.h"

struct ledger_rerate {
    int64_t from_utc_us, to_utc_us; /* lines that begin in it */
    const char *reason;             /* NULL: says the price version */
    bool dry_run;
};
/* What the program exits with. */
int ledger_rerate(struct cli *cli, const struct ledger_rerate *what);

#endif
