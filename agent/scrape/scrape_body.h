/* The body of a scrape, read as it comes: pieces in, values in the cache and notes out.
 *
 * A body is taken whole or not at all, yet it is not kept: of each sample only its value is, in its series'
 * entry (series_cache), and what is more than that as a note (sample_notes). So a body of a million
 * samples takes no memory beside what is known of its series, and nothing has to be undone when it breaks
 * off: values of a scrape that failed are never looked at.
 * Protobuf is the exception: such a body is held whole, within body_size_limit, and read at its end.
 * Left out: a spool file of the body (written and read for nothing nearly always, and one more thing
 * that fails with the disk), and a list of staged samples (40 bytes each).
 *
 *   scrape_body_begin    what was known stays
 *   scrape_body_take     a piece, of any size: lines that are whole are read, the rest of it waits
 *   scrape_body_end      it was whole
 *   ... then the samples are sent, from the cache and the notes ...
 *   scrape_body_clear    what is kept for that only
 *
 * One thread. No call reads more than the piece and what waited for it.
 */
#ifndef SONDE_SCRAPE_SCRAPE_BODY_H
#define SONDE_SCRAPE_SCRAPE_BODY_H

#include "base/arena.h"
#include "base/err.h"
#include "intake/intake.h"
#include "intake/metric_metadata.h"
#include "scrape/known_comments.h"
#include "scrape/line_cutter.h"
#include "scrape/sample_notes.h"
#include "scrape/series_cache.h"
#include "scrape/target_options.h"
#include "wire/exposition.h"

struct scrape_body {
    const struct target_options *options; /* borrowed, as the next two */
    struct intake *intake;                /* asked whether new series may be taken */
    struct metric_metadata *metadata;
    struct series_cache cache;
    struct known_comments comments;
    struct exposition_parser parser;
    struct line_cutter cutter;
    struct strbuf whole; /* protobuf */
    struct sample_notes notes;
    struct arena line;    /* what one line needs */
    struct arena kept;    /* what notes point to */
    struct strbuf labels; /* of the series being made */
    int64_t stamp_ms;     /* time of samples that have none */
    size_t sample_count;  /* read, and to be sent */
    size_t dropped_count; /* read, and dropped by relabelling */
    size_t ignored_count; /* read, and come twice, or from the future */
    uint64_t series_added;
    uint64_t refused_samples; /* of new series while memory was full; all scrapes together */
};

void scrape_body_init(struct scrape_body *b, const struct target_options *options,
    struct intake *intake, struct metric_metadata *metadata);
void scrape_body_release(struct scrape_body *b);

/* The scrape before has settled. */
void scrape_body_begin(struct scrape_body *b, int64_t stamp_ms);
/* Before its first piece. */
void scrape_body_set_format(struct scrape_body *b, enum exposition_format format);
/* 0; ERR_INVALID, ERR_LIMIT, ERR_NOMEM with a sentence: the scrape has failed. */
int scrape_body_take(struct scrape_body *b, struct str piece, struct err *e);
int scrape_body_end(struct scrape_body *b, struct err *e);
/* The samples are sent, or will not be. */
void scrape_body_clear(struct scrape_body *b);

#endif
