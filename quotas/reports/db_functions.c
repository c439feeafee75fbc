/* The few SQL functions that reports need; each is pure, so SQLite may call it as often as it likes. */
#include <errno.h>
#include <string.h>

#include "base/policy.h"
#include "quotas/period.h"
#include "quotas/reports/db.h"
#include "quotas/reports/viewer.h"

static void sql_period(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    const char *kind = (const char *)sqlite3_value_text(values[0]);
    int found = kind != NULL ? names_find(&period_kind_names, kind) : -1;
    if (found < 0) {
        sqlite3_result_error(c, "period: unknown kind", -1);
        return;
    }
    char name[PERIOD_NAME_MAX];
    period_name((uint32_t)found, sqlite3_value_int64(values[1]), name);
    sqlite3_result_text(c, name, -1, SQLITE_TRANSIENT);
}

static void sql_visible(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    const struct viewer *viewer = sqlite3_value_pointer(values[0], VIEWER_POINTER);
    const char *tenant = (const char *)sqlite3_value_text(values[1]);
    sqlite3_result_int(c, viewer != NULL && tenant != NULL && viewer_sees(viewer, tenant));
}

int db_functions(sqlite3 *db)
{
    static const struct {
        const char *name;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"period", sql_period}, {"visible", sql_visible}};
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (sqlite3_create_function_v2(db, functions[i].name, 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                       NULL, functions[i].fn, NULL, NULL, NULL) != SQLITE_OK)
            return -EIO;
    return 0;
}
