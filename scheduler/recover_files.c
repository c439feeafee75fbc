#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "scheduler/recover.h"
#include "scheduler/snapshot.h"

struct replay {
    struct core *core;
    uint64_t seq, replayed, term;
    int64_t at_utc_us;
    struct err *err;
};

static int snapshot_apply(void *arg, const struct fact *fact)
{
    struct replay *r = arg;
    return core_replay(r->core, r->seq, fact, r->err);
}

static int record_apply(void *arg, const struct journal_record *rec, struct err *err)
{
    struct replay *r = arg;
    struct fact fact = {0};
    int rc = fact_decode(rec->fact, rec->fact_len, &fact, err);
    if (rc < 0)
        return err_wrap(err, rc, "seq %" PRIu64, rec->seq);
    if (rec->refusal[0] == '\0' && (rc = core_replay(r->core, rec->seq, &fact, err)) < 0)
        err_wrap(err, rc, "seq %" PRIu64 " (%s) contradicts what came before it", rec->seq,
                 names_get(&fact_names, fact.kind));
    r->term = MAX(r->term, rec->term);
    r->at_utc_us = MAX(r->at_utc_us, fact.at_utc_us);
    r->replayed++;
    fact_clear(&fact);
    return rc < 0 ? -EBADMSG : 0;
}

/* A fresh core from snapshot `seq` (0 = none: from the first entry on). */
static int rebuild(struct journal *j, const char *cell, uint64_t seq, struct replay *r,
                   const struct core_limits *limits, struct err *err)
{
    int rc = core_new(&r->core, limits, err);
    if (rc < 0)
        return rc;
    struct snapshot_head head = {0};
    r->seq = seq;
    if (seq > 0)
        rc = snapshot_load(journal_folder(j), seq, cell, &head, snapshot_apply, r, err);
    r->term = head.term;
    r->at_utc_us = head.at_utc_us;
    if (rc == 0)
        rc = journal_read(j, &head.point, record_apply, r, err);
    if (rc < 0)
        core_free(TAKE_PTR(r->core));
    return rc;
}

int recover_files(struct journal *j, const char *cell, const struct core_limits *limits, struct core **ret_core,
                  struct recovered_files *ret, struct err *err)
{
    uint64_t *seqs = NULL;
    size_t count = 0;
    int rc = snapshot_list(journal_folder(j), &seqs, &count, err);
    if (rc < 0)
        return rc;
    struct replay r = {.err = err};
    uint32_t bad = 0;
    uint64_t used = 0;
    struct err first = {0}; /* the newest snapshot's story is the one to tell */
    for (size_t i = count;; i--, bad++) {
        used = i == 0 ? 0 : seqs[i - 1];
        r = (struct replay){.err = err};
        rc = rebuild(j, cell, used, &r, limits, err);
        if (rc == 0 || i == 0 || (rc != -EBADMSG && rc != -EPROTO))
            break;
        if (bad == 0 && err != NULL)
            first = *err;
    }
    free(seqs);
    if (rc < 0) {
        if (first.code != 0 && err != NULL)
            *err = first;
        return rc;
    }
    *ret_core = r.core;
    *ret = (struct recovered_files){.snapshot_seq = used, .replayed = r.replayed, .term = r.term,
                                    .at_utc_us = r.at_utc_us, .bad_snapshots = bad};
    return 0;
}
