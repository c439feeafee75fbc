/*
 * store_call - journal entries as the words of one FCALL: derived from the facts alone, so that replaying the journal
 * rebuilds Redis bit for bit. What is committed most often goes in runs, one call for many; the rest alone. The layout
 * of keys and arguments is written at each operation in functions/reeve.lua.
 * Purity:    pure (allocates). Knows no hiredis.
 * Ownership: the holder of the struct; {0} is ready; built again and again it keeps its memory. The words point into
 *            it and into the entry: valid until the next build or the end of the entry.
 */
#ifndef REEVE_QUOTAS_STORE_STORE_CALL_H
#define REEVE_QUOTAS_STORE_STORE_CALL_H

#include "quotas/store/store.h"

#define STORE_PREFIX_MAX 96

struct store_word {
    const char *text; /* NULL while building: at `offset` of the arena */
    size_t offset, len;
};
struct store_words {
    struct store_word *v;
    size_t count, size;
};

struct store_call {
    /* What is sent. */
    const char **argv;
    size_t *lens;
    size_t argc;
    /* Being built. */
    struct store_words keys, args;
    struct buf arena;
    size_t argv_size;
    bool failed;
};

struct store_head {
    const char *prefix; /* "reeve3:{cell}:" */
    const char *writer;
    uint64_t term, durable;
    const char *mode;   /* "": ask and write. "!": write without asking. Else: the refusal to record */
};

#define STORE_RUN_MAX 100 /* entries of one call, a gang's members each: well below a millisecond of Redis */
/* One call of the first of `count` entries, whose seqs follow each other: a run of as many as one call takes, at most
 * STORE_RUN_MAX, or the first alone. *ret_count: how many it has. The reply has a result for each
 * (store_reply_results). -ENOMEM; -EINVAL when a fact can't be a call (too many accounts, a tenant without a path). */
int store_call_build(struct store_call *c, const struct store_head *head, const struct store_entry *entries,
                     size_t count, size_t *ret_count) MUST_USE;
void store_call_fini(struct store_call *c);

/* "reeve3:{cell}:" into out. -EINVAL when the cell is no name. */
int store_prefix(const char *cell, char out[STORE_PREFIX_MAX], struct err *err) MUST_USE;
/* What tells one job body from another: hex, derived from the encoded spec. */
#define STORE_BODY_HASH_MAX 40
int store_body_hash(const struct job_spec *spec, char out[STORE_BODY_HASH_MAX]) MUST_USE;
/* Building blocks, also for seeding. */
void store_call_begin(struct store_call *c);
void store_call_key(struct store_call *c, const char *prefix, const char *kind, const char *name);
void store_call_arg(struct store_call *c, const char *text); /* borrowed */
void store_call_argn(struct store_call *c, const void *bytes, size_t len); /* borrowed */
void store_call_argf(struct store_call *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* A word that is packed straight into the arena: begin, pack, end. */
struct buf *store_call_pack_begin(struct store_call *c);
void store_call_pack_end(struct store_call *c);
void store_call_attempt(struct store_call *c, struct attempt_id id);
/* keys and args into argv, behind the words of `command` ("FCALL reeve_commit") and the number of keys when counted. */
int store_call_end(struct store_call *c, const char *command, const char *function, bool counted) MUST_USE;

/* ---- store_run.c ---- */
/* An entry of a run. `before`: the renewal before it in the run, or NULL. -EINVAL. */
int store_run_words(struct store_call *c, const struct store_entry *entry, const struct fact_renewed *before) MUST_USE;
/* One that touches no counters. */
int store_run_note(struct store_call *c, const struct store_entry *entry) MUST_USE;

/* ---- what lies in Redis, as functions/reeve.lua packs it; also for seeding and for views ---- */
enum store_tenant_number {
    STORE_T_QUEUED, STORE_T_RUNNING, STORE_T_CPU, STORE_T_MEMORY, STORE_T_SCRATCH,
    STORE_T_LIMIT_QUEUED, STORE_T_LIMIT_RUNNING, STORE_T_LIMIT_CPU, STORE_T_LIMIT_MEMORY, STORE_T_LIMIT_SCRATCH,
    STORE_T_CHILDREN, STORE_T_EXTRA, STORE_T_COUNT
};
enum store_account_number { STORE_A_LIMIT, STORE_A_SPENT, STORE_A_HELD, STORE_A_FROM, STORE_A_TO, STORE_A_COUNT };
/* A share, as quotas/ledger_quota.h has it. */
enum store_share_number { STORE_S_NOMINAL, STORE_S_BORROW, STORE_S_LEND, STORE_S_HAVE, STORE_S_TOTAL, STORE_S_COUNT };
enum store_generic_number { STORE_G_USED, STORE_G_LIMIT, STORE_G_SHARE, STORE_G_COUNT = STORE_G_SHARE + STORE_S_COUNT };
/* "q:<path>": three shares, then submissions and starts. */
enum store_rate_number { STORE_R_LIMIT, STORE_R_PARTS, STORE_R_AT, STORE_R_COUNT };
enum store_quota_number {
    STORE_Q_SHARES,
    STORE_Q_SUBMITS = 3 * STORE_S_COUNT,
    STORE_Q_STARTS = STORE_Q_SUBMITS + STORE_R_COUNT,
    STORE_Q_COUNT = STORE_Q_STARTS + STORE_R_COUNT
};
enum store_hold_number { STORE_H_SPENT, STORE_H_HELD, STORE_H_COUNT };
/* The part of a tenant's numbers that its rule makes: limits. */
void store_rule_numbers(const struct tenant_rule *rule, int64_t numbers[STORE_T_COUNT]);
/* Little-endian int64s: as one word, into a buffer, and back (false: not so many bytes). */
void store_call_numbers(struct store_call *c, const int64_t *numbers, size_t count, const char *tail);
bool store_numbers_read(const char *bytes, size_t len, int64_t *numbers, size_t count);
/* An instant, or the nearest one that Lua can count in. */
int64_t store_instant(int64_t utc_us);
/* A hold, and the parts of it that a renewal brings anew. */
struct store_hold_parts {
    int64_t spent_micros, held_micros;
    const struct strs *accounts; /* of money */
    const struct list *times;    /* struct time_hold */
    const struct strs *path;
    const struct resources *need;
};
bool store_pack_hold(struct buf *out, const struct store_hold_parts *h) MUST_USE; /* false: no hold has so many parts */
void store_pack_accounts(struct buf *out, const struct strs *accounts, const struct list *times);
void store_pack_times(struct buf *out, const struct list *times);
void store_pack_attempts(struct buf *out, const struct fact_gang *gang);
void store_pack_i64(struct buf *out, int64_t value);
void store_pack_u8(struct buf *out, size_t value);

#endif
