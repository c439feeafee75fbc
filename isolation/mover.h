/*
 * mover - the process of a sandbox that moves bytes between files of its job, as isolation/spec/mover.h has it granted
 * and base/transfer.h has it asked for. Part of the static program, a child of the keeper.
 *
 *   copy   one request of one program: two files, cut into pieces, holes left out
 *   lane   one piece on its way: wanted for reading, read as granted, wanted for writing, written; two for each copy.
 *          Where a digest is asked for, a piece is held until those before it were hashed
 *
 * Plain calls, one at a time, no threads and no io_uring: what overlaps is movers, and within one the next grant with
 * the move under way (docs/adr/0009). A call that hangs hangs this process and nobody else.
 * Memory: static, and the buffers, of which only what was used once is there. No heap.
 */
#ifndef REEVE_ISOLATION_MOVER_H
#define REEVE_ISOLATION_MOVER_H

#include <stdnoreturn.h>

#include "base/transfer.h"
#include "isolation/digest.h"
#include "isolation/sandbox.h"
#include "isolation/spec/mover.h"

/* As the child begins. */
#define MOVER_INBOX_FD 3 /* from the keeper: struct mover_word, each with an fd */
#define MOVER_STAGER_FD 4 /* where there is one: a connection that outlives its requests */

enum mover_word_kind { MOVER_WORD_LISTENER = 1, MOVER_WORD_AGENT, MOVER_WORD_READY /* the mover's own */ };
struct mover_word {
    uint32_t kind, error;
};

enum lane_state { LANE_IDLE, LANE_READS, LANE_WRITES, LANE_HELD /* done, but for its digest */ };
struct lane {
    enum lane_state state;
    uint64_t from, to;    /* where the piece lies in the files */
    uint64_t skip, bytes; /* of the want: where it begins in the piece, its length */
    uint64_t granted;     /* of the want */
    uint64_t length;      /* of the piece */
    uint64_t upto;        /* of the piece: what was moved without a gap */
    bool hole;            /* it was read for its digest; nothing is written */
    uint64_t upto_read;   /* once it was read: all of it that there is */
    bool read, hashed;
};

enum copy_state { COPY_FREE, COPY_ASKED /* connected, no request yet */, COPY_GOES };
struct copy {
    enum copy_state state;
    int client;
    int from, to;               /* the program's */
    int from_own, to_own;       /* opened again by us, without the page cache; -1 */
    enum mover_path from_path, to_path; /* what aligned bytes go through */
    uint64_t from_at, to_at, left;
    uint64_t moved, told;
    bool sparse;                /* holes are looked for */
    bool stays;                 /* the client is the stager: it asks again */
    bool hashes;
    struct digest digest;
    uint64_t hashed_at;         /* in the source: what lies before is in the digest */
    int error;                  /* the first */
    struct lane lanes[2];
};

struct mover {
    int listener, agent;        /* -1 */
    struct copy copies[MOVER_COPIES];
    struct mover_totals totals;
    uint64_t memory_bytes[MOVER_DIRS]; /* of the totals: MOVER_PATH_MEMORY */
    unsigned char *buffers;     /* MOVER_WANTS of MOVER_WANT_BYTES */
};

/* In the child: becomes the job's user, closes the kernel behind itself, says READY, serves until the keeper goes. */
noreturn void mover_main(const struct sandbox *s);

/* mover_vet.c: NULL, or why this pair is not copied, and *ret_error. */
const char *mover_vet(int from, int to, const struct transfer_request *r, int *ret_error);

/* What bytes of this open file go through; `direct`: it was opened to pass the page cache by. */
enum mover_path mover_path_of(int fd, bool direct);

/* mover_copy.c: what becomes of a copy. `say` of the mover sends what is wanted and what was done. */
void copy_begin(struct mover *m, struct copy *c, const struct transfer_request *r, int from, int to);
void copy_end(struct mover *m, struct copy *c); /* lets go of all; what is granted later is answered with 0 */
/* False: the agent broke the protocol. */
bool copy_granted(struct mover *m, const struct mover_message *grant);
void copy_want_again(struct mover *m); /* a new agent */

/* mover.c: to the agent, if there is one. */
void mover_say(struct mover *m, const struct mover_message *message);
void mover_answer(struct copy *c, uint32_t status, int error, const char *text);

#endif
