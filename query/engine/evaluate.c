/* The engine's doors, and the life of a query: parse, prepare, open the store, evaluate, hand over the
 * result. */
#include "query/engine.h"

#include <assert.h>
#include <unistd.h>

#include "base/mem.h"
#include "explain.h"
#include "prepare.h"
#include "query.h"
#include "result.h"
#include "selection.h"

#define LOOKBACK_MS_MAX ((int64_t)1 << 50)
#define TIMEOUT_MS_MAX ((int64_t)1 << 40)

/* ---- The engine ---- */

static unsigned online_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 && count < ENGINE_THREADS_MAX ? (unsigned)count : ENGINE_THREADS_MAX;
}

int engine_new(const struct engine_options *options, struct engine **engine_out)
{
    struct engine *engine = mem_calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return ERR_NOMEM;
    }
    struct engine_options *o = &engine->options;
    *o = *options;
    o->clock = o->clock != NULL ? o->clock : clock_real();
    o->lookback_ms = o->lookback_ms > 0 ? o->lookback_ms : ENGINE_LOOKBACK_MS_DEFAULT;
    o->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : ENGINE_TIMEOUT_MS_DEFAULT;
    o->timeout_ms = o->timeout_ms < TIMEOUT_MS_MAX ? o->timeout_ms : TIMEOUT_MS_MAX;
    o->samples_max = o->samples_max > 0 ? o->samples_max : ENGINE_SAMPLES_MAX_DEFAULT;
    o->memory_bytes = o->memory_bytes > 0 ? o->memory_bytes : ENGINE_MEMORY_BYTES_DEFAULT;
    if (o->memory_total_bytes > 0 && o->memory_bytes > o->memory_total_bytes) {
        o->memory_bytes = o->memory_total_bytes;
    }
    o->cost_max = o->cost_max > 0 ? o->cost_max : ENGINE_COST_MAX_DEFAULT;
    o->subquery_step_ms =
        o->subquery_step_ms > 0 ? o->subquery_step_ms : ENGINE_SUBQUERY_STEP_MS_DEFAULT;
    o->share_min = o->share_min > 0 ? o->share_min : ENGINE_SHARE_MIN_DEFAULT;
    o->threads = o->threads > 0 ? o->threads : online_processors();
    o->threads = o->threads < ENGINE_THREADS_MAX ? o->threads : ENGINE_THREADS_MAX;
    memory_budget_init(&engine->memory, NULL, o->memory_total_bytes);
    crew_init(&engine->crew, o->threads - 1);
    *engine_out = engine;
    return 0;
}

void engine_free(struct engine *engine)
{
    if (engine != NULL) {
        assert(memory_budget_used(&engine->memory) == 0);
        crew_release(&engine->crew);
        mem_free(engine);
    }
}

struct memory_budget *engine_memory(struct engine *engine)
{
    return &engine->memory;
}

/* ---- Running ---- */

static void query_init(struct query *q, struct engine *engine, struct str text,
    const struct engine_query_options *options, struct err *e)
{
    static const struct engine_query_options none;
    const struct engine_query_options *o = options != NULL ? options : &none;
    const struct engine_options *defaults = &engine->options;
    *q = (struct query){.options = defaults,
        .crew = &engine->crew,
        .text = text,
        .memory = &q->own_memory,
        .canceled = o->canceled,
        .watch = o->watch,
        .statistics = {.threads = 1},
        .e = e};
    memory_budget_init(q->memory, &engine->memory, defaults->memory_bytes);
    arena_init_charged(&q->arena, q->memory);
    annotations_init(&q->annotations, &q->arena);
    q->lookback_ms = o->lookback_ms > 0 ? o->lookback_ms : defaults->lookback_ms;
    q->lookback_ms = q->lookback_ms < LOOKBACK_MS_MAX ? q->lookback_ms : LOOKBACK_MS_MAX;
    q->samples_max = o->samples_max > 0 ? o->samples_max : defaults->samples_max;
    q->timeout_ms = o->timeout_ms > 0 && o->timeout_ms < defaults->timeout_ms
                        ? o->timeout_ms
                        : defaults->timeout_ms;
    q->watched_ns = clock_monotonic_ns(defaults->clock);
    q->deadline_ns = q->watched_ns + q->timeout_ms * 1000000;
}

static void query_release(struct query *q)
{
    arena_release(&q->arena); // series sets go before the querier that made them
    querier_close(q->querier);
}

