/*
 * place - where in a nested object we are, as a chain on the stack; it becomes text only when something is wrong.
 * Purity:    pure.
 * Ownership: every link and name is borrowed for the call; NULL is the whole object.
 */
#ifndef REEVE_BASE_PLACE_H
#define REEVE_BASE_PLACE_H

#include "base/err.h"

#define PLACE_TEXT_MAX 200

struct place {
    const struct place *up;
    const char *name; /* of a field or key; NULL: element `index` of a list */
    size_t index;
};

/* "tenants[3].quota.memory"; "" for the whole object. Cut with "..." when too long, control characters as '?'. */
const char *place_format(const struct place *at, char out[PLACE_TEXT_MAX]);
/* Puts "place: " before err's text, nothing for the whole object. Returns `code`. */
int place_wrap(const struct place *at, int code, struct err *err);

#endif
