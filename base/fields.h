/*
 * fields - a struct described once, as a table; everything that reads, writes, compares, checks or documents it
 * comes from the same rows: the journal's bytes, JSON on the wire, YAML files, "which fields differ", manual pages.
 *
 * Bytes:     one record per non-zero field: varint id, then the value (varint, zigzag, or length + bytes). A
 *            zero, NULL or empty field takes no room. Lengths make unknown ids skippable, so N-1 reads what N wrote:
 *            every id is written as (id << 1 | is_length_prefixed). Lists are one record per element. Records come
 *            in table order and keys sorted: equal objects give equal bytes.
 * JSON:      base/io/json.h, from the same table: human kinds accept both a number and the human text.
 * Purity:    pure (allocates strings and lists).
 * Ownership: an object described by a table owns its strings and lists; fields_clear() frees them and zeroes it.
 *            An all-zero object is valid and empty.
 * Bounds:    every string, list and number has min/max in its row; decode and JSON refuse what lies outside,
 *            before allocating. Encoding an object that lies outside marks the buffer failed: nothing is written
 *            that could not be read back.
 * Presence:  a FIELD_STRUCT whose table begins with a hidden FIELD_BOOL named "present" may be absent: JSON input
 *            sets that bool when the key appears, output leaves the struct out while it is false.
 */
#ifndef REEVE_BASE_FIELDS_H
#define REEVE_BASE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum field_kind {
    FIELD_U64,      /* uint64_t; JSON: integer, beyond 2^63-1 text (few readers hold such an integer) */
    FIELD_U32,      /* uint32_t */
    FIELD_I64,      /* int64_t */
    FIELD_I32,      /* int32_t */
    FIELD_BOOL,     /* bool */
    FIELD_ENUM,     /* uint32_t, names in `of` (const struct names *); JSON: the name */
    FIELD_CPU,      /* uint64_t milli-cores; JSON in: number of cores (2, 0.5) or "250m"; out: text "0.5" */
    FIELD_SIZE,     /* uint64_t bytes; JSON in: integer or "4Gi"; out: integer */
    FIELD_DURATION, /* uint64_t ms; JSON in: "30m" or integer ms; out: integer ms */
    FIELD_MONEY,    /* int64_t micro-units; JSON in: "12.50", 12, or 12.5 when exact in six decimals; out: "12.50" */
    FIELD_TIME,     /* int64_t UTC us, years 1 to 9999; JSON: RFC 3339 text */
    FIELD_STR,      /* char *, NULL = absent; UTF-8 */
    FIELD_BYTES,    /* struct bytes; JSON: base64 text */
    FIELD_STRS,     /* struct strs; JSON: array of text (a single text is accepted) */
    FIELD_PAIRS,    /* struct pairs: text -> text, sorted by key, keys unique; JSON: object */
    FIELD_COUNTS,   /* struct counts: name -> uint64, sorted by name; JSON: object of integers */
    FIELD_MONEYS,   /* struct counts: name -> micro-units >= 0; JSON in/out of each value as FIELD_MONEY */
    FIELD_STRUCT,   /* an inner struct, table in `of` (const struct fields *) */
    FIELD_LIST,     /* struct list of structs, table in `of` */
    FIELD_MEASURE,  /* struct measure; JSON: integer, left out when it was not measured. `of` may be a row that says how
                       the number itself is written and bounded (const struct field *): FIELD_CPU, FIELD_SIZE */
    FIELD_KIND_COUNT
};

/* A number that may be absent, and 0 is a number: nothing measured is all zero. */
struct measure {
    uint64_t plus_one;
};
static inline struct measure measure_of(uint64_t value)
{
    return (struct measure){value + 1};
}
static inline bool is_measured(struct measure m)
{
    return m.plus_one != 0;
}
static inline uint64_t measured(struct measure m) /* 0 when it wasn't */
{
    return m.plus_one - is_measured(m);
}
/* As a bound: what is absent bounds nothing. */
static inline uint64_t measured_bound(struct measure m)
{
    return m.plus_one - 1; /* UINT64_MAX */
}
static inline struct measure measure_fewer(struct measure a, struct measure b)
{
    return measured_bound(a) <= measured_bound(b) ? a : b;
}

struct bytes {
    uint8_t *data;
    size_t len;
};
struct strs {
    char **v;
    size_t count;
};
struct pair {
    char *key, *value;
};
struct pairs {
    struct pair *v;
    size_t count;
};
struct count {
    char *name;
    uint64_t value;
};
struct counts {
    struct count *v;
    size_t count;
};
/* A list of structs laid out one after the other; element i of a list of struct x: &((struct x *)l.v)[i]. */
struct list {
    void *v;
    size_t count;
};

/* Names of an enum's values, index = value; a NULL name is a value that doesn't exist. */
struct names {
    const char *const *name;
    size_t count;
};

enum field_flag {
    FIELD_REQUIRED = 1, /* JSON input without it is refused */
    FIELD_HIDDEN = 2,   /* internal: never in JSON, neither in nor out */
    FIELD_OUTPUT = 4,   /* JSON output only: input naming it is refused */
    FIELD_ALWAYS = 8,   /* JSON output writes it even when zero or empty */
    FIELD_ESCAPED = 16, /* FIELD_STR, _STRS, _PAIRS (values) that may hold any text (a script, a line of output):
                           newlines and control characters are fine. JSON input refuses them elsewhere, but tabs. */
    FIELD_UNBOUNDED = 64, /* FIELD_MONEY: -1 means "no limit"; JSON has null for it, both ways */
    FIELD_ALIKE = 128,  /* FIELD_STRUCT that many records say in the same bytes: where the reader remembers them
                           (base/alike.h) it is read once. A struct bytes without a row lies behind the member: what it
                           was read from, borrowed; empty where nobody remembers. */
    FIELD_MAYBE = 256,  /* 0 is absent, which is below no minimum: only who gives a value is held to it.
                           FIELD_COUNTS: an amount of 0 is refused */
    FIELD_KEYED = 32,   /* FIELD_LIST whose JSON is an object: the inner table's first row (a FIELD_STR) is the key */
};

