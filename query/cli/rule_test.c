/* Feed, evaluate, compare. Expectations are turned into what an evaluation gives (label sets, floats and
 * histograms), both sides are sorted by labels, and then they are the same or not. */
#include "cli/rule_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "model/duration.h"
#include "promql/series_notation.h"
#include "rules/rule_group.h"

struct fed_series {
    struct notation_series notation;
    size_t next; /* value */
    struct series_ref ref;
    bool has_ref;
};

struct trial {
    const struct rule_test_world *world;
    const struct rule_test *test;
    struct arena arena; /* what does not change between evaluations */
    struct engine *engine;
    struct rules_environment env;
    struct fed_series *series;
    struct rule_group **groups; /* in the order of their evaluation */
    size_t group_count;
    const struct rule_test_alert **alerts; /* by time */
    size_t next_alert;
    struct strbuf *differences;
};

/* ---- Labels ---- */

static void release_labels(void *labels)
{
    labels_unref(labels);
}

static int own_labels(struct arena *arena, const struct labels *labels)
{
    int status = arena_on_release(arena, release_labels, (void *)(uintptr_t)labels);
    if (status != 0) {
        labels_unref(labels);
    }
    return status;
}

/* The pairs of a map, and `alertname` unless it is NULL; released with `arena`. */
static int labels_of_map(struct arena *arena, const struct config_map *map, const char *alertname,
    const struct labels **labels_out)
{
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; i < map->count; i++) {
        labels_builder_set(&b, str_of(map->items[i].key), str_of(map->items[i].value));
    }
    if (alertname != NULL) {
        labels_builder_set(&b, STR("alertname"), str_of(alertname));
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status != 0 ? status : own_labels(arena, *labels_out);
}

/* ---- Feeding ---- */

static int read_series(struct trial *t, struct err *e)
{
    const struct rule_test_series *given = t->test->series.items;
    size_t count = t->test->series.count;
    t->series = arena_calloc(&t->arena, count + 1, sizeof(*t->series));
    int status = t->series == NULL ? arena_error(&t->arena) : 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct strbuf line = STRBUF_INIT;
        strbuf_addf(
            &line, "%s %s", given[i].series, given[i].values != NULL ? given[i].values : "");
        status = strbuf_error(&line);
        if (status == 0) {
            status = notation_series_parse(strbuf_str(&line), &t->arena, &t->series[i].notation, e);
        }
        strbuf_release(&line);
    }
    return status;
}

static int feed_series(
    struct trial *t, struct fed_series *s, struct appender *a, int64_t until_ms, struct err *e)
{
    const struct labels *labels = s->notation.labels;
    int status = 0;
    while (status == 0 && s->next < s->notation.count &&
           (int64_t)s->next * t->test->interval_ms <= until_ms) {
        const struct notation_value *value = &s->notation.values[s->next];
        int64_t at_ms = t->test->start_ms + (int64_t)s->next * t->test->interval_ms;
        s->next++;
        if (value->kind == NOTATION_OMITTED) {
            continue;
        }
        if (!s->has_ref) {
            status =
                appender_series(a, labels_pairs(labels), labels_count(labels), NULL, &s->ref, e);
            s->has_ref = status == 0;
        }
        if (status == 0) {
            status = value->kind == NOTATION_FLOAT
                         ? appender_append(a, s->ref, at_ms, value->number)
                         : appender_append_histogram(a, s->ref, at_ms, value->histogram);
        }
    }
    return status;
}

/* What is not later than `until_ms` after the start goes to the store. */
static int feed(struct trial *t, int64_t until_ms, struct err *e)
{
    struct appender *a = NULL;
    int status = appender_open(t->world->writes, &a, e);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < t->test->series.count && status == 0; i++) {
        status = feed_series(t, &t->series[i], a, until_ms, e);
    }
    if (status == 0) {
        return appender_commit(a, COMMIT_AS_CONFIGURED, NULL, e);
    }
    appender_rollback(a);
    return status;
}

/* ---- Groups ---- */

/* Groups that the order does not name are level with the first that it names. */
static size_t rank_of(const struct trial *t, const struct rule_group *g)
{
    const struct config_strings *order = &t->world->file->group_order;
    for (size_t i = 0; i < order->count; i++) {
        if (str_eq_c(g->definition->name, order->items[i])) {
            return i;
        }
    }
    return 0;
}

