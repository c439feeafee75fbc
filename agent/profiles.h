/*
 * profiles - seccomp profiles that jobs bring, compiled; and traces of jobs, written as profiles. Both by the
 * reeve-seccomp program, in a process of its own each: what tenants wrote is never read here. It comes as a descriptor
 * from the warden.
 *
 * Bounds: PROFILE_RUNS_MAX processes at once, PROFILE_MS each, then they are killed. The PROFILE_CACHE_MAX filters that
 *         were made last are kept, by the hash of their text: a job with a thousand tasks compiles once.
 */
#ifndef REEVE_AGENT_PROFILES_H
#define REEVE_AGENT_PROFILES_H

#include "base/io/loop.h"

#define PROFILE_RUNS_MAX 8
#define PROFILE_MS 10000
#define PROFILE_CACHE_MAX 32

struct profiles;

/* `fd`: a sealed memfd, borrowed for the call; or -EINVAL: the profile is wrong, `why` is a sentence; other -errno: it
 * could not be tried. */
typedef void (*profile_fn)(void *owner, uint64_t token, int fd, const char *why);

/* `on_profile`: some trace became a profile. */
int profiles_new(struct profiles **ret, struct loop *l, int program, void (*on_profile)(void *arg), void *arg,
                 struct err *err) MUST_USE;
void profiles_free(struct profiles *p); /* kills what runs; nobody is called any more */
/* Answers now (from the cache) or later. -EBUSY: too many run, ask again. */
int profiles_compile(struct profiles *p, const char *text, profile_fn fn, void *owner, uint64_t token) MUST_USE;
/* The file "trace" of a folder as the file "profile" beside it. Nobody waits; a failure is logged. */
void profiles_from_trace(struct profiles *p, int dir);

#endif
