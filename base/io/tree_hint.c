#include "base/field.h"
#include "base/io/tree_hint.h"
#include "base/nearest.h"

bool tree_takes(const struct tree_options *options, const struct field *row)
{
    return (row->flags & FIELD_HIDDEN) == 0 && (options->lenient || (row->flags & FIELD_OUTPUT) == 0);
}

void tree_add_keys(const struct tree_options *options, const struct fields *f, const struct field *given,
                   const char *between, struct buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        if (!tree_takes(options, &f->rows[i]) || &f->rows[i] == given)
            continue;
        buf_add_str(out, between);
        buf_add_str(out, f->rows[i].name);
        between = ", ";
    }
}

void tree_add_hint(const struct tree_options *options, const struct fields *f, const struct field *given,
                   const char *key, struct buf *out)
{
    struct nearest meant = nearest_to(key);
    const struct field *under = NULL;
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        if (!tree_takes(options, row) || row == given)
            continue;
        nearest_offer(&meant, row->name);
        if (row->kind == FIELD_STRUCT && fields_find(row->of, key) != NULL)
            under = row;
    }
    if (under != NULL)
        buf_addf(out, "; it belongs under '%s'", under->name);
    else if (meant.name != NULL)
        buf_addf(out, "; did you mean '%s'?", meant.name);
    else
        tree_add_keys(options, f, given, "; known here: ", out);
}
