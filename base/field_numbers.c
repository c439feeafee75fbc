/* The kinds of base/fields.h that are one number. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/field.h"

#define TIME_FIRST_US (INT64_C(-62135596800) * 1000000)      /* year 1 */
#define TIME_LAST_US (INT64_C(253402300800) * 1000000 - 1)   /* end of year 9999 */

uint64_t field_get_u64(const struct field *row, const void *value)
{
    uint32_t word = 0;
    uint64_t wide = 0;
    switch (field_ops(row)->size) {
    case sizeof wide:
        memcpy(&wide, value, sizeof wide);
        return wide;
    case sizeof word:
        memcpy(&word, value, sizeof word);
        return word;
    default:
        return *(const bool *)value;
    }
}

int64_t field_get_i64(const struct field *row, const void *value)
{
    int32_t word = 0;
    int64_t wide = 0;
    if (field_ops(row)->size == sizeof word) {
        memcpy(&word, value, sizeof word);
        return word;
    }
    memcpy(&wide, value, sizeof wide);
    return wide;
}

void field_set_u64(const struct field *row, void *value, uint64_t number)
{
    uint32_t word = (uint32_t)number;
    switch (field_ops(row)->size) {
    case sizeof(bool):
        *(bool *)value = number != 0;
        break;
    case sizeof word:
        memcpy(value, &word, sizeof word);
        break;
    default:
        memcpy(value, &number, sizeof number);
        break;
    }
}

void field_set_i64(const struct field *row, void *value, int64_t number)
{
    int32_t word = (int32_t)number;
    if (field_ops(row)->size == sizeof word)
        memcpy(value, &word, sizeof word);
    else
        memcpy(value, &number, sizeof number);
}

/* --- as people read them ---------------------------------------------------------------------------------- */

static const char *format_u64(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    snprintf(out, PARSE_TEXT_MAX, "%" PRIu64, field_get_u64(row, value));
    return out;
}

static const char *format_i64(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    snprintf(out, PARSE_TEXT_MAX, "%" PRId64, field_get_i64(row, value));
    return out;
}

static const char *format_bool(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    snprintf(out, PARSE_TEXT_MAX, "%s", field_get_u64(row, value) != 0 ? "true" : "false");
    return out;
}

static const char *format_as_cpu(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    return format_cpu(field_get_u64(row, value), out);
}

static const char *format_as_size(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    return format_size(field_get_u64(row, value), out);
}

static const char *format_as_duration(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    return format_duration(field_get_u64(row, value), out);
}

static const char *format_as_money(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    return format_money(field_get_i64(row, value), out);
}

static const char *format_as_time(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    return format_time(field_get_i64(row, value), out);
}

static const char *format_measure(const struct field *row, const void *value, char out[PARSE_TEXT_MAX])
{
    const struct measure *m = value;
    uint64_t number = measured(*m);
    if (row->of != NULL && is_measured(*m))
        return field_ops(row->of)->format(row->of, &number, out);
    snprintf(out, PARSE_TEXT_MAX, is_measured(*m) ? "%" PRIu64 : "null", measured(*m));
    return out;
}

/* --- ranges ----------------------------------------------------------------------------------------------- */

static int outside(const struct field *row, uint64_t bits, const char *side, uint64_t bound_bits, struct err *err)
{
    char found[PARSE_TEXT_MAX];
    char bound[PARSE_TEXT_MAX];
    const struct field wide = { .kind = row->kind }; /* the bits as 64-bit numbers, whatever the member's size */
    if (field_ops(row)->size == sizeof(uint64_t)) {
        field_ops(&wide)->format(&wide, &bits, found);
        field_ops(&wide)->format(&wide, &bound_bits, bound);
    } else if (field_ops(row)->is_signed) {
        snprintf(found, sizeof found, "%" PRId64, (int64_t)bits);
        snprintf(bound, sizeof bound, "%" PRId64, (int64_t)bound_bits);
    } else {
        snprintf(found, sizeof found, "%" PRIu64, bits);
        snprintf(bound, sizeof bound, "%" PRIu64, bound_bits);
    }
    return err_set(err, -EINVAL, "%s is %s %s", found, side, bound);
}

int field_accept_u64(const struct field *row, uint64_t number, struct err *err)
{
    uint64_t top = field_ops(row)->top;
    if (row->kind == FIELD_ENUM) {
        const struct names *names = row->of;
        if (number < names->count && names->name[number] != NULL)
            return 0;
        return err_set(err, -EINVAL, "there is no value %" PRIu64, number);
    }
    if (row->max != 0)
        top = MIN(top, row->max);
    if (number > top)
        return outside(row, number, "above", top, err);
    if (number < row->min)
        return outside(row, number, "below", row->min, err);
    return 0;
}

static int64_t bottom_of(const struct field *row)
{
    if (row->min != 0)
        return (int64_t)row->min;
    if (row->max == 0)
        return field_ops(row)->bottom;
    return row->kind == FIELD_MONEY ? 0 : MAX(field_ops(row)->bottom, -(int64_t)MIN(row->max, (uint64_t)INT64_MAX));
}

int field_accept_i64(const struct field *row, int64_t number, struct err *err)
{
    int64_t top = (int64_t)field_ops(row)->top;
    int64_t bottom = bottom_of(row);
    if (row->max != 0)
        top = MIN(top, (int64_t)MIN(row->max, (uint64_t)INT64_MAX));
    if (number > top)
        return outside(row, (uint64_t)number, "above", (uint64_t)top, err);
    if (number < bottom)
        return outside(row, (uint64_t)number, "below", (uint64_t)bottom, err);
    return 0;
}

/* --- what every kind can do ------------------------------------------------------------------------------- */

