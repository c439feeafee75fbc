#include <stdio.h>
#include <string.h>

#include "scheduler/core/state.h"

/* Policy names a person by login name or by "uid:1000". */
static bool names(const struct strs *list, const char *user, uint32_t uid)
{
    char by_uid[20];
    snprintf(by_uid, sizeof by_uid, "uid:%u", uid);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->v[i], by_uid) == 0 || (user != NULL && strcmp(list->v[i], user) == 0))
            return true;
    return false;
}

bool core_user_is_admin(const struct core *c, const char *user, uint32_t uid)
{
    return uid == 0 || names(&c->admins, user, uid);
}

bool core_user_may(const struct core *c, const char *user, uint32_t uid, const char *tenant)
{
    const struct tenant *t = tenant_find(c, tenant);
    if (t == NULL)
        return false;
    if (core_user_is_admin(c, user, uid))
        return true;
    for (; t != NULL; t = t->parent)
        if (names(&t->users, user, uid))
            return true;
    return false;
}

struct search {
    const struct core *core;
    const char *user;
    uint32_t uid;
    const char *found;
};

static bool look(const struct tenant_rule *rule, void *arg)
{
    struct search *s = arg;
    if (!names(&rule->users, s->user, s->uid))
        return true;
    s->found = rule->path;
    return false;
}

const char *core_user_tenant(const struct core *c, const char *user, uint32_t uid)
{
    struct search s = {.core = c, .user = user, .uid = uid};
    ledger_each_tenant(c->ledger, look, &s);
    return s.found;
}
