/*
 * stage_desk - where the tests of inputs and outputs work: two volumes `in` and `out` on a disk, a sandbox with them,
 * and this program as the agent that grants.
 */
#ifndef REEVE_TESTS_SYSTEM_STAGE_DESK_H
#define REEVE_TESTS_SYSTEM_STAGE_DESK_H

#include <check.h>
#include <stdbool.h>

#include "tests/system/driver.h"
#include "tests/system/granter.h"

#define OWNER 4321 /* of both volumes, on disk */
#define IN 0
#define OUT STAGE_OUT
#define ANY_END (STAGE_OUT | STAGE_IF_FAILED)

extern struct driver d;
extern struct ended e;
extern struct task task;
extern struct granter g;
extern struct stage_report report;
extern char home[32], base[64]; /* of all tests; of this one, with `in` and `out` */

bool try(const char *line);         /* a line of shell where the volumes are */
void host(const char *line);        /* it must succeed */
void setup(void);
void setup_disk(const char *size);  /* on a disk of its own */
bool setup_quota(const char *size); /* the same, with quotas for users (ext4) or for all (btrfs); false: it has none */
void cut_disk(uint64_t bytes);      /* what lies behind that is an I/O error from now on, or is there again */
void teardown(void);
/* Runs the suite where there is such a place. What main() returns. */
int stage_desk_run(Suite *s);

struct run run_of(const char *script, const struct stage_try *stages, size_t count);
void launch(const char *script, const struct stage_try *stages, size_t count);
void finish(void);                  /* to its end: e, report */
void serve_all(void);
/* Prepares, launches, grants so much; then the rest, as the next agent: what was granted by halves is wanted again. */
void begin(const char *prepare, const char *script, const struct stage_try *tries, size_t count, unsigned grants);
void serve_rest(void);

extern const struct stage_try bring_d[1]; /* the input d */
extern const char many[];                 /* makes it */

#endif
