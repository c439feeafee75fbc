/*
 * folder - what lies on disk for one attempt: node/attempts/<job>.<task>.<epoch>/ below the system's folder, which is
 * the working directory (so that socket paths stay short wherever DIR is).
 *
 *   order    the encoded run_call, written before anything else      over     the same file, renamed: the end was
 *   exit     the keeper's record; made just before LAUNCH                     confirmed, only out and err still matter
 *   ended    the encoded exit_record                                 control  the keeper's socket
 *   out err  what the job wrote (agent/logs.h); empty or absent = nothing. Made before LAUNCH: the keeper leaves in
 *            them what no agent was there to take
 *   io       what was told of what it moved (agent/metering.h)
 *   stage    what the stager says of inputs and outputs (isolation/spec/stage.h); of jobs that have some
 *   trace    what the keeper of a traced job saw (isolation/spec/trace.h)    profile  the same as a seccomp profile
 *
 * order and ended carry a sum: one that was cut by a kill is as good as absent. Which writes are synced, and why most
 * need not be, is in docs/adr/0004-attempt-durability.md.
 */
#ifndef REEVE_AGENT_FOLDER_H
#define REEVE_AGENT_FOLDER_H

#include "agent/core/life.h"
#include "base/attempt.h"
#include "base/proto.h"
#include "isolation/spec/keeper.h"
#include "isolation/spec/stage.h"

#define FOLDER_ROOT "node/attempts"
#define FOLDER_IO "io"
#define FOLDER_FILE_MAX ((size_t)2 << 20)

/* *ret_fd: the folder, O_PATH-like, the caller's to close. make: -EEXIST when it is there. */
int folder_make(struct attempt_id id, int *ret_fd, struct err *err) MUST_USE;
int folder_open(struct attempt_id id, int *ret_fd) MUST_USE; /* -ENOENT */
/* A whole object as one file; -ENOENT, -EBADMSG (cut or foreign), -errno. */
int folder_write(int dir, const char *name, const struct fields *f, const void *object, struct err *err) MUST_USE;
/* Under this name there is always a whole one, whoever is killed. Not synced. */
int folder_replace(int dir, const char *name, const struct fields *f, const void *object, struct err *err) MUST_USE;
int folder_read(int dir, const char *name, const struct fields *f, void *object, struct err *err) MUST_USE;
/* The file the keeper leaves its record in, and that record when it is whole and of this attempt. */
int folder_exit_make(int dir) MUST_USE;                    /* fd or -errno */
void folder_exit_drop(int dir);                            /* the warden said no: it was never asked */
bool folder_exit_read(int dir, struct attempt_id id, struct keeper_record *ret);
extern const char *const folder_log_names[LOG_FILE_COUNT]; /* as they are written: out, err, trace */
int folder_log_make(int dir, enum log_stream which) MUST_USE; /* for writing; fd or -errno. STREAM_SECCOMP: the trace */
int folder_stage_make(int dir) MUST_USE;                   /* for the stager to write; fd or -errno */
bool folder_stage_read(int dir, struct attempt_id id, struct stage_report *ret); /* false: nothing that is sound */
int folder_listen(struct attempt_id id) MUST_USE;          /* the control socket; fd or -errno */
int folder_connect(struct attempt_id id) MUST_USE;         /* non-blocking; fd or -errno */
void folder_found(int dir, struct life_found *ret);        /* over, asked; the rest needs reading */
/* The end is confirmed, what was written is whole. False when it kept nothing to read, and the folder is gone. */
bool folder_retire(int dir, struct attempt_id id);
int folder_remove(struct attempt_id id, struct err *err) MUST_USE;
/* Disk use of out and err, and when they ended (mtime of `over`, seconds). */
uint64_t folder_log_bytes(int dir, int64_t *ret_ended_s);

#endif
