/* A batch in pieces: what a receiver calls too large (413) is halved until it takes it.
 *
 * Pieces are runs of whole items of the message, in order: series, or spans. The first is in hand. One
 * thread.
 */
#ifndef SONDE_SHIP_BATCH_SPLIT_H
#define SONDE_SHIP_BATCH_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "ship/queue.h"

struct batch_split;

/* Takes apart a payload as it is sent. All of it is one piece at first. ERR_CORRUPT, ERR_LIMIT,
 * ERR_NOMEM. */
int batch_split_new(enum queue_cargo cargo, struct str payload, struct batch_split **split_out);
/* Accepts NULL. */
void batch_split_free(struct batch_split *s);
/* Halves the piece in hand; false when it is one item. */
bool batch_split_halve(struct batch_split *s);
/* Done with the piece in hand: on to the next; false when there is none. */
bool batch_split_next(struct batch_split *s);
/* Samples, or spans, of the piece in hand. */
uint32_t batch_split_samples(const struct batch_split *s);
/* Those of the pieces before it, which are done with. */
uint32_t batch_split_done(const struct batch_split *s);
/* The piece in hand as it is sent, appended to `out`. */
int batch_split_encode(const struct batch_split *s, struct strbuf *out);

#endif
