/*
 * focus_lookup - what rows of an export have in common, rendered once: their tenant, their attempt, what is sold.
 * A month has millions of rows, and few of these. Bounds: LOOKUP_ATTEMPTS attempts of LOOKUP_TEXT_MAX bytes,
 * LOOKUP_SKUS kinds of things sold; one entry for each tenant that was ever charged.
 * Ownership: spans live until the next lookup of the same kind.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_LOOKUP_H
#define REEVE_QUOTAS_REPORTS_FOCUS_LOOKUP_H

#include "quotas/reports/db.h"
#include "quotas/reports/focus.h"
#include "quotas/reports/viewer.h"

#define LOOKUP_ATTEMPTS 4096 /* power of two */
#define LOOKUP_TEXT_MAX 2048
#define LOOKUP_SKUS 256

struct cell {
    const char *at;
    size_t len;
};

/* Some cells rendered one after the other. */
#define RENDERED_MAX 10
struct rendered {
    struct buf text;
    size_t end[RENDERED_MAX];
    size_t count;
};
void rendered_reset(struct rendered *r);
void rendered_done(struct rendered *r); /* what was added to r->text since the last time is a cell */
struct cell rendered_get(const struct rendered *r, size_t i);

struct focus_tenant { bool seen; struct rendered cells; };
enum { TENANT_ACCOUNT, TENANT_PATH, TENANT_INVOICE, TENANT_DETAIL };
struct focus_attempt { int64_t attempt; struct rendered cells; };
enum { ATTEMPT_RESOURCE, ATTEMPT_NAME, ATTEMPT_TYPE, ATTEMPT_TAGS, ATTEMPT_ID, ATTEMPT_USER, ATTEMPT_NODE,
       ATTEMPT_WHAT /* "task 42.0", raw */ };
/* What is sold: a resource on nodes of a class, at a kind of price. */
struct focus_good { const char *resource, *price_class; bool preemptible; uint32_t by; };
struct focus_sku { char *resource, *price_class; bool preemptible; uint32_t by; struct rendered cells; };
enum { SKU_ID, SKU_METER, SKU_PRICE, SKU_DETAILS, SKU_UNIT, SKU_PRICING, SKU_CLASS, SKU_BY, SKU_WHAT /* raw */ };

struct focus_lookup {
    uint32_t format;
    sqlite3 *db;
    const struct viewer *viewer;
    const char *top;             /* only this subtree; NULL = all */
    const char *invoice;         /* what ids of invoices begin with; NULL = there are none */
    sqlite3_stmt *find_tenant, *find_attempt;
    struct focus_tenant **tenants; /* by row */
    size_t tenants_size;
    struct focus_attempt *attempts;
    struct focus_sku *skus;
    size_t skus_count, sku_last;
};

int lookup_init(struct focus_lookup *l, struct err *err) MUST_USE; /* all above is set */
void lookup_fini(struct focus_lookup *l);
/* NULL: not for this viewer, or not asked for. */
int lookup_tenant(struct focus_lookup *l, int64_t row, const struct rendered **ret, struct err *err) MUST_USE;
int lookup_attempt(struct focus_lookup *l, int64_t row, const struct rendered **ret, struct err *err) MUST_USE;
int lookup_sku(struct focus_lookup *l, const struct focus_good *good, const struct rendered **ret,
               struct err *err) MUST_USE;
/* "Core-Hours" */
const char *focus_unit(const char *resource);

#endif
