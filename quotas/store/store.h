/*
 * store - the cell's state in Redis: one connection, one Functions library, one writer.
 *
 * The only code that knows hiredis. A commit sends the entries of one turn as one pipelined batch of calls: runs of
 * placements, renewals, ends and notes, the others alone (docs/adr/0010). For each entry a call checks the fence
 * (writer, term, seq), then everything the fact needs (limits, budget, idempotency), then writes counters, holds and
 * the journal entry: or records the refusal under the same seq. What a call writes Redis has whole or not at all.
 *
 *   result of an entry   ok | refused(code) | dup (seq was written before) | gap | fenced
 *
 * A call's arguments are derived from the fact alone (store_call.c), so replaying the journal's file with `force`
 * rebuilds Redis bit for bit. Amounts travel as text; Lua keeps and compares them below 2^53, where its
 * numbers are exact.
 *
 * Deadlines: hiredis 0.14 has none; each batch has STORE_DEADLINE_MS from here. After a timeout or a lost
 *            connection every outcome of the batch is UNKNOWN: the caller reconnects, asks store_status() for the
 *            last seq, reads what was written with store_read(), and sends the rest again under the same seq.
 * Ownership: the store copies what it keeps. Callbacks come from the event loop, never from inside a call.
 * Keys:      reeve3:{<cell>}:c    hash   fence (schema, library, writer, term, seq, durable) and every counter, so
 *                                   that a call reads with one HMGET and writes with one HSET: "t:<path>" use and
 *                                   limits of a tenant, "a:<account>" limit, spent, held, "k:<job>" its key
 *            reeve3:{<cell>}:j    stream id = <seq>-0, d = fact bytes, r = refusal code (absent = committed)
 *            reeve3:{<cell>}:h    hash   attempt id -> hold
 *            reeve3:{<cell>}:as   set    names of all accounts
 *            reeve3:{<cell>}:i:<tenant>:<key>  string job id + body hash; expires STORE_KEY_TTL_S after the job's end
 *            All fields are described in functions/reeve.lua.
 */
#ifndef REEVE_QUOTAS_STORE_H
#define REEVE_QUOTAS_STORE_H

#include "base/fact.h"
#include "base/io/loop.h"

#define STORE_DEADLINE_MS 250
#define STORE_KEY_TTL_S 86400
#define STORE_SCHEMA 3

struct store;

enum store_outcome { STORE_OK, STORE_REFUSED, STORE_DUP, STORE_GAP, STORE_FENCED, STORE_UNKNOWN, STORE_OUTCOME_COUNT };

struct store_entry {
    uint64_t seq;
    const uint8_t *bytes;     /* encoded fact, borrowed for the call */
    size_t len;
    const struct fact *fact;  /* the same, decoded, borrowed for the call */
};
struct store_result {
    uint32_t outcome;         /* enum store_outcome */
    char refusal[48];         /* stable code: "budget", "quota", "queue_full", "key_exists", "key_conflict", … */
    char detail[160];         /* which node: "acme/etl@2026-11", or the job id for key_exists */
};

struct store_handlers {
    void (*on_up)(void *arg);                             /* connected, library loaded */
    void (*on_down)(void *arg, const char *why);          /* lost or refused, once per reason; reconnects by itself */
    /* results[i] belongs to entries[i] of the batch; exactly once per store_commit(). */
    void (*on_committed)(void *arg, const struct store_result *results, size_t count);
};

/* `url`: "unix:/path/redis.sock", "tcp:host:port"; password from the file REEVE_REDIS_PASSWORD_FILE names, if set. */
int store_open(struct store **ret, struct loop *loop, const char *url, const char *cell,
               const struct store_handlers *handlers, void *arg, struct err *err) MUST_USE;
void store_close(struct store *s);
bool store_is_up(const struct store *s);

/* One batch at a time; -EBUSY while one is out, -ENOTCONN when down. The deadline is the whole batch's: keep it below
 * some thousand entries. A batch that is out when the store is closed is not answered. */
int store_commit(struct store *s, const char *writer, uint64_t term, uint64_t durable,
                 const struct store_entry *entries, size_t count) MUST_USE;
