/*
 * where - which nodes a job may run on, by their labels:  zone == eu && disk != hdd && mem_gen >= 4
 *
 *   all    = each { "||" each }            each = unit { "&&" unit }
 *   unit   = "(" all ")" | "!" "(" all ")" | "!" exists | exists | test
 *   exists = "exists" LABEL
 *   test   = LABEL "==" VALUE | LABEL "!=" VALUE | LABEL "in" "(" VALUE { "," VALUE } ")"
 *          | LABEL ("<" | "<=" | ">" | ">=") NUMBER
 *
 * Labels and values are words of letters, digits and ._-/:+@, or any printable text in double quotes; `in` and `exists`
 * are words only in quotes. The label `node` is the node's own name.
 * Meaning: == compares texts. A label that isn't there equals nothing, so != holds there and every other test doesn't.
 *          <, <=, >, >= compare numbers of at most six decimals; a label that is no such number passes none of them.
 * Bounds:  WHERE_TEXT_MAX bytes, WHERE_PARTS_MAX tests and operators, WHERE_DEPTH_MAX parentheses deep: to parse, to
 *          ask and to print one takes no memory beyond its own and a stack that these bound.
 * Purity:  pure. Parsed, it is a value: it may be copied, and nothing in it points anywhere.
 */
#ifndef REEVE_BASE_WHERE_H
#define REEVE_BASE_WHERE_H

#include "base/fields.h"

#define WHERE_TEXT_MAX 1024
#define WHERE_PARTS_MAX 128
#define WHERE_DEPTH_MAX 16
#define WHERE_NODE "node" /* the label that every node has */

struct where_part {
    uint8_t kind;    /* of where.c */
    uint8_t values;  /* of a test */
    uint16_t a, b;   /* parts; or words: the label, the first value */
    int64_t micros;  /* the number that it compares with */
};
struct where {
    uint16_t count, root, words_len;
    struct where_part parts[WHERE_PARTS_MAX];
    char words[WHERE_TEXT_MAX + 1];
};

/* -EINVAL: what is wrong, and at which character. *ret is then not to be used. */
int where_parse(const char *text, struct where *ret, struct err *err) MUST_USE;
/* The text that equal conditions share as far as spaces, needless quotes and parentheses go; it reads back as the same.
 * Cut off where `out` is bounded. */
void where_format(const struct where *w, struct buf *out);
bool where_matches(const struct where *w, const char *node, const struct pairs *labels);
/* How many of the conditions that "&&" joins at the top don't hold there; `out` gets them, joined the same way. */
unsigned where_lacks(const struct where *w, const char *node, const struct pairs *labels, struct buf *out);

#endif
