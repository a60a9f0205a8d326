/* A door for samples that writes down what comes through, a line for each: name{labels} value @time, where
 * time counts from 1700000000000. Labels that all series share are left out. */
#ifndef SONDE_TESTS_SERIES_LOG_H
#define SONDE_TESTS_SERIES_LOG_H

#include "intake/intake.h"

struct series_log {
    struct intake intake; /* first */
    struct strbuf text;
    const struct labels *external;
    enum intake_pressure pressure;
};

void series_log_init(struct series_log *log);
void series_log_release(struct series_log *log);
/* The lines so far, which are forgotten; prints them and fails when they are others. */
void series_log_expect(struct series_log *log, const char *text);
/* Whether a line is among those so far. */
bool series_log_has(const struct series_log *log, const char *line);

#endif
