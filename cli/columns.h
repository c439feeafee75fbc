/*
 * columns - rows of cells, aligned. Cells are built in a buf one by one; the last column is never padded, numbers stand
 * to the right, an empty column is left out. Writes plain text, or, when `width` is given, lines that fit: what doesn't
 * stand beside the others goes to a further line of its row, further in, and the last column is cut.
 */
#ifndef REEVE_CLI_COLUMNS_H
#define REEVE_CLI_COLUMNS_H

#include <stdbool.h>

#include "base/buf.h"

#define COLUMNS_MAX 18

struct column {
    const char *head;
    bool right;
    bool keep; /* shown even when no row has anything in it */
};

struct columns {
    const struct column *columns;
    size_t columns_count;
    struct strs_cells {
        char **v;
        size_t count, size;
    } cells;
    struct buf cell; /* the one being built */
    bool colour;
};

void columns_init(struct columns *t, const struct column *columns, size_t count, bool colour);
void columns_fini(struct columns *t);
/* The next cell's text: append to it, then columns_next(). */
struct buf *columns_cell(struct columns *t);
void columns_next(struct columns *t);
/* columns_cell() with this text (made safe) and columns_next(). NULL = empty. */
void columns_add(struct columns *t, const char *text);
/* Everything, with or without the line of heads, into out; each line begins with `indent` spaces. */
void columns_write(const struct columns *t, bool heads, unsigned indent, int width, struct buf *out);

#endif
