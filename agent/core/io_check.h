/*
 * io_check - what a node's two meters (base/io_meters.h) counted, in windows of a day; a file that the agent writes and
 * `reeve-agent io-check` and `reeve doctor` read.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_IO_CHECK_H
#define REEVE_AGENT_CORE_IO_CHECK_H

#include "base/fields.h"
#include "base/io_meters.h"

#define IO_CHECK_PATH "node/io.check" /* below the system's folder */
#define IO_CHECK_WINDOW_US INT64_C(86400000000)

struct io_window {
    int64_t from_utc_us, to_utc_us; /* to: 0 = it goes on. from 0: there is none */
    struct io_sums sums;            /* of what was told */
};
extern const struct fields io_window_fields;

struct io_check {
    struct io_window now, before;
};
extern const struct fields io_check_fields;

#endif
