/* The store of traces, on the traffic of a shop that does not exist (span_shop.h).
 *
 *   bench_spans [SPANS [DIRECTORY [in]]]
 *
 * Spans come in as OTLP and go to blocks on disk; then, without "in", traces are opened and searched for.
 * Printed: bytes a span and where they are; what a span costs on its way into the log, into a block, and each
 * time that it is merged; spans a second of one core's time from the message to a durable block, and with one
 * merge; how long it takes to open a trace by its id, and to find the newest 20 of several questions,
 * some of which find few; how long until a span that was sent is found; the most memory that was resident.
 * Times of queries are those of the thread: of this machine they measure the processor, not the load.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "span/span_files.h"
#include "support/span_shop.h"
#include "tsdb/span_page.h"
#include "tsdb/span_store.h"

enum { KNOWN_MAX = 1 << 16, QUERIES = 400, NEWEST = 20, TRACES_PER_S = 1000 };

#define START_NS 1700000000000000000u
#define BATCH_BYTES_MAX ((size_t)64 << 20)

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail on Linux
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_spans: %s: %s\n", what, e->message);
    exit(1);
}

struct bench {
    struct span_store *store;
    struct span_shop *shop;
    struct strbuf message;
    struct trace_id *known; /* every so many traces one */
    size_t known_count;
    uint64_t spans, otlp_bytes, first_ns, last_ns;
    double append_s, cut_s, merge_s;
};

/* ---- In ---- */

/* Traces to ask for: the first of a message now and then. */
static void remember(struct bench *b, struct otlp_traces *walker, uint64_t stride)
{
    struct otlp_span span;
    if (b->known_count == KNOWN_MAX || b->spans % stride != 0 ||
        otlp_traces_begin(walker, strbuf_str(&b->message), NULL) != 0 ||
        otlp_traces_next(walker, &span) != 1) {
        return;
    }
    b->known[b->known_count++] = span.span.trace_id;
}

static void append(struct bench *b)
{
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    size_t spans = span_shop_next(b->shop, &b->message);
    double before = cpu_seconds();
    if (span_store_append(b->store, strbuf_str(&b->message), false, &counts, &e) != 0) {
        die("append", &e);
    }
    b->append_s += cpu_seconds() - before;
    b->spans += spans;
    b->otlp_bytes += b->message.size;
}

/* Everything that is due. */
static void maintain(struct bench *b)
{
    int more = 1;
    while (more == 1) {
        struct span_store_statistics before, after;
        struct err e = ERR_INIT;
        span_store_statistics(b->store, &before);
        double began = cpu_seconds();
        more = span_store_maintain(b->store, &e);
        double took = cpu_seconds() - began;
        span_store_statistics(b->store, &after);
        *(after.head_spans < before.head_spans ? &b->cut_s : &b->merge_s) += took;
        if (more < 0) {
            die("maintain", &e);
        }
    }
}

static void fill(struct bench *b, uint64_t wanted)
{
    struct otlp_traces *walker = NULL;
    struct err none = {.message = "no memory"};
    b->known = mem_calloc(KNOWN_MAX, sizeof(*b->known));
    if (b->known == NULL || otlp_traces_new(&walker) != 0) {
        die("start", &none);
    }
    b->first_ns = span_shop_time_ns(b->shop);
    while (b->spans < wanted) {
        append(b);
        remember(b, walker, 1 + wanted / KNOWN_MAX);
        maintain(b);
    }
    b->last_ns = span_shop_time_ns(b->shop);
    otlp_traces_free(walker);
}

/* ---- Out ---- */

