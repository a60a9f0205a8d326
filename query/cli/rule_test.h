/* One test of rules: its series go to a store as time passes, all groups are evaluated again and again with
 * the code that evaluates them live, and what fires and what is answered is compared with what the test
 * expects.
 *
 * As in promtool: groups are evaluated each evaluation interval from the start, whatever intervals they
 * name; the store knows no sample that is later than the evaluation; alerts are those of the last
 * evaluation that is not later than their time; expressions are asked after the last evaluation. A rule
 * that fails ends the test.
 */
#ifndef SONDE_QUERY_RULE_TEST_H
#define SONDE_QUERY_RULE_TEST_H

#include "base/strbuf.h"
#include "cli/rule_test_file.h"
#include "rules/rule_file.h"
#include "tsdb/appender.h"
#include "tsdb/querier.h"

struct rule_test_world {
    struct querier_source *reads; /* an empty store */
    struct appender_source *writes;
    const struct rule_test_file *file;
    struct rule_file *const *rule_files;
    size_t rule_file_count;
};

/* 0, whether the test passes or not: what differs is appended to `differences`, as promtool tells it.
 * ERR_INVALID a series or a template that cannot be read, too many evaluations; of the store; ERR_NOMEM. */
int rule_test_run(const struct rule_test_world *world, const struct rule_test *test,
    struct strbuf *differences, struct err *e);

#endif