/* Parses, checks against the kind of query, resolves durations and opens the store. */
static int query_prepare(struct query *q, struct querier_source *source, struct expr **expr_out)
{
    struct expr *expr;
    int status = promql_parse(q->text, q->options->features, &q->arena, &expr, q->e);
    if (status != 0) {
        return status;
    }
    if (q->range_query && expr->type != PROMQL_SCALAR && expr->type != PROMQL_VECTOR) {
        return query_fail(q, ERR_INVALID,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            promql_type_phrase(expr->type));
    }
    struct time_extent extent;
    status = prepare(q, &expr, &extent);
    if (status == 0) {
        status = querier_open(source, extent.min_t, extent.max_t, &q->querier, q->e);
    }
    if (status == 0) {
        status = select_ahead(q, expr);
    }
    if (status == 0) {
        *expr_out = expr;
    }
    return status;
}

static int query_run(
    struct query *q, struct querier_source *source, bool explained, struct engine_result *result)
{
    struct clock *clock = q->options->clock;
    int64_t begin = clock_monotonic_ns(clock);
    struct expr *expr;
    int status = explained ? explain_init(q) : 0;
    status = status == 0 ? query_prepare(q, source, &expr) : status;
    int64_t prepared = clock_monotonic_ns(clock);
    if (status == 0) {
        status = query_check(q);
    }
    if (status == 0) {
        status = result_evaluate(q, expr, result);
    }
    status = query_judge_memory(q, status);
    q->statistics.prepare_ns = prepared - begin;
    q->statistics.evaluate_ns = clock_monotonic_ns(clock) - prepared;
    if (status == 0) {
        querier_statistics(q->querier, &q->statistics.reads);
        result->statistics = q->statistics;
        status = result_annotations(q, result);
    }
    return status == 0 && q->explain != NULL ? explain_result(q, result) : status;
}

static int check_time(int64_t t, struct err *e)
{
    if (t > TIME_MS_MAX || t < -TIME_MS_MAX) {
        return err_set(e, ERR_INVALID, -1, "timestamp %lld is out of range", (long long)t);
    }
    return 0;
}

static int query_finish(struct query *q, struct engine *engine, struct querier_source *source,
    const struct engine_query_options *options, struct engine_result *result_out)
{
    bool explained = options != NULL && options->explain;
    struct engine_result result = {0};
    arena_init_charged(&result.arena, q->memory);
    int status = query_run(q, source, explained, &result);
    if (status == 0) {
        arena_move_charge(&result.arena, &engine->memory); // it outlives the query
        *result_out = result;
    } else {
        arena_release(&result.arena);
        *result_out = (struct engine_result){0};
    }
    query_release(q);
    return status;
}

int engine_instant(struct engine *engine, struct querier_source *source, struct str query,
    int64_t time_ms, const struct engine_query_options *options, struct engine_result *result_out,
    struct err *e)
{
    *result_out = (struct engine_result){0};
    int status = check_time(time_ms, e);
    if (status != 0) {
        return status;
    }
    struct query q;
    struct err unheard = ERR_INIT;
    query_init(&q, engine, query, options, e != NULL ? e : &unheard);
    q.grid = (struct grid){.start = time_ms, .interval = 1, .steps = 1};
    return query_finish(&q, engine, source, options, result_out);
}

int engine_range(struct engine *engine, struct querier_source *source, struct str query,
    int64_t start_ms, int64_t end_ms, int64_t step_ms, const struct engine_query_options *options,
    struct engine_result *result_out, struct err *e)
{
    *result_out = (struct engine_result){0};
    if (step_ms <= 0) {
        return err_set(e, ERR_INVALID, -1,
            "zero or negative query resolution step widths are not accepted. Try a positive "
            "integer");
    }
    if (end_ms < start_ms) {
        return err_set(e, ERR_INVALID, -1, "end timestamp must not be before start time");
    }
    int status = check_time(start_ms, e);
    status = status == 0 ? check_time(end_ms, e) : status;
    if (status != 0) {
        return status;
    }
    uint64_t intervals = ((uint64_t)end_ms - (uint64_t)start_ms) / (uint64_t)step_ms;
    if (intervals >= (uint64_t)ENGINE_STEPS_MAX) {
        return err_set(e, ERR_INVALID, -1, "query has more than the %lld steps accepted",
            (long long)ENGINE_STEPS_MAX);
    }
    struct query q;
    struct err unheard = ERR_INIT;
    query_init(&q, engine, query, options, e != NULL ? e : &unheard);
    q.grid = (struct grid){.start = start_ms, .interval = step_ms, .steps = (size_t)intervals + 1};
    q.range_query = true;
    return query_finish(&q, engine, source, options, result_out);
}

void engine_result_release(struct engine_result *result)
{
    arena_release(&result->arena);
    *result = (struct engine_result){0};
}
