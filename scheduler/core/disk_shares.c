#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

static bool is_known(const struct shares_call *call, const char *path)
{
    const struct io_share *v = call->tenants.v;
    for (size_t i = 0; i < call->tenants.count; i++)
        if (strcmp(v[i].tenant, path) == 0)
            return true;
    return false;
}

static void add_line(const struct tenant *t, struct shares_call *call)
{
    for (; t != NULL; t = t->parent) {
        if (io_rule_is_empty(&t->io) || is_known(call, t->path))
            continue;
        struct io_share *at = list_add(&call->tenants, sizeof *at);
        BUG(at == NULL);
        *at = (struct io_share){core_text(t->path), t->io};
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct io_share *)a)->tenant, ((const struct io_share *)b)->tenant);
}

void core_shares(const struct core *c, const char *node, const char *tenant, struct shares_call *ret)
{
    *ret = (struct shares_call){.version = c->policy_version, .whole = tenant == NULL};
    if (tenant != NULL) {
        add_line(tenant_find(c, tenant), ret);
    } else {
        const struct node *n = node_find(c, node);
        const struct tenant *last = NULL; /* tasks of one job often follow each other */
        for (const struct task *t = n != NULL ? n->tasks : NULL; t != NULL; t = t->node_next) {
            const struct tenant *of = job_tenant(t->job);
            if (of != last)
                add_line(of, ret);
            last = of;
        }
    }
    if (ret->tenants.count > 1)
        qsort(ret->tenants.v, ret->tenants.count, sizeof(struct io_share), by_path);
}