/* Tells readers how far the journal is in both copies; cheap, no reply awaited; commits carry it too. */
void store_note_durable(struct store *s, uint64_t term, uint64_t durable);

/* The rest is synchronous, on a connection of its own, with the same deadline per call: for start-up, repair,
 * tests and reportd. Readers never write. */
struct store_sync;
int store_sync_open(struct store_sync **ret, const char *url, const char *cell, struct err *err) MUST_USE;
void store_sync_close(struct store_sync *s);

struct store_status { uint64_t schema, term, seq, durable, first_seq; char writer[64]; bool empty; };
/* -EPROTONOSUPPORT: another schema or function library, named in err. */
int store_status(struct store_sync *s, struct store_status *ret, struct err *err) MUST_USE;
/* Loads the function library if it is absent or older; refuses a newer one. */
int store_load_library(struct store_sync *s, struct err *err) MUST_USE;
/* Takes the term: fails with -ESTALE when Redis has seen `term` or a higher one, -EUCLEAN when a wipe or a seeding
 * broke off (wipe, then seed again). Not a journal entry itself. */
int store_take_term(struct store_sync *s, const char *writer, uint64_t term, struct err *err) MUST_USE;
/* Journal entries from `from` on, at most `max`; refused ones too. fn returns false to stop. */
int store_read(struct store_sync *s, uint64_t from, size_t max,
               bool (*fn)(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len),
               void *arg, struct err *err) MUST_USE;
/* Writes entries that the file has and Redis lost: same seq, no question of limits, `dup` skipped. -ESTALE: fenced.
 * -EPROTO: a gap before them. -EUCLEAN: they contradict the counters (wipe and seed, or replay from the start). */
int store_replay(struct store_sync *s, const char *writer, uint64_t term, const struct store_entry *entries,
                 const char *const *refusals, size_t count, struct err *err) MUST_USE;
/* Empties the cell (only its own keys), for a rebuild from snapshot + file. */
int store_wipe(struct store_sync *s, struct err *err) MUST_USE;
/* Sets counters from a rebuilt ledger at `seq`, after a wipe: snapshot facts carry no deltas. */
int store_seed(struct store_sync *s, const char *writer, uint64_t term, uint64_t seq, const struct fact *snapshot,
               size_t count, struct err *err) MUST_USE;
/* Drops journal entries below `seq`. */
int store_trim(struct store_sync *s, uint64_t seq, struct err *err) MUST_USE;

/* The counters as Redis has them, for verify, reports and tests. */
struct store_account {
    char *name, *resource; /* whose time; NULL = money */
    int64_t limit_micros, spent_micros, held_micros;
};
int store_accounts(struct store_sync *s, struct list *ret_accounts, struct err *err) MUST_USE;
void store_accounts_clear(struct list *accounts);
struct store_tenant { char *path; struct counts used; uint64_t running, queued; };
int store_tenants(struct store_sync *s, struct list *ret_tenants, struct err *err) MUST_USE;
void store_tenants_clear(struct list *tenants);
/* Number of live holds and the sum of what they hold. */
int store_holds(struct store_sync *s, uint64_t *ret_count, int64_t *ret_micros, struct err *err) MUST_USE;

/* The same while a writer writes. Names are read at one instant, then the counters part by part, each at one instant of
 * its own: whoever replays the journal compares each with the model as it was at that seq. Parts are in rising order.
 */
struct store_names { uint64_t seq; struct strs accounts, tenants, holds; };
struct store_hold { struct attempt_id id; int64_t spent_micros, held_micros; };
struct store_part {
    uint64_t seq;
    struct list accounts, tenants, holds; /* struct store_account, store_tenant, store_hold */
    struct store_names gone;              /* named, but not there any more */
};
int store_names(struct store_sync *s, struct store_names *ret, struct err *err) MUST_USE;
void store_names_clear(struct store_names *names);
/* -EBADMSG: something there isn't what its name says. */
int store_parts(struct store_sync *s, const struct store_names *names, struct list *ret_parts,
                struct err *err) MUST_USE;
void store_parts_clear(struct list *parts);

#endif
