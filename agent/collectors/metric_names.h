/* Metric names made from the fields of a kernel table, remembered by position.
 *
 * Tables like /proc/net/netstat print the same few hundred fields in the same order at each read.
 * Building a name and asking a pattern whether it is wanted costs more than reading the value, so
 * both answers are kept for each row and only compared: a field that stands where it stood in the
 * last pass costs one memcmp.
 */
#ifndef SONDE_COLLECTORS_METRIC_NAMES_H
#define SONDE_COLLECTORS_METRIC_NAMES_H

#include "collectors/collect.h"

/* Rows of one table. */
#define METRIC_NAMES_MAX 65536
/* Longest metric name; rows that would exceed it are left out. */
#define METRIC_NAME_MAX 256

struct metric_name {
    char *key; /* group, '_' and field as printed, or the field alone */
    size_t key_length;
    char *name; /* NULL = not wanted */
};

struct metric_names {
    const char *prefix;                  /* "node_netstat_" */
    const struct collect_filter *filter; /* asked with the key; NULL = all are wanted */
    struct metric_name *rows;
    size_t count;
    size_t cap;
};

/* Name of the row-th field: prefix, group and '_' unless the group is empty, field, `suffix`. Bytes
 * that no metric name may hold become '_'. NULL when it is not wanted or memory is short. Lives until
 * the row is asked with another key. */
const char *metric_names_get(
    struct metric_names *names, size_t row, struct str group, struct str field, const char *suffix);
void metric_names_release(struct metric_names *names);

#endif
