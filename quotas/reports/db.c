#include "quotas/reports/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/zone.h"
#include "quotas/reports/viewer.h"

#define BUSY_MS 2000           /* only ever waits for a checkpoint or a second reportd that is about to be refused */
#define PROGRESS_STEPS 10000   /* virtual machine steps between two looks at the clock: about 0.1 ms */
#define CACHE_KIB "-8192"

static int code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_INTERRUPT:
        return -ETIMEDOUT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_CONSTRAINT: /* a row that is there already: the journal says twice what can happen once */
        return -EPROTO;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

int db_failed(sqlite3 *db, struct err *err, const char *doing)
{
    return err_set(err, code_of(sqlite3_errcode(db)), "sqlite: %s: %s", doing, sqlite3_errmsg(db));
}

/* SQLite makes every path absolute. Below a home that our user can't pass through, only the relative one leads there.
 */
static int keep_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    int n = snprintf(out, (size_t)size, "%s", path);
    return n >= 0 && n < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static const char *relative_vfs(void)
{
    static sqlite3_vfs vfs;
    if (vfs.zName == NULL) {
        vfs = *sqlite3_vfs_find(NULL);
        vfs.zName = "relative";
        vfs.pNext = NULL;
        vfs.xFullPathname = keep_path;
    }
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}

int db_open(sqlite3 **ret, const char *path, enum db_mode mode, struct err *err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    flags |= mode == DB_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
    if (sqlite3_open_v2(path, &db, flags, relative_vfs()) != SQLITE_OK) {
        int code = db_failed(db, err, path);
        db_close(db);
        return code;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    const char *pragmas = mode == DB_WRITER
                              ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=" CACHE_KIB ";"
                                "PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=1000;"
                              : "PRAGMA query_only=ON; PRAGMA cache_size=" CACHE_KIB "; PRAGMA trusted_schema=OFF;";
    int r = db_exec(db, pragmas, err);
    if (r == 0 && mode == DB_READER && db_functions(db) < 0)
        r = db_failed(db, err, "register functions");
    if (r < 0) {
        db_close(db);
        return err_wrap(err, r, "%s", path);
    }
    *ret = db;
    return 0;
}

void db_close(sqlite3 *db)
{
    sqlite3_close_v2(db);
}

int db_exec(sqlite3 *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_failed(db, err, "exec");
    return 0;
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        return db_failed(db, err, "prepare");
    *ret = s;
    return 0;
}

void db_finalize_p(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
    *s = NULL;
}

static int bind_one(sqlite3_stmt *s, int at, char kind, va_list *args)
{
    switch (kind) {
    case 'i':
        return sqlite3_bind_int64(s, at, va_arg(*args, int64_t));
    case 'u':
        return sqlite3_bind_int64(s, at, (int64_t)va_arg(*args, uint64_t));
    case 't':
        return sqlite3_bind_text(s, at, va_arg(*args, const char *), -1, SQLITE_STATIC);
    case 'b': {
        const void *bytes = va_arg(*args, const void *);
        size_t len = va_arg(*args, size_t);
        return sqlite3_bind_blob64(s, at, bytes, len, SQLITE_STATIC);
    }
    case 'z':
        return sqlite3_bind_pointer(s, at, (void *)(uintptr_t)va_arg(*args, const struct zone_table *), ZONE_POINTER,
                                    NULL);
    default:
        BUG(kind != 'v');
        return sqlite3_bind_pointer(s, at, (void *)(uintptr_t)va_arg(*args, const struct viewer *), VIEWER_POINTER,
                                    NULL);
    }
}

int db_bind_list(sqlite3_stmt *s, const char *shape, va_list args)
{
    sqlite3_reset(s);
    va_list copy; /* a va_list parameter may be an array: only a local one can be pointed to */
    va_copy(copy, args);
    int r = SQLITE_OK;
    for (int at = 1; shape[at - 1] != '\0' && r == SQLITE_OK; at++)
        r = bind_one(s, at, shape[at - 1], &copy);
    va_end(copy);
    BUG(r == SQLITE_RANGE);
    return r == SQLITE_OK ? 0 : code_of(r);
}

int db_bind(sqlite3_stmt *s, const char *shape, ...)
{
    va_list args;
    va_start(args, shape);
    int r = db_bind_list(s, shape, args);
    va_end(args);
    return r;
}

int db_step(sqlite3_stmt *s, struct err *err)
{
    int r = sqlite3_step(s);
    if (r == SQLITE_ROW)
        return 1;
    if (r == SQLITE_DONE) {
        sqlite3_reset(s);
        return 0;
    }
    int code = db_failed(sqlite3_db_handle(s), err, "step");
    sqlite3_reset(s);
    return code;
}

int db_run(sqlite3_stmt *s, struct err *err)
{
    int r = db_step(s, err);
    BUG(r == 1);
    return r;
}

const char *db_text(sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    return text != NULL ? (const char *)text : "";
}

int db_number(sqlite3 *db, const char *sql, int64_t *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, sql, &s, err);
    if (r == 0)
        r = db_step(s, err);
    if (r == 0)
        return err_set(err, -ENOENT, "sqlite: no row");
    if (r < 0)
        return r;
    *ret = sqlite3_column_int64(s, 0);
    return 0;
}

static int is_over(void *arg)
{
    const struct db_clock *clock = arg;
    return clock->deadline_us != 0 && clock_boot_us() > clock->deadline_us;
}

void db_limit(sqlite3 *db, struct db_clock *clock, uint64_t ms)
{
    clock->deadline_us = ms != 0 ? clock_boot_us() + ms * 1000 : 0;
    sqlite3_progress_handler(db, ms != 0 ? PROGRESS_STEPS : 0, ms != 0 ? is_over : NULL, clock);
}
