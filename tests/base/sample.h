/*
 * sample - a struct with every kind of field, its tables, and random objects of it: for tests and fuzzers.
 */
#ifndef REEVE_TESTS_BASE_SAMPLE_H
#define REEVE_TESTS_BASE_SAMPLE_H

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/fields.h"

struct sample_inner {
    bool present;
    uint32_t first;
    char *label;
    struct strs words;
};
struct sample_item {
    char *name;
    uint64_t size;
    struct list inners; /* struct sample_inner */
};
struct sample {
    uint64_t u64;
    uint32_t u32;
    int64_t i64;
    int32_t i32;
    bool flag;
    uint32_t color;
    uint64_t cpu, size, duration;
    int64_t money, time;
    char *name, *text;
    struct bytes bytes;
    struct strs strs;
    struct pairs pairs;
    struct counts counts, moneys;
    struct sample_inner inner; /* may be absent */
    struct sample_item item;
    struct list items, keyed;  /* struct sample_item */
    int32_t small;             /* -10..10 */
    uint64_t bounded;          /* 5..50 */
    struct measure measure;
    uint32_t hidden;
};

static const char *const sample_colors[] = { "red", "green", NULL, "blue" };
static const struct names sample_color_names = { sample_colors, COUNT_OF(sample_colors) };

