/*
 * zone - local time by a table of offsets: what day an instant belongs to, and when a local day begins.
 *
 * A local day begins at the first instant at which a clock on the wall there shows its midnight or later. So where
 * midnight is skipped the day begins at the shift, where it comes twice it begins the first time, days have 23 or 25
 * hours where clocks are changed, and every instant belongs to exactly one day, also where a clock is set back over
 * midnight.
 * A NULL table, or one without shifts, is UTC.
 * Range:  instants within the years 1 to 9999.
 * Purity: pure.
 */
#ifndef REEVE_BASE_ZONE_H
#define REEVE_BASE_ZONE_H

#include "base/policy.h"

/* Offsets are read from here to there: what came before 2000 counts as its first offset. */
#define ZONE_FROM_US (INT64_C(946684800) * 1000000)   /* 2000-01-01 */
#define ZONE_UNTIL_US (INT64_C(4102444800) * 1000000) /* 2100-01-01 */
#define ZONE_UTC "UTC"

/* "Europe/Berlin": letters, digits, '_', '-', '+', parts joined by '/'; never a way out of a folder. -EINVAL. */
int zone_name_check(const char *name, struct err *err) MUST_USE;
/* Seconds east of Greenwich at an instant. */
int32_t zone_offset(const struct zone_table *z, int64_t utc_us);
/* The local day of an instant, counted from 1970-01-01. */
int64_t zone_day(const struct zone_table *z, int64_t utc_us);
/* When a local day begins. zone_day(zone_day_begin(d)) == d, unless a whole day was skipped: then it begins when the
 * next one does. */
int64_t zone_day_begin(const struct zone_table *z, int64_t day);
/* Rises strictly, offsets below 27 hours. -EINVAL. */
int zone_table_check(const struct zone_table *z, struct err *err) MUST_USE;

/* A TZif file (RFC 8536), from ZONE_FROM_US to ZONE_UNTIL_US, its closing rule written out. The caller clears `ret`
 * with zone_table_fields. -EBADMSG: not such a file. -E2BIG: more shifts than ZONE_SHIFTS_MAX. */
int zone_decode(const char *name, const void *bytes, size_t len, struct zone_table *ret, struct err *err) MUST_USE;

#endif
