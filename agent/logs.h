/*
 * logs - what jobs write, from their pipes into raw files, through the ring.
 *
 *   poll the pipe --readable--> splice pipe -> file at the file's end --> punch the hole when it grew --> poll ...
 *        | hang-up, empty             | no space: the bytes stay in the pipe, the job waits, tried again later
 *        +--> end of file             |
 *
 * A byte leaves the pipe only when the file has it, and the file's size is the offset of the next: whenever this
 * process is killed, the next one goes on exactly there. One request in flight per stream keeps its order, and a stream
 * that waits (for a full disk, a slow one, its job) holds nobody else. Beyond the cap the middle is punched out
 * (agent/core/log_hole.h): the size stays what the job wrote, the room on disk is bounded.
 *
 * Fairness: this is where a stream asks the fair queue (agent/fairio) for a grant of so many bytes before each splice;
 * until that exists each splice is granted at once, LOGS_CHUNK bytes at most.
 *
 * Ownership: a stream owns its pipe and its file; the folder's fd is the caller's and stays open while the stream
 * lives.
 */
#ifndef REEVE_AGENT_LOGS_H
#define REEVE_AGENT_LOGS_H

#include "agent/core/log_hole.h"
#include "base/io/ring.h"
#include "base/proto.h"

#define LOGS_CHUNK (UINT32_C(256) << 10)
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

int logs_new(struct logs **ret, struct loop *l, struct ring *r, const struct logs_events *events, void *owner) MUST_USE;
/* After ring_free(): nothing is in flight any more. */
void logs_free(struct logs *logs);
/* Can the file system at `dir` do what is needed: splice into a file through the ring is checked by ring_new(), here
 * sparse files and punched holes. -EOPNOTSUPP and what to do. */
int logs_check_place(const char *dir, struct err *err) MUST_USE;

/* Takes the pipe over, also on failure. `name` ("812.0.1") is for warnings. */
int logs_open(struct logs *logs, int dir, enum log_stream which, const char *name, int pipe, uint64_t cap,
              uint64_t token, logs_id *ret) MUST_USE;
/* Nobody writes any more (the job's processes are gone): what is in the pipe now is taken, then it is done, even when
 * somebody outside still holds the pipe. True = it is done already and on_done will not be called. */
bool logs_finish(struct logs *logs, logs_id id);
uint64_t logs_size(struct logs *logs, logs_id id);
/* Forgets the stream; one that isn't done leaves the rest in the pipe. 0 and unknown are fine. */
void logs_close(struct logs *logs, logs_id id);
struct logs_counts logs_counts(const struct logs *logs);

#endif
