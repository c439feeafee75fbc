/*
 * io_metrics - the fair queue for Prometheus: IO_METRICS_PATH, for the textfile collector of a node exporter, written
 * every IO_METRICS_MS and when an agent starts; counters begin with the agent. A disk that is full costs the file and
 * nothing else.
 */
#ifndef REEVE_AGENT_IO_METRICS_H
#define REEVE_AGENT_IO_METRICS_H

#include "agent/fair.h"
#include "base/buf.h"

#define IO_METRICS_PATH "node/metrics.prom" /* below the system's folder */
#define IO_METRICS_MS 15000

struct io_metrics;

/* `device`: for labels; copied. */
int io_metrics_new(struct io_metrics **ret, struct loop *l, struct fair *fair, const char *device,
                   struct err *err) MUST_USE;
void io_metrics_free(struct io_metrics *m); /* NULL is fine; removes the file: nothing in it is true any more */
/* Prometheus text of an arbiter; pure. */
void io_metrics_text(struct arbiter *a, const char *device, struct buf *out);

#endif
