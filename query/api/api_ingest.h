/* One write, whatever format it came in: a transaction of the store, what was refused of it, and the
 * status that tells the sender whether to send again.
 *
 * A series or sample that is refused (bad labels, too old, too far ahead, beyond a limit) does not spoil
 * the others: the first complaint is kept, the rest is counted, and the transaction goes on. Anything
 * else ends the write, and nothing of it is stored.
 */
#ifndef SONDE_QUERY_API_INGEST_H
#define SONDE_QUERY_API_INGEST_H

#include <stdint.h>

#include "api/api_request.h"
#include "model/labels.h"
#include "tsdb/appender.h"

struct ingest {
    struct api *api;
    struct api_request *request; /* NULL: it did not come by HTTP */
    enum commit_durability durability;
    size_t wire_bytes; /* of the message as it came */
    struct appender *appender;
    uint64_t key_seed;
    uint64_t refused_series, refused_samples;
    struct err first; /* the first complaint */
};

/* Opens the transaction; end it with ingest_commit or ingest_abort. */
int ingest_begin(struct api_request *r, struct ingest *in_out, struct err *e);
/* The same for a message that came by another door. */
int ingest_open(struct api *api, enum commit_durability durability, size_t wire_bytes,
    struct ingest *in_out, struct err *e);
/* Commits with that durability, which for a request is its parameter `ack`, and counts. The store's failure is returned. */
int ingest_commit(struct ingest *in, struct append_counts *counts_out, struct err *e);
void ingest_abort(struct ingest *in);

/* The series of a label set (sorted, unique, nothing empty): 1, or 0 when it is refused, or the error
 * that ends the write. `key` may be NULL. */
int ingest_series(struct ingest *in, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e);
/* Counts a series as refused. */
void ingest_refuse_series(struct ingest *in, const struct err *e);
/* Tells the store how many samples came with a series that ingest_series has just refused, `why` being
 * its complaint: those a limit keeps out are counted under their metric. */
void ingest_count_lost(struct ingest *in, const struct err *why, const struct label *labels,
    size_t count, uint64_t samples);
/* Counts a sample as refused; labels are for the sentence. */
void ingest_refuse_sample(struct ingest *in, const struct label *labels, size_t count, int64_t t_ms,
    int status, const char *why);
/* Why the store refused a sample of that time, as ingest_refuse_sample wants it; NULL for a status that
 * ends the write. */
const char *ingest_refusal(const struct ingest *in, int64_t t_ms, int status);
/* Whether a complaint would still be kept: sentences are not made for nobody. */
bool ingest_wants_complaint(const struct ingest *in);
/* Series and samples that were refused. */
uint64_t ingest_refused(const struct ingest *in);
/* The first complaint, and how many more there are; into in->first. */
const char *ingest_complaint(struct ingest *in);

/* The HTTP status for a write that failed with this code; sets Retry-After where it makes sense to
 * come again. */
unsigned ingest_failure_status(struct api_request *r, int code);
/* Answers with that status and the sentence as text. */
void ingest_answer_failure(struct api_request *r, const struct err *e);

#endif
