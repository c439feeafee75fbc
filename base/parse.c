#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MONEY_DECIMALS 6
#define NAME_PART_MAX 63
#define PATH_DEPTH_MAX 8
#define PATH_TEXT_MAX 255

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits with at most one point, exactly as written: mantissa / 10^decimals. */
struct decimal {
    uint64_t mantissa;
    unsigned decimals;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

const char *format_quote(const char *text, char out[PARSE_QUOTE_MAX])
{
    const size_t room = PARSE_QUOTE_MAX - sizeof "''...";
    size_t len = strnlen(text, room + 1);
    bool cut = len > room;
    if (cut)
        for (len = room; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--; /* not in the middle of a character */
    char *at = out;
    *at++ = '\'';
    for (size_t i = 0; i < len; i++)
        *at++ = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    memcpy(at, cut ? "...'" : "'", cut ? 5 : 2);
    return out;
}

static int refuse(struct err *err, const char *text, const char *what)
{
    char quoted[PARSE_QUOTE_MAX];
    return err_set(err, -EINVAL, "%s is not %s", format_quote(text, quoted), what);
}

/* Reads digits; a needless leading zero would make two texts of one number (and looks octal). */
static bool take_digits(const char **at, uint64_t *value)
{
    const char *p = *at;
    if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
        return false;
    uint64_t v = 0;
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return false;
    *at = p;
    *value = v;
    return true;
}

static bool take_decimal(const char **at, struct decimal *d)
{
    const char *p = *at;
    *d = (struct decimal){ 0 };
    if (!take_digits(&p, &d->mantissa))
        return false;
    if (*p == '.') {
        if (!is_digit(*++p))
            return false;
        for (; is_digit(*p); p++, d->decimals++)
            if (__builtin_mul_overflow(d->mantissa, UINT64_C(10), &d->mantissa) ||
                __builtin_add_overflow(d->mantissa, (uint64_t)(*p - '0'), &d->mantissa))
                return false;
    }
    *at = p;
    return true;
}

/* mantissa / 10^decimals * factor, when that is a whole number that fits. */
static bool scale(struct decimal d, uint64_t factor, uint64_t *ret)
{
    for (unsigned i = 0; i < d.decimals; i++) {
        const uint64_t primes[] = { 2, 5 };
        for (size_t k = 0; k < COUNT_OF(primes); k++) {
            if (factor % primes[k] == 0)
                factor /= primes[k];
            else if (d.mantissa % primes[k] == 0)
                d.mantissa /= primes[k];
            else
                return false;
        }
    }
    uint64_t scaled = 0;
    if (__builtin_mul_overflow(d.mantissa, factor, &scaled))
        return false;
    *ret = scaled;
    return true;
}

static bool parse_scaled(const char *text, const struct unit *units, size_t count, uint64_t *ret)
{
    struct decimal d;
    if (!take_decimal(&text, &d))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, units[i].name) == 0)
            return scale(d, units[i].factor, ret);
    return false;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
    const char *at = text;
    uint64_t value = 0;
    if (take_digits(&at, &value) && *at == '\0' && value >= min && value <= max) {
        *ret = value;
        return 0;
    }
    char what[96] = "a whole number";
    if (min != 0 || max != UINT64_MAX)
        snprintf(what, sizeof what, "a whole number from %" PRIu64 " to %" PRIu64, min, max);
    return refuse(err, text, what);
}

int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    bool negative = text[0] == '-';
    const char *at = text + negative;
    uint64_t magnitude = 0;
    if (take_digits(&at, &magnitude) && *at == '\0' && magnitude <= (uint64_t)INT64_MAX + negative) {
        int64_t value = (int64_t)(negative ? UINT64_C(0) - magnitude : magnitude);
        if (value >= min && value <= max) {
            *ret = value;
            return 0;
        }
    }
    char what[96] = "a whole number";
    if (min != INT64_MIN || max != INT64_MAX)
        snprintf(what, sizeof what, "a whole number from %" PRId64 " to %" PRId64, min, max);
    return refuse(err, text, what);
}

static const struct unit size_units[] = {
    { "", 1 },
    { "Ki", UINT64_C(1) << 10 }, { "Mi", UINT64_C(1) << 20 }, { "Gi", UINT64_C(1) << 30 },
    { "Ti", UINT64_C(1) << 40 }, { "Pi", UINT64_C(1) << 50 },
    { "K", UINT64_C(1000) }, { "M", UINT64_C(1000000) }, { "G", UINT64_C(1000000000) },
    { "T", UINT64_C(1000000000000) }, { "P", UINT64_C(1000000000000000) },
};
#define BINARY_UNITS 6 /* the rows that format_size() writes */

int parse_size(const char *text, uint64_t *ret_bytes, struct err *err)
{
    if (parse_scaled(text, size_units, COUNT_OF(size_units), ret_bytes))
        return 0;
    return refuse(err, text, "a size; write 4Gi, 4096Mi or bytes");
}

const char *format_size(uint64_t bytes, char out[PARSE_TEXT_MAX])
{
    size_t i = BINARY_UNITS - 1;
    while (i > 0 && (bytes == 0 || bytes % size_units[i].factor != 0))
        i--;
    snprintf(out, PARSE_TEXT_MAX, "%" PRIu64 "%s", bytes / size_units[i].factor, size_units[i].name);
    return out;
}

static const struct unit cpu_units[] = { { "", 1000 }, { "m", 1 } };

int parse_cpu(const char *text, uint64_t *ret_milli, struct err *err)
{
    if (parse_scaled(text, cpu_units, COUNT_OF(cpu_units), ret_milli))
        return 0;
    return refuse(err, text, "a number of cores; write 2, 0.5 or 250m");
}

