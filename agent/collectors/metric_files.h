/* A set of small files that each hold one number, found by walking sysfs, each shown as one series:
 * sensors, error counters, energy meters.
 *
 * Which files there are depends on the hardware and hardly ever changes, while walking the tree to
 * find them costs far more than reading them. So a collector describes what it finds once, and in
 * each pass only the numbers are read. The walk is repeated once in METRIC_FILES_PASSES passes, and
 * at once after a file has gone.
 *
 *   if (metric_files_due(c, &s->files)) {
 *       metric_files_begin(c, &s->files);
 *       for each file found: metric_files_add(&s->files, &(struct metric_file){…});
 *       metric_files_end(c, &s->files);
 *   }
 *   metric_files_give(c, &s->files);
 */
#ifndef SONDE_COLLECTORS_METRIC_FILES_H
#define SONDE_COLLECTORS_METRIC_FILES_H

#include "base/arena.h"
#include "collectors/collect.h"

#define METRIC_FILES_PASSES 12
/* Files of one set, and memory for their names. */
#define METRIC_FILES_MAX 16384
#define METRIC_FILES_BYTES_MAX ((size_t)8 << 20)

struct metric_file {
    const char *name;
    enum metric_type type;
    const char *help; /* of the first file of a name, for all of them */
    /* Value shown = number read × factor ÷ divisor; 0 stands for 1. */
    double factor;
    double divisor;
    bool hexadecimal;
    /* The file begins with its number and goes on with words: "4: ACTIVE", "40 Gb/sec". */
    bool leading_number;
    /* NULL: no file, the value is `constant` (names of chips, properties). */
    const char *path;
    double constant;
    size_t label_count;
    struct label_pair labels[METRIC_LABELS_MAX]; /* in order of their names */
};

struct metric_file_row {
    struct metric_file file;
    struct kept_file kept;
};

struct metric_files {
    struct arena arena; /* what rows point at */
    struct metric_file_row *rows;
    size_t count, cap;
    uint64_t due; /* pass of the next walk */
    int error;    /* first failure of the walk: memory or limits */
};

bool metric_files_due(const struct collect *c, const struct metric_files *files);
/* Empties the set. */
void metric_files_begin(struct collect *c, struct metric_files *files);
/* Everything the file points at is copied. */
void metric_files_add(struct metric_files *files, const struct metric_file *file);
/* Sorts by name, then by labels; of files that would be the same series the first one stays. */
void metric_files_end(struct collect *c, struct metric_files *files);
/* Reads and gives all. Files that cannot be read or hold no number are left out, as broken sensors are
 * common. Returns the walk's error. */
int metric_files_give(struct collect *c, struct metric_files *files);
void metric_files_release(struct collect *c, struct metric_files *files);

#endif
