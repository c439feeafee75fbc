/*
 * zone - the machine's time zones: /usr/share/zoneinfo, Debian's package tzdata.
 * Who needs the same answer on every machine and for ever keeps the table that it got (base/policy.h).
 */
#ifndef REEVE_BASE_IO_ZONE_H
#define REEVE_BASE_IO_ZONE_H

#include "base/zone.h"

/* The caller clears `ret` with zone_table_fields. "UTC" is a table without shifts and needs no file. -EINVAL: no name
 * of a zone. -ENOENT: no such zone here. -EBADMSG, -E2BIG: see zone_decode(). */
int zone_read(const char *name, struct zone_table *ret, struct err *err) MUST_USE;

#endif