static int make_groups(struct trial *t, struct err *e)
{
    size_t total = 0, count;
    for (size_t i = 0; i < t->world->rule_file_count; i++) {
        (void)rule_file_groups(t->world->rule_files[i], &count);
        total += count;
    }
    t->groups = arena_calloc(&t->arena, total + 1, sizeof(struct rule_group *));
    int status = t->groups == NULL ? arena_error(&t->arena) : 0;
    for (size_t i = 0; i < t->world->rule_file_count && status == 0; i++) {
        struct rule_file *file = t->world->rule_files[i];
        const struct rule_group_definition *definitions = rule_file_groups(file, &count);
        for (size_t k = 0; k < count && status == 0; k++) {
            struct rule_group *g = NULL;
            status = rule_group_new(file, &definitions[k], &t->env, &g, e);
            if (status != 0) {
                break;
            }
            size_t place = t->group_count++;
            for (; place > 0 && rank_of(t, t->groups[place - 1]) > rank_of(t, g); place--) {
                t->groups[place] = t->groups[place - 1];
            }
            t->groups[place] = g;
        }
    }
    return status;
}

/* Tells the rules that failed. */
static bool note_failures(struct trial *t, int64_t at_ms)
{
    bool failed = false;
    for (size_t i = 0; i < t->group_count; i++) {
        const struct rule_group *g = t->groups[i];
        for (size_t k = 0; k < g->rule_count; k++) {
            if (g->rules[k].health == RULE_ERROR) {
                strbuf_addf(t->differences,
                    "    rule: %.*s, time: ", STR_ARG(g->rules[k].definition->name));
                duration_write(at_ms, t->differences);
                strbuf_addf(t->differences, ", err: %s\n",
                    g->rules[k].last_error != NULL ? g->rules[k].last_error : "");
                failed = true;
            }
        }
    }
    return failed;
}

/* ---- Alerts ---- */

struct shown_alert {
    const struct labels *labels, *annotations;
};

static int compare_alerts(const void *a, const void *b)
{
    const struct shown_alert *x = a, *y = b;
    int order = labels_cmp(x->labels, y->labels);
    return order != 0 ? order : labels_cmp(x->annotations, y->annotations);
}

struct shown_alerts {
    struct shown_alert *items;
    size_t count, cap;
};

static int add_alert(struct shown_alerts *list, struct shown_alert alert)
{
    int status = mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(alert), ALERT_STATES_MAX);
    if (status == 0) {
        list->items[list->count++] = alert;
    }
    return status;
}

static void sort_alerts(struct shown_alerts *list)
{
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(*list->items), compare_alerts);
    }
}

/* What fires now under a name, borrowed from the groups. */
static int find_firing(const struct trial *t, const char *name, struct shown_alerts *list)
{
    int status = 0;
    for (size_t i = 0; i < t->group_count; i++) {
        for (size_t k = 0; k < t->groups[i]->rule_count; k++) {
            const struct rule_run *rule = &t->groups[i]->rules[k];
            if (!rule->definition->alerting || !str_eq_c(rule->definition->name, name)) {
                continue;
            }
            for (size_t n = 0; n < rule->states.count && status == 0; n++) {
                const struct alert_instance *alert = &rule->states.items[n];
                if (alert->state == ALERT_FIRING) {
                    status =
                        add_alert(list, (struct shown_alert){alert->labels, alert->annotations});
                }
            }
        }
    }
    sort_alerts(list);
    return status;
}

static int find_expected(
    const struct rule_test_alert *wanted, struct arena *arena, struct shown_alerts *list)
{
    const struct rule_test_expected_alert *given = wanted->expected.items;
    int status = 0;
    for (size_t i = 0; i < wanted->expected.count && status == 0; i++) {
        struct shown_alert alert;
        status = labels_of_map(arena, &given[i].labels, wanted->name, &alert.labels);
        if (status == 0) {
            status = labels_of_map(arena, &given[i].annotations, NULL, &alert.annotations);
        }
        status = status != 0 ? status : add_alert(list, alert);
    }
    sort_alerts(list);
    return status;
}

static bool same_alerts(const struct shown_alerts *a, const struct shown_alerts *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = compare_alerts(&a->items[i], &b->items[i]) == 0;
    }
    return same;
}

static void write_alerts(const struct shown_alerts *list, struct strbuf *out)
{
    strbuf_add_c(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        strbuf_addf(out, "%s\n            %zu:\n              Labels:", i > 0 ? "," : "", i);
        labels_write(list->items[i].labels, out);
        strbuf_add_c(out, "\n              Annotations:");
        labels_write(list->items[i].annotations, out);
    }
    strbuf_add_c(out, list->count > 0 ? "\n            ]" : "]");
}

