#include "quotas/billing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

static struct billing_month month_of(const struct zone_table *zone, int64_t year, uint32_t month)
{
    struct billing_month m = {
        .from_utc_us = zone_day_begin(zone, civil_days(year, month, 1)),
        .to_utc_us = zone_day_begin(zone, month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, month + 1, 1))};
    char name[32];
    int n = snprintf(name, sizeof name, "%04" PRId64 "-%02" PRIu32, year, month);
    BUG(n < 0 || (size_t)n >= sizeof m.name);
    memcpy(m.name, name, (size_t)n + 1);
    return m;
}

struct billing_month billing_month_at(const struct zone_table *zone, int64_t utc_us)
{
    struct civil_date d = civil_of_days(zone_day(zone, utc_us));
    return month_of(zone, d.year, d.month);
}

bool billing_month_named(const struct zone_table *zone, const char *name, struct billing_month *ret)
{
    uint32_t digits[7];
    if (strlen(name) != 7 || name[4] != '-')
        return false;
    for (size_t i = 0; i < 7; i++) {
        if (i != 4 && (name[i] < '0' || name[i] > '9'))
            return false;
        digits[i] = (uint32_t)(name[i] - '0');
    }
    uint32_t year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3];
    uint32_t month = digits[5] * 10 + digits[6];
    if (year < 1970 || year > 9998 || month < 1 || month > 12)
        return false;
    *ret = month_of(zone, year, month);
    return true;
}

int64_t billing_closes_at(const struct billing_rule *rule, int64_t to_utc_us)
{
    uint64_t grace_ms = rule->present && rule->grace_ms != 0 ? rule->grace_ms : BILLING_GRACE_DEFAULT_MS;
    return to_utc_us + (int64_t)(grace_ms * 1000);
}
