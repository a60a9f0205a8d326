/* Searches in a store of traces that bench_spans has made.
 *
 *   bench_spans 10000000 DIRECTORY && bench_span_search DIRECTORY [QUERIES [PART OF A NAME]]
 *
 * Each kind of question is asked QUERIES times with other values, newest 20 of all times, as an API asks it: a
 * view, the search, the view closed. `opened`: the store has just been opened, and nothing it learned of a
 * page is in memory, for OPENED of the questions; `asked`: one after the other. Times are those of the
 * processor, in milliseconds, those of all threads together; `wall` is what a clock on the wall says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "trace/trace_names.h"
#include "trace/trace_search.h"
#include "trace/trace_tags.h"
#include "trace/traceql_metrics.h"
#include "tsdb/span_store.h"

enum { QUERIES_MAX = 10000, OPENED = 5, NEWEST = 20, TEXT = 512 };

#define STEP_NS UINT64_C(15000000000)

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_span_search: %s: %s\n", what, e->message);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t); // cannot fail on Linux
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Questions ---- */

enum asked { SEARCH, TAGS, MEASURE, VALUES, OPERATIONS };

/* $s: a service, $t another one, $r a route, $p a port, $o an order that is not there, $n a number of two
 * digits, $f a text that is found, now and then, in random ones. */
static const struct kind {
    enum asked what;
    const char *name, *text;
} kinds[] = {
    {SEARCH, "service, route, duration, 500",
        "{ resource.service.name = \"$s\" && span.http.route = \"$r\" && duration > 1ms && "
        "span.http.response.status_code = 500 }"},
    {SEARCH, "service, route, port",
        "{ resource.service.name = \"$s\" && span.http.route = \"$r\" && span.network.peer.port "
        "= $p }"},
    {SEARCH, "port", "{ span.network.peer.port = $p }"},
    {SEARCH, "service, order not there",
        "{ resource.service.name = \"$s\" && span.app.order.id = \"$o\" }"},
    {SEARCH, "service alone", "{ resource.service.name = \"$s\" }"},
    {SEARCH, "status, service, name",
        "{ status = error && resource.service.name = \"$s\" && name = \"GET $r\" }"},
    {SEARCH, "error and 500 (rare pair)",
        "{ status = error && span.http.response.status_code = 500 && resource.service.name = "
        "\"$s\" && span.http.route = \"$r\" && span.thread.id = $n }"},
    {SEARCH, "long spans of a service", "{ resource.service.name = \"$s\" && duration > 1s }"},
    {SEARCH, "longest: few", "{ resource.service.name = \"$s\" && duration > 2.$ns }"},
    {SEARCH, "number in a range",
        "{ span.network.peer.port > 60$n0 && span.network.peer.port < 60$n4 && "
        "resource.service.name = \"$s\" && status = error }"},
    {SEARCH, "number in a range, nothing",
        "{ span.thread.id > 59 && resource.service.name = \"$s\" }"},
    {SEARCH, "common values, nothing",
        "{ span.db.system = \"postgresql\" && resource.service.name = \"$s\" && "
        "span.http.response.status_code >= 500 }"},
    {SEARCH, "value not there", "{ span.http.route = \"/nothing/$n\" }"},
    {SEARCH, "key not there", "{ span.nothing = $n }"},
    {SEARCH, "regex of random texts", "{ span.app.order.id =~ \"ord-$f.*\" }"},
    {SEARCH, "regex of random texts, nothing",
        "{ span.url.path =~ \".*/x$n\" && resource.service.name = \"$s\" }"},
    {SEARCH, "regex of few texts, nothing",
        "{ span.http.route =~ \"/(a|b)$n.*\" && status = error }"},
    {SEARCH, "negations",
        "{ resource.service.name != \"$s\" && span.http.route != \"$r\" && status != unset && "
        "span.http.response.status_code != 200 && kind != client }"},
    {SEARCH, "any of several",
        "{ (resource.service.name = \"$s\" || resource.service.name = \"$t\") && (status = error "
        "|| span.http.response.status_code = 500) && (name = \"GET $r\" || duration > 2s) }"},
    {SEARCH, "event of a service",
        "{ event.exception.type =~ \"java.*\" && resource.service.name = \"$s\" && span.http.route "
        "= \"$r\" }"},
    {SEARCH, "any field", "{ .http.route = \"$r\" && .service.name = \"$s\" && .thread.id = $n }"},
    {SEARCH, "below a service, error",
        "{ resource.service.name = \"$s\" } >> { status = error && resource.service.name = \"$t\" "
        "}"},
    {SEARCH, "child of, rare",
        "{ status = error && resource.service.name = \"$s\" } > { status = error && "
        "resource.service.name = \"$t\" }"},
    {SEARCH, "child of, nothing", "{ name = \"GET $r\" && duration < 1ms } > { duration > 1s }"},
    {SEARCH, "both in a trace, nothing",
        "{ span.http.route = \"/nothing\" } && { resource.service.name = \"$s\" }"},
    {TAGS, "tags of Jaeger and Zipkin", "http.response.status_code"},
    {MEASURE, "rate by service", "{ } | rate() by (resource.service.name)"},
    {MEASURE, "rate of errors by name", "{ status = error } | rate() by (name)"},
    {MEASURE, "quantile of a service",
        "{ resource.service.name = \"$s\" } | quantile_over_time(duration, .99)"},
    {VALUES, "values: service", "resource.service.name"},
    {VALUES, "values: route", "span.http.route"},
    {OPERATIONS, "operations of a service", "$s"},
};