static void write_name(const struct trial *t)
{
    if (t->test->name != NULL && t->test->name[0] != '\0') {
        strbuf_addf(t->differences, "    name: %s,\n", t->test->name);
    }
}

static int check_alert(struct trial *t, const struct rule_test_alert *wanted)
{
    struct shown_alerts expected = {0}, got = {0};
    struct arena arena;
    arena_init(&arena, 0);
    int status = find_expected(wanted, &arena, &expected);
    if (status == 0) {
        status = find_firing(t, wanted->name, &got);
    }
    if (status == 0 && !same_alerts(&expected, &got)) {
        write_name(t);
        strbuf_addf(t->differences, "    alertname: %s, time: ", wanted->name);
        duration_write(wanted->eval_time_ms, t->differences);
        strbuf_add_c(t->differences, ",\n        exp:");
        write_alerts(&expected, t->differences);
        strbuf_add_c(t->differences, ",\n        got:");
        write_alerts(&got, t->differences);
        strbuf_add_c(t->differences, "\n");
    }
    mem_free(expected.items);
    mem_free(got.items);
    arena_release(&arena);
    return status;
}

static int by_time(const void *a, const void *b)
{
    const struct rule_test_alert *x = *(const struct rule_test_alert *const *)a;
    const struct rule_test_alert *y = *(const struct rule_test_alert *const *)b;
    if (x->eval_time_ms != y->eval_time_ms) {
        return x->eval_time_ms < y->eval_time_ms ? -1 : 1;
    }
    return x < y ? -1 : x > y; /* as they are in the file */
}

static int sort_checks(struct trial *t)
{
    const struct rule_test_alert *alerts = t->test->alerts.items;
    size_t count = t->test->alerts.count;
    t->alerts = arena_calloc(&t->arena, count + 1, sizeof(alerts));
    if (t->alerts == NULL) {
        return arena_error(&t->arena);
    }
    for (size_t i = 0; i < count; i++) {
        t->alerts[i] = &alerts[i];
    }
    qsort(t->alerts, count, sizeof(alerts), by_time);
    return 0;
}

/* ---- Expressions ---- */

struct shown_sample {
    const struct labels *labels;
    double value;
    const struct histogram *histogram; /* NULL: a float */
};

static int compare_samples(const void *a, const void *b)
{
    return labels_cmp(
        ((const struct shown_sample *)a)->labels, ((const struct shown_sample *)b)->labels);
}

struct shown_samples {
    struct shown_sample *items;
    size_t count;
};

static int make_samples(struct arena *arena, size_t count, struct shown_samples *list)
{
    list->items = arena_calloc(arena, count + 1, sizeof(*list->items));
    list->count = count;
    return list->items == NULL ? arena_error(arena) : 0;
}

static int samples_of_result(const struct engine_result *result, struct arena *arena,
    struct shown_samples *list, struct err *e)
{
    bool scalar = result->type == PROMQL_SCALAR;
    if (!scalar && result->type != PROMQL_VECTOR) {
        return err_set(e, ERR_INVALID, -1, "rule result is not a vector or scalar");
    }
    int status = make_samples(arena, scalar ? 1 : result->series_count, list);
    if (status != 0) {
        return status;
    }
    list->items[0] = (struct shown_sample){labels_empty(), result->scalar, NULL};
    for (size_t i = 0; i < list->count && !scalar; i++) {
        const struct engine_series *s = &result->series[i];
        bool number = s->float_count > 0;
        list->items[i] = (struct shown_sample){
            s->labels, number ? s->floats[0] : 0, number ? NULL : s->histograms[0]};
    }
    return 0;
}

static int read_expected_sample(const struct rule_test_expected_sample *given, struct arena *arena,
    struct shown_sample *sample, struct err *e)
{
    struct notation_series labels = {0}, values = {0};
    int status = notation_series_parse(
        str_of(given->labels != NULL ? given->labels : ""), arena, &labels, e);
    if (status == 0 && labels.count > 0) {
        status = err_set(e, ERR_INVALID, -1, "labels \"%s\": a metric is expected", given->labels);
    }
    *sample = (struct shown_sample){labels.labels, given->value, NULL};
    if (status != 0 || given->histogram == NULL || given->histogram[0] == '\0') {
        return status;
    }
    struct strbuf line = STRBUF_INIT;
    strbuf_addf(&line, "histogram %s", given->histogram);
    status = strbuf_error(&line) != 0 ? strbuf_error(&line)
                                      : notation_series_parse(strbuf_str(&line), arena, &values, e);
    strbuf_release(&line);
    if (status == 0 && (values.count != 1 || values.values[0].kind != NOTATION_HISTOGRAM)) {
        status = err_set(e, ERR_INVALID, -1, "histogram \"%s\": one is expected", given->histogram);
    }
    sample->histogram = status == 0 ? values.values[0].histogram : NULL;
    return status;
}

