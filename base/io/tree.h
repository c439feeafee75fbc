/*
 * tree - a parsed document, whatever it was written in, and the one way from there into a struct: JSON and YAML
 * differ in how they are scanned, never in what is accepted or in the sentence that refuses it.
 * Ownership: nodes and copied texts live in the tree until tree_fini(); texts given by reference must live as long.
 * Bound:     TREE_DEPTH_MAX levels; the size is bounded by the input's.
 */
#ifndef REEVE_BASE_IO_TREE_H
#define REEVE_BASE_IO_TREE_H

#include "base/fields.h"

#define TREE_DEPTH_MAX 64
#define TREE_FIRST_BLOCK 4096

enum tree_kind { TREE_NULL, TREE_BOOL, TREE_INT, TREE_REAL, TREE_STR, TREE_LIST, TREE_MAP };

struct tree_node {
    enum tree_kind kind;
    bool boolean;             /* TREE_BOOL */
    uint32_t line, column;    /* from 1; 0 = unknown */
    uint32_t key_line, key_column;
    const char *key;          /* in a map: valid UTF-8 without NUL */
    const char *text;         /* TREE_STR; numbers and booleans: as written, NULL when that is lost */
    size_t len;               /* of text */
    union {
        int64_t integer;      /* TREE_INT */
        double real;          /* TREE_REAL */
        struct {
            struct tree_node *first, *last;
            size_t count;
        };                    /* TREE_LIST, TREE_MAP */
    };
    struct tree_node *next;   /* in the list or map */
};

struct tree_block;
struct tree {
    struct tree_block *blocks; /* beyond the first one */
    size_t used, size;         /* of the newest block */
    char *block;
    _Alignas(max_align_t) char first_block[TREE_FIRST_BLOCK];
};

void tree_init(struct tree *t);
void tree_fini(struct tree *t);
/* A zeroed node; appended to `parent` unless that is NULL. NULL on lack of memory. */
struct tree_node *tree_add(struct tree *t, struct tree_node *parent, enum tree_kind kind);
/* A NUL-terminated copy; NULL on lack of memory. */
char *tree_copy(struct tree *t, const char *text, size_t len);
/* Of two nodes of a map with one key the later one; NULL = keys are unique, or (*ret_rc) memory lacks. */
const struct tree_node *tree_duplicate(const struct tree_node *map, int *ret_rc);

struct tree_options {
    const char *name;  /* of a file: messages begin with "name:line:column: "; NULL: with the place in the object */
    bool lenient;      /* for peers of another version: unknown keys are skipped, FIELD_OUTPUT rows are read */
    bool foreign;      /* for formats of others: a key with null counts as left out */
};
/* `root` NULL or TREE_NULL is an empty object; so is a table of NULL. `object` is overwritten without being cleared,
 * untouched on failure. -EINVAL, -ENOMEM. */
int tree_read(const struct fields *f, const struct tree_node *root, const struct tree_options *options, void *object,
              struct err *err) MUST_USE;

#endif
