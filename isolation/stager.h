/*
 * stager - the process of a sandbox that brings a job's inputs in and its outputs out (isolation/spec/stage.h). Part of
 * the static program, a child of the keeper. It makes plain, blocking calls, one after the other: whatever hangs costs
 * its own attempt alone, and the keeper kills it when the attempt has to end.
 *
 *   stager.c          what it is told, what it says: words, the report
 *   stager_place.c    paths inside the sandbox, from the root down, without following a link
 *   stager_tree.c     a file or a folder with all in it: weighed first, then copied
 *   stager_copy.c     one file, through the mover
 *   stager_digest.c   what the digest of a folder is made of
 *   stager_publish.c  under a name of our own until it is whole; then renamed, if no later attempt was there
 *
 * All that is opened is opened with the job's rights (JOB_ID), below the sandbox's root. No function prints or aborts:
 * the first failure is kept in the report (stage_fail) and everything returns false from there on.
 * Memory: static; a folder's names are read a few pages at a time.
 */
#ifndef REEVE_ISOLATION_STAGER_H
#define REEVE_ISOLATION_STAGER_H

#include <limits.h>
#include <stdnoreturn.h>
#include <sys/stat.h>

#include "isolation/sandbox.h"
#include "isolation/spec/stage.h"

/* As the child begins. */
#define STAGER_INBOX_FD 3  /* the keeper: struct stage_word */
#define STAGER_MOVER_FD 4
#define STAGER_ARGS_FD 5
#define STAGER_REPORT_FD 6

#define STAGE_MODE_KEPT 0777     /* no set-id bit, no sticky one */
#define STAGE_NAMES_BYTES 4096u /* of a folder's names, at a time */

struct stage_source {
    struct stage_item item;
    const char *from, *to;
};

struct stager {
    struct stage_source items[STAGE_ITEMS_MAX];
    uint32_t count;
    struct stage_report report;
    uint32_t at;               /* the item */
    bool durable;              /* what is written is synced: it leaves the sandbox */
    bool stopped;
    uint64_t told_bytes, told_files;
    char path[PATH_MAX];       /* what is being looked at, as the job would call it */
    size_t path_len, item_len; /* the item's own */
    uint64_t weight;           /* bytes of the item that is being weighed */
    uint64_t weighed;          /* files of it */
    char names[STAGE_DEPTH_MAX + 1][STAGE_NAMES_BYTES]; /* of the folders that are open, one in the other */
};

noreturn void stager_main(const struct sandbox *s);

/* ---- stager.c ---- */
/* Always false. The first failure stays; `error` is an errno, or 0. It is about s->path. */
bool stage_fail(struct stager *s, uint32_t why, int error);
void stage_moved(struct stager *s, uint64_t files, uint64_t bytes); /* progress */
/* Until the mover has said something. False: the keeper said STOP meanwhile. */
bool stage_wait(struct stager *s);
bool stage_may_publish(struct stager *s);
/* One more name in s->path; where to cut it off again. False: too long. */
bool stage_enter(struct stager *s, const char *name, size_t *ret_len);
void stage_leave(struct stager *s, size_t len);

/* ---- stager_place.c: descriptors or -errno ---- */
/* What lies at an absolute path: O_PATH, never a link. */
int place_find(const char *path);
/* The folder that `path` is to lie in, made where it isn't there; *ret_name is the last part. For reading. */
int place_parent(const char *path, const char **ret_name);
/* The same file, not its name, which may be another's by now. */
int place_reopen(int place, int flags);
/* A name in an open folder: no link, no other mount. */
int place_open(int dir, const char *name, int flags);
/* With all that is in it. -ENOENT is fine: 0. */
int place_remove(struct stager *s, int dir, const char *name);
/* Could all that is in this folder be removed? Changes nothing. */
int place_check_remove(struct stager *s, int dir);
/* The next names of a folder. Bytes in s->names[depth], 0: no more, -errno. */
long place_names(struct stager *s, int dir, uint32_t depth);
/* One of them; *at moves on. NULL: the end. "." and ".." are left out. */
const char *place_name(const char *names, long bytes, long *at);

/* ---- stager_tree.c ---- */
bool tree_weigh(struct stager *s, const struct stage_source *i);
bool tree_bring(struct stager *s, const struct stage_source *i);

/* ---- stager_copy.c ---- */
/* A whole file; `digest` where asked for, else NULL. */
bool copy_file(struct stager *s, int from, int to, uint8_t *digest);

/* ---- stager_digest.c: of a folder, where it is asked for ---- */
void tree_digest_begin(void);
/* What lies at s->path; `sum` of its bytes, or of what a link says; NULL: a folder. False: there are too many. */
bool tree_digest_add(struct stager *s, char type, mode_t mode, const uint8_t *sum);
void tree_digest_end(uint8_t out[STAGE_DIGEST_BYTES]);

/* ---- stager_publish.c ---- */
/* Where an item is made until it is whole. */
struct publish {
    int parent;       /* of the place it is to have */
    const char *name; /* there */
    char own[80];     /* a name of ours beside it: one for each item of a task, so that a later try finds it */
    int made;         /* the file without a name, or the folder; -1 */
    bool is_folder;
    mode_t mode;      /* that it shall have */
    bool named;       /* a file for which the file system has no other way */
};
bool publish_begin(struct stager *s, struct publish *p, const struct stage_source *i, mode_t mode);
bool publish_end(struct stager *s, struct publish *p);
void publish_drop(struct stager *s, struct publish *p); /* nothing of it stays; harmless after publish_end() */

#endif