static int samples_of_test(const struct rule_test_expression *wanted, struct arena *arena,
    struct shown_samples *list, struct err *e)
{
    const struct rule_test_expected_sample *given = wanted->expected.items;
    int status = make_samples(arena, wanted->expected.count, list);
    for (size_t i = 0; i < list->count && status == 0; i++) {
        status = read_expected_sample(&given[i], arena, &list->items[i], e);
    }
    return status;
}

static bool next_filled(struct histogram_walk *walk, struct histogram_bucket *bucket)
{
    while (histogram_walk_next(walk, bucket)) {
        if (bucket->count != 0) {
            return true;
        }
    }
    return false;
}

/* Empty buckets and what is known of resets do not count. */
static bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    struct histogram_walk walks[2];
    struct histogram_bucket x, y;
    if (a->schema != b->schema || a->count != b->count || a->zero_count != b->zero_count ||
        a->zero_threshold != b->zero_threshold || a->custom_count != b->custom_count ||
        !(a->sum == b->sum || (isnan(a->sum) && isnan(b->sum))) || !histogram_can_be_walked(a) ||
        !histogram_can_be_walked(b)) {
        return false;
    }
    for (size_t i = 0; i < a->custom_count; i++) {
        if (a->custom_values[i] != b->custom_values[i]) {
            return false;
        }
    }
    histogram_walk_begin(&walks[0], a);
    histogram_walk_begin(&walks[1], b);
    for (;;) {
        bool more = next_filled(&walks[0], &x), other = next_filled(&walks[1], &y);
        if (!more || !other) {
            return more == other;
        }
        if (x.lower != y.lower || x.upper != y.upper || x.count != y.count) {
            return false;
        }
    }
}

static bool same_sample(const struct shown_sample *a, const struct shown_sample *b, bool fuzzy)
{
    if (!labels_eq(a->labels, b->labels) || (a->histogram == NULL) != (b->histogram == NULL)) {
        return false;
    }
    if (a->histogram != NULL) {
        return same_histogram(a->histogram, b->histogram);
    }
    double x = a->value, y = b->value;
    return x == y || (isnan(x) && isnan(y)) ||
           (fuzzy && (nextafter(x, INFINITY) == y || nextafter(x, -INFINITY) == y));
}

static bool same_samples(const struct shown_samples *a, const struct shown_samples *b, bool fuzzy)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = same_sample(&a->items[i], &b->items[i], fuzzy);
    }
    return same;
}

static void write_samples(const struct shown_samples *list, struct strbuf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct shown_sample *s = &list->items[i];
        strbuf_add_c(out, i > 0 ? ", " : "");
        labels_write(s->labels, out);
        strbuf_add_char(out, ' ');
        if (s->histogram != NULL) {
            histogram_write(s->histogram, out);
        } else {
            strbuf_add_double(out, s->value);
        }
    }
    strbuf_add_c(out, list->count == 0 ? "nil" : "");
}

static void begin_expression(struct trial *t, const struct rule_test_expression *wanted)
{
    write_name(t);
    strbuf_add_c(t->differences, "    expr: ");
    promql_write_quoted(str_of(wanted->expr), t->differences);
    strbuf_add_c(t->differences, ", time: ");
    duration_write(wanted->eval_time_ms, t->differences);
}

static int check_expression(struct trial *t, const struct rule_test_expression *wanted)
{
    const char *expr = wanted->expr != NULL ? wanted->expr : "";
    struct shown_samples expected = {0}, got = {0};
    struct engine_result result = {0};
    struct err e = ERR_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    int status = engine_instant(t->engine, t->world->reads, str_of(expr),
        t->test->start_ms + wanted->eval_time_ms, NULL, &result, &e);
    if (status == 0) {
        status = samples_of_result(&result, &arena, &got, &e);
    }
    if (status == 0) {
        status = samples_of_test(wanted, &arena, &expected, &e);
    }
    if (status != 0) {
        begin_expression(t, wanted);
        strbuf_addf(t->differences, ", err: %s\n", e.message[0] ? e.message : err_text(status));
    } else {
        qsort(expected.items, expected.count, sizeof(*expected.items), compare_samples);
        qsort(got.items, got.count, sizeof(*got.items), compare_samples);
    }
    if (status == 0 && !same_samples(&expected, &got, t->world->file->fuzzy)) {
        begin_expression(t, wanted);
        strbuf_add_c(t->differences, ",\n        exp: ");
        write_samples(&expected, t->differences);
        strbuf_add_c(t->differences, "\n        got: ");
        write_samples(&got, t->differences);
        strbuf_add_c(t->differences, "\n");
    }
    arena_release(&arena);
    engine_result_release(&result);
    return status == ERR_NOMEM ? status : 0;
}

