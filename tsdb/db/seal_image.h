/* A frozen slice as tables for a part.
 *
 * Most tables become one: rows are rows. Late cells decide the rest. Those at times of rows are laid
 * over them; those at other times become rows of the same table when most columns have them (a scrape
 * that came late), and tables of their own otherwise: columns with equal times together. So a stray
 * late sample does not cost every other column a gap, and series that share nothing but their lack of
 * a target keep their own times.
 */
#ifndef SONDE_DB_SEAL_IMAGE_H
#define SONDE_DB_SEAL_IMAGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "head/freeze.h"
#include "index/index.h"
#include "part/part.h"

/* Tables of one image. */
#define SEAL_TABLES_MAX ((size_t)1 << 30)

struct seal_table {
    const struct table_state *state;
    uint32_t target; /* of the index */
    uint32_t column_count;
    size_t row_count;
    const struct column *columns;  /* shapes of the index */
    const uint32_t *table_columns; /* their positions in the head's table */
    const int64_t *times;
};

struct seal_image {
    struct arena arena;
    struct seal_table *tables;
    size_t count, cap;
};

/* 0, ERR_NOMEM. The freeze must outlive the image. */
int seal_image_new(const struct freeze *f, struct seal_image *image_out);
void seal_image_release(struct seal_image *image);

/* The rows of one day of an image, as what a part is written from. Scratch memory is its own. */
struct seal_source {
    struct part_source source;
    struct index *index;
    struct part_table *tables;
    const struct seal_table **origins;
    struct arena scratch;
    struct arena_mark empty;
    int64_t min_t, max_t;
};

/* source.table_count is 0 when the day has no rows. */
int seal_source_init(struct seal_source *s, const struct seal_image *image, struct index *index,
    int64_t min_t, int64_t max_t);
void seal_source_release(struct seal_source *s);

#endif
