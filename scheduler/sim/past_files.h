/*
 * past_files - where a journal lies, and the road through it: the segments of a system's folder or of a journal's, with
 * those that were moved to its archive, or one segment alone; and what was before the first of them: nothing, or the
 * oldest snapshot that they reach. Changes nothing; a scheduler may write meanwhile.
 * Ownership: the caller closes what was opened, also after a failure.
 */
#ifndef REEVE_SCHEDULER_SIM_PAST_FILES_H
#define REEVE_SCHEDULER_SIM_PAST_FILES_H

#include "base/io/snapshot_read.h"
#include "scheduler/sim/past.h"

#define PAST_PATH_MAX 4096

struct past_files {
    int folder, archive;       /* archive -1: none */
    char path[PAST_PATH_MAX];  /* of the folder */
    char cell[64];             /* whose journal it is, says its first segment */
    uint64_t *segments;        /* first seqs, rising; at least one */
    size_t count;
    struct journal_point base; /* where the road begins: seq 0, or past_files_base()'s snapshot */
};

/* -ENOENT: no journal there. -EINVAL: it is something else. -EBADMSG, -EPROTONOSUPPORT: of its first header. */
int past_files_open(const struct past_source *source, struct past_files *ret, struct err *err) MUST_USE;
void past_files_close(struct past_files *f);
/* Gives what was before the first segment, fact by fact (borrowed). -ENODATA: nobody knows. */
int past_files_base(struct past_files *f, int (*fn)(void *arg, const struct fact *fact), void *arg,
                    struct err *err) MUST_USE;
/* Gives every entry behind that, in order. */
int past_files_walk(const struct past_files *f, journal_fn fn, void *arg, uint64_t *ret_torn, struct err *err) MUST_USE;

#endif