static const char *const services[] = {"frontend", "cart", "checkout", "payment", "shipping",
    "email", "currency", "catalog", "recommendation", "ad", "inventory", "accounting"};
static const char *const routes[] = {"/", "/cart", "/cart/{id}", "/checkout", "/product/{id}",
    "/orders/{id}", "/user/{id}/orders", "/quote", "/health"};

static void fill_in(const char *text, size_t number, struct strbuf *out)
{
    strbuf_reset(out);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '$') {
            strbuf_add_char(out, *p);
            continue;
        }
        switch (*++p) {
        case 's':
            strbuf_add_c(out, services[number % 12]);
            break;
        case 't':
            strbuf_add_c(out, services[(number * 5 + 3) % 12]);
            break;
        case 'r':
            strbuf_add_c(out, routes[number / 12 % 9]);
            break;
        case 'p':
            strbuf_addf(out, "%zu", 32768 + number * 7919 % 28000);
            break;
        case 'o':
            strbuf_addf(out, "ord-%012zx", number * 7919);
            break;
        case 'f':
            strbuf_addf(out, "%05zx", number * 7919 % 1048576);
            break;
        default:
            strbuf_addf(out, "%02zu", 20 + number % 40);
            break;
        }
    }
    if (strbuf_error(out) != 0) {
        die("a question", &(struct err){.message = "no memory"});
    }
}

/* ---- Asking ---- */

struct bench {
    const char *directory;
    struct span_store *store;
    uint64_t first_ns, last_ns;
};

static void open_store(struct bench *b)
{
    const struct span_store_options options = {.retention_ms = (int64_t)20 * 365 * 86400000};
    struct span_store_statistics s;
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    if (span_store_open(b->directory, &options, &b->store, &e) != 0) {
        die("open", &e);
    }
    /* What the log has becomes pages when somebody looks. */
    if (span_store_view(b->store, &view, &e) != 0) {
        die("a view", &e);
    }
    span_view_close(view);
    span_store_statistics(b->store, &s);
    b->first_ns = s.start_min_ns;
    b->last_ns = s.start_max_ns;
}

static int search_tags(struct span_view *view, const char *key, size_t number, struct arena *arena,
    size_t *found, struct err *e)
{
    const struct trace_tag tags[] = {{str_of(key), STR("500")}, {STR("error"), STR("true")}};
    const struct trace_query query = {.service = str_of(services[number % 12]),
        .tags = tags,
        .tag_count = 2,
        .duration_min_ns = 50000000 * (number % 9),
        .end_ns = UINT64_MAX};
    struct trace_hits hits = {0};
    int status = trace_search(view, &query, NEWEST, arena, &hits, e);
    *found = hits.count;
    return status;
}

