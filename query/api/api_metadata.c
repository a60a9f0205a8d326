/* Metadata of metrics, and the endpoints whose subjects this server does not have yet: targets are the
 * agents' affair, and no rules are evaluated here. They answer in Prometheus' shapes with nothing in
 * them, since clients ask for all of them when they start.
 */
#include <assert.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "query/promql.h"

/* ---- /api/v1/metadata ---- */

struct metadata_walk {
    struct json_writer *json;
    size_t limit, limit_per_metric; /* 0 = none */
    size_t metrics, of_metric;
    struct strbuf metric; /* the one whose list is open */
};

static void close_metric(struct metadata_walk *w)
{
    if (w->metrics > 0) {
        json_end(w->json);
    }
}

/* Entries come in metric order, so that those of one metric stand together. */
static int write_entry(void *context, const struct metric_metadata *m)
{
    struct metadata_walk *w = context;
    if (w->metrics == 0 || !str_eq(strbuf_str(&w->metric), m->metric)) {
        if (w->limit != 0 && w->metrics == w->limit) {
            return 1;
        }
        close_metric(w);
        strbuf_reset(&w->metric);
        strbuf_add_str(&w->metric, m->metric);
        json_key_str(w->json, m->metric);
        json_begin_array(w->json);
        w->metrics++;
        w->of_metric = 0;
    }
    if (w->limit_per_metric != 0 && w->of_metric == w->limit_per_metric) {
        return 0;
    }
    w->of_metric++;
    json_begin_object(w->json);
    json_key(w->json, "type");
    json_cstring(w->json, metric_type_name(m->type));
    json_key(w->json, "help");
    json_string(w->json, m->help);
    json_key(w->json, "unit");
    json_string(w->json, m->unit);
    json_end(w->json);
    return strbuf_error(w->json->out);
}

void api_metadata(struct api_request *r)
{
    struct metadata_walk w = {.metric = STRBUF_INIT};
    if (!param_limit(r, "limit", &w.limit) ||
        !param_limit(r, "limit_per_metric", &w.limit_per_metric)) {
        return;
    }
    struct str metric = http_exchange_param(r->exchange, "metric");
    struct api_answer a;
    api_answer_begin(&a);
    w.json = &a.json;
    json_begin_object(&a.json);
    int status =
        tsdb_metadata(r->api->backend.db, metric.len > 0 ? metric : STR(""), write_entry, &w);
    close_metric(&w);
    json_end(&a.json);
    strbuf_release(&w.metric);
    if (status < 0) {
        api_answer_drop(&a);
        api_fail(r, api_error_of(status), "%s", err_text(status));
        return;
    }
    api_answer_send(r, &a, NULL);
}

/* ---- Nothing here yet ---- */

/* `data` as it stands. */
static void answer_constant(struct api_request *r, struct str data)
{
    struct api_answer a;
    api_answer_begin(&a);
    json_raw(&a.json, data);
    api_answer_send(r, &a, NULL);
}

void api_targets(struct api_request *r)
{
    answer_constant(
        r, STR("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}"));
}

/* Nothing, but not to a mistake. */
void api_targets_metadata(struct api_request *r)
{
    struct str text = http_exchange_param(r->exchange, "match_target");
    struct expr *unused;
    struct err e = ERR_INIT;
    size_t limit;
    if (!param_limit(r, "limit", &limit)) {
        return;
    }
    if (text.len > 0 &&
        promql_parse_selector(text, http_exchange_arena(r->exchange), &unused, &e) != 0) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"match_target\": %s", e.message);
        return;
    }
    answer_constant(r, STR("[]"));
}

void api_scrape_pools(struct api_request *r)
{
    answer_constant(r, STR("{\"scrapePools\":[]}"));
}
