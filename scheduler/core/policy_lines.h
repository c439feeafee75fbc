/*
 * policy_lines - a change of policy in lines for people, before and after it:
 *   ~ acme/etl  budget.limit  400.00 -> 500.00
 *   + acme/ml  quota.cpu 8, budget.limit 100.00, users alice
 *   - acme/old
 * Internal to scheduler/core. Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_POLICY_LINES_H
#define REEVE_SCHEDULER_CORE_POLICY_LINES_H

#include "base/policy.h"

void lines_added(struct strs *lines, const struct tenant_rule *rule);
void lines_removed(struct strs *lines, const char *path);
void lines_changed(struct strs *lines, const struct tenant_rule *before, const struct tenant_rule *after);
void lines_prices(struct strs *lines, const struct list *before, const struct list *after);
void lines_text(struct strs *lines, const char *what, const char *before, const char *after);
void lines_list(struct strs *lines, const char *what, const struct strs *before, const struct strs *after);

#endif
