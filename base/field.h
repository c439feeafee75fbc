/*
 * field - one row of a table: what its value may be and how each kind behaves. The inside of base/fields.h, for
 * those who read and write tables in another shape (JSON, YAML); everybody else stays with fields.h.
 * Purity:   pure (allocates).
 * Contract: field_accept_x() say whether a value may stand in a row: 0, or -EINVAL and a sentence without the place
 *           ("5000 is above 1000"). `value` points at the member itself, not at the object.
 */
#ifndef REEVE_BASE_FIELD_H
#define REEVE_BASE_FIELD_H

#include <string.h>

#include "base/fields.h"
#include "base/parse.h"
#include "base/place.h"
#include "base/wire.h"

/* What every kind can do. Numbers have a size; all others own memory. */
struct field_ops {
    const char *noun;   /* "a size", for messages */
    bool prefixed;      /* on the wire: length and bytes */
    bool repeated;      /* on the wire: one record per element */
    bool is_signed;     /* numbers */
    uint8_t size;       /* numbers: bytes of the member; 0 = not a number */
    uint8_t width;      /* bytes that the member must have, whatever it is; 0 = as its table says (FIELD_STRUCT) */
    uint64_t top;       /* numbers: largest value of the kind when the row has no max */
    int64_t bottom;     /* signed numbers: smallest value of the kind */
    const char *(*format)(const struct field *row, const void *value, char out[PARSE_TEXT_MAX]); /* numbers */
    bool (*is_empty)(const struct field *row, const void *value);
    int (*accept)(const struct field *row, const void *value, struct err *err); /* not into inner structs */
    void (*encode)(const struct field *row, const void *value, struct buf *out, unsigned depth);
    /* Reads one record's value; repeated kinds append. */
    int (*decode)(const struct field *row, struct wire_reader *r, void *value, const struct place *at, unsigned depth,
                  struct err *err);
    void (*clear)(const struct field *row, void *value);
    int (*copy)(const struct field *row, const void *from, void *to); /* `to` is zero; half a copy may be left there */
    bool (*equal)(const struct field *row, const void *a, const void *b);
};
extern const struct field_ops *const field_ops_of[FIELD_KIND_COUNT];
static inline const struct field_ops *field_ops(const struct field *row)
{
    assert(row->kind < FIELD_KIND_COUNT);
    return field_ops_of[row->kind];
}
/* The families they come from: field_numbers.c, field_texts.c, field_maps.c, fields.c. */
extern const struct field_ops field_u64_ops, field_u32_ops, field_i64_ops, field_i32_ops, field_bool_ops,
    field_enum_ops, field_cpu_ops, field_size_ops, field_duration_ops, field_money_ops, field_time_ops,
    field_str_ops, field_bytes_ops, field_strs_ops, field_pairs_ops, field_counts_ops, field_moneys_ops,
    field_struct_ops, field_list_ops, field_measure_ops;

/* All but numbers own memory; those are in the enum before the texts, but for one. */
static inline bool field_owns(const struct field *row)
{
    return row->kind >= FIELD_STR && row->kind != FIELD_MEASURE;
}
/* One record of what isn't empty, checked on its way: what most rows are, without asking their kind. */
void field_put_number(const struct field *row, const void *value, struct buf *out);
void field_put_str(const struct field *row, const char *text, struct buf *out);
/* A number's, as it is read. */
int field_get_number(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                     struct err *err) MUST_USE;

/* All bytes of the member are zero: then it is absent or empty, owns nothing, and nobody needs to ask its kind. Most
 * members of most objects are. */
static inline bool field_is_blank(const struct field *row, const void *value)
{
    const char *at = value;
    uint64_t word;
    uint32_t half;
    switch (row->width) {
    case sizeof(bool): return *at == 0;
    case sizeof half: memcpy(&half, at, sizeof half); return half == 0;
    case sizeof word: memcpy(&word, at, sizeof word); return word == 0; /* most of them */
    default: break;
    }
    memcpy(&word, at, sizeof word); /* whatever has members of these is no shorter; each byte is as the one before */
    return word == 0 && memcmp(at, at + sizeof word, row->width - sizeof word) == 0;
}

static inline void *field_at(const struct field *row, void *object)
{
    return (char *)object + row->offset;
}
static inline const void *field_at_const(const struct field *row, const void *object)
{
    return (const char *)object + row->offset;
}

/* fields_decode() of what a reader has left. Where the reader has an arena, what is read is the arena's and isn't
 * cleared. */
int fields_read(const struct fields *f, struct wire_reader r, void *object, struct err *err) MUST_USE;

/* Does output for people name this row: not hidden, and there is something to say. */
bool field_is_shown(const struct field *row, const void *value);

/* Numbers, whatever their size. */
uint64_t field_get_u64(const struct field *row, const void *value);
int64_t field_get_i64(const struct field *row, const void *value);
void field_set_u64(const struct field *row, void *value, uint64_t number);
void field_set_i64(const struct field *row, void *value, int64_t number);
int field_accept_u64(const struct field *row, uint64_t number, struct err *err) MUST_USE;
int field_accept_i64(const struct field *row, int64_t number, struct err *err) MUST_USE;
/* One value of FIELD_COUNTS or FIELD_MONEYS. */
int field_accept_amount(const struct field *row, uint64_t amount, struct err *err) MUST_USE;

/* Texts: length in bytes and valid UTF-8. */
int field_accept_str(const struct field *row, const char *text, size_t len, struct err *err) MUST_USE;
int field_accept_item(const char *text, size_t len, struct err *err) MUST_USE;
int field_accept_key(const char *text, size_t len, struct err *err) MUST_USE;
int field_accept_bytes(const struct field *row, size_t len, struct err *err) MUST_USE;
/* May the row hold `count` elements, or still grow to them? */
int field_accept_count(const struct field *row, size_t count, struct err *err) MUST_USE;
int field_accept_growth(const struct field *row, size_t count, struct err *err) MUST_USE;

#endif