static const struct field sample_inner_rows[] = {
    FIELD_ROW(sample_inner, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(sample_inner, 2, "first", FIELD_U32, first, .flags = FIELD_ALWAYS),
    FIELD_ROW(sample_inner, 3, "label", FIELD_STR, label, .max = 300),
    FIELD_ROW(sample_inner, 4, "words", FIELD_STRS, words, .max = 4),
};
static const struct fields sample_inner_fields = FIELDS_TABLE("inner", sample_inner, sample_inner_rows);

static const struct field sample_item_rows[] = {
    FIELD_ROW(sample_item, 1, "name", FIELD_STR, name, .max = 60),
    FIELD_ROW(sample_item, 2, "size", FIELD_SIZE, size),
    FIELD_ROW(sample_item, 3, "inners", FIELD_LIST, inners, .of = &sample_inner_fields, .max = 5),
};
static const struct fields sample_item_fields = FIELDS_TABLE("item", sample_item, sample_item_rows);

static const struct field sample_rows[] = {
    FIELD_ROW(sample, 1, "u64", FIELD_U64, u64),
    FIELD_ROW(sample, 2, "u32", FIELD_U32, u32),
    FIELD_ROW(sample, 3, "i64", FIELD_I64, i64),
    FIELD_ROW(sample, 4, "i32", FIELD_I32, i32, .flags = FIELD_ALWAYS),
    FIELD_ROW(sample, 5, "flag", FIELD_BOOL, flag),
    FIELD_ROW(sample, 6, "color", FIELD_ENUM, color, .of = &sample_color_names),
    FIELD_ROW(sample, 7, "cpu", FIELD_CPU, cpu),
    FIELD_ROW(sample, 8, "size", FIELD_SIZE, size),
    FIELD_ROW(sample, 9, "duration", FIELD_DURATION, duration),
    FIELD_ROW(sample, 10, "money", FIELD_MONEY, money),
    FIELD_ROW(sample, 11, "time", FIELD_TIME, time),
    FIELD_ROW(sample, 12, "name", FIELD_STR, name),
    FIELD_ROW(sample, 13, "text", FIELD_STR, text, .flags = FIELD_ESCAPED, .max = 5000),
    FIELD_ROW(sample, 14, "bytes", FIELD_BYTES, bytes, .max = 1000),
    FIELD_ROW(sample, 15, "strs", FIELD_STRS, strs, .max = 20),
    FIELD_ROW(sample, 16, "pairs", FIELD_PAIRS, pairs, .flags = FIELD_ESCAPED),
    FIELD_ROW(sample, 17, "counts", FIELD_COUNTS, counts),
    FIELD_ROW(sample, 18, "moneys", FIELD_MONEYS, moneys),
    FIELD_ROW(sample, 19, "inner", FIELD_STRUCT, inner, .of = &sample_inner_fields),
    FIELD_ROW(sample, 20, "item", FIELD_STRUCT, item, .of = &sample_item_fields, .flags = FIELD_ALWAYS),
    FIELD_ROW(sample, 21, "items", FIELD_LIST, items, .of = &sample_item_fields, .max = 6),
    FIELD_ROW(sample, 22, "keyed", FIELD_LIST, keyed, .of = &sample_item_fields, .flags = FIELD_KEYED, .max = 6),
    FIELD_ROW(sample, 23, "small", FIELD_I32, small, .max = 10),
    FIELD_ROW(sample, 2000, "bounded", FIELD_U64, bounded, .min = 5, .max = 50),
    FIELD_ROW(sample, 26, "measure", FIELD_MEASURE, measure),
    FIELD_ROW(sample, 25, "hidden", FIELD_U32, hidden, .flags = FIELD_HIDDEN),
};
static const struct fields sample_fields = FIELDS_TABLE("sample", sample, sample_rows);

/* --- random objects: the seed is printed by whoever fails ----------------------------------------------------- */

static inline uint64_t sample_seed(void)
{
    const char *given = getenv("REEVE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 0;
    if (seed == 0 && getrandom(&seed, sizeof seed, 0) != sizeof seed)
        abort();
    return seed | 1;
}

static inline uint64_t sample_random(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t sample_below(uint64_t *seed, uint64_t limit)
{
    return sample_random(seed) % limit;
}

/* Often 0, often an edge, of any magnitude. */
static inline uint64_t sample_number(uint64_t *seed, uint64_t max)
{
    switch (sample_below(seed, 6)) {
    case 0:
        return 0;
    case 1:
        return max;
    default:
        return (sample_random(seed) >> sample_below(seed, 64)) & max;
    }
}

static inline int64_t sample_signed(uint64_t *seed, int64_t min, int64_t max)
{
    int64_t n = (int64_t)sample_number(seed, INT64_MAX);
    n = sample_below(seed, 2) == 0 ? n : -n - 1;
    return n < min ? min : n > max ? max : n;
}

static inline void sample_must(bool done)
{
    if (!done)
        abort(); /* no memory: no test */
}

/* At most 16 characters; any UTF-8, control characters only when `escaped`. NULL now and then. */
static inline char *sample_text(uint64_t *seed, bool escaped, bool always)
{
    static const char *const parts[] = {
        "a", "Z", "7", " ", "\t", "\"", "\\", "/", ":", "#", "- ", "{", "]", "'", "é", "€", "\xf0\x9f\x9a\x80",
        "true", "~", "null", "1.50", "=", ",", "&x", "*", "!", "%", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbf",
        "\xc2\xa0", "\xee\x80\x80",
    };
    static const char *const controls[] = { "\n", "\r", "\x01", "\x1b[31m", "\x7f", "\xc2\x9b", "\n\n  ", "\b\f" };
    struct buf b = { 0 };
    if (!always && sample_below(seed, 3) == 0)
        return NULL;
    for (uint64_t n = sample_below(seed, 16) + 1; n > 0; n--) {
        if (escaped && sample_below(seed, 4) == 0)
            buf_add_str(&b, controls[sample_below(seed, COUNT_OF(controls))]);
        else
            buf_add_str(&b, parts[sample_below(seed, COUNT_OF(parts))]);
    }
    char *text = buf_take(&b);
    sample_must(text != NULL);
    return text;
}

static inline void sample_fill_strs(uint64_t *seed, struct strs *s, uint64_t most)
{
    for (uint64_t n = sample_below(seed, most + 1); n > 0; n--) {
        CLEANUP(free_p) char *text = sample_text(seed, false, false);
        sample_must(strs_add(s, text != NULL ? text : "") == 0);
    }
}

static inline void sample_fill_inner(uint64_t *seed, struct sample_inner *inner)
{
    inner->present = true;
    inner->first = (uint32_t)sample_number(seed, UINT32_MAX);
    inner->label = sample_text(seed, false, false);
    sample_fill_strs(seed, &inner->words, 4);
}

static inline void sample_fill_item(uint64_t *seed, struct sample_item *item, const char *name)
{
    sample_must(str_set(&item->name, name) == 0);
    item->size = sample_number(seed, UINT64_MAX);
    for (uint64_t n = sample_below(seed, 4); n > 0; n--)
        sample_fill_inner(seed, list_add(&item->inners, sizeof(struct sample_inner)));
}

static inline void sample_fill_items(uint64_t *seed, struct list *l)
{
    char name[16];
    for (uint64_t i = 0, n = sample_below(seed, 6); i < n; i++) {
        snprintf(name, sizeof name, "item%d", (int)i);
        sample_fill_item(seed, list_add(l, sizeof(struct sample_item)), name);
    }
}

static inline void sample_fill_maps(uint64_t *seed, struct sample *s)
{
    for (uint64_t n = sample_below(seed, 6); n > 0; n--) {
        CLEANUP(free_p) char *key = sample_text(seed, false, true);
        CLEANUP(free_p) char *value = sample_text(seed, true, false);
        sample_must(pairs_set(&s->pairs, key, value) == 0);
        sample_must(counts_set(&s->counts, key, sample_number(seed, UINT64_MAX)) == 0);
        sample_must(counts_set(&s->moneys, key, sample_number(seed, INT64_MAX)) == 0);
    }
}

static inline void sample_fill(uint64_t *seed, struct sample *s)
{
    static const uint32_t colors[] = { 0, 1, 3 };
    *s = (struct sample){ 0 };
    s->u64 = sample_number(seed, UINT64_MAX);
    s->u32 = (uint32_t)sample_number(seed, UINT32_MAX);
    s->i64 = sample_signed(seed, INT64_MIN, INT64_MAX);
    s->i32 = (int32_t)sample_signed(seed, INT32_MIN, INT32_MAX);
    s->flag = sample_below(seed, 2) == 0;
    s->color = colors[sample_below(seed, COUNT_OF(colors))];
    s->cpu = sample_number(seed, UINT64_MAX);
    s->size = sample_number(seed, UINT64_MAX);
    s->duration = sample_number(seed, UINT64_MAX);
    s->money = sample_signed(seed, INT64_MIN, INT64_MAX);
    s->time = sample_signed(seed, INT64_C(-62135596800000000), INT64_C(253402300799999999));
    s->name = sample_text(seed, false, false);
    s->text = sample_text(seed, true, false);
    s->bytes.len = sample_below(seed, 40);
    s->bytes.data = s->bytes.len > 0 ? malloc(s->bytes.len) : NULL;
    for (size_t i = 0; i < s->bytes.len; i++)
        s->bytes.data[i] = (uint8_t)sample_random(seed);
    sample_fill_strs(seed, &s->strs, 20);
    sample_fill_maps(seed, s);
    if (sample_below(seed, 2) == 0)
        sample_fill_inner(seed, &s->inner);
    sample_fill_item(seed, &s->item, sample_below(seed, 2) == 0 ? "one" : NULL);
    sample_fill_items(seed, &s->items);
    sample_fill_items(seed, &s->keyed);
    if (sample_below(seed, 3) > 0)
        s->measure = measure_of(sample_number(seed, INT64_MAX));
    s->small = (int32_t)sample_signed(seed, -10, 10);
    s->bounded = sample_below(seed, 2) == 0 ? 0 : 5 + sample_below(seed, 46);
}

#endif
