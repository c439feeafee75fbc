/*
 * tree_hint - what somebody may have meant who wrote a key that isn't known, or something else where an object belongs.
 * Internal to base/io/tree*. `given`: a row whose value comes from elsewhere, so the document may not name it; or NULL.
 */
#ifndef REEVE_BASE_IO_TREE_HINT_H
#define REEVE_BASE_IO_TREE_HINT_H

#include "base/io/tree.h"

/* May a document name this row? */
bool tree_takes(const struct tree_options *options, const struct field *row);
/* The keys that a document may name: BETWEEN "a, b, c". */
void tree_add_keys(const struct tree_options *options, const struct fields *f, const struct field *given,
                   const char *between, struct buf *out);
/* "; did you mean 'cpu'?", "; it belongs under 'resources'", or all keys. */
void tree_add_hint(const struct tree_options *options, const struct fields *f, const struct field *given,
                   const char *key, struct buf *out);

#endif
