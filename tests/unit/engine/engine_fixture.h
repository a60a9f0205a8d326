/* A store in memory with some series, and an engine over it. */
#ifndef SONDE_TESTS_ENGINE_FIXTURE_H
#define SONDE_TESTS_ENGINE_FIXTURE_H

#include "query/engine.h"
#include "support/memory_store.h"
#include "support/support.h"

struct engine_fixture {
    struct memory_store *store;
    struct engine *engine;
};

/* Everything experimental on. `options` may be NULL; its features are overridden. */
void engine_fixture_begin(struct engine_fixture *f, const struct engine_options *options);
void engine_fixture_end(struct engine_fixture *f);

/* `count` series named `name`, with labels i="0" … and job="even" or "odd", that count up from 0 by
 * their number + 1, at 0, 15 s … up to `until_ms`. */
void engine_fixture_counters(
    struct engine_fixture *f, const char *name, size_t count, int64_t until_ms);
/* The same with native histograms: a bucket (1, 2] that counts up. */
void engine_fixture_histograms(
    struct engine_fixture *f, const char *name, size_t count, int64_t until_ms);

/* The answer as text, one line a series: {labels} value@t value@t …; and one a warning or info; or
 * "error: sentence". The caller frees it with free(). */
char *engine_fixture_instant(struct engine_fixture *f, const char *query, int64_t t_ms);
char *engine_fixture_range(
    struct engine_fixture *f, const char *query, int64_t start_ms, int64_t end_ms, int64_t step_ms);

/* Fails the test when the text is another. */
void expect_instant(
    struct engine_fixture *f, const char *query, int64_t t_ms, const char *expected);
void expect_range(struct engine_fixture *f, const char *query, int64_t start_ms, int64_t end_ms,
    int64_t step_ms, const char *expected);

#endif
