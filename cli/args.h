/*
 * args - the command line of a program people type: `--name value`, `--name=value`, `-n value`, `-nvalue`, words
 * between them, `--` ends them. Rows and values are base/io/options.h's. The same parser reads the "#REEVE" lines of a
 * script.
 */
#ifndef REEVE_CLI_ARGS_H
#define REEVE_CLI_ARGS_H

#include "base/io/options.h"

struct cli;

struct option_set {
    const struct option_row *rows;
    size_t count;
    const struct option_set *also; /* further rows, shared with other commands; NULL */
    size_t also_at; /* where their object lies in this set's */
    bool stop_at_word; /* the first word that is no option ends them: what follows is somebody else's command */
};
#define OPTION_SET(rows_) {.rows = (rows_), .count = COUNT_OF(rows_)}
#define OPTION_SET_BEFORE_WORDS(rows_) {.rows = (rows_), .count = COUNT_OF(rows_), .stop_at_word = true}

extern const struct option_set args_global; /* --dir, --socket, --json, read into struct cli */

struct words {
    const char **v; /* free(v) */
    size_t count;
};

/* A row with `of` is refused beside another first word. argv[0] is not looked at. `cli` may be NULL (no global options
 * then), `into` when the set is empty. Words that are no options come back in *ret.
 * -EINVAL: "--memory: '4 Gigs' is not a size; ...". */
int args_parse(const struct option_set *set, void *into, struct cli *cli, int argc, char **argv, struct words *ret,
                  struct err *err) MUST_USE;

#endif
