/*
 * ledger_steps - one fact after the other on a ledger: admitted and recounted, or refused as it should be.
 */
#ifndef REEVE_TESTS_QUOTAS_LEDGER_STEPS_H
#define REEVE_TESTS_QUOTAS_LEDGER_STEPS_H

#include <check.h>

#include "tests/quotas/facts.h"

/* A change of policy says which open accounts get another limit. */
UNUSED static struct fact with_limits(const struct ledger *l, struct fact f)
{
    (void)ledger_new_limits(l, &f.policy, f.at_utc_us);
    return f;
}

/* Applies and clears; the fact must be admitted. */
UNUSED static void admit(struct ledger *l, struct fact f)
{
    struct ledger_blocker b;
    struct err err = {0};
    open_accounts(l, &f);
    enum ledger_verdict verdict = ledger_check(l, &f, &b);
    ck_assert_msg(verdict == LEDGER_FITS, "%s: %s", names_get(&ledger_verdict_names, verdict), b.where ? b.where : "-");
    ledger_apply(l, &f);
    fact_clear(&f);
    ck_assert_msg(ledger_verify(l, &err) == 0, "%s", err_text(&err));
}

/* The fact must be refused with this verdict, there. */
UNUSED static void refused(struct ledger *l, struct fact f, enum ledger_verdict want, const char *where)
{
    struct ledger_blocker b;
    open_accounts(l, &f);
    enum ledger_verdict verdict = ledger_check(l, &f, &b);
    ck_assert_str_eq(names_get(&ledger_verdict_names, verdict), names_get(&ledger_verdict_names, want));
    ck_assert_str_eq(b.where ? b.where : "", where);
    fact_clear(&f);
}

UNUSED static struct account_view account(const struct ledger *l, const char *name)
{
    struct account_view view = {0};
    ck_assert_msg(ledger_account(l, name, &view), "no account %s", name);
    return view;
}

UNUSED static void account_is(const struct ledger *l, const char *name, int64_t limit, int64_t spent, int64_t held)
{
    struct account_view v = account(l, name);
    ck_assert_int_eq(v.limit_micros, limit);
    ck_assert_int_eq(v.spent_micros, spent);
    ck_assert_int_eq(v.held_micros, held);
}

#endif
