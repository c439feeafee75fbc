#include "cli/columns.h"

#include <string.h>

#include "cli/format.h"

#define GAP 2
#define LAST_LEAST 10 /* of the last column on a line with others; with less room it has one of its own */
#define FOLD_INDENT 4

void columns_init(struct columns *t, const struct column *columns, size_t count, bool colour)
{
    assert(count <= COLUMNS_MAX);
    *t = (struct columns){.columns = columns, .columns_count = count, .colour = colour};
}

void columns_fini(struct columns *t)
{
    for (size_t i = 0; i < t->cells.count; i++)
        free(t->cells.v[i]);
    free(t->cells.v);
    buf_fini(&t->cell);
    t->cells = (struct strs_cells){0};
}

struct buf *columns_cell(struct columns *t)
{
    return &t->cell;
}

void columns_next(struct columns *t)
{
    struct strs_cells *c = &t->cells;
    if (c->count == c->size) {
        size_t size = c->size > 0 ? c->size * 2 : 64;
        char **grown = reallocarray(c->v, size, sizeof *grown);
        if (grown == NULL)
            abort(); /* a program for a person, out of memory: there is nothing to show */
        c->v = grown;
        c->size = size;
    }
    c->v[c->count++] = buf_take(&t->cell);
    t->cell = (struct buf){0};
}

void columns_add(struct columns *t, const char *text)
{
    format_safe(&t->cell, text);
    columns_next(t);
}

static const char *cell(const struct columns *t, size_t row, size_t column)
{
    size_t i = row * t->columns_count + column;
    return i < t->cells.count && t->cells.v[i] != NULL ? t->cells.v[i] : "";
}

static void pad(struct buf *out, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        buf_add_str(out, " ");
}

struct layout {
    size_t width[COLUMNS_MAX];
    bool shown[COLUMNS_MAX];
    bool folded[COLUMNS_MAX]; /* begins a further line of its row */
    size_t last; /* shown one */
};

static void fold(const struct columns *t, struct layout *l, unsigned indent, int width)
{
    size_t begin = indent, used = begin;
    for (size_t c = 0; c < t->columns_count && width > 0; c++) {
        if (!l->shown[c])
            continue;
        size_t least = c == l->last ? MIN(l->width[c], (size_t)LAST_LEAST) : l->width[c];
        l->folded[c] = used > begin && used + least > (size_t)width;
        if (l->folded[c])
            used = begin = indent + FOLD_INDENT;
        used += l->width[c] + GAP;
    }
}

static struct layout lay_out(const struct columns *t, bool heads, unsigned indent, int width)
{
    struct layout l = {0};
    size_t rows = t->columns_count == 0 ? 0 : (t->cells.count + t->columns_count - 1) / t->columns_count;
    for (size_t c = 0; c < t->columns_count; c++) {
        for (size_t r = 0; r < rows; r++)
            l.width[c] = MAX(l.width[c], format_columns(cell(t, r, c)));
        l.shown[c] = l.width[c] > 0 || t->columns[c].keep;
        if (!l.shown[c])
            continue;
        if (heads)
            l.width[c] = MAX(l.width[c], format_columns(t->columns[c].head));
        l.last = c;
    }
    fold(t, &l, indent, width);
    return l;
}

/* Cuts at a character, never inside one, and closes a colour that was opened. */
static void add_cut(struct buf *out, const char *text, size_t room)
{
    if (format_columns(text) <= room) {
        buf_add_str(out, text);
        return;
    }
    size_t columns = 0;
    bool coloured = false;
    for (const char *p = text; *p != '\0' && columns + 1 < room;) {
        size_t len = 1;
        if (*p == '\033') {
            coloured = true;
            len = strcspn(p, "m") + 1;
        } else {
            while (((unsigned char)p[len] & 0xc0) == 0x80)
                len++;
            columns++;
        }
        buf_add(out, p, MIN(len, strlen(p)));
        p += MIN(len, strlen(p));
    }
    buf_add_str(out, coloured ? "\033[0m\xe2\x80\xa6" : "\xe2\x80\xa6");
}

static void write_cell(const struct columns *t, const struct layout *l, size_t c, const char *text, size_t used,
                       int width, struct buf *out)
{
    size_t columns = format_columns(text);
    size_t space = columns < l->width[c] ? l->width[c] - columns : 0;
    if (t->columns[c].right)
        pad(out, space);
    if (c == l->last && width > 0 && (size_t)width > used + 8)
        add_cut(out, text, (size_t)width - used);
    else
        buf_add_str(out, text);
    if (!t->columns[c].right && c != l->last)
        pad(out, space);
}

/* Without the spaces at its end; a further line with nothing in it is none. */
static void end_line(struct buf *out, size_t begin, bool further)
{
    while (out->len > begin && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    if (!further || out->len > begin)
        buf_add_str(out, "\n");
}

static void write_row(const struct columns *t, const struct layout *l, size_t row, bool head, unsigned indent,
                      int width, struct buf *out)
{
    size_t used = indent, begin = out->len;
    bool further = false;
    pad(out, indent);
    for (size_t c = 0; c < t->columns_count; c++) {
        if (!l->shown[c])
            continue;
        if (l->folded[c]) {
            end_line(out, begin, further);
            further = true;
            begin = out->len;
            used = indent + FOLD_INDENT;
            pad(out, used);
        }
        if (head && t->colour) {
            struct buf styled = {0};
            format_styled(&styled, true, STYLE_HEAD, t->columns[c].head);
            write_cell(t, l, c, buf_text(&styled), used, width, out);
            buf_fini(&styled);
        } else {
            write_cell(t, l, c, head ? t->columns[c].head : cell(t, row, c), used, width, out);
        }
        used += l->width[c] + GAP;
        if (c != l->last)
            pad(out, GAP);
    }
    end_line(out, begin, further);
}

void columns_write(const struct columns *t, bool heads, unsigned indent, int width, struct buf *out)
{
    struct layout l = lay_out(t, heads, indent, width);
    if (heads)
        write_row(t, &l, 0, true, indent, width, out);
    for (size_t row = 0; row * t->columns_count < t->cells.count; row++)
        write_row(t, &l, row, false, indent, width, out);
}
