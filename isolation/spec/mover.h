/*
 * mover - what an agent and the mover of one attempt say to each other. The mover moves, the agent grants.
 *
 * A mover is a process of the sandbox: a child of its keeper, with the job's user, in its groups, namespaces and root,
 * without capabilities, behind a filter of its own. Whatever hangs, fills up or is forbidden there hangs, fails and is
 * refused as it would for the job, and costs the job. It opens nothing for anybody: files come as descriptors from the
 * job (base/transfer.h). It exists where the job asked for it, from before the payload to the attempt's end, across any
 * number of agents: each gets a connection of its own from the keeper (isolation/spec/keeper.h, KEEPER_MOVER), and the
 * one before ends.
 *
 *   mover -> agent  WANT   so many bytes to read or write; `want` is the mover's number for it, below MOVER_WANTS, and
 *                          is not used again before all of it was granted
 *   agent -> mover  GRANT  bytes at `offset` within the want, in order, until all were granted; `grant` is the agent's
 *   mover -> agent  DONE   of a grant: bytes moved (0: an error, or what was wanted is not wanted any more), and what
 *                          was moved by all grants of all agents so far: counting by these loses and doubles nothing,
 *                          whoever dies in between
 *                          What its bytes went through is in `want`, and in `offset` how much of all that was moved in
 *                          its direction no disk can have seen; a mover from before that says 0 and 0
 *
 * A new connection begins with nothing wanted: the mover asks again for what it still wants. The agent takes nothing of
 * it on trust but the bytes of a grant, which are at most what it granted; a mover that breaks the protocol loses its
 * connection. What it could lie about is counted by the kernel for its group as well.
 * Purity: pure. The struct's size is for ever: movers outlive the agents of their version.
 */
#ifndef REEVE_ISOLATION_SPEC_MOVER_H
#define REEVE_ISOLATION_SPEC_MOVER_H

#include <stdbool.h>
#include <stdint.h>

#define MOVER_VERSION 1
#define MOVER_COPIES 4                             /* at once; others wait for their turn to begin */
#define MOVER_WANTS (2 * MOVER_COPIES)             /* of each copy two: while one moves the other is granted */
#define MOVER_WANT_BYTES ((uint64_t)512 << 10)
#define MOVER_BLOCK_BYTES UINT64_C(4096)           /* no less passes the page cache by */
#define MOVER_MEM_BYTES ((uint64_t)6 << 20)        /* beside the job's memory: added to the group's limit */
#define MOVER_PROCESSES 1

enum mover_op { MOVER_WANT = 1, MOVER_GRANT, MOVER_DONE, MOVER_OP_END };
enum mover_dir { MOVER_READ, MOVER_WRITE, MOVER_DIRS };

/* What the bytes of a grant went through. */
enum mover_path {
    MOVER_PATH_UNSAID,
    MOVER_PATH_DISK,   /* a disk, past the page cache: the kernel counts them for the group, then and there */
    MOVER_PATH_CACHE,  /* the page cache: a disk may see them or not, now or later */
    MOVER_PATH_MEMORY, /* files that lie in memory, or a hole */
    MOVER_PATHS
};

struct mover_totals {
    uint64_t ops[MOVER_DIRS], bytes[MOVER_DIRS];
};

struct mover_message {
    uint32_t version, op;
    uint32_t want, dir; /* WANT: enum mover_dir. DONE: enum mover_path, 0 */
    uint64_t grant;     /* GRANT, DONE */
    uint64_t offset;    /* GRANT. DONE: bytes of the totals */
    uint64_t bytes;     /* WANT, GRANT: > 0; DONE */
    struct mover_totals totals; /* DONE */
};

/* Is it one that the agent (the mover) may send: version, op, numbers within their bounds? */
bool mover_message_is_sound(const struct mover_message *m, bool from_agent);

#endif
