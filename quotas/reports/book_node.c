/* What nodes offer and when: the other half of idle cost. A drained node costs as much as any, and so counts as there.
 */
#include <errno.h>
#include <string.h>

#include "quotas/reports/book_rows.h"

static const char *class_of(const struct pairs *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->v[i].key, PRICE_CLASS_LABEL) == 0)
            return labels->v[i].value;
    return "";
}

/* 1: it offers just that already (it is there again, with another boot id, or says the same twice). */
static int is_open(struct book *b, const struct fact_node *n, const struct buf *capacity, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_SPAN_OPEN];
    int r = db_bind(s, "ttb", n->node, class_of(&n->labels), buf_text(capacity), capacity->len);
    if (r == 0)
        r = db_step(s, err);
    sqlite3_reset(s);
    return r;
}

int book_node_joined(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const struct fact_node *n = &fact->joined;
    struct buf capacity = {0};
    if (n->node == NULL)
        return err_set(err, -EPROTO, "a node without a name");
    fields_encode(&resources_fields, &n->capacity, &capacity);
    int r = capacity.failed ? err_set(err, -ENOMEM, "no memory") : is_open(b, n, &capacity, err);
    if (r == 0) {
        r = book_run(b, SQL_SPAN_END, err, "ti", n->node, fact->at_utc_us);
        if (r >= 0)
            r = book_run(b, SQL_SPAN_ADD, err, "ttbi", n->node, class_of(&n->labels), buf_text(&capacity), capacity.len,
                         fact->at_utc_us);
    }
    buf_fini(&capacity);
    return MIN(r, 0);
}

int book_node_lost(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const char *node = fact->lost.node;
    if (node == NULL)
        return err_set(err, -EPROTO, "a node without a name");
    return MIN(book_run(b, SQL_SPAN_END, err, "ti", node, fact->at_utc_us), 0);
}