static int run(struct bench *b, struct span_view *view, const struct kind *kind, const char *text,
    size_t number, struct arena *arena, size_t *found, struct err *e)
{
    const struct traceql_query *query;
    const struct traceql_field *field;
    struct trace_budget budget = {0};
    struct trace_hits hits = {0};
    struct traceql_steps steps;
    struct traceql_result result = {0};
    struct trace_values values = {0};
    struct trace_names names = {0};
    int status = 0;
    switch (kind->what) {
    case SEARCH:
        status = traceql_parse(str_of(text), arena, &query, e);
        status = status == 0
                     ? traceql_search(view, query, 0, UINT64_MAX, NEWEST, &budget, arena, &hits, e)
                     : status;
        *found = hits.count;
        break;
    case TAGS:
        status = search_tags(view, text, number, arena, found, e);
        break;
    case MEASURE:
        status = traceql_parse(str_of(text), arena, &query, e);
        status =
            status == 0 ? traceql_steps_align(b->first_ns, b->last_ns, STEP_NS, &steps) : status;
        status = status == 0
                     ? traceql_measure(view, query, &steps, false, &budget, arena, &result, e)
                     : status;
        *found = result.count;
        break;
    case VALUES:
        status = traceql_parse(STR("{ }"), arena, &query, e);
        status = status == 0 ? traceql_parse_field(str_of(text), arena, &field, e) : status;
        status = status == 0 ? trace_values(view, query, field, 0, UINT64_MAX, 1000, &budget, arena,
                                   &values, e)
                             : status;
        *found = values.count;
        break;
    case OPERATIONS:
        status = trace_operations(view, str_of(text), arena, &names, e);
        *found = names.count;
        break;
    }
    return status;
}

/* How much it took, and what was found. */
static size_t ask(
    struct bench *b, const struct kind *kind, size_t number, double *cpu_out, double *wall_out)
{
    struct span_view *view = NULL;
    struct strbuf text = STRBUF_INIT;
    struct arena arena;
    struct err e = ERR_INIT;
    size_t found = 0;
    fill_in(kind->text, number, &text);
    arena_init(&arena, 0);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    if (span_store_view(b->store, &view, &e) != 0 ||
        run(b, view, kind, text.data, number, &arena, &found, &e) != 0) {
        die(text.data, &e);
    }
    span_view_close(view);
    arena_release(&arena);
    *cpu_out = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    *wall_out = seconds(CLOCK_MONOTONIC) - wall;
    strbuf_release(&text);
    return found;
}

/* ---- Figures ---- */

static int by_time(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double rank(double *times, size_t count, size_t percent)
{
    qsort(times, count, sizeof(*times), by_time);
    return times[(count - 1) * percent / 100] * 1e3;
}

static void measure(struct bench *b, const struct kind *kind, size_t queries)
{
    static double cpu[QUERIES_MAX], wall[QUERIES_MAX];
    size_t fresh = queries < OPENED ? queries : OPENED, found = 0;
    for (size_t i = 0; i < fresh; i++) {
        span_store_close(b->store);
        open_store(b);
        (void)ask(b, kind, i * 10, &cpu[i], &wall[i]);
    }
    printf("%-34s opened p50 %8.2f most %8.2f", kind->name, rank(cpu, fresh, 50),
        rank(cpu, fresh, 100));
    for (size_t i = 0; i < queries; i++) {
        found += ask(b, kind, i, &cpu[i], &wall[i]);
    }
    printf(" | asked p50 %8.2f p99 %8.2f most %8.2f wall p99 %8.2f, %.1f found\n",
        rank(cpu, queries, 50), rank(cpu, queries, 99), rank(cpu, queries, 100),
        rank(wall, queries, 99), (double)found / (double)queries);
    (void)fflush(stdout); // a long run is watched
}

int main(int argc, char **argv)
{
    struct bench b = {.directory = argc > 1 ? argv[1] : "bench_spans.data"};
    size_t queries = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    struct span_store_statistics s;
    struct rusage usage;
    queries = queries == 0 ? 1 : queries > QUERIES_MAX ? QUERIES_MAX : queries;
    open_store(&b);
    span_store_statistics(b.store, &s);
    printf("%" PRIu64 " spans in %" PRIu64 " blocks, %.2f B each\n", s.block_spans, s.blocks,
        (double)s.block_bytes / (double)s.block_spans);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (argc <= 3 || strstr(kinds[i].name, argv[3]) != NULL) {
            measure(&b, &kinds[i], queries);
        }
    }
    span_store_close(b.store);
    (void)getrusage(RUSAGE_SELF, &usage); // cannot fail for the process itself
    printf("resident at most: %ld MiB\n", usage.ru_maxrss >> 10);
    return 0;
}
