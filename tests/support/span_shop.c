/* The shop's traffic. A trace is a tree of calls: each span is a server's, and has as many children as
 * are left to its share; a call to another service is a client span there and a server span here. */
#include "support/span_shop.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"
#include "wire/otlp_traces.h"

enum { SERVICES = 12, INSTANCES = 4, SPANS_MAX = 400, TEXT = 160 };

static const char *const services[SERVICES] = {"frontend", "cart", "checkout", "payment",
    "shipping", "email", "currency", "catalog", "recommendation", "ad", "inventory", "accounting"};
static const char *const routes[] = {"/", "/cart", "/cart/{id}", "/checkout", "/product/{id}",
    "/orders/{id}", "/user/{id}/orders", "/quote", "/health"};
static const char *const statements[] = {"SELECT * FROM orders WHERE id = ?",
    "SELECT sku, quantity FROM cart WHERE user_id = ? ORDER BY added_at",
    "INSERT INTO orders (id, user_id, total) VALUES (?, ?, ?)",
    "UPDATE inventory SET quantity = quantity - ? WHERE sku = ?"};

struct instance {
    struct strbuf message;
    struct otlp_traces_encoder encoder;
    size_t spans;
    struct attribute resource_attributes[12];
    char texts[12][TEXT];
    struct span_resource resource;
};

struct span_shop {
    uint64_t random;
    double now_ns, step_ns;
    struct span_scope scopes[2];
    struct instance instances[SERVICES][INSTANCES];
    struct instance *full;
};

static uint64_t draw(struct span_shop *s, uint64_t below)
{
    return test_random(&s->random) % below;
}

static double draw_unit(struct span_shop *s)
{
    return ((double)(test_random(&s->random) >> 11) + 0.5) / 9007199254740992.0;
}

