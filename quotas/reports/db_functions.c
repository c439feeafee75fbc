/* The few SQL functions that reports need; each is pure, so SQLite may call it as often as it likes. */
#include <errno.h>
#include <string.h>

#include "base/policy.h"
#include "base/zone.h"
#include "quotas/money.h"
#include "quotas/period.h"
#include "quotas/reports/db.h"
#include "quotas/reports/viewer.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define HOUR_US UINT64_C(3600000000)

/* Rows come by time, more or less: the day asked for is mostly the one before. Belongs to the connection. */
struct last_day {
    const struct zone_table *zone;
    int64_t from_utc_us, to_utc_us; /* of that day */
    int64_t day;
    bool valid;
};

/* Zones know the years 1 to 9999; a node's clock may say anything. */
#define FIRST_US (-INT64_C(62135596800) * 1000000)
#define LAST_US (INT64_C(253402214400) * 1000000)

static int64_t day_of(struct last_day *last, const struct zone_table *zone, int64_t utc_us)
{
    utc_us = MIN(MAX(utc_us, FIRST_US), LAST_US);
    if (!last->valid || last->zone != zone || utc_us < last->from_utc_us || utc_us >= last->to_utc_us) {
        last->day = zone_day(zone, utc_us);
        last->from_utc_us = zone_day_begin(zone, last->day);
        last->to_utc_us = zone_day_begin(zone, last->day + 1);
        last->zone = zone;
        last->valid = true;
    }
    return last->day;
}

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
    int64_t day = day_of(sqlite3_user_data(c), sqlite3_value_pointer(values[2], ZONE_POINTER),
                         sqlite3_value_int64(values[1]));
    period_name((uint32_t)found, day * DAY_US, name);
    sqlite3_result_text(c, name, -1, SQLITE_TRANSIENT);
}

static void sql_day(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_int64(c, day_of(sqlite3_user_data(c), sqlite3_value_pointer(values[1], ZONE_POINTER),
                                   sqlite3_value_int64(values[0])));
}

static void sql_visible(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    const struct viewer *viewer = sqlite3_value_pointer(values[0], VIEWER_POINTER);
    const char *tenant = (const char *)sqlite3_value_text(values[1]);
    sqlite3_result_int(c, viewer != NULL && tenant != NULL && viewer_sees(viewer, tenant));
}

static uint64_t size_of(int64_t number)
{
    return number < 0 ? -(uint64_t)number : (uint64_t)number;
}

static int64_t part_of(int64_t amount, uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    int64_t rounded = money_round((money_wide)size_of(amount) * part, whole);
    return amount < 0 ? -rounded : rounded;
}

static void sql_share(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    int64_t part = sqlite3_value_int64(values[1]), whole = sqlite3_value_int64(values[2]);
    int64_t share = part_of(sqlite3_value_int64(values[0]), size_of(part), size_of(whole));
    sqlite3_result_int64(c, (part < 0) != (whole < 0) ? -share : share);
}

static void sql_hours(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    int64_t amount = sqlite3_value_int64(values[0]), us = sqlite3_value_int64(values[1]);
    int64_t unit = sqlite3_value_int64(values[2]);
    if (amount <= 0 || us <= 0 || unit <= 0) {
        sqlite3_result_int64(c, 0);
        return;
    }
    /* Millionths of an hour are 3600 us. */
    sqlite3_result_int64(c, money_round((money_wide)(uint64_t)amount * (uint64_t)us,
                                        (money_wide)(uint64_t)unit * (HOUR_US / 1000000)));
}

static void sql_unused(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    int64_t micros = sqlite3_value_int64(values[0]);
    int64_t used = MAX(sqlite3_value_int64(values[1]), INT64_C(0)), asked = sqlite3_value_int64(values[2]);
    sqlite3_result_int64(c, asked <= 0 || used >= asked ? 0
                                : micros - part_of(micros, (uint64_t)used, (uint64_t)asked));
}

int db_functions(sqlite3 *db)
{
    static const struct {
        const char *name;
        int arguments;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
        bool keeps_day;
    } functions[] = {{"period", 3, sql_period, true}, {"day", 2, sql_day, true}, {"visible", 2, sql_visible, false},
                     {"share", 3, sql_share, false}, {"hours", 3, sql_hours, false}, {"unused", 3, sql_unused, false}};
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        void *own = functions[i].keeps_day ? calloc(1, sizeof(struct last_day)) : NULL;
        /* A failure frees `own`, too. */
        if ((functions[i].keeps_day && own == NULL) ||
            sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments,
                                       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, own, functions[i].fn,
                                       NULL, NULL, own != NULL ? free : NULL) != SQLITE_OK)
            return -EIO;
    }
    return 0;
}
