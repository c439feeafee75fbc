/*
 * policy_raise - what of a change of policy gives somebody more: where two persons have to agree, that is what they
 * have to agree to. Internal to scheduler/core.
 *
 * Whatever differs is a raise, unless a row of the tables in policy_raise.c says which way less is given: what nobody
 * has thought of asks for the second person. So these alone are none: a limit, quota or budget that is lowered or comes
 * into being, a user, admin, device, profile or volume taken away, a permission withdrawn, a tenant removed, a dearer
 * price, a smaller discount, two_persons switched on.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_POLICY_RAISE_H
#define REEVE_SCHEDULER_CORE_POLICY_RAISE_H

#include "base/policy.h"

struct core;

/* What raises, as "acme  budget.limit", "prices  cpu from 2026-12-01T00:00:00Z", "admins". */
void policy_raises(const struct core *c, const struct policy_change *change, struct strs *ret);
/* policy_raise_prices.c */
void raises_prices(const struct list *before, const struct list *after, struct strs *ret);
void raises_add(struct strs *to, const char *where, const char *what);

#endif
