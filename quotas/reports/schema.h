/*
 * schema - the tables of report/reeve.sqlite and their version.
 * Contract: schema_prepare() creates them in an empty file, accepts a file of this version and this cell, adds to one
 *           of an older version, 2 or later, what has come since, and refuses any other by name; it never changes a
 *           file that it refuses.
 */
#ifndef REEVE_QUOTAS_REPORTS_SCHEMA_H
#define REEVE_QUOTAS_REPORTS_SCHEMA_H

#include <sqlite3.h>

#include "base/err.h"

#define SCHEMA_VERSION 4
#define SCHEMA_APPLICATION 0x52656576 /* "Reev": `file reeve.sqlite` tells whose it is */

/* SQL over meta: who sends the bill unless the policy says it. */
#define ISSUER_DEFAULT "'Reeve (' || cell || ')'"

/* -EPROTONOSUPPORT: another version. -EXDEV: another cell's. -EBADMSG: not our file. */
int schema_prepare(sqlite3 *db, const char *cell, struct err *err) MUST_USE;

#endif
