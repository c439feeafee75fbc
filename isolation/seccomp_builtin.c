#include "isolation/seccomp_builtin.h"

#include <errno.h>
#include <string.h>

#include "isolation/seccomp_read.h"
#include "isolation/seccomp_text.h" /* made from policies/data/seccomp/ */

const char *seccomp_builtin_text(const char *name, size_t *ret_len)
{
    const struct {
        const char *name;
        const unsigned char *text;
        size_t len;
    } rows[] = {
        {"default", seccomp_default_json, seccomp_default_json_len},
        {"floor", seccomp_floor_json, seccomp_floor_json_len},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *ret_len = rows[i].len;
            return (const char *)rows[i].text;
        }
    }
    return NULL;
}

static uint32_t told_instead(uint32_t answer)
{
    return (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? SECCOMP_RET_USER_NOTIF : answer;
}

static void make_tracing(struct seccomp_profile *p)
{
    p->other = told_instead(p->other);
    for (size_t i = 0; i < p->count; i++)
        p->rules[i].answer = told_instead(p->rules[i].answer);
    seccomp_profile_sort(p);
}

int seccomp_builtin_read(const char *name, struct seccomp_profile *ret, struct err *err)
{
    bool trace = strcmp(name, "trace") == 0;
    size_t len;
    const char *text = seccomp_builtin_text(trace ? "default" : name, &len);
    if (text == NULL)
        return err_set(err, -ENOENT, "there is no built-in profile '%.60s'", name);
    int rc = seccomp_read(text, len, ret, NULL, err);
    if (rc == 0 && trace)
        make_tracing(ret);
    return rc;
}