/* exp(N(mu, sigma)) */
static double draw_log_normal(struct span_shop *s, double mu, double sigma)
{
    double u = draw_unit(s), v = draw_unit(s);
    return exp(mu + sigma * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

static struct attribute text(const char *key, const char *value)
{
    return (struct attribute){.key = str_of(key), .kind = ATTRIBUTE_STRING, .bytes = str_of(value)};
}

static struct attribute integer(const char *key, int64_t value)
{
    return (struct attribute){.key = str_of(key), .kind = ATTRIBUTE_INT, .integer = value};
}

static void begin_message(struct instance *i)
{
    strbuf_reset(&i->message);
    otlp_traces_encoder_init(&i->encoder, &i->message);
    i->spans = 0;
}

static void make_instance(struct span_shop *s, size_t service, size_t number)
{
    struct instance *i = &s->instances[service][number];
    static const char *const keys[12] = {"service.name", "service.instance.id", "service.version",
        "service.namespace", "host.name", "host.arch", "os.type", "process.pid",
        "process.runtime.name", "telemetry.sdk.language", "telemetry.sdk.version", "k8s.pod.name"};
    snprintf(i->texts[0], TEXT, "%s", services[service]);
    snprintf(i->texts[1], TEXT, "%016llx", (unsigned long long)test_random(&s->random));
    snprintf(i->texts[2], TEXT, "1.%llu.0", (unsigned long long)draw(s, 9));
    snprintf(i->texts[3], TEXT, "shop");
    snprintf(i->texts[4], TEXT, "node-%llu", (unsigned long long)draw(s, 8));
    snprintf(i->texts[5], TEXT, "amd64");
    snprintf(i->texts[6], TEXT, "linux");
    snprintf(i->texts[7], TEXT, "%llu", (unsigned long long)draw(s, 30000));
    snprintf(i->texts[8], TEXT, "OpenJDK Runtime Environment");
    snprintf(i->texts[9], TEXT, "java");
    snprintf(i->texts[10], TEXT, "1.38.0");
    snprintf(
        i->texts[11], TEXT, "%s-%05llx", services[service], (unsigned long long)draw(s, 1 << 20));
    for (size_t k = 0; k < 12; k++) {
        i->resource_attributes[k] = text(keys[k], i->texts[k]);
    }
    i->resource = (struct span_resource){.attributes = {i->resource_attributes, 12}};
    strbuf_init(&i->message, (size_t)64 << 20);
    begin_message(i);
}

struct span_shop *span_shop_new(uint64_t seed, uint64_t start_ns, double traces_per_s)
{
    struct span_shop *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        abort();
    }
    s->random = seed;
    s->now_ns = (double)start_ns;
    s->step_ns = 1e9 / traces_per_s;
    s->scopes[0] =
        (struct span_scope){.name = STR("io.opentelemetry.tomcat-10.0"), .version = STR("2.4.0")};
    s->scopes[1] =
        (struct span_scope){.name = STR("io.opentelemetry.jdbc"), .version = STR("2.4.0")};
    for (size_t service = 0; service < SERVICES; service++) {
        for (size_t i = 0; i < INSTANCES; i++) {
            make_instance(s, service, i);
        }
    }
    return s;
}

void span_shop_free(struct span_shop *shop)
{
    for (size_t service = 0; shop != NULL && service < SERVICES; service++) {
        for (size_t i = 0; i < INSTANCES; i++) {
            otlp_traces_encoder_finish(&shop->instances[service][i].encoder);
            strbuf_release(&shop->instances[service][i].message);
        }
    }
    mem_free(shop);
}

uint64_t span_shop_time_ns(const struct span_shop *shop)
{
    return (uint64_t)shop->now_ns;
}

/* A call that is open, and what is left of the trace for those below it. */
struct call {
    struct trace_id trace;
    uint64_t parent;
    size_t service;
    double start_ns, duration_ns;
};

static void add_span(
    struct span_shop *s, struct instance *i, const struct span *span, bool database)
{
    struct otlp_span out = {.span = *span,
        .resource = &i->resource,
        .scope = &s->scopes[database],
        .resource_number = 1,
        .scope_number = 1u + database};
    otlp_traces_encoder_add(&i->encoder, &out);
    if (++i->spans >= SPAN_SHOP_BATCH) {
        s->full = i;
    }
}

static size_t http_attributes(
    struct span_shop *s, struct attribute *list, char texts[3][TEXT], const char *route)
{
    size_t n = 0;
    snprintf(texts[0], TEXT, "%.*s%llu", (int)strcspn(route, "{"), route,
        (unsigned long long)draw(s, 1000000));
    snprintf(texts[1], TEXT, "http-nio-8080-exec-%llu", (unsigned long long)draw(s, 32));
    snprintf(texts[2], TEXT, "ord-%012llx", (unsigned long long)draw(s, (uint64_t)1 << 48));
    list[n++] = text("http.request.method", draw(s, 4) ? "GET" : "POST");
    list[n++] = text("http.route", route);
    list[n++] = text("url.path", texts[0]);
    list[n++] = text("url.scheme", "http");
    list[n++] = integer("http.response.status_code", draw(s, 100) ? 200 : 500);
    list[n++] = text("server.address", "shop.example");
    list[n++] = integer("server.port", 8080);
    list[n++] = integer("network.peer.port", 32768 + (int64_t)draw(s, 28000));
    list[n++] = text("user_agent.original",
        draw(s, 3) ? "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" : "okhttp/4.12.0");
    list[n++] = text("thread.name", texts[1]);
    list[n++] = integer("thread.id", 20 + (int64_t)draw(s, 40));
    if (draw(s, 100) < 27) {
        list[n++] = text("app.order.id", texts[2]);
    }
    return n;
}

static size_t database_attributes(struct span_shop *s, struct attribute *list)
{
    size_t n = 0;
    list[n++] = text("db.system", "postgresql");
    list[n++] = text("db.name", "shop");
    list[n++] = text("db.statement", statements[draw(s, 4)]);
    if (draw(s, 2)) {
        list[n++] = integer("thread.id", 20 + (int64_t)draw(s, 40));
    }
    return n;
}

static void add_call(struct span_shop *s, const struct call *call, uint64_t id)
{
    static const char stack[] =
        "java.lang.IllegalStateException: no stock\n\tat shop.inventory.Stock.take(Stock.java:71)\n"
        "\tat shop.checkout.Order.place(Order.java:214)\n\tat "
        "shop.web.Handler.post(Handler.java:39)\n"
        "\tat org.apache.tomcat.Worker.run(Worker.java:1589)\n";
    struct attribute list[16],
        exception[2] = {text("exception.type", "java.lang.IllegalStateException"),
            text("exception.stacktrace", stack)};
    char texts[3][TEXT];
    bool database = call->parent != 0 && draw(s, 3) == 0;
    const char *route = routes[draw(s, sizeof(routes) / sizeof(routes[0]))];
    char name[TEXT];
    snprintf(name, sizeof(name), database ? "SELECT shop" : "GET %s", route);
    struct span_event event = {.name = STR("exception"), .attributes = {exception, 2}};
    bool failed = draw(s, 100) == 0;
    struct span span = {.trace_id = call->trace,
        .span_id = id,
        .parent_id = call->parent,
        .start_ns = (uint64_t)call->start_ns,
        .end_ns = (uint64_t)(call->start_ns + call->duration_ns),
        .kind = database ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER,
        .status = failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET,
        .flags = 0x101,
        .name = str_of(name),
        .status_message = STR(""),
        .trace_state = STR("")};
    event.time_ns = span.end_ns;
    span.events = &event;
    span.event_count = failed;
    span.attributes = (struct attributes){
        list, database ? database_attributes(s, list) : http_attributes(s, list, texts, route)};
    add_span(s, &s->instances[call->service][draw(s, INSTANCES)], &span, database);
}

static void add_trace(struct span_shop *s)
{
    double drawn = draw_log_normal(s, log(8), 0.6);
    size_t count = drawn < 1 ? 1 : drawn > SPANS_MAX ? SPANS_MAX : (size_t)drawn;
    struct call calls[SPANS_MAX];
    uint64_t ids[SPANS_MAX];
    calls[0] = (struct call){.trace = {test_random(&s->random), test_random(&s->random)},
        .start_ns = s->now_ns,
        .duration_ns = draw_log_normal(s, log(5e7), 1)};
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            const struct call *parent = &calls[draw(s, i)];
            calls[i] = (struct call){.trace = parent->trace,
                .parent = ids[parent - calls],
                .service = draw(s, SERVICES),
                .start_ns = parent->start_ns + parent->duration_ns * draw_unit(s) * 0.5,
                .duration_ns = parent->duration_ns * draw_unit(s) * 0.5};
        }
        ids[i] = test_random(&s->random) | 1;
        add_call(s, &calls[i], ids[i]);
    }
}

