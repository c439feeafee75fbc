/*
 * limits - what the tests of limits, of freezing and of the machine's settings share: a warden per test, what it can
 * enforce, what the kernel's files say.
 */
#ifndef REEVE_TESTS_SYSTEM_LIMITS_H
#define REEVE_TESTS_SYSTEM_LIMITS_H

#include "tests/system/driver.h"

#define MIB ((uint64_t)1 << 20)
#define DISK "/run/disk" /* under user-mode-linux and qemu: a block device of the test's own */
#define DEVICE_TERMINAL 1u
#define DEVICE_DISK 2u

extern struct driver d;
extern struct ended e;
extern struct node_abilities able;

/* Fixture of each test: a warden that has a terminal to give, and the disk, if there is one. */
void limits_setup(void);
void limits_teardown(void);

bool has_disk(void);
bool is_v2(void);
bool can(enum node_feature f);
/* What a file of an attempt's group (job 0: of the base) holds, wherever the file is; "" when there is none. */
const char *group_file(uint64_t job, const char *file);
/* One that says a byte when it runs, then sleeps. */
void start(struct run *r, struct task *t);
/* For one that is given an end from its start: anew, with twice the time, when that comes before it says anything. */
void start_before(struct run *r, struct task *t, uint64_t *end_us);
void stop(struct task *t);
/* A program that reads a mebibyte past the cache. */
struct run reader(void);
void until_done(enum op_kind kind, struct attempt_id id);
/* How `e` ended, and how long it ran: never less; more only by what a busy machine takes. */
void check_end(enum end_cause cause, int exit_code, int sig);
void check_run_ms(uint64_t least, uint64_t most);

#endif
