/* One line of Graphite's plaintext protocol
 * (https://graphite.readthedocs.io/en/latest/feeding-carbon.html, and "Graphite Tag Support" for tags):
 *
 *   path[;tag=value…] value time
 *
 * separated by blanks; the time in seconds, with or without a fraction, -1 or none for now. A pure function;
 * every slice points into the line.
 */
#ifndef SONDE_RECEIVE_GRAPHITE_LINE_H
#define SONDE_RECEIVE_GRAPHITE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/labels.h"

#define GRAPHITE_TAGS_MAX 64

struct graphite_line {
    struct str path;
    struct label tags[GRAPHITE_TAGS_MAX];
    size_t tag_count;
    double value;
    bool has_time;
    int64_t t_ms; /* when it has one */
};

/* 0; ERR_INVALID; ERR_LIMIT: too many tags. */
int graphite_line_parse(struct str line, struct graphite_line *line_out);

#endif
