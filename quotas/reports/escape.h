/*
 * escape - tenant-given text into JSON, CSV, HTML and Prometheus labels, so that no value can be taken for markup.
 * Purity: pure. Text is UTF-8 (the journal's tables refuse anything else).
 */
#ifndef REEVE_QUOTAS_REPORTS_ESCAPE_H
#define REEVE_QUOTAS_REPORTS_ESCAPE_H

#include <stdint.h>

#include "base/buf.h"

void json_text(struct buf *out, const char *text);      /* with its quotes; NULL = null */
/* RFC 4180: quoted when it holds a comma, a quote, CR or LF, or is empty; NULL = an empty field without quotes. */
void csv_text(struct buf *out, const char *text);
void html_text(struct buf *out, const char *text);      /* for text and for attributes in double quotes */
void label_text(struct buf *out, const char *text);     /* a Prometheus label value, with its quotes */
/* Micro-units with all six decimals: columns of figures line up, and no reader has to guess. */
void money_text(struct buf *out, int64_t micros);
/* Two further members of an object, `,"NAME":"1.500000","NAME_micros":1500000`; both null when it isn't present. */
void json_money(struct buf *out, const char *name, bool present, int64_t micros);

#endif
