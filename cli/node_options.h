/*
 * node_options - what a node has and offers, on the command lines that start one: `up` for as long as it runs,
 * `confine` for one command. Each option becomes one of the warden's or of the agent's and is read there again; what is
 * checked here is what a person gets told at once: values that are none, paths that lead nowhere. Paths become
 * absolute: the daemons work in other folders.
 * Ownership: the words are owned: node_options_fini().
 */
#ifndef REEVE_CLI_NODE_OPTIONS_H
#define REEVE_CLI_NODE_OPTIONS_H

#include "base/fields.h"
#include "cli/args.h"

#define NODE_OPTION_WORDS_MAX 96

struct node_options {
    struct strs warden, agent; /* words of their command lines, at most NODE_OPTION_WORDS_MAX each */
};

void node_options_fini(struct node_options *o);
/* The rows that both commands have, over a struct node_options. */
#define NODE_OPTION_ROWS 6
extern const struct option_row node_option_rows[NODE_OPTION_ROWS];
/* The agent's, and volumes; then node_option_rows. */
extern const struct option_set node_options;
/* One more "NAME=PATH[:ro][:noexec]". A row of its own: a job has an option of the same name. */
int node_options_volume(struct node_options *o, const char *value, struct err *err) MUST_USE;

#endif
