/*
 * calibrate - measures a disk for the fair queue: a file of its own in `dir`, without the page cache, read and written
 * at two sizes, at random and in order, deep enough that the disk is never idle. Writes count with their sync.
 * Rounds take turns, and the median of each counts: a disk's speed wanders.
 *
 * Whoever else uses the disk meanwhile is measured along: better done while the node is drained.
 * The file has no name: nothing stays behind, whatever ends us.
 */
#ifndef REEVE_AGENT_CALIBRATE_H
#define REEVE_AGENT_CALIBRATE_H

#include "agent/fairio/model.h"
#include "base/err.h"

#define CALIBRATE_ROUNDS 3
#define CALIBRATE_FILE_MIN ((uint64_t)16 << 20)
#define IO_MODEL_PATH "node/io.json" /* below the system's folder */

struct calibrate_setup {
    const char *dir;
    uint64_t file_bytes; /* >= CALIBRATE_FILE_MIN */
    uint64_t total_us;   /* all rounds together; the file's first filling comes on top */
};
struct calibrate_found {
    struct io_measured of[IO_DIR_COUNT];
    const char *how; /* moves_how(), static */
};

/* The caller clears the model. -EOPNOTSUPP: the file system has no O_DIRECT; -ENOSPC, -EIO, ... */
int calibrate(const struct calibrate_setup *setup, struct io_model *ret, struct calibrate_found *found,
              struct err *err) MUST_USE;
/* `reeve-agent calibrate ...`: measures, prints, writes DIR/node/io.json. The exit status. */
int calibrate_command(int argc, char **argv);

/* What lies at DIR/node/io.json, DIR being where we are; `device` is that of the node's folder. No file, or one of
 * another device: the default, and *ret_why says so (static); -EINVAL: it can't be read. */
int io_model_load(const char *device, struct io_cost *ret, const char **ret_why, struct err *err) MUST_USE;
/* "254:0" of the file system that holds `path`. 0 or -errno. */
int io_device_of(const char *path, char ret[32]) MUST_USE;

#endif
