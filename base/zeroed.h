/*
 * zeroed - small memory of zeros, from among what this thread let go of lately: glibc's calloc passes that by (before
 * 2.41) and takes three times as long, and gcc makes a calloc of malloc and memset where it sees that they belong
 * together.
 * Purity: pure (allocates).
 */
#ifndef REEVE_BASE_ZEROED_H
#define REEVE_BASE_ZEROED_H

#include <stdlib.h>
#include <string.h>

/* NULL on lack of memory. The caller knows that count * size doesn't overflow. */
static inline void *zeroed(size_t count, size_t size)
{
    void *p = malloc(count * size);
    __asm__("" : "+r"(p)); /* whatever it is now, nobody can tell where it comes from */
    return p != NULL ? memset(p, 0, count * size) : NULL;
}

#endif