static bool is_zero(const struct field *row, const void *value)
{
    return field_ops(row)->is_signed ? field_get_i64(row, value) == 0 : field_get_u64(row, value) == 0;
}

static int accept(const struct field *row, const void *value, struct err *err)
{
    return field_ops(row)->is_signed ? field_accept_i64(row, field_get_i64(row, value), err)
                                     : field_accept_u64(row, field_get_u64(row, value), err);
}

#define NUMBER_MAX (2 * WIRE_U64_MAX) /* bytes of tag and value */

static inline size_t written(const struct field *row, uint64_t number, uint8_t out[NUMBER_MAX])
{
    size_t len = wire_u64(out, (uint64_t)row->id << 1);
    return len + wire_u64(out + len, number);
}

/* Any 64 bits will do: so it is with most. */
static bool is_plain(const struct field *row)
{
    return (row->min | row->max) == 0 && field_ops(row)->top == UINT64_MAX;
}

/* Where there may be no room: apart, as what has a row of bytes of its own is guarded, which takes its time. */
static __attribute__((noinline)) void grow_and_put(const struct field *row, uint64_t number, struct buf *out)
{
    uint8_t bytes[NUMBER_MAX];
    buf_add(out, bytes, written(row, number, bytes));
}

void field_put_number(const struct field *row, const void *value, struct buf *out)
{
    uint64_t number;
    bool fits;
    if (field_ops(row)->is_signed) {
        int64_t n = field_get_i64(row, value);
        fits = field_accept_i64(row, n, NULL) == 0;
        number = wire_zigzag(n);
    } else {
        number = field_get_u64(row, value);
        fits = is_plain(row) || field_accept_u64(row, number, NULL) == 0;
    }
    if (!fits)
        out->failed = true;
    else if (buf_has_room(out, NUMBER_MAX))
        buf_wrote(out, written(row, number, (uint8_t *)out->data + out->len));
    else
        grow_and_put(row, number, out);
}

static void encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    field_put_number(row, value, out);
}

static int decode_unsigned(const struct field *row, struct wire_reader *r, void *value, struct err *err)
{
    uint64_t number = wire_get_u64(r);
    if (r->bad)
        return err_set(err, -EBADMSG, "cut short");
    if (is_plain(row)) {
        memcpy(value, &number, sizeof number);
        return 0;
    }
    if (field_accept_u64(row, number, err) < 0)
        return -EBADMSG;
    field_set_u64(row, value, number);
    return 0;
}

static int decode_signed(const struct field *row, struct wire_reader *r, void *value, struct err *err)
{
    int64_t number = wire_get_i64(r);
    if (r->bad)
        return err_set(err, -EBADMSG, "cut short");
    if (field_accept_i64(row, number, err) < 0)
        return -EBADMSG;
    field_set_i64(row, value, number);
    return 0;
}

int field_get_number(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                     struct err *err)
{
    int rc = field_ops(row)->is_signed ? decode_signed(row, r, value, err) : decode_unsigned(row, r, value, err);
    return rc < 0 ? place_wrap(at, rc, err) : 0;
}

static int decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                  unsigned depth UNUSED, struct err *err)
{
    return field_get_number(row, r, value, at, err);
}

static void clear(const struct field *row, void *value)
{
    memset(value, 0, field_ops(row)->size);
}

static int copy(const struct field *row, const void *from, void *to)
{
    memcpy(to, from, field_ops(row)->size);
    return 0;
}

static bool equal(const struct field *row, const void *a, const void *b)
{
    return memcmp(a, b, field_ops(row)->size) == 0;
}

#define NUMBER_OPS(noun_, type, top_, bottom_, format_)                                            \
    {                                                                                              \
        .noun = (noun_), .size = sizeof(type), .width = sizeof(type), .is_signed = (bottom_) != 0, \
        .top = (top_), .bottom = (bottom_), .format = (format_), .is_empty = is_zero,              \
        .accept = accept, .encode = encode, .decode = decode, .clear = clear, .copy = copy, .equal = equal,          \
    }

const struct field_ops field_u64_ops = NUMBER_OPS("a whole number", uint64_t, UINT64_MAX, 0, format_u64);
const struct field_ops field_u32_ops = NUMBER_OPS("a whole number", uint32_t, UINT32_MAX, 0, format_u64);
const struct field_ops field_i64_ops = NUMBER_OPS("a whole number", int64_t, INT64_MAX, INT64_MIN, format_i64);
const struct field_ops field_i32_ops = NUMBER_OPS("a whole number", int32_t, INT32_MAX, INT32_MIN, format_i64);
const struct field_ops field_bool_ops = NUMBER_OPS("true or false", bool, 1, 0, format_bool);
const struct field_ops field_enum_ops = NUMBER_OPS("a name", uint32_t, UINT32_MAX, 0, format_u64);
const struct field_ops field_cpu_ops = NUMBER_OPS("a number of cores", uint64_t, UINT64_MAX, 0, format_as_cpu);
const struct field_ops field_size_ops = NUMBER_OPS("a size", uint64_t, UINT64_MAX, 0, format_as_size);
const struct field_ops field_duration_ops = NUMBER_OPS("a duration", uint64_t, UINT64_MAX, 0, format_as_duration);
const struct field_ops field_money_ops = NUMBER_OPS("an amount", int64_t, INT64_MAX, INT64_MIN, format_as_money);
/* As bytes it is the number one above: what was not measured takes no room, and what was 0 does. */
const struct field_ops field_measure_ops = NUMBER_OPS("a whole number", struct measure, UINT64_MAX, 0, format_measure);
const struct field_ops field_time_ops = NUMBER_OPS("a time", int64_t, TIME_LAST_US, TIME_FIRST_US, format_as_time);
