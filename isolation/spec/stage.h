/*
 * stage - what is brought into a sandbox before its payload runs and out of it afterwards; and what the stager, which
 * does it, says of how far it is.
 *
 * The stager is a process of the sandbox like the mover (mover.h): a child of its keeper, with the job's rights, no
 * capability and a filter of its own. It finds, makes, names and publishes; every byte is moved by the mover, as the
 * agent grants. It ends with the attempt.
 *
 *   IN -inputs are in place-> RUN -the payload has ended-> OUT -outputs are in place-> OVER
 *    `---------- the first failure, or nothing to bring out --------------------------> OVER
 *
 * What is copied lies under no name, or a name of our own, until it is whole; then it is renamed (stager_publish.c).
 * The report is one struct at the start of the attempt's file `stage`, written again and again by the stager, read by
 * any agent at any time. A sum says whether it is whole. It is written by a process with the job's rights: its reader
 * takes nothing in it on trust.
 * Purity: pure. Items lie in the args memfd (ops.h).
 */
#ifndef REEVE_ISOLATION_SPEC_STAGE_H
#define REEVE_ISOLATION_SPEC_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attempt.h"
#include "base/job_stage.h"

#define STAGE_ITEMS_MAX (2 * JOB_STAGES_MAX)
#define STAGE_DIGEST_BYTES 32
#define STAGER_MEM_BYTES ((uint64_t)4 << 20) /* beside the job's memory, as MOVER_MEM_BYTES */
#define STAGER_PROCESSES 1

enum stage_need { STAGE_INPUTS = 1, STAGE_OUTPUTS = 2, STAGE_NEEDS = 3 }; /* bits of sandbox_spec.stages */

enum stage_flag {
    STAGE_OUT = 1,          /* an output */
    STAGE_IF_FAILED = 2,    /* also when the payload did not succeed */
    STAGE_HASHED = 4,       /* its digest is computed */
    STAGE_HASH_KNOWN = 8,   /* and compared with `digest` */
    STAGE_FLAGS = 15,
};

/* In the args memfd; two NUL-terminated texts follow: from, to. */
struct stage_item {
    uint32_t flags;      /* enum stage_flag */
    uint32_t index;      /* among the job's inputs, or outputs */
    uint64_t max_bytes;  /* 0: none */
    uint8_t digest[STAGE_DIGEST_BYTES];
};

enum stage_phase { STAGE_IN, STAGE_RUN, STAGE_BRINGS_OUT, STAGE_OVER, STAGE_PHASE_COUNT };

/* What can go wrong. */
enum stage_why {
    STAGE_WHY_NONE,
    STAGE_WHY_LOOK,     /* a file or folder can't be looked at or opened */
    STAGE_WHY_PLACE,    /* the place it is to go to can't be made */
    STAGE_WHY_LINK,     /* a link that leads out of the folder that is copied, or a link instead of a file */
    STAGE_WHY_KIND,     /* a pipe, socket or device */
    STAGE_WHY_MOUNT,    /* another file system in the middle of it */
    STAGE_WHY_MAX,      /* more bytes than `max` */
    STAGE_WHY_FILES,    /* more files than STAGE_FILES_MAX */
    STAGE_WHY_DEEP,     /* deeper than STAGE_DEPTH_MAX, or a path too long */
    STAGE_WHY_MAKE,     /* a copy can't be made */
    STAGE_WHY_COPY,     /* the mover failed */
    STAGE_WHY_REFUSED,  /* the mover refused */
    STAGE_WHY_CHANGED,  /* somebody wrote to it meanwhile */
    STAGE_WHY_DIGEST,   /* another one than was given */
    STAGE_WHY_MANY,     /* more than STAGE_HASHED_MAX in a folder whose digest is wanted */
    STAGE_WHY_SYNC,     /* it can't be made durable */
    STAGE_WHY_TAKEN,    /* a folder lies there that no job has brought */
    STAGE_WHY_NEWER,    /* a later attempt has published there */
    STAGE_WHY_PUBLISH,  /* the last step: the rename */
    STAGE_WHY_STOPPED,  /* the attempt was to end meanwhile */
    STAGE_WHY_HELPER,   /* mover or stager is gone */
    STAGE_WHY_STAYS,    /* what lies there can't be removed; nothing was changed */
    STAGE_WHY_COUNT
};
/* A sentence without an end ("can't be opened"), and what to do about it, or "". "" for a number that is none. */
const char *stage_why_says(uint32_t why);
const char *stage_why_hint(uint32_t why);

#define STAGE_PATH_SHOWN 768
#define STAGE_ABOUT_NONE UINT32_MAX

struct stage_result {
    uint32_t done, hashed;
    uint64_t files, bytes;
    uint8_t digest[STAGE_DIGEST_BYTES];
};

struct stage_report {
    uint32_t magic, version;
    struct attempt_id id;
    uint32_t phase;             /* enum stage_phase */
    uint32_t at;                /* the item that is being brought */
    uint64_t files, bytes;      /* of this phase, so far */
    uint64_t files_all, bytes_all; /* 0 until it was all looked at */
    uint32_t why;               /* enum stage_why: the first failure */
    int32_t error;              /* errno, or 0 */
    uint32_t about;             /* the item, or STAGE_ABOUT_NONE */
    uint32_t items;
    char path[STAGE_PATH_SHOWN]; /* what failed, inside the sandbox; any bytes; NUL-terminated, maybe cut */
    struct stage_result results[STAGE_ITEMS_MAX]; /* in the order of the args */
    uint64_t check;             /* FNV-1a 64 over everything before it */
};
#define STAGE_REPORT_MAGIC 0x52565347u
#define STAGE_REPORT_VERSION 1

void stage_report_seal(struct stage_report *report);
/* Whole, of this attempt, every number within its bounds, every text ended? */
bool stage_report_is_sound(const struct stage_report *report, struct attempt_id id);

/* A link in a folder that is copied, `depth` folders below its top: does it stay inside, whatever the other links in
 * it are? Relative; ".." only at its beginning and never above the top. */
bool stage_link_stays(const char *target, uint32_t depth);

/* Between keeper and stager. */
enum stage_word_kind {
    STAGE_WORD_READY = 1, /* stager: it is confined; `error` */
    STAGE_WORD_BRING_IN,  /* keeper */
    STAGE_WORD_BRING_OUT, /* keeper: kill what the payload left, then bring; `error` 1: it did not succeed */
    STAGE_WORD_DONE,      /* stager: all of that is in place, or `error` */
    STAGE_WORD_MAY,       /* stager: may I publish? The attempt may have to end by now */
    STAGE_WORD_YES,       /* keeper. No answer: no */
    STAGE_WORD_STOP,      /* keeper: clean up and be done */
};
struct stage_word {
    uint32_t kind;
    int32_t error;
};

#endif