size_t span_shop_next(struct span_shop *shop, struct strbuf *message)
{
    while (shop->full == NULL) {
        add_trace(shop);
        shop->now_ns += shop->step_ns * -log(draw_unit(shop));
    }
    struct instance *i = shop->full;
    size_t spans = i->spans;
    otlp_traces_encoder_finish(&i->encoder);
    strbuf_reset(message);
    strbuf_add_str(message, strbuf_str(&i->message));
    begin_message(i);
    shop->full = NULL;
    return spans;
}

void span_shop_take(struct span_shop *shop, size_t count, struct strbuf *message)
{
    struct otlp_traces *walker = NULL;
    struct otlp_traces_encoder encoder;
    struct otlp_span span;
    struct strbuf batch;
    strbuf_init(&batch, (size_t)64 << 20);
    (void)span_shop_next(shop, &batch);
    int status = otlp_traces_new(&walker);
    status = status == 0 ? otlp_traces_begin(walker, strbuf_str(&batch), NULL) : status;
    assert(status == 0);
    otlp_traces_encoder_init(&encoder, message);
    for (size_t i = 0; i < count && otlp_traces_next(walker, &span) == 1; i++) {
        otlp_traces_encoder_add(&encoder, &span);
    }
    otlp_traces_encoder_finish(&encoder);
    otlp_traces_free(walker);
    strbuf_release(&batch);
}
