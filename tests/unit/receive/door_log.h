/* A door for samples that writes down what comes through, as text: a line for each sample. */
#ifndef SONDE_TESTS_DOOR_LOG_H
#define SONDE_TESTS_DOOR_LOG_H

#include "base/strbuf.h"
#include "intake/intake.h"

struct door_log {
    struct intake intake;   /* first */
    struct strbuf text;     /* name{labels} value @time */
    struct strbuf metadata; /* metric type help unit */
    const struct labels *external;
    enum intake_pressure pressure;
    int commit_status;
    size_t commits;
};

void door_log_init(struct door_log *log);
void door_log_release(struct door_log *log);
/* The lines so far; prints them and fails when they are others. */
void door_log_expect(struct door_log *log, const char *text);

#endif