struct field {
    const char *name; /* snake_case; in JSON, YAML, messages and manuals */
    unsigned id : 14; /* > 0, unique in its table, never reused */
    unsigned kind : 8, flags : 10; /* enum field_kind, enum field_flag */
    uint16_t offset, width; /* of the member, in bytes */
    /* Value range; string: bytes; lists: elements. max 0 = the kind's own default bound. Signed kinds read min as
     * int64_t; there, min 0 beside a max means -max, but 0 for FIELD_MONEY. min binds what is present (and all of it
     * in fields_check()): an absent field is not below it. */
    uint64_t min, max;
    const void *of;
    const char *help; /* one line for manuals */
};

struct fields {
    const char *what; /* "job", for messages */
    size_t size;      /* sizeof the struct */
    const struct field *rows;
    size_t count;
    bool plain;       /* nothing in it owns memory: it is copied and let go as it lies there */
};

/* Rows and tables, readable:
 * FIELD_ROW(job_spec, 3, "time_limit", FIELD_DURATION, time_limit_ms, .max = ..., .help = "...") */
#define FIELD_ROW(type, id_, name_, kind_, ...)                                                    \
    {                                                                                              \
        .name = (name_), .id = (id_), .kind = (kind_), FIELD_ROW_MEMBER(type, __VA_ARGS__, )       \
    }
/* The empty last argument spares rows without options an ISO C warning. */
#define FIELD_ROW_MEMBER(type, member, ...)                                                        \
    .offset = offsetof(struct type, member), .width = sizeof(((struct type *)NULL)->member), __VA_ARGS__
#define FIELDS_TABLE(what_, type, rows_)                                                           \
    {                                                                                              \
        .what = (what_), .size = sizeof(struct type), .rows = (rows_), .count = COUNT_OF(rows_)    \
    }

#define FIELDS_TABLE_PLAIN(what_, type, rows_)                                                     \
    {                                                                                              \
        .what = (what_), .size = sizeof(struct type), .rows = (rows_), .count = COUNT_OF(rows_),   \
        .plain = true                                                                              \
    }

#define FIELD_STR_MAX_DEFAULT 1024
#define FIELD_LIST_MAX_DEFAULT 1024
#define FIELD_BYTES_MAX_DEFAULT ((size_t)1 << 20)
#define FIELD_ITEM_MAX 131072 /* bytes of one text in FIELD_STRS and of one value in FIELD_PAIRS (as execve's) */
#define FIELD_KEY_MAX 255     /* bytes of a key in FIELD_PAIRS, FIELD_COUNTS, FIELD_MONEYS */
#define FIELD_ROWS_MAX 64     /* rows of one table */
#define FIELDS_DEPTH_MAX 8
#define FIELDS_SIZE_MAX 2048 /* bytes of one struct; lists and texts lie elsewhere */

void fields_encode(const struct fields *f, const void *object, struct buf *out);
/* -EBADMSG and a text naming the field when the bytes are not a valid record. `object` is overwritten without being
 * cleared, and untouched on failure. */
int fields_decode(const struct fields *f, const void *bytes, size_t len, void *object, struct err *err) MUST_USE;
void fields_clear(const struct fields *f, void *object);
/* Deep copy; `to` is overwritten without being cleared, and untouched on failure. -ENOMEM. */
int fields_copy(const struct fields *f, const void *from, void *to) MUST_USE;
bool fields_equal(const struct fields *f, const void *a, const void *b);
/* Dotted names of what differs, comma-separated, into out: "resources.memory, command". */
void fields_diff(const struct fields *f, const void *a, const void *b, struct buf *out);
/* Every row's range, recursively. -EINVAL: "resources.memory: 0 is below 1Mi". */
int fields_check(const struct fields *f, const void *object, struct err *err) MUST_USE;
const struct field *fields_find(const struct fields *f, const char *name);
/* The row that says whether a struct of this table is there at all (see Presence); NULL: it always is. */
const struct field *fields_presence(const struct fields *f);
/* For tests: is the table itself sound (ids, names, offsets, bounds, depth)? -EINVAL: which row is not, and why. */
int fields_check_table(const struct fields *f, struct err *err) MUST_USE;

/* enum <-> name. names_find gives -1 when there is no such name. */
const char *names_get(const struct names *n, uint32_t value); /* "?" when there is none */
int names_find(const struct names *n, const char *name);
/* "fast, patient" into out: for messages that say what is allowed. */
void names_list(const struct names *n, struct buf *out);

/* Small helpers on the owned kinds. All return -ENOMEM on lack of memory, and have then changed nothing.
 * str_set(NULL) makes the text absent; "" and absent are the same text to encode, equal and JSON. */
int str_set(char **field, const char *text) MUST_USE;
bool str_same(const char *a, const char *b); /* absent equals absent alone */
int strs_add(struct strs *s, const char *text) MUST_USE;
int pairs_set(struct pairs *p, const char *key, const char *value) MUST_USE;
const char *pairs_get(const struct pairs *p, const char *key); /* NULL = absent */
int counts_set(struct counts *c, const char *name, uint64_t value) MUST_USE;
uint64_t counts_get(const struct counts *c, const char *name); /* 0 = absent */
/* Grows the list by one zeroed element of `size` bytes and returns it; NULL on lack of memory. */
void *list_add(struct list *l, size_t size);

#endif
