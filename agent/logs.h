/*
 * logs - what jobs write, from their pipes into raw files, through the ring.
 *
 *   poll the pipe --readable--> ask the fair queue --granted--> splice pipe -> file at the file's end
 *        | hang-up, empty         (a few bytes: after a rest)        | no space: the bytes stay in the pipe, the job
 *        +--> end of file                                            |           waits, tried again later
 *                                        punch the hole when it grew, poll ...
 *
 * A byte leaves the pipe only when the file has it, and the file's size is the offset of the next: whenever this
 * process is killed, the next one goes on exactly there. One request in flight per stream keeps its order, and a stream
 * that waits (for a full disk, a slow one, its job) holds nobody else. Beyond the cap the middle is punched out
 * (agent/core/log_hole.h): the size stays what the job wrote, the room on disk is bounded. Where the size is all that
 * the file system lets a file have the stream is done: what follows stays in the pipe.
 *
 * Fairness: before each splice a stream asks for as many bytes as lie in its pipe, LOGS_CHUNK at most, as a write of
 * its job and tenant (agent/fairio/arbiter.h); what it then moved is what is charged.
 * Coalescing: a write for each line would cost more than the lines. A stream that moved less than LOGS_FEW bytes rests
 * LOGS_REST_US before it looks again, unless it was quiet that long anyway; its pipe is made large enough to hold what
 * comes meanwhile.
 *
 * Holding: who is being killed for what it wrote writes on until it is dead, as fast as it is read. A stream that is
 * held takes nothing more: what can still come is what the pipe holds.
 *
 * Ownership: a stream owns its pipe and its file; the folder's fd is the caller's and stays open while the stream
 * lives.
 */
#ifndef REEVE_AGENT_LOGS_H
#define REEVE_AGENT_LOGS_H

#include "agent/core/log_hole.h"
#include "agent/fair.h"
#include "base/io/ring.h"
#include "base/proto.h"

#define LOGS_CHUNK (UINT32_C(256) << 10)
#define LOGS_FEW (UINT32_C(32) << 10)
#define LOGS_REST_US 5000
#define LOGS_PIPE (1 << 20)         /* bytes, where the kernel lets us */
#define LOGS_REST_SMALL_US 1000     /* where it doesn't */
#define LOGS_RETRY_MIN_MS 100
#define LOGS_RETRY_MAX_MS 5000

struct logs;
typedef uint64_t logs_id; /* never 0 */

struct logs_events {
    void (*on_grew)(void *owner, uint64_t token, enum log_stream which); /* may be NULL */
    /* The last byte is in the file. Only after logs_finish() said false; the stream still answers logs_size(). */
    void (*on_done)(void *owner, uint64_t token, enum log_stream which);
};

struct logs_counts {
    uint32_t streams;
    uint32_t waiting; /* can't write their file: disk full, ... */
    uint64_t moved_bytes;
};

struct logs_setup {
    struct loop *loop;
    struct ring *ring;
    struct fair *fair;
    const struct logs_events *events;
    void *owner;
};
/* One stream: a pipe, and the file that it goes to. */
struct logs_source {
    int dir;                 /* the folder */
    enum log_stream which;   /* the file in it */
    const char *name;        /* "812.0.1", for warnings */
    const char *tenant;      /* who pays for it */
    uint64_t job;
    int pipe;
    uint64_t cap;
    uint64_t token;
};

int logs_new(struct logs **ret, const struct logs_setup *setup) MUST_USE;
/* After ring_free(): nothing is in flight any more. */
void logs_free(struct logs *logs);
/* Can the file system at `dir` do what is needed: splice into a file through the ring is checked by ring_new(), here
 * sparse files and punched holes. -EOPNOTSUPP and what to do. */
int logs_check_place(const char *dir, struct err *err) MUST_USE;

/* Takes the pipe over, also on failure. */
int logs_open(struct logs *logs, const struct logs_source *source, logs_id *ret) MUST_USE;
/* Leaves what comes from now on in the pipe until logs_finish(); a splice under way comes to its end. Unknown ids are
 * fine. */
void logs_hold(struct logs *logs, logs_id id);
/* Nobody writes any more (the job's processes are gone): what is in the pipe now is taken, then it is done, even when
 * somebody outside still holds the pipe. True = it is done already and on_done will not be called. */
bool logs_finish(struct logs *logs, logs_id id);
uint64_t logs_size(struct logs *logs, logs_id id);
/* Forgets the stream; one that isn't done leaves the rest in the pipe. 0 and unknown are fine. */
void logs_close(struct logs *logs, logs_id id);
struct logs_counts logs_counts(const struct logs *logs);

#endif
