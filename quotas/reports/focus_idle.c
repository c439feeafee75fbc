#include "quotas/reports/focus_idle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/reports/idle.h"
#include "quotas/reports/split.h"

static const char *const spread_names[] = {
    [FOCUS_IDLE_HIDDEN] = "hide", [FOCUS_IDLE_SEPARATE] = "separate", [FOCUS_IDLE_USAGE] = "usage",
    [FOCUS_IDLE_EVEN] = "even"};
const struct names focus_spread_names = {spread_names, COUNT_OF(spread_names)};

struct taker {
    char *tenant;
    int64_t billed_micros;
};

struct focus_idle {
    uint32_t spread;
    struct list rows;               /* struct idle_row */
    struct list takers;             /* struct taker, by path */
    struct split *quantity, *micros, *ratio; /* of the row at hand, one part for each taker */
    size_t row, taker;              /* what comes next */
};

void focus_idle_free(struct focus_idle *f)
{
    if (f == NULL)
        return;
    struct taker *takers = f->takers.v;
    for (size_t i = 0; i < f->takers.count; i++)
        free(takers[i].tenant);
    free(takers);
    free(f->rows.v);
    free(f->quantity);
    free(f->micros);
    free(f->ratio);
    free(f);
}

/* ---- what is read ----------------------------------------------------------------------------------------------- */
static int read_takers(struct focus_idle *f, const struct ask *ask, const struct focus_month *m, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT p.path, sum(c.micros) FROM charges c JOIN paths p USING(tenant)"
                                " WHERE c.charge BETWEEN ?1 AND ?2 AND c.billing = ?3 AND p.path <> '/'"
                                " GROUP BY p.path HAVING sum(c.micros) > 0 ORDER BY p.path", &s, err);
    if (r == 0)
        r = db_bind(s, "iii", m->first_charge, m->last_charge, m->row);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        struct taker *t = list_add(&f->takers, sizeof *t);
        if (t != NULL)
            *t = (struct taker){NULL, sqlite3_column_int64(s, 1)};
        r = t == NULL || str_set(&t->tenant, db_text(s, 0)) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    }
    return r;
}

static int read_rows(struct focus_idle *f, const struct ask *ask, const struct focus_month *m, struct err *err)
{
    struct span month = {true, true, m->month.from_utc_us, m->month.to_utc_us, {0}};
    struct ask then = *ask; /* borrowed */
    if (m->closed_seq != 0)
        then.as_of = m->closed_seq;
    return idle_read(&then, &month, IDLE_BY_PRICE, &f->rows, err);
}

static int make_room(struct focus_idle *f, struct err *err)
{
    size_t count = f->takers.count + 1;
    f->quantity = calloc(count, sizeof *f->quantity);
    f->micros = calloc(count, sizeof *f->micros);
    f->ratio = calloc(count, sizeof *f->ratio);
    return f->quantity == NULL || f->micros == NULL || f->ratio == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
}

int focus_idle_new(struct focus_idle **ret, const struct ask *ask, const struct focus_month *month, uint32_t spread,
                   struct err *err)
{
    struct focus_idle *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, -ENOMEM, "no memory");
    f->spread = spread;
    bool splits = spread == FOCUS_IDLE_USAGE || spread == FOCUS_IDLE_EVEN;
    int r = read_rows(f, ask, month, err);
    if (r == 0 && splits && month->row != 0 && month->first_charge != 0)
        r = read_takers(f, ask, month, err);
    if (r == 0)
        r = make_room(f, err);
    if (r < 0) {
        focus_idle_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */
static void cut(struct focus_idle *f, const struct idle_row *row)
{
    const struct taker *takers = f->takers.v;
    for (size_t i = 0; i < f->takers.count; i++) {
        uint64_t weight = f->spread == FOCUS_IDLE_EVEN ? 1 : (uint64_t)takers[i].billed_micros;
        f->quantity[i] = f->micros[i] = f->ratio[i] = (struct split){.weight = weight};
    }
    split_amount(f->quantity, f->takers.count, row->idle * 1000);
    split_amount(f->micros, f->takers.count, row->idle_micros);
    split_amount(f->ratio, f->takers.count, FOCUS_RATIO_ALL);
}

bool focus_idle_next(struct focus_idle *f, struct focus_idle_row *ret)
{
    const struct idle_row *rows = f->rows.v;
    const struct taker *takers = f->takers.v;
    while (f->row < f->rows.count && rows[f->row].idle == 0)
        f->row++;
    if (f->row == f->rows.count)
        return false;
    const struct idle_row *row = &rows[f->row];
    size_t i = f->taker;
    *ret = (struct focus_idle_row){
        .class = row->class[0] != '\0' ? row->class : NULL, .resource = row->resource,
        .from_utc_us = row->from_utc_us, .to_utc_us = row->to_utc_us, .price = row->price,
        .quantity = row->idle * 1000, .micros = row->idle_micros, .ratio = FOCUS_RATIO_ALL};
    if (f->takers.count > 0) {
        if (i == 0)
            cut(f, row);
        ret->tenant = takers[i].tenant;
        ret->quantity = f->quantity[i].part;
        ret->micros = f->micros[i].part;
        ret->ratio = f->ratio[i].part;
        ret->billed_micros = takers[i].billed_micros;
    }
    f->taker = i + 1 < f->takers.count ? i + 1 : 0;
    f->row += f->taker == 0;
    return true;
}
