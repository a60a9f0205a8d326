/* From the labels a body gives a series to those it is sent with: the target's, relabelling, limits,
 * external labels. One thread. */
#ifndef SONDE_SCRAPE_TARGET_LABELS_H
#define SONDE_SCRAPE_TARGET_LABELS_H

#include "scrape/target_options.h"

/* The encoded final labels of a series, in place of what `out` held. 1; 0 when relabelling drops it;
 * ERR_INVALID, ERR_LIMIT with a sentence in `e` or none, ERR_NOMEM. Uses the parser's arena, and its
 * line for sentences. */
int target_labels_encode(const struct target_options *o, struct exposition_parser *p,
    const struct label *pairs, size_t count, struct strbuf *out, struct err *e);

#endif
