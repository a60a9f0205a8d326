/* Remote write 1.0 and 2.0 as a relay: POST /api/v1/write (https://prometheus.io/docs/specs/prw/).
 * Content-Type says which of the two messages it is; none is 1.0.
 *
 *   204       taken, with the headers X-Prometheus-Remote-Write-…-Written
 *   400       cannot be read, and nothing was taken; or some series were refused: all others were taken, and
 *             the answer names the first complaint. Either way the sender is not to send again.
 *   413, 415  too large; another message, or an encoding other than snappy
 *   429, 503  busy, or the queue does not take it: send again, after Retry-After
 */
#ifndef SONDE_RECEIVE_RECEIVE_WRITE_H
#define SONDE_RECEIVE_RECEIVE_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http_server.h"
#include "base/str.h"
#include "receive/receive.h"

/* Samples that one series hands in at once; more come in several pieces, so that batches stay small. */
#define RECEIVE_WRITE_PIECE_MAX ((size_t)5000)

struct receive_written {
    uint64_t samples, histograms, exemplars;
    uint64_t refused_series, refused_samples;
    struct err first; /* the first complaint */
};

/* The handler, whose context is the receivers. */
void receive_write(struct http_exchange *x, void *context);

enum receive_write_version { RECEIVE_WRITE_1 = 1, RECEIVE_WRITE_2 = 2 };

/* Takes one message, decompressed. 0, also when series were refused; ERR_CORRUPT, ERR_LIMIT, ERR_INVALID:
 * nothing of it was taken; ERR_NO_SPACE, ERR_NOMEM. */
int receive_write_take(struct receive *r, enum receive_write_version version, struct str message,
    struct receive_written *written_out, struct err *e);
/* Which message a Content-Type names; ERR_UNSUPPORTED with a sentence. */
int receive_write_kind(
    struct str content_type, enum receive_write_version *version_out, struct err *e);

#endif
