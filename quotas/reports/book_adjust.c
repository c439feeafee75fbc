/*
 * What persons post, and what re-rating posts.
 *
 * Re-rating takes back what a line costs now, piece by piece, and posts it again at the other price: two rows for each
 * piece (line 0 and 1 of its entry), whose sum is the difference. So every row has a quantity and prices whose product
 * is its cost, and no row is ever changed.
 */
#include <errno.h>
#include <string.h>

#include "quotas/money.h"
#include "quotas/reports/book_rows.h"

/* The first charge row of an entry, found by halves: rows lie in the order of entries. 0 = none. */
static int first_of(struct book *b, uint64_t seq, int64_t *ret, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_CHARGE_FROM];
    int64_t low = 1, high = 0;
    int r = db_number(b->db, "SELECT coalesce(max(charge), 0) + 1 FROM charges", &high, err);
    while (r == 0 && low < high) {
        int64_t middle = low + (high - low) / 2;
        r = db_bind(s, "i", middle);
        if (r == 0)
            r = db_step(s, err);
        if (r == 1 && (uint64_t)sqlite3_column_int64(s, 1) < seq)
            low = sqlite3_column_int64(s, 0) + 1;
        else
            high = middle;
        r = MIN(r, 0);
    }
    sqlite3_reset(s);
    *ret = low;
    return r;
}

static struct book_line line_read(sqlite3_stmt *s)
{
    return (struct book_line){.attempt = sqlite3_column_int64(s, 3),
                              .price_version = (uint32_t)sqlite3_column_int64(s, 17),
                              .price_class = (const char *)sqlite3_column_text(s, 5),
                              .preemptible = sqlite3_column_int(s, 6) != 0, .by = (uint32_t)sqlite3_column_int(s, 7),
                              .list_price = sqlite3_column_int64(s, 8), .price = sqlite3_column_int64(s, 9),
                              .amount = (uint64_t)sqlite3_column_int64(s, 10),
                              .measured = sqlite3_column_type(s, 11) != SQLITE_NULL,
                              .quantity = sqlite3_column_int64(s, 11),
                              .from_run_us = (uint64_t)sqlite3_column_int64(s, 12),
                              .run_us = (uint64_t)sqlite3_column_int64(s, 13),
                              .from_utc_us = sqlite3_column_int64(s, 14), .to_utc_us = sqlite3_column_int64(s, 15),
                              .micros = sqlite3_column_int64(s, 16)};
}

struct rerating {
    struct book *b;
    const struct fact_adjusted *fact;
    uint64_t seq;
    int64_t tenant, accounts, resource_price;
    uint64_t of_seq;       /* which entry's rows are taken back, */
    uint32_t of_line;      /* and which of its lines */
    /* of all of them */
    int64_t micros;
    uint64_t run_us;
    /* so far */
    uint64_t done_us;
    int64_t posted;
    size_t pieces;
};

static int post_pair(struct rerating *a, struct book_line piece, struct err *err)
{
    const struct fact_adjusted *f = a->fact;
    struct book_line line = piece;
    line.seq = a->seq;
    line.line = 0;
    line.kind = names_get(&adjust_kind_names, ADJUST_RERATE);
    line.job = f->job;
    line.tenant = a->tenant;
    line.accounts = a->accounts;
    line.quantity = -piece.quantity;
    line.micros = -piece.micros;
    int r = book_line_add(a->b, &line, err);
    a->done_us += piece.run_us;
    a->pieces++;
    int64_t total = a->micros + f->micros;
    int64_t upto = a->done_us == a->run_us ? total : book_part(total, a->done_us, a->run_us);
    line.line = 1;
    line.quantity = piece.quantity;
    line.micros = upto - a->posted;
    line.price_version = f->price_version;
    line.list_price = f->list_price;
    line.price = f->price;
    a->posted = upto;
    return r == 0 ? book_line_add(a->b, &line, err) : r;
}

/* Walks the rows of the line. The statement is read to the end of the entry before anything is added to its table. */
static int take_pieces(struct rerating *a, struct list *pieces, struct err *err)
{
    sqlite3_stmt *s = a->b->sql[SQL_CHARGE_FROM];
    int64_t first;
    int r = first_of(a->b, a->of_seq, &first, err);
    if (r == 0)
        r = db_bind(s, "i", first);
    while (r == 0 && (r = db_step(s, err)) == 1 && (uint64_t)sqlite3_column_int64(s, 1) == a->of_seq) {
        r = 0;
        if ((uint32_t)sqlite3_column_int(s, 2) != a->of_line || sqlite3_column_type(s, 11) == SQLITE_NULL)
            continue;
        struct book_line *piece = list_add(pieces, sizeof *piece);
        if (piece == NULL) {
            r = err_set(err, -ENOMEM, "no memory");
            break;
        }
        *piece = line_read(s);
        piece->resource = a->fact->resource; /* the statement's texts end with its row */
        piece->price_class = piece->price_class != NULL ? strdup(piece->price_class) : NULL;
        a->micros += piece->micros;
        a->run_us += piece->run_us;
    }
    sqlite3_reset(s);
    return MIN(r, 0);
}

