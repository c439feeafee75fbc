/*
 * civil - days and dates of the proleptic Gregorian calendar; day 0 is 1970-01-01.
 * Source: Howard Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years that begin on a first of
 *         March, so that the leap day is the last day of its year. Exact for every year that int64 days reach.
 * Purity: pure.
 */
#ifndef REEVE_BASE_CIVIL_H
#define REEVE_BASE_CIVIL_H

#include <stdint.h>

struct civil_date {
    int64_t year;
    uint32_t month, day; /* 1..12, 1..31 */
};

/* month 1..12; a day beyond the month's length counts on into the next. */
int64_t civil_days(int64_t year, uint32_t month, uint32_t day);
struct civil_date civil_of_days(int64_t days);
uint32_t civil_days_in(int64_t year, uint32_t month);

#endif
