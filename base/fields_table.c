/* Is a table itself sound? A mistake in a row would be found late and far away; tests ask here instead. */
#include <errno.h>
#include <string.h>

#include "base/field.h"

static int unsound(const struct fields *f, const struct field *row, const char *why, struct err *err)
{
    return err_set(err, -EINVAL, "table '%s', row '%s': %s", f->what, row->name != NULL ? row->name : "?", why);
}

static const char *fault_of(const struct field *row)
{
    bool inner = row->kind == FIELD_STRUCT || row->kind == FIELD_LIST;
    bool range = row->max != 0 && !field_ops(row)->is_signed;
    if (row->kind != FIELD_MEASURE && (inner || row->kind == FIELD_ENUM) != (row->of != NULL))
        return row->of != NULL ? "`of` is for structs, lists, enums and measures" : "`of` is missing";
    if (range && row->min > row->max)
        return "min is above max";
    if (field_ops(row)->size != 0 && !field_ops(row)->is_signed && row->max > field_ops(row)->top)
        return "max does not fit the kind";
    if ((row->flags & FIELD_KEYED) != 0 && row->kind != FIELD_LIST)
        return "only a list is keyed";
    if ((row->flags & FIELD_KEYED) != 0) {
        const struct fields *of = row->of;
        if (of->count == 0 || of->rows[0].kind != FIELD_STR)
            return "a keyed list needs a text as the first inner row";
    }
    if ((row->flags & FIELD_ESCAPED) != 0 && row->kind != FIELD_STR && row->kind != FIELD_STRS &&
        row->kind != FIELD_PAIRS)
        return "only texts are escaped";
    if ((row->flags & FIELD_ALIKE) != 0 && row->kind != FIELD_STRUCT)
        return "only a struct is alike";
    if ((row->flags & FIELD_REQUIRED) != 0 && (row->flags & (FIELD_HIDDEN | FIELD_OUTPUT)) != 0)
        return "required, but no input may name it";
    return NULL;
}

static size_t must_be_wide(const struct field *row)
{
    uint8_t width = field_ops(row)->width;
    return width != 0 ? width : ((const struct fields *)row->of)->size;
}

static int check_row(const struct fields *f, size_t i, struct err *err)
{
    const struct field *row = &f->rows[i];
    if (row->name == NULL || row->name[0] == '\0' || row->id == 0 || row->kind >= FIELD_KIND_COUNT)
        return unsound(f, row, "a name, an id above 0 and a kind are needed", err);
    const char *fault = fault_of(row);
    if (fault != NULL)
        return unsound(f, row, fault, err);
    size_t end = (size_t)row->offset + row->width;
    if (row->width != must_be_wide(row))
        return unsound(f, row, "its member is of another type", err);
    if (row->width < sizeof(uint64_t) && row->width != sizeof(uint32_t) && row->width != sizeof(bool))
        return unsound(f, row, "narrower than anybody reads (field_is_blank)", err);
    if ((row->flags & FIELD_ALIKE) != 0)
        end += sizeof(struct bytes);
    if (end > f->size)
        return unsound(f, row, "lies outside its struct", err);
    for (size_t k = 0; k < i; k++) {
        const struct field *other = &f->rows[k];
        if (other->id == row->id)
            return unsound(f, row, "an id used twice", err);
        if (strcmp(other->name, row->name) == 0)
            return unsound(f, row, "a name used twice", err);
        if (row->offset < other->offset + other->width && other->offset < end)
            return unsound(f, row, "shares its member with another row", err);
    }
    return 0;
}

static int check_table(const struct fields *f, unsigned depth, struct err *err)
{
    if (depth > FIELDS_DEPTH_MAX)
        return err_set(err, -EINVAL, "table '%s' lies deeper than %d", f->what, FIELDS_DEPTH_MAX);
    if (f->count > FIELD_ROWS_MAX)
        return err_set(err, -EINVAL, "table '%s' has more than %d rows", f->what, FIELD_ROWS_MAX);
    if (f->size > FIELDS_SIZE_MAX)
        return err_set(err, -EINVAL, "table '%s' is of a struct above %d bytes", f->what, FIELDS_SIZE_MAX);
    for (size_t i = 0; i < f->count; i++) {
        int rc = check_row(f, i, err);
        if (rc == 0 && f->plain && field_owns(&f->rows[i]) &&
            !(f->rows[i].kind == FIELD_STRUCT && ((const struct fields *)f->rows[i].of)->plain))
            return unsound(f, &f->rows[i], "owns memory, and its table is plain", err);
        if (rc == 0 && (f->rows[i].kind == FIELD_STRUCT || f->rows[i].kind == FIELD_LIST))
            rc = check_table(f->rows[i].of, depth + 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int fields_check_table(const struct fields *f, struct err *err)
{
    return check_table(f, 1, err);
}
