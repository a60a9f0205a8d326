/* A store on a simulated disk, an engine, a fake clock, and rules over them that are evaluated by hand. */
#ifndef SONDE_TESTS_RULES_FIXTURE_H
#define SONDE_TESTS_RULES_FIXTURE_H

#include "query/rules.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

#define FIXTURE_START_MS (INT64_C(19700) * 86400000)

/* Notes what it is sent, one line an alert. */
struct noting_sink {
    struct alert_sink sink;
    struct strbuf lines;
    int answer;
};

struct rules_fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
    struct engine *engine;
    struct rules *rules;
    struct noting_sink sink;
    struct rules_options options;
};

/* Everything open, no rules loaded. */
void rules_fixture_open(struct rules_fixture *f);
void rules_fixture_close(struct rules_fixture *f);
/* As kill -9 and a start: what was not durable is gone, "r.yml" is loaded again. */
void rules_fixture_crash(struct rules_fixture *f);

/* "r.yml" is now this text, and is loaded. */
void rules_fixture_load(struct rules_fixture *f, const char *text);
/* A sample of metric{instance="…"} now. */
void rules_fixture_write(
    struct rules_fixture *f, const char *metric, const char *instance, double value);
/* Time passes, and whatever is due is evaluated; how many groups. */
size_t rules_fixture_pass(struct rules_fixture *f, int64_t ms);
/* Each element of an instant query's answer as "{labels} value; ", in label order. */
const char *rules_fixture_ask(struct rules_fixture *f, const char *query);
/* All alerts as "{labels} state since-seconds; ", seconds counted from FIXTURE_START_MS. */
const char *rules_fixture_alerts(struct rules_fixture *f);
/* The last error of a rule of the first group; "" for none. */
const char *rules_fixture_error(struct rules_fixture *f, size_t rule);

#endif
