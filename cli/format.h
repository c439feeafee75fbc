/*
 * format - how figures look to people: money with its currency, sizes, times, bars, colours. All append to a buf.
 * Text that somebody else wrote (names, reasons, commands) goes through format_safe(): no escape sequence of a tenant
 * reaches a terminal.
 */
#ifndef REEVE_CLI_FORMAT_H
#define REEVE_CLI_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fields.h"
#include "base/resources.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_WAIT, STYLE_LIVE, STYLE_DIM, STYLE_HEAD };

/* Control characters, also the C1 ones, become '?'; newlines too. NULL is nothing. */
void format_safe(struct buf *out, const char *text);
/* `text` is ours; colours only when `on`. */
void format_styled(struct buf *out, bool on, enum style style, const char *text);
/* The style of a job's or task's state. */
enum style format_state_style(const char *state);

void format_cost(struct buf *out, int64_t micros, const char *currency); /* "13.02 EUR"; two to six decimals */
void format_bytes(struct buf *out, uint64_t bytes);                      /* "3.4Gi", "512Ki", "17"; cut for reading */
void format_cpus(struct buf *out, uint64_t milli);                       /* "2", "0.5" */
void format_span(struct buf *out, uint64_t us);                          /* "4m12s", "1h05m", "37ms", "2d03h" */
void format_clock(struct buf *out, int64_t utc_us, int64_t now_utc_us);  /* "14:32:05" today, "Nov 23 14:32", a date */
void format_instant(struct buf *out, int64_t utc_us);                    /* "2026-11-23 14:32:05", local time */
void format_bar(struct buf *out, uint64_t part, uint64_t whole, unsigned cells); /* "███░░░" */
void format_resources(struct buf *out, const struct resources *r);       /* "cpu 2, memory 4Gi, gpu 1" */
/* In a tree: below its parent, two spaces further in for each level, its last name alone. Levels up to top_depth stand
 * at the left with all of their path. */
void format_tenant(struct buf *out, const char *path, size_t top_depth);
/* A command as one could type it: words that need it are quoted. */
void format_words(struct buf *out, const struct strs *words);
/* Lines that are wider go on at a word in the next, further in. width 0: no terminal; as it is. */
void format_fold(struct buf *out, const char *text, int width);
/* Columns that the text takes on a terminal: UTF-8 characters, escape sequences of ours not counted. */
size_t format_columns(const char *text);

#endif
