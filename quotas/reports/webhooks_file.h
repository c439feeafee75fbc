/*
 * webhooks_file - who is told of events: one line per webhook.
 *
 *   <name> <url> <secret> <tenant subtree> [<event>[,<event>...]]
 *   finance https://hooks.example.org/reeve 5f0c...e1 / budget.crossed,period.closed
 *
 * Lines beginning with # are comments. The secret signs; it is at least 16 characters. A line that can't be understood
 * is refused by number, and with it the whole file; so is a file that others can read.
 * Purity: webhooks_parse() is.
 */
#ifndef REEVE_QUOTAS_REPORTS_WEBHOOKS_FILE_H
#define REEVE_QUOTAS_REPORTS_WEBHOOKS_FILE_H

#include "base/fields.h"

#define WEBHOOKS_MAX 32
#define WEBHOOK_NAME_MAX 63

enum event_type { EVENT_BUDGET_CROSSED, EVENT_PERIOD_CLOSED, EVENT_POLICY_PROPOSED, EVENT_TYPE_COUNT };
extern const struct names event_type_names;

struct webhook {
    char *name, *url, *secret, *tenant;
    uint32_t events; /* bits of enum event_type */
};

int webhooks_parse(const char *text, struct list *ret, struct err *err) MUST_USE;
/* An absent file has none. */
int webhooks_load(const char *path, struct list *ret, struct err *err) MUST_USE;
void webhooks_clear(struct list *hooks); /* struct webhook */

#endif
