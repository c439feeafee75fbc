/*
 * granter - a test in the place of an agent towards the mover of one attempt: it takes the connection that the keeper
 * hands out, hears what is wanted, and grants it in chunks.
 */
#ifndef REEVE_TESTS_SYSTEM_GRANTER_H
#define REEVE_TESTS_SYSTEM_GRANTER_H

#include "isolation/spec/mover.h"
#include "tests/system/driver.h"

struct granter {
    int sock; /* -1 */
    struct mover_totals totals;
    uint64_t moved, by_path[MOVER_PATHS];
    unsigned grants, dones;
};

/* Takes what an agent is given; false: there is no mover. */
bool granter_take(struct granter *g, struct task *task);
/* The next word of the mover; false: it is gone. */
bool granter_hear(struct granter *g, struct mover_message *ret);
void granter_grant(struct granter *g, uint32_t want, uint64_t offset, uint64_t bytes);
/* Hears the mover's next word and grants what it wants, in chunks, until so many grants were given in all; false: it is
 * gone. */
bool granter_answer(struct granter *g, unsigned until);
/* Grants whatever is wanted, in chunks; until the mover is gone or so many grants were given. */
void granter_serve(struct granter *g, unsigned grants_max);

#endif