static int by_time(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void print_times(const char *what, double *times, size_t count, double found)
{
    qsort(times, count, sizeof(*times), by_time);
    printf("%-34s p50 %7.3f  p99 %7.3f  most %7.3f ms, %.1f found\n", what, times[count / 2] * 1e3,
        times[count * 99 / 100] * 1e3, times[count - 1] * 1e3, found / (double)count);
}

static double open_trace(struct bench *b, struct trace_id id, size_t *spans_out)
{
    struct span_view *view = NULL;
    struct span_trace trace;
    struct arena arena;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    double began = cpu_seconds();
    if (span_store_view(b->store, &view, &e) != 0 ||
        span_view_trace(view, id, &arena, &trace, &e) != 0) {
        die("a trace", &e);
    }
    *spans_out = trace.count;
    span_view_close(view);
    arena_release(&arena);
    return cpu_seconds() - began;
}

static void measure_traces(struct bench *b)
{
    static double times[QUERIES];
    double spans = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        size_t count = 0;
        times[i] = open_trace(b, b->known[i * b->known_count / QUERIES], &count);
        spans += (double)count;
    }
    print_times("trace by id", times, QUERIES, spans);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t count = 0;
        times[i] = open_trace(b, (struct trace_id){i * 7919 + 1, i + 1}, &count);
    }
    print_times("trace that is not there", times, QUERIES, 0);
}

static const char *const services[] = {"frontend", "cart", "checkout", "payment"};
static const char *const routes[] = {"/cart/{id}", "/orders/{id}", "/quote"};

/* What is looked for: all of it in one span. */
struct question {
    struct str service, route, key, value;
    uint64_t duration_min_ns;
};

/* Rows that have a text as value of an attribute: marked with `bit`. */
static void mark_values(
    struct span_page *page, struct str key, struct str value, uint8_t bit, uint8_t *marks)
{
    int64_t integer = 0;
    bool is_integer = str_to_i64(value, &integer) == 0;
    for (uint32_t i = 0; i < span_page_column_count(page); i++) {
        struct span_page_column c;
        enum attribute_kind kind;
        struct str name;
        span_page_column_key(page, i, &name, &kind);
        if (!str_eq(name, key) || span_page_column(page, i, &c) != 0) {
            continue;
        }
        for (uint32_t v = 0; v < c.count; v++) {
            bool same = kind == ATTRIBUTE_STRING
                            ? str_eq(c.texts[c.codes[v]], value)
                            : is_integer && kind == ATTRIBUTE_INT && c.integers[v] == integer;
            marks[c.rows[v]] = (uint8_t)(marks[c.rows[v]] | (same ? bit : 0));
        }
    }
}

/* Traces of the page that have such a span; the start of the latest of them. */
static size_t look_at_page(
    struct span_page *page, const struct question *q, uint64_t *latest, size_t found)
{
    static uint8_t marks[SPAN_PAGE_ROWS_MAX];
    struct span_page_columns c;
    const struct span_page_trace *traces = NULL;
    memset(marks, 0, sizeof(marks));
    mark_values(page, q->key, q->value, 1, marks);
    mark_values(page, STR("http.route"), q->route, 2, marks);
    if (span_page_columns(page, &c) != 0 || span_page_traces(page, &traces) != 0) {
        return found;
    }
    for (uint32_t t = 0; t < span_page_info(page).traces; t++) {
        for (uint32_t row = traces[t].first; row < traces[t].first + traces[t].count; row++) {
            const struct span_resource *resource = NULL;
            if (marks[row] != 3 || c.duration_ns[row] < q->duration_min_ns ||
                span_page_resource(page, c.resource[row], &resource) != 0 ||
                !str_eq(span_resource_service(resource), q->service)) {
                continue;
            }
            latest[found++ % NEWEST] = c.start_ns[row];
            break;
        }
    }
    return found;
}

static int oldest_last(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a > b ? -1 : a < b;
}

/* The newest NEWEST of all: pages come by their latest start, and those that lack a value do not. */
static size_t search(struct bench *b, const struct question *q)
{
    struct span_view *view = NULL;
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    uint64_t latest[NEWEST] = {0}, reach;
    size_t found = 0;
    if (span_store_view(b->store, &view, &e) != 0 ||
        span_view_pages(view, 0, UINT64_MAX, &pages, &e) != 0) {
        die("a search", &e);
    }
    (void)span_pages_want(pages, STR("service.name"), q->service);
    (void)span_pages_want(pages, STR("http.route"), q->route);
    (void)span_pages_want(pages, q->key, q->value);
    while (span_pages_next(pages, &page, &reach) == 1) {
        if (found >= NEWEST) {
            qsort(latest, NEWEST, sizeof(*latest), oldest_last);
            if (latest[NEWEST - 1] > reach) {
                break;
            }
        }
        found = look_at_page(page, q, latest, found);
    }
    span_pages_close(pages);
    span_view_close(view);
    return found < NEWEST ? found : NEWEST;
}

