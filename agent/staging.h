/*
 * staging - what an attempt's stager says (isolation/spec/stage.h), as the scheduler and people hear it: how far it is,
 * in beats; what came of it, in the exit record.
 */
#ifndef REEVE_AGENT_STAGING_H
#define REEVE_AGENT_STAGING_H

#include "agent/attempt.h"

/* How far inputs or outputs are; absent while neither is being brought. `t` remembers it for the rate. */
void staging_look(struct attempt *t, struct stage_view *ret);
/* At the end: what was brought, and into `detail` what wasn't. */
void staging_finish(struct attempt *t);

#endif
