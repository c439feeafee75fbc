/* TZif files, RFC 8536: the 64-bit block, then its closing rule (a POSIX TZ text), written out year by year. */
#include <errno.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"

#define HEADER_BYTES 44
#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)
#define TYPE_BYTES 6
#define FROM_S (ZONE_FROM_US / SECOND_US)
#define UNTIL_S (ZONE_UNTIL_US / SECOND_US)

struct header {
    uint8_t version;
    size_t utc, standard, leaps, times, types, chars;
};

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t be64(const uint8_t *at)
{
    return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

/* -1: no header there. */
static int header_read(const uint8_t *at, size_t len, struct header *ret)
{
    if (len < HEADER_BYTES || memcmp(at, "TZif", 4) != 0)
        return -1;
    *ret = (struct header){at[4], be32(at + 20), be32(at + 24), be32(at + 28), be32(at + 32), be32(at + 36),
                           be32(at + 40)};
    const size_t most = 1 << 16;
    bool sane = ret->utc <= most && ret->standard <= most && ret->leaps <= most && ret->times <= most &&
                ret->types >= 1 && ret->types <= 256 && ret->chars <= most;
    return sane ? 0 : -1;
}

static size_t block_bytes(const struct header *h, size_t width)
{
    return h->times * (width + 1) + h->types * TYPE_BYTES + h->chars + h->leaps * (width + 4) + h->standard + h->utc;
}

/* ---- the table ---- */
/* Adds a shift, unless nothing shifts; what lies before the first year wanted becomes the first row. */
static int shift_add(struct zone_table *z, int64_t at_s, int32_t offset_s, struct err *err)
{
    struct zone_shift *rows = z->shifts.v;
    if (at_s >= UNTIL_S)
        return 0;
    at_s = MAX(at_s, FROM_S);
    struct zone_shift *last = z->shifts.count > 0 ? &rows[z->shifts.count - 1] : NULL;
    if (last != NULL && (last->from_utc_us >= at_s * SECOND_US)) {
        last->offset_s = offset_s;
        return 0;
    }
    if (last != NULL && last->offset_s == offset_s)
        return 0;
    if (z->shifts.count == ZONE_SHIFTS_MAX)
        return err_set(err, -E2BIG, "more than %d shifts", ZONE_SHIFTS_MAX);
    struct zone_shift *s = list_add(&z->shifts, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    *s = (struct zone_shift){at_s * SECOND_US, offset_s};
    return 0;
}

static int block_read(const uint8_t *at, const struct header *h, struct zone_table *ret, struct err *err)
{
    const uint8_t *index = at + h->times * 8, *types = index + h->times;
    int rc = shift_add(ret, FROM_S, (int32_t)be32(types), err); /* before the first shift: type 0 */
    for (size_t i = 0; rc == 0 && i < h->times; i++) {
        if (index[i] >= h->types)
            return err_set(err, -EBADMSG, "its shift %zu has a type that isn't there", i);
        rc = shift_add(ret, be64(at + i * 8), (int32_t)be32(types + index[i] * TYPE_BYTES), err);
    }
    return rc;
}

/* ---- the closing rule: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */
struct cut {
    const char *at, *end;
    bool bad;
};
struct rule {
    char kind; /* 'M' month.week.weekday, 'J' day 1..365 without leap days, '0' day 0..365 */
    int month, week, day;
    int32_t time_s;
};

static bool take(struct cut *c, char what)
{
    if (c->at >= c->end || *c->at != what)
        return false;
    c->at++;
    return true;
}

static int number(struct cut *c, int most)
{
    int value = 0;
    const char *begin = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && value <= most)
        value = value * 10 + (*c->at++ - '0');
    c->bad |= c->at == begin || value > most;
    return value;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_name(struct cut *c)
{
    const char *begin = c->at;
    if (take(c, '<')) {
        while (c->at < c->end && *c->at != '>')
            c->at++;
        c->bad |= !take(c, '>');
        return;
    }
    while (c->at < c->end && is_letter(*c->at))
        c->at++;
    c->bad |= c->at == begin;
}

/* [+-]hh[:mm[:ss]] */
static int32_t clock_time(struct cut *c)
{
    bool minus = take(c, '-');
    if (!minus)
        (void)take(c, '+');
    int32_t s = number(c, 167) * 3600;
    if (take(c, ':'))
        s += number(c, 59) * 60;
    if (take(c, ':'))
        s += number(c, 59);
    return minus ? -s : s;
}

static struct rule rule_read(struct cut *c)
{
    struct rule r = {.time_s = 2 * 3600};
    if (take(c, 'M')) {
        r.kind = 'M';
        r.month = number(c, 12);
        c->bad |= !take(c, '.');
        r.week = number(c, 5);
        c->bad |= !take(c, '.') || r.month == 0 || r.week == 0;
        r.day = number(c, 6);
    } else {
        r.kind = take(c, 'J') ? 'J' : '0';
        r.day = number(c, 365);
        c->bad |= r.kind == 'J' && r.day == 0;
    }
    if (take(c, '/'))
        r.time_s = clock_time(c);
    return r;
}

/* The local second of a year at which the rule shifts, counted from 1970 on a clock without zones. */
static int64_t rule_at(const struct rule *r, int64_t year)
{
    int64_t day;
    if (r->kind == 'M') {
        int64_t first = civil_days(year, (uint32_t)r->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* day 0 was a Thursday; Sunday is 0 */
        day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        if (day >= first + civil_days_in(year, (uint32_t)r->month))
            day -= 7;
    } else {
        day = civil_days(year, 1, 1) + r->day;
        if (r->kind == 'J') /* March 1 is day 60, in leap years, too */
            day += (r->day >= 60 && civil_days_in(year, 2) == 29) - 1;
    }
    return day * DAY_S + r->time_s;
}

static int rules_write(const struct rule rules[2], const int32_t offset_s[2], struct zone_table *z, struct err *err)
{
    int64_t last_s = ((const struct zone_shift *)z->shifts.v)[z->shifts.count - 1].from_utc_us / SECOND_US;
    int rc = 0;
    for (int64_t year = 1999; rc == 0 && year < 2100; year++) {
        int64_t at_s[2];
        for (size_t i = 0; i < 2; i++) /* [0] begins summer time: the clock still shows the other */
            at_s[i] = rule_at(&rules[i], year) - offset_s[1 - i];
        size_t first = at_s[0] <= at_s[1] ? 0 : 1;
        for (size_t k = 0; rc == 0 && k < 2; k++) {
            size_t i = k == 0 ? first : 1 - first;
            if (at_s[i] > last_s)
                rc = shift_add(z, at_s[i], offset_s[i], err);
        }
    }
    return rc;
}

/* offset_s[0] is summer time's. A rule without summer time says nothing new. */
static int footer_read(const char *text, size_t len, struct zone_table *z, struct err *err)
{
    struct cut c = {text, text + len, false};
    struct rule rules[2];
    int32_t offset_s[2];
    if (len == 0)
        return 0;
    skip_name(&c);
    offset_s[1] = -clock_time(&c);
    if (c.at == c.end && !c.bad)
        return 0;
    skip_name(&c);
    offset_s[0] = c.at < c.end && *c.at != ',' ? -clock_time(&c) : offset_s[1] + 3600;
    for (size_t i = 0; i < 2; i++) {
        c.bad |= !take(&c, ',');
        rules[i] = rule_read(&c);
    }
    if (c.bad || c.at != c.end)
        return err_set(err, -EBADMSG, "its closing rule '%.*s' can't be read", (int)MIN(len, (size_t)60), text);
    return rules_write(rules, offset_s, z, err);
}

static int decode(const uint8_t *at, size_t len, struct zone_table *ret, struct err *err)
{
    const uint8_t *end = at + len;
    struct header h;
    if (header_read(at, len, &h) < 0)
        return err_set(err, -EBADMSG, "is not a TZif file");
    if (h.version < '2')
        return err_set(err, -EBADMSG, "is a TZif file of version 1; version 2 or later has what is needed");
    size_t skip = HEADER_BYTES + block_bytes(&h, 4);
    if (skip > len || header_read(at + skip, len - skip, &h) < 0)
        return err_set(err, -EBADMSG, "is a TZif file that is cut off");
    at += skip + HEADER_BYTES;
    size_t block = block_bytes(&h, 8);
    if ((size_t)(end - at) < block + 2 || at[block] != '\n')
        return err_set(err, -EBADMSG, "is a TZif file that is cut off");
    int rc = block_read(at, &h, ret, err);
    const uint8_t *footer = at + block + 1;
    const uint8_t *stop = memchr(footer, '\n', (size_t)(end - footer));
    if (rc == 0 && stop == NULL)
        return err_set(err, -EBADMSG, "is a TZif file without the end of its closing rule");
    if (rc == 0)
        rc = footer_read((const char *)footer, (size_t)(stop - footer), ret, err);
    return rc < 0 ? rc : zone_table_check(ret, err) < 0 ? err_wrap(err, -EBADMSG, "its shifts") : 0;
}

int zone_decode(const char *name, const void *bytes, size_t len, struct zone_table *ret, struct err *err)
{
    struct zone_table z = {0};
    int rc = str_set(&z.name, name) < 0 ? err_set(err, -ENOMEM, "out of memory") : decode(bytes, len, &z, err);
    if (rc < 0) {
        fields_clear(&zone_table_fields, &z);
        return err_wrap(err, rc, "time zone %.63s", name);
    }
    *ret = z;
    return 0;
}
