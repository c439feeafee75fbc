/*
 * hostile - programs that try to get out of a sandbox, to see what isn't theirs, to use up what isn't theirs, or to
 * outlive their job. Each is a row: a sentence that is true while it fails, its name, what it does. A program prints
 * one line for each thing that it got away with; "" is what must come out.
 *
 * The table is linked into the program that runs inside (hostile_program.c) and into the test that runs it.
 */
#ifndef REEVE_TESTS_SYSTEM_HOSTILE_H
#define REEVE_TESTS_SYSTEM_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

enum attack_end {
    ENDS,         /* by itself, with 0 */
    ENDS_SIGSYS,  /* killed by the system call filter */
    ENDS_SIGKILL, /* by its own hand */
    ENDS_OOM,
    ENDS_BOUNDED, /* by itself, or out of memory: both are within its limits */
    ENDS_NEVER,   /* no row: another one's victim */
};

struct attack {
    const char *sentence, *name;
    void (*run)(void);
    enum attack_end end;
    bool works_outside; /* the same program, run as root without a sandbox, does get away with something */
};

extern const struct attack attacks_see[], attacks_escape[], attacks_calls[], attacks_exhaust[],
    attacks_witness[], attacks_tenants[];
extern const size_t attacks_see_count, attacks_escape_count, attacks_calls_count, attacks_exhaust_count,
    attacks_witness_count, attacks_tenants_count;

/* One thing it got away with: a line on stdout. */
void got(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A call with good arguments must fail, and because it isn't allowed: not because they were bad. */
void must_be_refused(const char *what, long result);
/* By raw call: -errno or the result. */
long call(long number, long a, long b, long c, long d, long e, long f);
#define CALL(n, ...) CALL_(n, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(n, a, b, c, d, e, f, ...)                                                                            \
    call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* Runs `body` in a child and waits for it. Its status as wait(2) has it, or -1. */
int in_child(void (*body)(void));

#endif
