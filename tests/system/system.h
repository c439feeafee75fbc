/*
 * system - a real `reeve up` in a temporary folder, for tests that want the whole thing: started by main() before the
 * suite, stopped after it, whatever the tests did.
 */
#ifndef REEVE_TESTS_SYSTEM_SYSTEM_H
#define REEVE_TESTS_SYSTEM_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/proto.h"

struct rpc_client;

/* Starts BUILD/reeve up --detach in a new folder below `build`; the policy is applied. Exits with a message on failure.
 */
void system_start(const char *build, const char *policy_yaml);
/* With further options of `reeve up`, NULL-terminated, at most 8. */
void system_start_with(const char *build, const char *policy_yaml, const char *const *options);
/* Takes it down and removes the folder. Returns false when something was left: process, cgroup, mount. */
bool system_stop(void);
const char *system_dir(void);
/* Path of the CLI under test. */
const char *system_program(void);

/* A connection of one's own; aborts the test when it can't be had within 20 s. */
struct rpc_client *system_client(void);
/* One call on a fresh connection, repeated on lost connections until `within_ms`; 0, 1 (refused) or -errno. */
int system_call(const struct method *m, const void *params, void *result, struct refusal *refusal, uint32_t within_ms);
/* Waits until the scheduler has its store; aborts the test when it hasn't within the time. */
void system_wait_store(uint32_t within_ms);
/* Applies the policy as it is with another limit of that tenant's budget. */
void system_set_budget(const char *tenant, int64_t micros);
/* Submits a job given as JSON text; key NULL = a new one. The job's id; 0 = refused (*refusal says why). */
uint64_t system_submit(const char *tenant, const char *key, const char *spec_json, struct refusal *refusal);
/* Waits until the job is final; false when it isn't within the time. */
bool system_wait(uint64_t job, uint32_t within_ms, struct wait_reply *ret);
/* All of it, to be cleared. */
struct job_view system_show(uint64_t job);
/* Follows the job until it is in that state; aborts the test when it ends in another. */
void system_wait_state(uint64_t job, const char *state);
/* All that a task wrote to a stream (at most 1 MiB), NUL-terminated, to be freed. NULL = could not be read. */
char *system_log(uint64_t job, uint32_t task, uint32_t stream);

/* Pids: "up", "redis", "reeved", "warden", "reportd", "agent", "zygote", or 0. */
pid_t system_pid(const char *name);
/* The child of `parent` whose command name begins with `comm`, or 0. */
pid_t system_child(pid_t parent, const char *comm);
/* The name of its cell and cgroup. */
void system_cell(char out[24]);
/* A keeper of the job's attempts on any of its nodes, the n-th that is found; 0 = none. Job 0: of anybody's, who may be
 * leaving. */
pid_t system_keeper(uint64_t job, unsigned n);
/* Follows the job until its newest attempt runs and its node has said so: a row does from the placement on. */
void system_wait_runs(uint64_t job);
/* GET over the report socket, at most 4 MiB of body, to be freed; *ret_status is the HTTP status, 0 = no answer. */
char *system_http(const char *path, int *ret_status);
/* Waits until reports equal the ledger at every account. */
bool system_books_equal(uint32_t within_ms, char *ret_text, size_t size);

uint64_t system_now_ms(void);
void system_pause_ms(uint32_t ms);

#endif