/* ---- The test ---- */

static int64_t last_time(const struct rule_test *test)
{
    const struct rule_test_alert *alerts = test->alerts.items;
    const struct rule_test_expression *expressions = test->expressions.items;
    int64_t last = 0;
    for (size_t i = 0; i < test->alerts.count; i++) {
        last = alerts[i].eval_time_ms > last ? alerts[i].eval_time_ms : last;
    }
    for (size_t i = 0; i < test->expressions.count; i++) {
        last = expressions[i].eval_time_ms > last ? expressions[i].eval_time_ms : last;
    }
    return last;
}

/* Evaluates until `last_ms`, and looks at alerts on the way. *failed_out: a rule failed. */
static int evaluate_all(struct trial *t, int64_t last_ms, bool *failed_out, struct err *e)
{
    int64_t interval_ms = t->world->file->evaluation_interval_ms;
    if (last_ms / interval_ms >= RULE_TEST_EVALUATIONS_MAX) {
        return err_set(e, ERR_INVALID, -1, "a test has at most %lld evaluations",
            (long long)RULE_TEST_EVALUATIONS_MAX);
    }
    for (int64_t at_ms = 0; at_ms <= last_ms; at_ms += interval_ms) {
        int status = feed(t, at_ms, e);
        if (status != 0) {
            return status;
        }
        for (size_t i = 0; i < t->group_count; i++) {
            rule_group_evaluate(t->groups[i], &t->env, t->test->start_ms + at_ms);
        }
        *failed_out = note_failures(t, at_ms);
        if (*failed_out) {
            return 0;
        }
        for (; status == 0 && t->next_alert < t->test->alerts.count &&
               t->alerts[t->next_alert]->eval_time_ms < at_ms + interval_ms;
             t->next_alert++) {
            status = check_alert(t, t->alerts[t->next_alert]);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int prepare(struct trial *t, struct err *e)
{
    const struct engine_options options = {.features = PROMQL_FEATURES_ALL,
        .threads = 1,
        .subquery_step_ms = t->world->file->evaluation_interval_ms};
    int status = engine_new(&options, &t->engine);
    if (status != 0) {
        return status;
    }
    const char *url = t->test->external_url != NULL ? t->test->external_url : "";
    t->env = (struct rules_environment){.engine = t->engine,
        .reads = t->world->reads,
        .writes = t->world->writes,
        .clock = clock_real(),
        .fs = vfs_posix(),
        .external_url = str_of(url),
        .path_prefix = rules_url_path(str_of(url)),
        .interval_ms = t->world->file->evaluation_interval_ms};
    status = labels_of_map(&t->arena, &t->test->external_labels, NULL, &t->env.external_labels);
    if (status == 0) {
        status = read_series(t, e);
    }
    if (status == 0) {
        status = make_groups(t, e);
    }
    return status != 0 ? status : sort_checks(t);
}

int rule_test_run(const struct rule_test_world *world, const struct rule_test *test,
    struct strbuf *differences, struct err *e)
{
    struct trial t = {.world = world, .test = test, .differences = differences};
    const struct rule_test_expression *expressions = test->expressions.items;
    bool failed = false;
    arena_init(&t.arena, 0);
    int status = prepare(&t, e);
    if (status == 0) {
        status = evaluate_all(&t, last_time(test), &failed, e);
    }
    for (size_t i = 0; i < test->expressions.count && status == 0 && !failed; i++) {
        status = check_expression(&t, &expressions[i]);
    }
    for (size_t i = 0; i < t.group_count; i++) {
        rule_group_free(t.groups[i]);
    }
    engine_free(t.engine);
    arena_release(&t.arena);
    if (status != 0 && e->message[0] == '\0') {
        err_set(e, status, -1, "%s", err_text(status));
    }
    return status;
}
