/*
 * db - how reportd talks to SQLite: open, prepare, bind, step, and one way to say what went wrong.
 *
 * One writer connection (the book) and short-lived readers, each in a snapshot of its own: a slow report sees one
 * state of the books from its first row to its last and never holds up the writer (WAL).
 *
 * Durability: the writer commits with synchronous=FULL. With NORMAL a commit in WAL mode is only on disk after the next
 *             checkpoint; a power cut could then take back batches that reeved was already told are archived, and
 *             whose journal entries it has trimmed. One fsync per batch is cheap (batches grow under load), a hole
 *             in the books is not.
 * Codes:      -EPROTO a constraint, -ETIMEDOUT interrupted by the time limit, -EBUSY locked, -ENOSPC disk full,
 * -EUCLEAN damaged file, -ENOMEM, else -EIO.
 */
#ifndef REEVE_QUOTAS_REPORTS_DB_H
#define REEVE_QUOTAS_REPORTS_DB_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ZONE_POINTER "reeve-zone" /* type tag of sqlite3_bind_pointer() */

enum db_mode { DB_WRITER, DB_READER };

/* A reader also gets the SQL functions below. */
int db_open(sqlite3 **ret, const char *path, enum db_mode mode, struct err *err) MUST_USE;
void db_close(sqlite3 *db); /* NULL is fine */
/* Sets err from the connection's last failure. */
int db_failed(sqlite3 *db, struct err *err, const char *doing);
int db_exec(sqlite3 *db, const char *sql, struct err *err) MUST_USE;
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err) MUST_USE;
void db_finalize_p(sqlite3_stmt **s); /* CLEANUP(db_finalize_p) */

/* Resets the statement and binds from ?1 on. `shape`: i int64_t, u uint64_t (as int64), t const char * (NULL allowed),
 * b const void * and size_t, v const struct viewer * (visible()), z const struct zone_table * (period();
 * NULL = UTC). Texts and bytes are borrowed until the
 * next bind or finalize. */
int db_bind(sqlite3_stmt *s, const char *shape, ...) MUST_USE;
int db_bind_list(sqlite3_stmt *s, const char *shape, va_list args) MUST_USE;
/* 1: a row, 0: done (the statement is reset), -errno. */
int db_step(sqlite3_stmt *s, struct err *err) MUST_USE;
/* db_bind + step of a statement that gives no row. */
int db_run(sqlite3_stmt *s, struct err *err) MUST_USE;
/* A column as text, "" for NULL. Borrowed until the next step. */
const char *db_text(sqlite3_stmt *s, int column);
/* First column of the first row; -ENOENT when there is none. */
int db_number(sqlite3 *db, const char *sql, int64_t *ret, struct err *err) MUST_USE;

/* From now on this connection's statements are interrupted after `ms` of being stepped. 0 = never. */
struct db_clock {
    uint64_t deadline_us; /* CLOCK_BOOTTIME */
};
void db_limit(sqlite3 *db, struct db_clock *clock, uint64_t ms);

/* SQL functions for readers:
 *   period(kind, utc_us, zone)        "2026-W48"
 *   day(utc_us, zone)                 the local day, counted from 1970-01-01
 *   visible(viewer, tenant)           0 or 1
 *   share(a, part, whole)             a * part / whole, half to even; 0 when whole is 0
 *   hours(amount, us, unit)           millionths of an hour of `unit`, half to even
 *   unused(micros, used, asked)       what of `micros` paid for what wasn't used
 */
int db_functions(sqlite3 *db) MUST_USE;

#endif
