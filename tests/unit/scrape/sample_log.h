/* A sink that writes down what it is given, as text a test can compare. */
#ifndef SONDE_TESTS_SCRAPE_SAMPLE_LOG_H
#define SONDE_TESTS_SCRAPE_SAMPLE_LOG_H

#include "base/strbuf.h"
#include "scrape/target.h"

struct sample_log {
    struct intake intake;   /* first: hand out &log.intake */
    struct strbuf lines;    /* name{labels} value @time, one a line, in the order they came */
    struct strbuf metadata; /* "name type help|", in the order they came */
    size_t metadata_count;
    enum intake_pressure pressure;
    size_t count;
    int64_t now_ms; /* this time prints as "now" */
};

void sample_log_init(struct sample_log *log);
void sample_log_release(struct sample_log *log);
void sample_log_reset(struct sample_log *log);

/* What came is `expected`, lines in any order; a stale marker prints as "stale". Then forgets it.
 * Both are printed when they differ. */
void sample_log_check(struct sample_log *log, const char *expected);
/* As above, without the five series that each scrape adds. */
void sample_log_check_series(struct sample_log *log, const char *expected);
/* Its lines without those five, sorted, onto `out`; then forgets it. */
void sample_log_take_series(struct sample_log *log, struct strbuf *out);
/* The last value of the series of this name: value_nan when there was none. */
double sample_log_last(const struct sample_log *log, const char *name);
/* That value is `expected`, bit for bit. */
void sample_log_check_last(const struct sample_log *log, const char *name, double expected);
/* How many lines hold `part`. */
size_t sample_log_holding(const struct sample_log *log, const char *part);

#endif
