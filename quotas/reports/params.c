#include "quotas/reports/params.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/reports/escape.h"

#define PARAM_BYTES_MAX 1024

int problem_set(struct problem *p, int status, const char *parameter, const char *allowed, const char *format, ...)
{
    p->status = status;
    snprintf(p->parameter, sizeof p->parameter, "%s", parameter != NULL ? parameter : "");
    snprintf(p->allowed, sizeof p->allowed, "%s", allowed != NULL ? allowed : "");
    va_list args;
    va_start(args, format);
    vsnprintf(p->detail, sizeof p->detail, format, args);
    va_end(args);
    return -EINVAL;
}

const char *problem_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
                  {405, "Method Not Allowed"}, {409, "Conflict"}, {415, "Unsupported Media Type"},
                  {422, "Unprocessable Content"}, {501, "Not Implemented"}, {503, "Service Unavailable"}};
    for (size_t i = 0; i < COUNT_OF(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Internal Server Error";
}

void problem_write(const struct problem *p, struct buf *out)
{
    buf_addf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", problem_title(p->status),
             p->status);
    json_text(out, p->detail);
    if (p->parameter[0] != '\0') {
        buf_add_str(out, ",\"parameter\":");
        json_text(out, p->parameter);
    }
    if (p->allowed[0] != '\0') {
        buf_add_str(out, ",\"allowed\":");
        json_text(out, p->allowed);
    }
    if (p->retry_after_s != 0)
        buf_addf(out, ",\"retry_after\":%u", p->retry_after_s);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `len` bytes of the query into out; false when they are not a proper encoding of proper text. */
static bool decode(const char *from, size_t len, char out[PARAM_BYTES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char byte = from[i] == '+' ? ' ' : from[i];
        if (from[i] == '%') {
            if (len - i < 3 || digit_of(from[i + 1]) < 0 || digit_of(from[i + 2]) < 0)
                return false;
            int high = digit_of(from[i + 1]), low = digit_of(from[i + 2]);
            byte = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= PARAM_BYTES_MAX)
            return false;
        out[n++] = byte;
    }
    out[n] = '\0';
    return parse_utf8(out, n, NULL) == 0;
}

static int add(struct params *ret, const char *part, size_t len, struct problem *problem)
{
    char name[PARAM_BYTES_MAX], value[PARAM_BYTES_MAX];
    const char *equals = memchr(part, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - part) : len;
    size_t value_len = equals != NULL ? len - name_len - 1 : 0;
    if (!decode(part, name_len, name) || !decode(part + len - value_len, value_len, value))
        return problem_set(problem, 400, NULL, "name=value pairs, percent-encoded UTF-8, at most 1023 bytes each",
                           "the query is not properly encoded");
    if (params_get(ret, name) != NULL)
        return problem_set(problem, 400, name, NULL, "%s: is there twice", name);
    if (ret->count == PARAMS_MAX)
        return problem_set(problem, 400, NULL, NULL, "more than %d parameters", PARAMS_MAX);
    struct pair *pair = &ret->v[ret->count];
    if (str_set(&pair->key, name) < 0 || str_set(&pair->value, value) < 0) {
        free(pair->key);
        *pair = (struct pair){0};
        return problem_set(problem, 503, NULL, NULL, "no memory");
    }
    ret->count++;
    return 0;
}

int params_parse(const char *query, struct params *ret, struct problem *problem)
{
    struct params p = {0};
    int r = 0;
    while (query != NULL && *query != '\0' && r == 0) {
        size_t len = strcspn(query, "&");
        if (len > 0)
            r = add(&p, query, len, problem);
        query += len + (query[len] == '&');
    }
    if (r < 0) {
        params_fini(&p);
        return r;
    }
    *ret = p;
    return 0;
}

void params_fini(struct params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->v[i].key);
        free(p->v[i].value);
    }
    *p = (struct params){0};
}

const char *params_get(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->v[i].key, name) == 0)
            return p->v[i].value;
    return NULL;
}

int params_only(const struct params *p, const char *const *names, struct problem *problem)
{
    for (size_t i = 0; i < p->count; i++) {
        bool known = false;
        char allowed[512] = "";
        for (size_t k = 0; names[k] != NULL; k++) {
            known = known || strcmp(p->v[i].key, names[k]) == 0;
            size_t n = strlen(allowed);
            snprintf(allowed + n, sizeof allowed - n, "%s%s", k > 0 ? ", " : "", names[k]);
        }
        if (!known)
            return problem_set(problem, 400, p->v[i].key, names[0] != NULL ? allowed : "no parameters here",
                               "%.100s: there is no such parameter", p->v[i].key);
    }
    return 0;
}
