/*
 * table - rows and columns, aligned. Cells are built in a buf one by one; the last column is never padded, numbers stand
 * to the right, an empty column is left out. Writes plain text, or nothing but what fits when `width` is given (the
 * last column is cut).
 */
#ifndef REEVE_CLI_TABLE_H
#define REEVE_CLI_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
    const char *head;
    bool right;
    bool keep; /* shown even when no row has anything in it */
};

struct table {
    const struct table_column *columns;
    size_t columns_count;
    struct strs_cells {
        char **v;
        size_t count, size;
    } cells;
    struct buf cell; /* the one being built */
    bool colour;
};

void table_init(struct table *t, const struct table_column *columns, size_t count, bool colour);
void table_fini(struct table *t);
/* The next cell's text: append to it, then table_next(). */
struct buf *table_cell(struct table *t);
void table_next(struct table *t);
/* table_cell() with this text (made safe) and table_next(). NULL = empty. */
void table_add(struct table *t, const char *text);
/* Everything, with or without the line of heads, into out; each line begins with `indent` spaces. */
void table_write(const struct table *t, bool heads, unsigned indent, int width, struct buf *out);

#endif
