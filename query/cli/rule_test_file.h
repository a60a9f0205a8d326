/* Tests of rules as `promtool test rules` reads them: text -> what to feed, what to expect.
 *
 *   rule_files: [pattern, …]          relative to the test's own folder
 *   evaluation_interval: duration     default 1m
 *   group_eval_order: [group, …]      others come first
 *   fuzzy_compare: bool               a float may be off by its last bit
 *   tests:
 *     - name: text
 *       interval: duration            between values; default evaluation_interval
 *       start_timestamp: time         Unix seconds or RFC 3339; default 0
 *       input_series: [{series: metric, values: notation}]
 *       external_labels: {name: value}     external_url: text
 *       alert_rule_test: [{eval_time, alertname, exp_alerts: [{exp_labels, exp_annotations}]}]
 *       promql_expr_test: [{expr, eval_time, exp_samples: [{labels, value | histogram}]}]
 *
 * Anything else is an error with line and column. Everything lives in the file's arena.
 */
#ifndef SONDE_QUERY_RULE_TEST_FILE_H
#define SONDE_QUERY_RULE_TEST_FILE_H

#include "base/config.h"
#include "base/err.h"

/* Of one file; and evaluations of one test. */
#define RULE_TEST_RULE_FILES_MAX 1000
#define RULE_TEST_EVALUATIONS_MAX ((int64_t)1 << 22)

struct rule_test_series {
    const char *series, *values;
};

struct rule_test_expected_alert {
    struct config_map labels, annotations;
};

struct rule_test_alert {
    int64_t eval_time_ms; /* after the start, as below */
    const char *name;
    struct config_list expected; /* of struct rule_test_expected_alert */
};

struct rule_test_expected_sample {
    const char *labels, *histogram;
    double value;
};

struct rule_test_expression {
    int64_t eval_time_ms;
    const char *expr;
    struct config_list expected; /* of struct rule_test_expected_sample */
};

struct rule_test {
    const char *name; /* NULL: none */
    int64_t interval_ms;
    int64_t start_ms;
    struct config_list series;      /* of struct rule_test_series */
    struct config_list alerts;      /* of struct rule_test_alert */
    struct config_list expressions; /* of struct rule_test_expression */
    struct config_map external_labels;
    const char *external_url;
};

struct rule_test_file {
    struct config_strings rule_files; /* as they were found: patterns are replaced */
    struct config_strings unmatched;  /* patterns that name no file */
    int64_t evaluation_interval_ms;
    struct config_strings group_order;
    bool fuzzy;
    struct config_list tests; /* of struct rule_test */
};

/* ERR_INVALID "PATH:LINE:COLUMN: …"; ERR_LIMIT; ERR_IO, ERR_NOT_FOUND, ERR_NOMEM. */
int rule_test_file_read(
    const char *path, struct arena *arena, struct rule_test_file *file_out, struct err *e);

#endif
