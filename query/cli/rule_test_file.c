/* Tables of fields; what follows is what they cannot say: patterns of files, names that come twice. */
#include "cli/rule_test_file.h"

#include <glob.h>
#include <string.h>

#include "api/api_params.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "query/rule_definition.h"

/* ---- The tables ---- */

#define MEMBER(type, member) offsetof(struct type, member)

static const struct config_field series_table[] = {
    {"series", CONFIG_STRING, MEMBER(rule_test_series, series), .required = true,
        .help = "A metric: name and labels."},
    {"values", CONFIG_STRING, MEMBER(rule_test_series, values),
        .help = "One value for each interval: 1+2x3 _ stale {{count:1}}."},
    {0},
};

static const struct config_field expected_alert_table[] = {
    {"exp_labels", CONFIG_STRING_MAP, MEMBER(rule_test_expected_alert, labels),
        .help = "All labels of the alert but alertname."},
    {"exp_annotations", CONFIG_STRING_MAP, MEMBER(rule_test_expected_alert, annotations),
        .help = "All its annotations."},
    {0},
};

static const struct config_field alert_table[] = {
    {"eval_time", CONFIG_DURATION, MEMBER(rule_test_alert, eval_time_ms),
        .help = "How long after the start."},
    {"alertname", CONFIG_STRING, MEMBER(rule_test_alert, name), .help = "Whose alerts."},
    {"exp_alerts", CONFIG_LIST, MEMBER(rule_test_alert, expected), .fields = expected_alert_table,
        .item_size = sizeof(struct rule_test_expected_alert), .help = "What fires; no others."},
    {0},
};

static const struct config_field sample_table[] = {
    {"labels", CONFIG_STRING, MEMBER(rule_test_expected_sample, labels), .help = "A metric."},
    {"value", CONFIG_DOUBLE, MEMBER(rule_test_expected_sample, value), .help = "Its value."},
    {"histogram", CONFIG_STRING, MEMBER(rule_test_expected_sample, histogram),
        .help = "Its native histogram: {{count:1 sum:2}}."},
    {0},
};

static const struct config_field expression_table[] = {
    {"expr", CONFIG_STRING, MEMBER(rule_test_expression, expr), .help = "What is asked."},
    {"eval_time", CONFIG_DURATION, MEMBER(rule_test_expression, eval_time_ms),
        .help = "How long after the start."},
    {"exp_samples", CONFIG_LIST, MEMBER(rule_test_expression, expected), .fields = sample_table,
        .item_size = sizeof(struct rule_test_expected_sample), .help = "All of the answer."},
    {0},
};

static int read_start(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    struct err e = ERR_INIT;
    if (node->kind != YAML_SCALAR || api_parse_time(node->text, member, &e) != 0) {
        return config_fail(reader, node, "start_timestamp: expected Unix seconds or RFC 3339");
    }
    return 0;
}

static const struct config_field test_table[] = {
    {"name", CONFIG_STRING, MEMBER(rule_test, name), .help = "Shown when it fails."},
    {"interval", CONFIG_DURATION, MEMBER(rule_test, interval_ms), .help = "Between values."},
    {"start_timestamp", CONFIG_CUSTOM, MEMBER(rule_test, start_ms), .read = read_start,
        .help = "When it begins."},
    {"input_series", CONFIG_LIST, MEMBER(rule_test, series), .fields = series_table,
        .item_size = sizeof(struct rule_test_series), .help = "What is stored."},
    {"alert_rule_test", CONFIG_LIST, MEMBER(rule_test, alerts), .fields = alert_table,
        .item_size = sizeof(struct rule_test_alert), .help = "What is to fire."},
    {"promql_expr_test", CONFIG_LIST, MEMBER(rule_test, expressions), .fields = expression_table,
        .item_size = sizeof(struct rule_test_expression), .help = "What is to be answered."},
    {"external_labels", CONFIG_STRING_MAP, MEMBER(rule_test, external_labels),
        .help = "For templates."},
    {"external_url", CONFIG_STRING, MEMBER(rule_test, external_url), .help = "For templates."},
    {0},
};

static const struct config_field file_table[] = {
    {"rule_files", CONFIG_STRING_LIST, MEMBER(rule_test_file, rule_files),
        .help = "Files, or patterns of files."},
    {"evaluation_interval", CONFIG_DURATION, MEMBER(rule_test_file, evaluation_interval_ms),
        .default_text = "1m", .help = "Between two evaluations of all groups."},
    {"group_eval_order", CONFIG_STRING_LIST, MEMBER(rule_test_file, group_order),
        .help = "Names of groups that depend on others, in order."},
    {"fuzzy_compare", CONFIG_BOOL, MEMBER(rule_test_file, fuzzy),
        .help = "A float may be off by its last bit."},
    {"tests", CONFIG_LIST, MEMBER(rule_test_file, tests), .fields = test_table,
        .item_size = sizeof(struct rule_test), .help = "Each with a store of its own."},
    {0},
};

