#include "base/zone.h"

#include <errno.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US (INT64_C(86400) * SECOND_US)
#define OFFSET_MAX_S (27 * 3600)
#define NAME_MAX_LEN 63

static const struct zone_shift *shift_at(const struct zone_table *z, size_t i)
{
    return &((const struct zone_shift *)z->shifts.v)[i];
}

static size_t count_of(const struct zone_table *z)
{
    return z == NULL ? 0 : z->shifts.count;
}

/* The row in force at an instant. */
static size_t index_at(const struct zone_table *z, int64_t utc_us)
{
    size_t low = 0, high = count_of(z);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shift_at(z, middle)->from_utc_us <= utc_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : low - 1;
}

int zone_name_check(const char *name, struct err *err)
{
    size_t len = strlen(name);
    bool bad = len == 0 || len > NAME_MAX_LEN || name[0] == '/' || name[len - 1] == '/' || strstr(name, "//") != NULL;
    for (size_t i = 0; i < len && !bad; i++) {
        char c = name[i];
        bad = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                c == '+' || c == '/');
    }
    return bad ? err_set(err, -EINVAL, "'%.64s' is not a time zone's name, like Europe/Berlin", name) : 0;
}

int zone_table_check(const struct zone_table *z, struct err *err)
{
    for (size_t i = 0; i < z->shifts.count; i++) {
        const struct zone_shift *s = shift_at(z, i);
        if (i > 0 && s->from_utc_us <= shift_at(z, i - 1)->from_utc_us)
            return err_set(err, -EINVAL, "shift %zu doesn't come after the one before it", i);
        if (s->offset_s <= -OFFSET_MAX_S || s->offset_s >= OFFSET_MAX_S)
            return err_set(err, -EINVAL, "shift %zu: an offset of %d s", i, s->offset_s);
    }
    return 0;
}

int32_t zone_offset(const struct zone_table *z, int64_t utc_us)
{
    return count_of(z) == 0 ? 0 : shift_at(z, index_at(z, utc_us))->offset_s;
}

static int64_t day_of(int64_t local_us)
{
    return local_us / DAY_US - (local_us % DAY_US < 0);
}

int64_t zone_day_begin(const struct zone_table *z, int64_t day)
{
    int64_t midnight = day * DAY_US;
    size_t count = count_of(z);
    if (count == 0)
        return midnight;
    /* The first stretch of one offset whose clock gets as far as midnight. */
    size_t i = index_at(z, midnight - OFFSET_MAX_S * SECOND_US);
    while (i + 1 < count &&
           shift_at(z, i + 1)->from_utc_us + shift_at(z, i)->offset_s * SECOND_US <= midnight)
        i++;
    int64_t begin = midnight - shift_at(z, i)->offset_s * SECOND_US;
    return i == 0 ? begin : MAX(begin, shift_at(z, i)->from_utc_us);
}

int64_t zone_day(const struct zone_table *z, int64_t utc_us)
{
    int64_t day = day_of(utc_us + zone_offset(z, utc_us) * SECOND_US);
    while (zone_day_begin(z, day + 1) <= utc_us) /* a clock set back over midnight: the next day has begun already */
        day++;
    return day;
}
