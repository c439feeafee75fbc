/*
 * macros - the few language extensions we allow ourselves, in one place.
 * Purity: pure. Everything here compiles with gcc and clang as C17 + GNU attributes.
 */
#ifndef REEVE_BASE_MACROS_H
#define REEVE_BASE_MACROS_H

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef NDEBUG
#error "assertions are part of the program: a bug stops here, not in somebody's books"
#endif

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define UNUSED __attribute__((unused))

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Hands the pointer over and forgets it, so that a CLEANUP on the variable does nothing. */
#define TAKE_PTR(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
/* from - what, and not below 0. */
#define LESS(from, what) ((from) > (what) ? (from) - (what) : 0)

/* A state that the program's own logic rules out. Never for anything an outsider can cause. */
#define BUG(what) assert(!(what))

/* The same for a descriptor and CLEANUP(close_p). */
#define TAKE_FD(fd)                                                                                \
    (__extension__({                                                                               \
        int take_fd_ = (fd);                                                                       \
        (fd) = -1;                                                                                 \
        take_fd_;                                                                                  \
    }))

/* CLEANUP(free_p) char *text = NULL; */
static inline void free_p(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}

#endif