static void pieces_clear(struct list *pieces)
{
    struct book_line *v = pieces->v;
    for (size_t i = 0; i < pieces->count; i++)
        free((void *)(uintptr_t)v[i].price_class);
    free(v);
    *pieces = (struct list){0};
}

/* Which rows say what the line costs now: its own, or those of the last time. */
static int find_last(struct rerating *a, struct err *err)
{
    sqlite3_stmt *s = a->b->sql[SQL_ADJUSTED_LAST];
    a->of_seq = a->fact->about_seq;
    a->of_line = a->fact->about_line;
    int r = db_bind(s, "uiu", a->fact->about_seq, (int64_t)a->fact->about_line, a->seq);
    if (r == 0)
        r = db_step(s, err);
    if (r == 1 && sqlite3_column_type(s, 0) != SQLITE_NULL) {
        a->of_seq = (uint64_t)sqlite3_column_int64(s, 0);
        a->of_line = 1;
    }
    sqlite3_reset(s);
    return MIN(r, 0);
}

/* *ret_pieces: 0 = there is no such line; then the difference is posted by itself. */
static int rerate(struct rerating *a, struct err *err)
{
    struct list pieces = {0};
    int r = find_last(a, err);
    if (r == 0)
        r = take_pieces(a, &pieces, err);
    const struct book_line *v = pieces.v;
    for (size_t i = 0; i < pieces.count && r == 0; i++)
        r = post_pair(a, v[i], err);
    pieces_clear(&pieces);
    return r;
}

/* One row for the whole amount, without a quantity. */
static int post_amount(struct book *b, uint64_t seq, const struct fact *fact, int64_t tenant, int64_t accounts,
                       struct err *err)
{
    const struct fact_adjusted *f = &fact->adjusted;
    bool timed = f->to_utc_us > f->from_utc_us;
    const char *kind = names_get(&adjust_kind_names, f->kind);
    struct book_line line = {.seq = seq, .kind = kind, .job = f->job, .tenant = tenant, .accounts = accounts,
                             .resource = kind, .micros = f->micros,
                             .from_utc_us = timed ? f->from_utc_us : fact->at_utc_us,
                             .to_utc_us = timed ? f->to_utc_us : fact->at_utc_us};
    return book_line_add(b, &line, err);
}

static int save_words(struct book *b, uint64_t seq, const struct fact_adjusted *f, struct err *err)
{
    return MIN(book_run(b, SQL_ADJUSTED_ADD, err, "utttuii", seq, f->key != NULL ? f->key : "",
                        f->who != NULL ? f->who : "", f->reason != NULL ? f->reason : "", f->about_seq,
                        (int64_t)f->about_line, (int64_t)(f->kind == ADJUST_RERATE)), 0);
}

int book_ledger_adjusted(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct fact_adjusted *f = &fact->adjusted;
    struct rerating a = {.b = b, .fact = f, .seq = seq};
    if (f->tenant == NULL || f->kind >= ADJUST_KIND_COUNT || f->micros > MONEY_MICROS_MAX ||
        f->micros < -MONEY_MICROS_MAX || f->price < 0 || f->list_price < 0 ||
        (f->kind == ADJUST_RERATE && f->resource == NULL))
        return err_set(err, -EPROTO, "an adjustment beyond all bounds");
    int r = book_path(b, f->tenant, &a.tenant, err);
    if (r == 0)
        r = book_accounts(b, &f->accounts, &a.accounts, err);
    if (r == 0)
        r = save_words(b, seq, f, err);
    if (r == 0 && f->kind == ADJUST_RERATE)
        r = rerate(&a, err);
    if (r == 0 && a.pieces == 0)
        r = post_amount(b, seq, fact, a.tenant, a.accounts, err);
    const char *resource = f->kind == ADJUST_RERATE ? f->resource : names_get(&adjust_kind_names, f->kind);
    if (r == 0)
        r = MIN(book_run(b, SQL_SPEND_ADD, err, "tti", f->tenant, resource, f->micros), 0);
    return r;
}
