/*
 * focus - what was charged as rows of the FinOps Open Cost and Usage Specification: datasets "Cost and Usage" and
 * "Billing Period", FOCUS 1.4, and Cost and Usage by the rules of 1.2 for readers that know no newer one.
 *
 * Figures: BilledCost and EffectiveCost are the ledger's micro-units, so that they add up to it without a row for
 *          rounding. Quantities are billionths of an hour of a core, GiB or unit, rounded on the cumulative run time;
 *          ListCost and ContractedCost are exactly unit price x quantity, with 15 decimals.
 * Invoice: what a closed month has of one billing account; its id is made of names that never change. Nothing before.
 * Idle:    only when asked for (focus_idle.h). Nobody is billed for it: its BilledCost is 0, its EffectiveCost what the
 *          hours would have cost.
 * Layout:  the columns of a closed month never change. When columns come or go, they get another layout number; a
 *          closed month is written with the one that was in force (billing_periods.layout).
 * Nulls:   an empty field without quotes in CSV, null in JSON.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_H
#define REEVE_QUOTAS_REPORTS_FOCUS_H

#include "base/buf.h"
#include "base/fields.h"

#define FOCUS_LAYOUT 2

enum focus_version { FOCUS_1_2 = 1, FOCUS_1_4 = 2 }; /* bits */
#define FOCUS_SINCE_2 4 /* or-ed to them: a column that came with layout 2 */
enum focus_format { FOCUS_CSV, FOCUS_JSON, FOCUS_NDJSON, FOCUS_FORMAT_COUNT };
enum focus_type { FOCUS_STRING, FOCUS_DECIMAL, FOCUS_TIME, FOCUS_OBJECT };

/* What a row is made of; columns point here. */
enum focus_cell {
    CELL_NULL,
    CELL_BILLED, CELL_EFFECTIVE, CELL_CONTRACTED, CELL_LIST, CELL_QUANTITY, CELL_PRICE, CELL_LIST_PRICE,
    CELL_CHARGE_FROM, CELL_CHARGE_TO, CELL_SEQ, CELL_LINE, CELL_VERSION, CELL_DESCRIPTION, CELL_ABOUT, /* of each row */
    CELL_CATEGORY, CELL_CLASS, CELL_FREQUENCY,                                              /* by its kind */
    CELL_CURRENCY, CELL_PERIOD_FROM, CELL_PERIOD_TO, CELL_ISSUER, CELL_SERVICE, CELL_SERVICE_CATEGORY,
    CELL_SERVICE_SUBCATEGORY,                                                               /* of the export */
    CELL_ACCOUNT, CELL_TENANT, CELL_INVOICE, CELL_INVOICE_DETAIL,                           /* of its tenant */
    CELL_RESOURCE, CELL_RESOURCE_NAME, CELL_RESOURCE_TYPE, CELL_TAGS, CELL_ATTEMPT, CELL_USER, CELL_NODE, /* attempt */
    CELL_SKU, CELL_METER, CELL_SKU_PRICE, CELL_SKU_DETAILS, CELL_UNIT, CELL_PRICING, CELL_PRICE_CLASS,
    CELL_CHARGED_BY,                                                                        /* of what is sold */
    CELL_ALLOCATED, CELL_ALLOCATED_NAME, CELL_ALLOCATED_METHOD, CELL_ALLOCATED_DETAILS,     /* of idle capacity */
    FOCUS_CELL_COUNT
};

struct focus_column {
    const char *name;
    uint32_t versions; /* enum focus_version, or-ed; FOCUS_SINCE_2 */
    enum focus_type type;
    enum focus_cell cell;
    uint32_t scale;    /* decimals of FOCUS_DECIMAL */
};
extern const struct focus_column focus_columns[];
extern const size_t focus_columns_count;
/* Does the layout have it, in this version? */
bool focus_column_is_of(const struct focus_column *column, uint32_t version, uint32_t layout);
extern const struct focus_column focus_period_columns[]; /* of the dataset Billing Period; cells don't matter */
extern const size_t focus_period_columns_count;

extern const struct names focus_format_names; /* "csv", "json", "ndjson" */
const char *focus_version_name(uint32_t version); /* "1.4" */
const char *focus_content_type(uint32_t format);

/* ---- values as they are written (focus_cells.c) ---- */
#define FOCUS_NUMBER_MAX 64
__extension__ typedef __int128 focus_wide;
/* `value` with `scale` decimals, all of them. Returns the length; no NUL. */
size_t focus_decimal(char out[FOCUS_NUMBER_MAX], focus_wide value, uint32_t scale);
/* YYYY-MM-DDTHH:mm:ssZ, the second that holds the instant. */
#define FOCUS_TIME_LEN 20
void focus_time(char out[FOCUS_TIME_LEN], int64_t utc_us);
/* Escaped for the format, with quotes where it wants them. NULL: null. */
void focus_text(struct buf *out, uint32_t format, const char *text);
void focus_object(struct buf *out, uint32_t format, const char *json); /* text that is JSON already */
void focus_null(struct buf *out, uint32_t format);
void focus_instant(struct buf *out, uint32_t format, int64_t utc_us);

#endif
