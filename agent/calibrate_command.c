/*
 * calibrate_command - `reeve-agent calibrate`: the measurement for people, and as a file for the agent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/calibrate.h"
#include "agent/options.h"
#include "base/io/fd.h"
#include "base/io/json.h"

static void print_direction(const char *name, const struct io_measured *m)
{
    printf("%-6s 4 KiB at random %8.0f operations/s   128 KiB at random %6.0f MB/s   in order %6.0f MB/s\n", name,
           1e9 / (double)m->small_random_ns, (double)m->large_bytes * 1e3 / (double)m->large_random_ns,
           (double)m->large_bytes * 1e3 / (double)m->large_sequential_ns);
}

static void print_cost(const char *name, const struct io_cost *c, enum io_dir dir)
{
    printf("%-6s costs %.1f us an operation (in order %.1f) and %.3f ns a byte\n", name,
           (double)c->of[dir].random_ns / 1e3, (double)c->of[dir].sequential_ns / 1e3,
           (double)c->of[dir].per_byte_ps / 1e3);
}

static int write_model(const struct io_model *model, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = json_write_pretty(&io_model_fields, model, &text);
    if (rc < 0)
        return err_set(err, rc, "out of memory");
    buf_add_str(&text, "\n");
    return file_write_durable(IO_MODEL_PATH, text.data, text.len, 0644, err);
}

static int run(const struct calibrate_options *o, struct err *err)
{
    struct io_model model = {0};
    struct calibrate_found found = {0};
    if (chdir(o->dir) < 0)
        return err_set(err, -errno, "--dir: %s: %s", o->dir, strerror(errno));
    int rc = dir_make("node", 0700, err);
    struct calibrate_setup setup = {.dir = "node", .file_bytes = o->file_bytes, .total_us = o->time_ms * 1000};
    rc = rc < 0 ? rc : calibrate(&setup, &model, &found, err);
    if (rc < 0)
        return rc;
    printf("device %s, %s\n", model.device, found.how);
    print_direction("read", &found.of[IO_READ]);
    print_direction("write", &found.of[IO_WRITE]);
    print_cost("read", &model.cost, IO_READ);
    print_cost("write", &model.cost, IO_WRITE);
    rc = write_model(&model, err);
    if (rc == 0)
        printf("written to %s/" IO_MODEL_PATH "; the next agent reads it\n", o->dir);
    fields_clear(&io_model_fields, &model);
    return rc;
}

int calibrate_command(int argc, char **argv)
{
    struct calibrate_options o = {0};
    struct err err = {0};
    int rc = options_read(&calibrate_options, &o, argc, argv);
    if (rc != OPTIONS_GO)
        return rc;
    rc = run(&o, &err);
    if (rc < 0)
        fprintf(stderr, "reeve-agent calibrate: %s\n", err_text(&err));
    return rc < 0 ? 1 : 0;
}
