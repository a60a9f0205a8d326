/* What a scrape that is being read says of its samples beyond their values.
 *
 * Until all of a body is read none of it is sent. A sample without a time of its own waits as the value in
 * its series' entry, in the order of the cache: it takes no memory at all. Whatever is more than that stands
 * here, in the order of the lines: times of their own, further samples of a series, native histograms,
 * exemplars. A record:
 *
 *   uvarint   series in the order since the record before << 4 | what follows
 *     1       it is another sample of a series: pointer to its entry, value (8 bytes each)
 *     2       it has a time: svarint, milliseconds since the time of the record before
 *     4       it is a histogram: pointer (8 bytes)
 *     8       it has an exemplar: pointer (8 bytes)
 *
 * A million samples with times of their own take 3 MB. It is this process' memory, never anybody else's input. One
 * thread.
 */
#ifndef SONDE_SCRAPE_SAMPLE_NOTES_H
#define SONDE_SCRAPE_SAMPLE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "scrape/series_cache.h"
#include "wire/remote_write.h"

/* Of one scrape: 3 million further samples of series. */
#define SAMPLE_NOTES_BYTES_MAX ((size_t)64 << 20)

/* An exemplar, and what tells it from the one before. */
struct sample_exemplar {
    struct remote_write_exemplar exemplar;
    uint32_t hash;
};

struct sample_note {
    size_t at; /* of the series in the order; of a further sample: of the one it comes behind */
    struct series_entry *again; /* a further sample of this series; NULL: the first one */
    double value;               /* of a further sample */
    bool has_time;
    int64_t t_ms;
    const struct histogram *histogram; /* NULL: none. Borrowed, as the next one */
    const struct sample_exemplar *exemplar;
};

struct sample_notes {
    struct strbuf bytes;
    size_t read;    /* bytes of it */
    size_t last_at; /* of the record written or read last */
    int64_t last_ms;
};

void sample_notes_init(struct sample_notes *n);
/* Frees all; may be used again. */
void sample_notes_release(struct sample_notes *n);
/* `at` ascends. 0, ERR_NOMEM, ERR_LIMIT. */
int sample_notes_add(struct sample_notes *n, const struct sample_note *note);
/* To be read from the beginning. */
void sample_notes_rewind(struct sample_notes *n);
/* False at the end. */
bool sample_notes_next(struct sample_notes *n, struct sample_note *note_out);

#endif
