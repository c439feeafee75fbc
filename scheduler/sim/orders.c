#include "scheduler/sim/orders.h"

#include <errno.h>

static const char *const texts[SIM_ORDER_COUNT] = {
    [SIM_ORDER_REEVE] = "reeve",
    [SIM_ORDER_EASY] = "easy",
    [SIM_ORDER_FCFS] = "fcfs",
    [SIM_ORDER_GREEDY] = "greedy",
};
const struct names sim_order_names = {texts, COUNT_OF(texts)};

bool order_knows_tenants(enum sim_order order)
{
    return order == SIM_ORDER_REEVE || order == SIM_ORDER_GREEDY;
}

static int one_tenant(struct policy_file *policy, struct err *err)
{
    struct policy_file plain = {.prices = policy->prices};
    struct tenant_rule *rule = list_add(&plain.tenants, sizeof *rule);
    if (rule == NULL || str_set(&rule->path, ORDERS_ONE_TENANT) < 0) {
        plain.prices = (struct list){0};
        fields_clear(&policy_file_fields, &plain);
        return err_set(err, -ENOMEM, "out of memory");
    }
    policy->prices = (struct list){0};
    plain.currency = policy->currency;
    policy->currency = NULL;
    fields_clear(&policy_file_fields, policy);
    *policy = plain;
    return 0;
}

int order_apply(enum sim_order order, struct core_limits *limits, struct policy_file *policy, struct err *err)
{
    limits->in_order = order == SIM_ORDER_FCFS;
    if (order == SIM_ORDER_EASY)
        limits->reserve_max = 1;
    else if (order != SIM_ORDER_REEVE)
        limits->reserve_max = 0;
    return order_knows_tenants(order) ? 0 : one_tenant(policy, err);
}