/* "whole.fraction" without trailing zeros, but with at least `least` digits behind the point (none: no point). */
static void put_decimal(char *out, const char *sign, uint64_t whole, uint64_t fraction, int decimals, int least)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%0*" PRIu64, decimals, fraction);
    while (n > least && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    snprintf(out, PARSE_TEXT_MAX, "%s%" PRIu64 "%s%s", sign, whole, n > 0 ? "." : "", digits);
}

const char *format_cpu(uint64_t milli, char out[PARSE_TEXT_MAX])
{
    put_decimal(out, "", milli / 1000, milli % 1000, 3, 0);
    return out;
}

static const struct unit duration_units[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

/* Larger units first, each at most once: 1h30m, never 30m1h. */
static bool take_durations(const char *at, uint64_t *ret_ms)
{
    uint64_t total = 0;
    size_t next = 0;
    do {
        uint64_t amount = 0;
        if (!take_digits(&at, &amount))
            return false;
        size_t letters = strspn(at, "dhms");
        while (next < COUNT_OF(duration_units) &&
               (strlen(duration_units[next].name) != letters ||
                strncmp(at, duration_units[next].name, letters) != 0))
            next++;
        if (next == COUNT_OF(duration_units) ||
            __builtin_mul_overflow(amount, duration_units[next].factor, &amount) ||
            __builtin_add_overflow(total, amount, &total))
            return false;
        at += letters;
        next++;
    } while (*at != '\0');
    *ret_ms = total;
    return true;
}

int parse_duration(const char *text, uint64_t *ret_ms, struct err *err)
{
    if (take_durations(text, ret_ms))
        return 0;
    return refuse(err, text, "a duration; write 30s, 15m, 2h, 1d or 1h30m");
}

const char *format_duration(uint64_t ms, char out[PARSE_TEXT_MAX])
{
    size_t used = 0;
    for (size_t i = 0; i < COUNT_OF(duration_units); i++) {
        uint64_t amount = ms / duration_units[i].factor;
        ms %= duration_units[i].factor;
        bool last = i + 1 == COUNT_OF(duration_units);
        if (amount > 0 || (last && used == 0))
            used += (size_t)snprintf(out + used, PARSE_TEXT_MAX - used, "%" PRIu64 "%s", amount,
                                     duration_units[i].name);
    }
    return out;
}

int parse_money(const char *text, int64_t *ret_micros, struct err *err)
{
    bool negative = text[0] == '-';
    const char *at = text + negative;
    struct decimal d;
    uint64_t magnitude = 0;
    if (take_decimal(&at, &d) && *at == '\0' && d.decimals <= MONEY_DECIMALS &&
        scale(d, 1000000, &magnitude) && magnitude <= (uint64_t)INT64_MAX + negative) {
        *ret_micros = (int64_t)(negative ? UINT64_C(0) - magnitude : magnitude);
        return 0;
    }
    return refuse(err, text, "an amount; write 12, 12.50 or at most six decimals, without currency");
}

const char *format_money(int64_t micros, char out[PARSE_TEXT_MAX])
{
    uint64_t magnitude = micros < 0 ? UINT64_C(0) - (uint64_t)micros : (uint64_t)micros;
    put_decimal(out, micros < 0 ? "-" : "", magnitude / 1000000, magnitude % 1000000, MONEY_DECIMALS, 2);
    return out;
}

/* How many bytes from the first on are ASCII and not NUL. */
static size_t ascii_before(const char *bytes, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t at = 0;
    for (uint64_t word; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        if (((word | (word - ones)) & tops) != 0) /* a byte of 0 borrows into its top bit */
            break;
    }
    while (at < len && (uint8_t)(bytes[at] - 1) < 0x7f)
        at++;
    return at;
}

int parse_utf8(const char *bytes, size_t len, struct err *err)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = ascii_before(bytes, len); i < len;) {
        unsigned char c = s[i];
        size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        bool good = c != 0 && (c < 0x80 || (c >= 0xc2 && c <= 0xf4)) && more < len - i;
        for (size_t k = 1; good && k <= more; k++)
            good = (s[i + k] & 0xc0) == 0x80;
        if (good && more > 1) /* overlong forms, surrogates, beyond U+10FFFF: told by the second byte */
            good = !((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) ||
                     (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f));
        if (!good)
            return err_set(err, -EINVAL, c == 0 ? "byte %zu is NUL; text holds none"
                                                : "byte %zu is not valid UTF-8", i);
        i += more + 1;
    }
    return 0;
}

static bool is_name(const char *text, size_t len, size_t max)
{
    if (len == 0 || len > max || !is_alnum(text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    return true;
}

int parse_name(const char *text, size_t max, struct err *err)
{
    if (is_name(text, strlen(text), max))
        return 0;
    char what[160];
    snprintf(what, sizeof what, "a name; write 1 to %zu letters, digits, '.', '_' or '-', the first a letter or digit",
             max);
    return refuse(err, text, what);
}

int parse_tenant_path(const char *text, struct err *err)
{
    bool good = strlen(text) <= PATH_TEXT_MAX;
    unsigned depth = 0;
    for (const char *at = text; good; at++) {
        size_t len = strcspn(at, "/");
        good = is_name(at, len, NAME_PART_MAX) && ++depth <= PATH_DEPTH_MAX;
        at += len;
        if (*at == '\0')
            break;
    }
    if (good)
        return 0;
    return refuse(err, text, "a tenant path; write 1 to 8 names joined by '/', like acme/etl");
}
