/*
 * options - a program's command line as a table: one row per option. Parser, messages and --help come from the rows,
 * and a test holds the manual page against them.
 *
 * Forms:     `--name value`, `--name=value`; of an option given twice the last one counts, but an OPTION_CALL sees
 *            each. Nothing is abbreviated. --help and --version belong to every program and need no row.
 * Values:    read by base/parse.h, so they are written here as in a job file. A row's `fallback` is text as well and
 *            goes the same way; without one, an option that isn't given leaves its place in the object as the caller
 *            made it.
 * Messages:  name the option, what was found, and what is allowed.
 * Ownership: texts are borrowed from argv (or the row), so they live as long as the program.
 */
#ifndef REEVE_BASE_IO_OPTIONS_H
#define REEVE_BASE_IO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum option_kind {
    OPTION_FLAG,     /* bool; takes no value */
    OPTION_TEXT,     /* const char *: any text */
    OPTION_PATH,     /* const char *: not empty */
    OPTION_NAME,     /* const char *: parse_name(), at most `max` characters */
    OPTION_U32,      /* uint32_t, min..max */
    OPTION_U64,      /* uint64_t, min..max */
    OPTION_CPU,      /* uint64_t milli-cores, min..max */
    OPTION_SIZE,     /* uint64_t bytes, min..max */
    OPTION_DURATION, /* uint64_t ms, min..max */
    OPTION_USER,     /* struct option_user: UID:GID */
    OPTION_CALL,     /* set(object, value) reads it: what may be repeated, and what no other kind fits */
};

struct option_user {
    bool given;
    uid_t uid;
    gid_t gid;
};

struct option_row {
    const char *name;  /* "memory" */
    char letter;       /* for programs people type (cli/args.h); 0 = none */
    uint8_t kind;      /* enum option_kind */
    bool required;     /* texts only: said in --help, refused when missing */
    bool repeated;     /* said in --help; OPTION_CALL only */
    const char *value; /* "SIZE"; NULL for a flag */
    size_t offset;     /* into the object */
    uint64_t min, max; /* max 0 = what the place can hold */
    int (*set)(void *object, const char *value, struct err *err);
    const char *fallback; /* what counts when it isn't given; NULL: see Values */
    const char *help;     /* one line */
    const char *of;       /* "verify rerate": the first words that it goes with (cli/args.h); NULL = all of them */
};

struct option_table {
    const char *program; /* "reeve-agent" */
    const char *about;   /* a sentence or two for --help; NULL */
    const struct option_row *rows;
    size_t count;
    const char *rest;    /* "AGENT ARGS...": behind `--`, for somebody else; NULL = there is no such thing */
    size_t rest_offset;  /* char **, into argv: NULL-terminated, empty when there was no `--` */
};

enum options_wish { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* What the person wants, or -EINVAL with the message (-ENOMEM from a set()). --help and --version end the reading:
 * then, and on failure, the object is half filled. */
int options_parse(const struct option_table *t, void *object, int argc, char **argv, struct err *err) MUST_USE;
void options_help(const struct option_table *t, struct buf *out);

/* The way of a daemon's main(): parses; prints --help, --version or what is wrong, and returns the exit code for it:
 * 0, 2 for a wrong command line, 1 when it couldn't be printed. OPTIONS_GO: nothing was printed, run. */
#define OPTIONS_GO (-1)
int options_read(const struct option_table *t, void *object, int argc, char **argv) MUST_USE;

/* ---- the pieces, for parsers with more forms ---- */
const struct option_row *option_find(const struct option_row *rows, size_t count, const char *name, size_t len);
/* `value` NULL only for a flag. -EINVAL: "--memory: '4 Gigs' is not a size; write ...". */
int option_take(const struct option_row *row, void *object, const char *value, struct err *err) MUST_USE;

#endif
