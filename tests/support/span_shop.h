/* Spans of a shop that does not exist: 12 services of 4 instances each, traces of log-normal size (median
 * 8 spans), 3 to 13 attributes a span, 12 a resource, one span in a hundred with an exception. Messages
 * are OTLP, 512 spans of one instance each, as an SDK's batches are. The same seed gives the same bytes.
 */
#ifndef SONDE_TESTS_SPAN_SHOP_H
#define SONDE_TESTS_SPAN_SHOP_H

#include <stdint.h>

#include "base/strbuf.h"

#define SPAN_SHOP_BATCH 512

struct span_shop;

/* Traces begin at `start_ns`, `traces_per_s` of them a second of the shop's time. */
struct span_shop *span_shop_new(uint64_t seed, uint64_t start_ns, double traces_per_s);
void span_shop_free(struct span_shop *shop);
/* The next full batch. Returns the number of spans. */
size_t span_shop_next(struct span_shop *shop, struct strbuf *message);
/* A message of the first `count` spans of the next batch, onto `message`: for who writes them hundreds of times. */
void span_shop_take(struct span_shop *shop, size_t count, struct strbuf *message);
/* The time that traces have reached. */
uint64_t span_shop_time_ns(const struct span_shop *shop);

#endif
