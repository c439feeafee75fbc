#include "cli/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "base/tenant_path.h"

static const char *const codes[] = {
    [STYLE_PLAIN] = "",         [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[31m",  [STYLE_WAIT] = "\033[33m",
    [STYLE_LIVE] = "\033[36m",  [STYLE_DIM] = "\033[2m",   [STYLE_HEAD] = "\033[1m",
};

void format_safe(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)(text != NULL ? text : ""); *p != '\0'; p++) {
        if (*p < ' ' || *p == 0x7f) {
            buf_add_str(out, "?");
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) { /* C1: some terminals take 0x9b for an escape */
            buf_add_str(out, "?");
            p++;
        } else {
            buf_add(out, p, 1);
        }
    }
}

void format_styled(struct buf *out, bool on, enum style style, const char *text)
{
    if (on && style != STYLE_PLAIN)
        buf_addf(out, "%s%s\033[0m", codes[style], text);
    else
        buf_add_str(out, text);
}

enum style format_state_style(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } rows[] = {
        {"succeeded", STYLE_GOOD}, {"running", STYLE_LIVE},     {"starting", STYLE_LIVE},  {"pending", STYLE_WAIT},
        {"staging in", STYLE_LIVE}, {"staging out", STYLE_LIVE},
        {"queued", STYLE_WAIT},    {"held", STYLE_WAIT},        {"paused", STYLE_WAIT},
        {"suspended", STYLE_WAIT},
               {"cancelled", STYLE_DIM},  {"up", STYLE_GOOD},
        {"drained", STYLE_WAIT},   {"closed", STYLE_WAIT},   {"unreachable", STYLE_WAIT}, {"stopping", STYLE_WAIT},
    };
    for (size_t i = 0; state != NULL && i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].state, state) == 0)
            return rows[i].style;
    return STYLE_BAD;
}

void format_cost(struct buf *out, int64_t micros, const char *currency)
{
    char text[PARSE_TEXT_MAX];
    buf_add_str(out, format_money(micros, text));
    if (currency != NULL && currency[0] != '\0') {
        buf_add_str(out, " ");
        format_safe(out, currency);
    }
}

void format_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t unit = 0;
    uint64_t whole = bytes, rest = 0;
    while (whole >= 1024) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    uint64_t tenths = rest * 10 / 1024; /* cut, not rounded: never more than there is */
    if (unit == 0 || tenths == 0 || whole >= 100)
        buf_addf(out, "%" PRIu64 "%s", whole, units[unit]);
    else
        buf_addf(out, "%" PRIu64 ".%" PRIu64 "%s", whole, tenths, units[unit]);
}

void format_cpus(struct buf *out, uint64_t milli)
{
    char text[PARSE_TEXT_MAX];
    buf_add_str(out, format_cpu(milli, text));
}

