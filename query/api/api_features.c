/* /api/v1/features: what the server can, so that clients need not ask by version. Groups and names are those of
 * Prometheus 3 where it has them:
 *
 *   {"api":{"exemplars":true,…},"promql":{"anchored":false,…},"promql_functions":{"abs":true,…},…}
 */
#include "api/api_private.h"
#include "query/promql.h"

struct feature {
    const char *name;
    bool is_on;
};

static void write_group(
    struct json_writer *json, const char *group, const struct feature *features, size_t count)
{
    json_key(json, group);
    json_begin_object(json);
    for (size_t i = 0; i < count; i++) {
        json_key(json, features[i].name);
        json_bool(json, features[i].is_on);
    }
    json_end(json);
}

#define WRITE_GROUP(json, group, features)                                                         \
    write_group(json, group, features, sizeof(features) / sizeof((features)[0]))

static void write_functions(struct json_writer *json, const struct promql_features *on)
{
    json_key(json, "promql_functions");
    json_begin_object(json);
    for (enum function_id id = 0; id < FUNCTION_COUNT; id++) {
        const struct promql_function *function = promql_function_at(id);
        json_key(json, function->name);
        json_bool(json, !function->experimental || on->experimental_functions);
    }
    json_end(json);
}

void api_features(struct api_request *r)
{
    const struct promql_features *on = &r->api->backend.features;
    const struct feature api[] = {
        {"admin", r->api->program.admin_api},
        {"exemplars", true},
        {"export", true},
        {"federation", true},
        {"label_values_match", true},
        {"otlp_write_receiver", true},
        {"query_stats", true},
        {"query_warnings", true},
        {"remote_read", true},
        {"remote_write_receiver", true},
        {"remote_write_v2", true},
    };
    const struct feature promql[] = {
        {"anchored", on->extended_range_selectors},
        {"at_modifier", true},
        {"duration_expr", on->duration_expressions},
        {"experimental_functions", on->experimental_functions},
        {"fill", on->fill_modifiers},
        {"metricsql", on->metricsql},
        {"negative_offset", true},
        {"smoothed", on->extended_range_selectors},
        {"subqueries", true},
    };
    const struct feature tsdb[] = {
        {"downsampling", true},
        {"native_histograms", true},
        {"out_of_order", true},
    };
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    WRITE_GROUP(&a.json, "api", api);
    WRITE_GROUP(&a.json, "promql", promql);
    write_functions(&a.json, on);
    WRITE_GROUP(&a.json, "tsdb", tsdb);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}