/* Several filters at once, asked of all times. */
static void measure_search(
    struct bench *b, const char *what, const char *key, const char *(*value)(size_t number))
{
    static double times[QUERIES];
    double found = 0;
    for (size_t i = 0; i < QUERIES / 4; i++) {
        const struct question q = {
            str_of(services[i % 4]), str_of(routes[i % 3]), str_of(key), str_of(value(i)), 1000000};
        double began = cpu_seconds();
        found += (double)search(b, &q);
        times[i] = cpu_seconds() - began;
    }
    print_times(what, times, QUERIES / 4, found);
}

static const char *value_of_error(size_t number)
{
    (void)number;
    return "500";
}

static const char *value_of_port(size_t number)
{
    static char text[16];
    (void)snprintf(text, sizeof(text), "%zu", 32768 + number * 7919 % 28000);
    return text;
}

static const char *value_of_order(size_t number)
{
    static char text[32];
    (void)snprintf(text, sizeof(text), "ord-%012zx", number * 7919);
    return text;
}

/* From the message to the trace in an answer. */
static void measure_visibility(struct bench *b)
{
    static double times[QUERIES];
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    double spans = 0;
    (void)otlp_traces_new(&walker);
    for (size_t i = 0; i < QUERIES / 4; i++) {
        size_t count = 0;
        double before = b->append_s;
        append(b);
        (void)otlp_traces_begin(walker, strbuf_str(&b->message), NULL);
        (void)otlp_traces_next(walker, &span);
        times[i] = b->append_s - before + open_trace(b, span.span.trace_id, &count);
        spans += (double)count;
    }
    otlp_traces_free(walker);
    print_times("sent, then opened", times, QUERIES / 4, spans);
}

static void print_ingest(const struct bench *b, const struct span_store_statistics *s)
{
    double n = (double)b->spans, in_blocks = (double)s->block_spans;
    double append = b->append_s / n, cut = b->cut_s / (double)s->cut_spans;
    double merge = s->merged_spans > 0 ? b->merge_s / (double)s->merged_spans : 0;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); // cannot fail for the process itself
    printf("%" PRIu64 " spans, %.1f B each as OTLP; %" PRIu64 " in %" PRIu64
           " blocks, %.2f B each\n",
        b->spans, (double)b->otlp_bytes / n, s->block_spans, s->blocks,
        (double)s->block_bytes / in_blocks);
    printf(
        "us/span: append %.2f, cut %.2f, each merge %.2f\n", append * 1e6, cut * 1e6, merge * 1e6);
    printf("spans/s of a core: to a durable block %.0f, merged once %.0f\n", 1 / (append + cut),
        1 / (append + cut + merge));
    printf("resident at most: %ld MiB\n", usage.ru_maxrss >> 10);
}

static void measure_queries(struct bench *b)
{
    measure_traces(b);
    measure_search(
        b, "service, route, duration, status", "http.response.status_code", value_of_error);
    measure_search(b, "service, route, duration, port", "network.peer.port", value_of_port);
    measure_search(b, "service, route, duration, order", "app.order.id", value_of_order);
    measure_visibility(b);
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    const char *directory = argc > 2 ? argv[2] : "bench_spans.data";
    const struct span_store_options options = {.retention_ms = (int64_t)20 * 365 * 86400000};
    struct bench b = {.shop = span_shop_new(1, START_NS, TRACES_PER_S)};
    struct span_store_statistics statistics;
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    strbuf_init(&b.message, BATCH_BYTES_MAX);
    if (span_store_open(directory, &options, &b.store, &e) != 0) {
        die("open", &e);
    }
    fill(&b, wanted);
    span_store_statistics(b.store, &statistics);
    print_ingest(&b, &statistics);
    if (argc <= 3) {
        measure_queries(&b);
    }
    span_store_close(b.store);
    if (span_files_stats(vfs_posix(), directory, &text, &e) != 0) {
        die("statistics", &e);
    }
    const char *last = strstr(text.data, "all blocks");
    printf("%s", last != NULL ? last : text.data);
    strbuf_release(&text);
    strbuf_release(&b.message);
    mem_free(b.known);
    span_shop_free(b.shop);
    return 0;
}
