#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/io/fd.h"
#include "base/io/zone.h"
#include "tests/run.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)

static struct zone_table read_zone(const char *name)
{
    struct zone_table z;
    struct err err = {0};
    ck_assert_msg(zone_read(name, &z, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(zone_table_check(&z, &err), 0);
    return z;
}

static void clear(struct zone_table *z)
{
    fields_clear(&zone_table_fields, z);
}

/* ---- the C library as oracle ---- */
static const char *const names[] = {
    "Europe/Berlin",   "America/New_York", "America/Havana",  "Australia/Lord_Howe", "Asia/Kathmandu",
    "Asia/Beirut",     "Africa/Casablanca", "Europe/Dublin",  "America/Sao_Paulo",   "Pacific/Chatham",
    "Asia/Gaza",       "Antarctica/Troll", "Pacific/Apia",    "America/Nuuk",        "Africa/Juba",
    "Etc/GMT+12",      "Asia/Tehran",      "America/Argentina/San_Luis",
};

static void same_as_libc(const struct zone_table *z, int64_t utc_s)
{
    struct tm tm;
    time_t t = (time_t)utc_s;
    localtime_r(&t, &tm);
    if (zone_offset(z, utc_s * SECOND_US) != (int32_t)tm.tm_gmtoff)
        ck_abort_msg("%s at %lld: %d, the C library says %ld", z->name, (long long)utc_s,
                     zone_offset(z, utc_s * SECOND_US), tm.tm_gmtoff);
}

START_TEST(offsets_are_those_of_the_c_library)
{
    struct zone_table z = read_zone(names[_i]);
    setenv("TZ", names[_i], 1);
    tzset();
    for (int64_t s = ZONE_FROM_US / SECOND_US; s < ZONE_UNTIL_US / SECOND_US; s += 6 * 3600 + 1234)
        same_as_libc(&z, s);
    for (size_t i = 1; i < z.shifts.count; i++) {
        int64_t at = ((struct zone_shift *)z.shifts.v)[i].from_utc_us / SECOND_US;
        same_as_libc(&z, at - 1);
        same_as_libc(&z, at);
    }
    unsetenv("TZ");
    tzset();
    clear(&z);
}
END_TEST

START_TEST(days_follow_each_other_without_gap_or_overlap)
{
    struct zone_table z = read_zone(names[_i]);
    int64_t day = zone_day(&z, ZONE_FROM_US), end = zone_day(&z, ZONE_UNTIL_US);
    for (; day < end; day++) {
        int64_t begin = zone_day_begin(&z, day), next = zone_day_begin(&z, day + 1);
        bool skipped = begin == next;
        bool sound = begin <= next && next - begin <= 26 * HOUR_US &&
                     (skipped || (zone_day(&z, begin) == day && zone_day(&z, next - 1) == day));
        if (!sound || (skipped && strcmp(z.name, "Pacific/Apia") != 0))
            ck_abort_msg("%s day %lld: from %lld to %lld", z.name, (long long)day, (long long)begin, (long long)next);
    }
    clear(&z);
}
END_TEST

static const struct day_row {
    const char *zone;
    int64_t year;
    uint32_t month, day;
    int64_t hours_x4; /* quarters of an hour */
    const char *begins;
} day_rows[] = {
    {"Europe/Berlin", 2026, 3, 29, 23 * 4, "2026-03-28T23:00"},
    {"Europe/Berlin", 2026, 10, 25, 25 * 4, "2026-10-24T22:00"},
    {"Europe/Berlin", 2028, 2, 29, 24 * 4, "2028-02-28T23:00"},
    {"Asia/Beirut", 2026, 3, 29, 23 * 4, "2026-03-28T22:00"},        /* midnight is skipped: the day begins at one */
    {"America/Havana", 2026, 11, 1, 25 * 4, "2026-11-01T04:00"},     /* midnight comes twice */
    {"Australia/Lord_Howe", 2026, 4, 5, 24 * 4 + 2, "2026-04-04T13:00"}, /* half an hour */
    {"Asia/Kathmandu", 2026, 1, 1, 24 * 4, "2025-12-31T18:15"},
    {"America/Sao_Paulo", 2018, 2, 17, 25 * 4, "2018-02-17T02:00"},  /* at midnight it is 23 o'clock again */
    {"UTC", 2026, 6, 1, 24 * 4, "2026-06-01T00:00"},
};

START_TEST(a_local_day_begins_and_lasts)
{
    const struct day_row *r = &day_rows[_i];
    struct zone_table z = read_zone(r->zone);
    int64_t day = civil_days(r->year, r->month, r->day), begin = zone_day_begin(&z, day);
    char text[32];
    time_t t = (time_t)(begin / SECOND_US);
    struct tm tm;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M", gmtime_r(&t, &tm));
    ck_assert_msg(strcmp(text, r->begins) == 0, "%s: begins %s", r->zone, text);
    ck_assert_int_eq(zone_day_begin(&z, day + 1) - begin, r->hours_x4 * HOUR_US / 4);
    clear(&z);
}
END_TEST

START_TEST(no_table_is_utc)
{
    ck_assert_int_eq(zone_offset(NULL, 5), 0);
    ck_assert_int_eq(zone_day(NULL, -1), -1);
    ck_assert_int_eq(zone_day_begin(NULL, 3), 3 * DAY_US);
}
END_TEST

START_TEST(a_skipped_day_begins_when_the_next_one_does)
{
    struct zone_table z = read_zone("Pacific/Apia"); /* there was no 2011-12-30 */
    int64_t day = civil_days(2011, 12, 30);
    ck_assert_int_eq(zone_day_begin(&z, day), zone_day_begin(&z, day + 1));
    ck_assert_int_eq(zone_day(&z, zone_day_begin(&z, day)), day + 1);
    clear(&z);
}
END_TEST

static const char *const bad_names[] = {
    "", "/etc/passwd", "../../etc/passwd", "Europe//Berlin", "Europe/", "Europe/Berl.n", "Europe Berlin",
};

START_TEST(a_name_is_no_way_out)
{
    struct zone_table z;
    struct err err = {0};
    ck_assert_int_eq(zone_read(bad_names[_i], &z, &err), -EINVAL);
}
END_TEST

START_TEST(what_is_no_zone_is_said)
{
    struct zone_table z;
    struct err err = {0};
    ck_assert_int_eq(zone_read("Europe/Atlantis", &z, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "tzdata"));
    err = (struct err){0};
    ck_assert_int_eq(zone_read("Europe", &z, &err), -ENOENT);
    err = (struct err){0};
    ck_assert_int_eq(zone_read("zone.tab", &z, &err), -EINVAL);
    ck_assert_int_eq(zone_decode("x", "TZ", 2, &z, &err), -EBADMSG);
}
END_TEST

/* Cut off anywhere, or with any byte turned round: a table that is sound, or a refusal; nothing else (and no bad read,
 * say the sanitizers). */
START_TEST(a_damaged_file_is_refused_or_sound)
{
    CLEANUP(buf_fini) struct buf file = {0};
    struct err err = {0};
    ck_assert_int_eq(file_read("/usr/share/zoneinfo/Europe/Berlin", 1 << 16, &file, &err), 0);
    size_t refused = 0;
    for (size_t len = 0; len < file.len; len++) {
        struct zone_table z;
        err = (struct err){0};
        char *copy = malloc(len + 1); /* of its own size: a read beyond it is seen */
        memcpy(copy, file.data, len);
        if (zone_decode("cut", copy, len, &z, &err) < 0)
            refused++;
        else
            clear(&z);
        free(copy);
    }
    ck_assert_uint_eq(refused, file.len);
    for (size_t at = 0; at < file.len; at++) {
        struct zone_table z;
        err = (struct err){0};
        file.data[at] = (char)~file.data[at];
        if (zone_decode("turned", file.data, file.len, &z, &err) == 0) {
            if (zone_table_check(&z, &err) < 0)
                ck_abort_msg("byte %zu: %s", at, err_text(&err));
            clear(&z);
        }
        file.data[at] = (char)~file.data[at];
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("zone");
    TCase *t = tcase_create("zone");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, offsets_are_those_of_the_c_library, 0, COUNT_OF(names));
    tcase_add_loop_test(t, days_follow_each_other_without_gap_or_overlap, 0, COUNT_OF(names));
    tcase_add_loop_test(t, a_local_day_begins_and_lasts, 0, COUNT_OF(day_rows));
    tcase_add_test(t, no_table_is_utc);
    tcase_add_test(t, a_skipped_day_begins_when_the_next_one_does);
    tcase_add_loop_test(t, a_name_is_no_way_out, 0, COUNT_OF(bad_names));
    tcase_add_test(t, what_is_no_zone_is_said);
    tcase_add_test(t, a_damaged_file_is_refused_or_sound);
    suite_add_tcase(s, t);
    return run_suite(s);
}
