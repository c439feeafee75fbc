/*
 * nearest - which name somebody meant who wrote another: the one that fewest slips of the hand lead to.
 * A slip is a letter too much, too few, another, or two swapped (the optimal string alignment distance). Meant is only
 * what at most a third of the word's letters, rounded up, separate from it; of several the first that was offered.
 * Purity: pure.
 */
#ifndef REEVE_BASE_NEAREST_H
#define REEVE_BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 32 /* longer words are nothing's slip */

struct nearest {
    const char *word; /* borrowed */
    size_t slips;     /* of `name` */
    const char *name; /* of those offered; NULL: none is near */
};

struct nearest nearest_to(const char *word);
void nearest_offer(struct nearest *n, const char *name);

#endif