void format_span(struct buf *out, uint64_t us)
{
    uint64_t s = us / 1000000;
    if (us == 0)
        buf_add_str(out, "0s");
    else if (us < 10000)
        buf_addf(out, "%.1fms", (double)us / 1000);
    else if (us < 1000000)
        buf_addf(out, "%" PRIu64 "ms", us / 1000);
    else if (s < 10)
        buf_addf(out, "%.1fs", (double)(us / 100000) / 10);
    else if (s < 60)
        buf_addf(out, "%" PRIu64 "s", s);
    else if (s < 3600)
        buf_addf(out, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        buf_addf(out, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        buf_addf(out, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
}

enum time_shape { TIME_TODAY, TIME_YEAR, TIME_DATE, TIME_FULL };

static void put_time(struct buf *out, int64_t utc_us, enum time_shape shape)
{
    time_t seconds = (time_t)(utc_us / 1000000);
    struct tm tm = {0};
    char text[64];
    if (localtime_r(&seconds, &tm) == NULL) {
        buf_add_str(out, "?");
        return;
    }
    switch (shape) {
    case TIME_TODAY:
        strftime(text, sizeof text, "%H:%M:%S", &tm);
        break;
    case TIME_YEAR:
        strftime(text, sizeof text, "%b %d %H:%M", &tm);
        break;
    case TIME_DATE:
        strftime(text, sizeof text, "%Y-%m-%d", &tm);
        break;
    case TIME_FULL:
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        break;
    }
    buf_add_str(out, text);
}

void format_clock(struct buf *out, int64_t utc_us, int64_t now_utc_us)
{
    time_t then = (time_t)(utc_us / 1000000), now = (time_t)(now_utc_us / 1000000);
    struct tm a = {0}, b = {0};
    localtime_r(&then, &a);
    localtime_r(&now, &b);
    bool same_year = a.tm_year == b.tm_year;
    put_time(out, utc_us, same_year && a.tm_yday == b.tm_yday ? TIME_TODAY : same_year ? TIME_YEAR : TIME_DATE);
}

void format_instant(struct buf *out, int64_t utc_us)
{
    put_time(out, utc_us, TIME_FULL);
}

void format_bar(struct buf *out, uint64_t part, uint64_t whole, unsigned cells)
{
    uint64_t full = whole == 0 ? 0 : MIN(part, whole) * cells / whole;
    for (uint64_t i = 0; i < cells; i++)
        buf_add_str(out, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
}

static void add_part(struct buf *out, size_t start, const char *name)
{
    if (out->len > start)
        buf_add_str(out, ", ");
    format_safe(out, name);
    buf_add_str(out, " ");
}

void format_resources(struct buf *out, const struct resources *r)
{
    size_t start = out->len;
    if (r->cpu_milli > 0) {
        add_part(out, start, "cpu");
        format_cpus(out, r->cpu_milli);
    }
    if (r->mem_bytes > 0) {
        add_part(out, start, "memory");
        format_bytes(out, r->mem_bytes);
    }
    if (r->scratch_bytes > 0) {
        add_part(out, start, "scratch");
        format_bytes(out, r->scratch_bytes);
    }
    for (size_t i = 0; i < r->generic.count; i++) {
        add_part(out, start, r->generic.v[i].name);
        buf_addf(out, "%" PRIu64, r->generic.v[i].value);
    }
}

void format_words(struct buf *out, const struct strs *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->v[i];
        bool bare = word[0] != '\0' && strpbrk(word, " \t\n|&;<>()$`\\\"'*?[]#~!{}") == NULL;
        buf_add_str(out, i > 0 ? " " : "");
        buf_add_str(out, bare ? "" : "'");
        for (const char *p = word; *p != '\0'; p++) {
            const char one[2] = {*p, '\0'};
            if (*p == '\'')
                buf_add_str(out, "'\\''");
            else if (((unsigned char)*p & 0x80) != 0)
                buf_add(out, p, 1); /* inside a character */
            else
                format_safe(out, one);
        }
        buf_add_str(out, bare ? "" : "'");
    }
}

size_t format_columns(const char *text)
{
    size_t columns = 0;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\033') { /* ours: ESC [ digits m */
            while (*p != '\0' && *p != 'm')
                p++;
            if (*p == '\0')
                break;
        } else if (((unsigned char)*p & 0xc0) != 0x80) {
            columns++;
        }
    }
    return columns;
}

#define FOLD_INDENT 4
#define FOLD_LEAST 20

static void fold_line(struct buf *out, const char *line, size_t len, size_t width)
{
    size_t begin = MIN(strspn(line, " "), len), used = 0, hang = MIN(begin + FOLD_INDENT, width / 2);
    bool any = false;
    struct buf word = {0};
    for (size_t at = 0, spaces, letters; at < len; at += spaces + letters) {
        spaces = MIN(strspn(line + at, " "), len - at);
        letters = MIN(strcspn(line + at + spaces, " "), len - at - spaces);
        buf_reset(&word);
        buf_add(&word, line + at + spaces, letters);
        size_t columns = format_columns(buf_text(&word));
        bool further = any && used + spaces + columns > width;
        if (further)
            buf_add_str(out, "\n");
        buf_addf(out, "%*s%s", (int)(further ? hang : spaces), "", buf_text(&word));
        used = (further ? hang : used + spaces) + columns;
        any = true;
    }
    buf_fini(&word);
}

void format_fold(struct buf *out, const char *text, int width)
{
    for (const char *line = text; *line != '\0' && width >= FOLD_LEAST;) {
        size_t len = strcspn(line, "\n");
        fold_line(out, line, len, (size_t)width);
        line += len;
        if (*line == '\n')
            buf_add(out, line++, 1);
    }
    if (width < FOLD_LEAST)
        buf_add_str(out, text);
}

void format_tenant(struct buf *out, const char *path, size_t top_depth)
{
    size_t depth = tenant_path_depth(path);
    const char *slash = strrchr(path, '/');
    for (size_t i = top_depth; i < depth; i++)
        buf_add_str(out, "  ");
    format_safe(out, depth <= top_depth || slash == NULL ? path : slash + 1);
}