/* ---- Patterns ---- */

/* `pattern` below the folder of `path`, unless it is absolute. */
static char *beside(const char *path, const char *pattern, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    size_t folder = pattern[0] == '/' || slash == NULL ? 0 : (size_t)(slash - path) + 1;
    size_t size = strlen(pattern);
    char *whole = arena_alloc(arena, folder + size + 1);
    if (whole != NULL) {
        memcpy(whole, path, folder);
        memcpy(whole + folder, pattern, size + 1);
    }
    return whole;
}

static int add_string(struct config_strings *list, const char *text, struct arena *arena)
{
    const char *copy = arena_strndup(arena, text, strlen(text));
    if (copy == NULL) {
        return arena_error(arena);
    }
    if (list->count == RULE_TEST_RULE_FILES_MAX) {
        return ERR_LIMIT;
    }
    list->items[list->count++] = copy;
    return 0;
}

static int find_files(
    const char *path, struct arena *arena, struct rule_test_file *file, struct err *e)
{
    const struct config_strings patterns = file->rule_files;
    struct config_strings *found = &file->rule_files, *unmatched = &file->unmatched;
    found->items = arena_calloc(arena, RULE_TEST_RULE_FILES_MAX, sizeof(*found->items));
    unmatched->items = arena_calloc(arena, RULE_TEST_RULE_FILES_MAX, sizeof(*found->items));
    found->count = 0;
    int status = found->items == NULL || unmatched->items == NULL ? arena_error(arena) : 0;
    for (size_t i = 0; i < patterns.count && status == 0; i++) {
        const char *pattern = beside(path, patterns.items[i], arena);
        glob_t names = {0};
        if (pattern == NULL) {
            status = arena_error(arena);
            break;
        }
        if (glob(pattern, 0, NULL, &names) != 0) {
            status = add_string(unmatched, pattern, arena);
        }
        for (size_t k = 0; k < names.gl_pathc && status == 0; k++) {
            status = add_string(found, names.gl_pathv[k], arena);
        }
        globfree(&names);
    }
    if (status == ERR_LIMIT) {
        return err_set(e, status, -1, "%s: at most %d rule files", path, RULE_TEST_RULE_FILES_MAX);
    }
    return status != 0 ? err_set(e, status, -1, "%s: %s", path, err_text(status)) : 0;
}

/* ---- The file ---- */

static int check_order(const char *path, const struct rule_test_file *file, struct err *e)
{
    const struct config_strings *order = &file->group_order;
    for (size_t i = 0; i < order->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(order->items[i], order->items[k]) == 0) {
                return err_set(e, ERR_INVALID, -1,
                    "%s: group name repeated in evaluation order: %s", path, order->items[i]);
            }
        }
    }
    return 0;
}

static int check_test(const char *path, struct rule_test *test, struct err *e)
{
    const struct rule_test_alert *alerts = test->alerts.items;
    for (size_t i = 0; i < test->alerts.count; i++) {
        if (alerts[i].name == NULL || alerts[i].name[0] == '\0') {
            return err_set(e, ERR_INVALID, -1,
                "%s: an item under alert_rule_test misses required attribute alertname at "
                "eval_time %llds%s%s%s",
                path, (long long)alerts[i].eval_time_ms / 1000,
                test->name != NULL ? " (in TestGroup " : "", test->name != NULL ? test->name : "",
                test->name != NULL ? ")" : "");
        }
    }
    return 0;
}

int rule_test_file_read(
    const char *path, struct arena *arena, struct rule_test_file *file_out, struct err *e)
{
    struct rule_test_file file = {0};
    struct yaml_node *root = NULL;
    char *text = NULL;
    size_t size;
    int status = vfs_read_file(vfs_posix(), path, RULE_FILE_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = yaml_parse(arena, path, str_make(text, size), &root, e);
    if (status == 0) {
        status = config_read(arena, path, root, file_table, &file, e);
    }
    mem_free(text);
    if (status == 0) {
        status = check_order(path, &file, e);
    }
    if (file.evaluation_interval_ms == 0) {
        file.evaluation_interval_ms = RULES_INTERVAL_MS_DEFAULT;
    }
    struct rule_test *tests = file.tests.items;
    for (size_t i = 0; i < file.tests.count && status == 0; i++) {
        tests[i].interval_ms =
            tests[i].interval_ms != 0 ? tests[i].interval_ms : file.evaluation_interval_ms;
        status = check_test(path, &tests[i], e);
    }
    if (status == 0) {
        status = find_files(path, arena, &file, e);
    }
    if (status == 0) {
        *file_out = file;
    }
    return status;
}
