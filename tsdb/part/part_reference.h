/* Which columns of a row group lean on which: the plan a writer follows, and the sum both sides
 * compute. Private to tsdb/part.
 *
 * Columns of one target repeat each other: a bucket holds the one below, memory in use and memory free
 * add up to memory there is, one gauge goes by two names. A run may therefore name up to
 * PART_REFERENCES_MAX earlier columns of its group; their sum (or difference) is what
 * column_block_encode_against takes as the reference. The plan is made for a group from a few rows of
 * one of its tables; each block of the run then leans only if that makes it shorter.
 *
 * References go to earlier columns only, so there are no circles, and a column that leans on columns
 * that lean ... does so at most PART_REFERENCE_DEPTH_MAX times.
 */
#ifndef SONDE_PART_PART_REFERENCE_H
#define SONDE_PART_PART_REFERENCE_H

#include <stdint.h>

#include "part/part_format.h"
#include "part/part_layout.h"

struct part_reference {
    uint32_t column; /* of the same group */
    bool subtract;
};

struct part_references {
    uint32_t count; /* 0: the run leans on none */
    struct part_reference items[PART_REFERENCES_MAX];
};

/* Adds the values of one reference to the sum, which is all zeros before the first. Rows where a
 * column has no sample give no number: what the codec makes of those depends on no NaN's payload. */
void part_reference_add(
    double *sum, const double *values, uint32_t rows, const struct part_reference *reference);

/* Fills references_out[c] for each column of the group. Reads one table of the source, all columns.
 * The same source gives the same plan. 0, ERR_NOMEM, or the source's error. */
int part_reference_plan(struct part_source *source, const struct part_schema *schema,
    const struct part_plan_group *group, struct part_references *references_out, struct err *e);

#endif
