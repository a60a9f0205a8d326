/* A hash table of series by four small numbers. Labels are encoded when a series is handed in: once in
 * some seconds, beside thousands of lines. */
#include "logs/access_series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/regex.h"
#include "intake/guarded_text.h"
#include "logs/text_numbers.h"

/* Statuses are 100 to 599: series of overflow there can be. */
#define OVERFLOW_SERIES_MAX 500
/* Numbers of routes and hosts that are no texts. */
#define NUMBER_NONE UINT32_MAX
#define NUMBER_OVERFLOW (UINT32_MAX - 1)
#define BUCKET_TEXT_MAX 32

static const char *const methods[] = {
    "_OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
enum { METHODS = sizeof(methods) / sizeof(methods[0]), METHOD_OTHER = 0 };

static const double default_buckets[] = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};

struct series_key {
    uint32_t method, status, route, host;
};

struct access_series {
    struct series_key key;
    bool used;
    double requests, bytes, seconds, timed; /* timed: requests with a duration */
    bool has_bytes;
    int64_t seen_ms;
    uint64_t *buckets; /* not cumulative; the last is +Inf */
};

struct access_series_table {
    const struct access_log_config *config;
    const char *instance;
    struct regex **routes;
    size_t route_count;
    double buckets[ACCESS_LOG_BUCKETS_MAX];
    char bucket_texts[ACCESS_LOG_BUCKETS_MAX + 1][BUCKET_TEXT_MAX];
    size_t bucket_count; /* without +Inf */
    struct text_numbers *paths, *hosts;
    struct access_series *slots;
    size_t slot_count, count, overflow_count;
    uint64_t seed;
    struct strbuf text, labels;
    struct access_series_statistics statistics;
};

/* ---- Making ---- */

static int read_routes(struct access_series_table *t, struct err *e)
{
    const struct access_log_route *routes = t->config->routes.items;
    size_t count = t->config->routes.count;
    if (count > ACCESS_LOG_ROUTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "routes: %zu, at most %d", count, ACCESS_LOG_ROUTES_MAX);
    }
    t->routes = mem_calloc(count + 1, sizeof(struct regex *));
    if (t->routes == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (; t->route_count < count; t->route_count++) {
        struct err why = ERR_INIT;
        int status =
            regex_new(str_of(routes[t->route_count].pattern), &t->routes[t->route_count], &why);
        if (status != 0) {
            return err_set(e, status, -1, "routes: %s", why.message);
        }
    }
    return 0;
}

static int read_buckets(struct access_series_table *t, struct err *e)
{
    const struct config_strings *list = &t->config->buckets;
    if (list->count > ACCESS_LOG_BUCKETS_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "buckets: %zu, at most %d", list->count, ACCESS_LOG_BUCKETS_MAX);
    }
    t->bucket_count =
        list->count > 0 ? list->count : sizeof(default_buckets) / sizeof(default_buckets[0]);
    for (size_t i = 0; i < t->bucket_count; i++) {
        double bound = list->count > 0 ? 0 : default_buckets[i];
        if (list->count > 0 && (str_to_double(str_of(list->items[i]), &bound) != 0 ||
                                   !isfinite(bound) || (i > 0 && bound <= t->buckets[i - 1]))) {
            return err_set(e, ERR_INVALID, -1,
                "buckets: \"%s\" is no number above the one before it", list->items[i]);
        }
        t->buckets[i] = bound;
        bool whole = bound == floor(bound) && fabs(bound) < 1e15; // le="1.0", as OpenMetrics has it
        (void)snprintf(t->bucket_texts[i], BUCKET_TEXT_MAX, whole ? "%.1f" : "%.15g", bound);
    }
    (void)snprintf(t->bucket_texts[t->bucket_count], BUCKET_TEXT_MAX, "+Inf");
    return 0;
}

int access_series_table_new(const struct access_log_config *config, const char *instance,
    struct access_series_table **table_out, struct err *e)
{
    struct access_series_table *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    t->config = config;
    t->instance = instance;
    t->seed = hash_seed_random();
    strbuf_init(&t->text, GUARDED_TEXT_BYTES_MAX * 8);
    strbuf_init(&t->labels, LABELS_BYTES_MAX);
    t->slot_count = 16;
    while (t->slot_count < ((size_t)config->series_max + OVERFLOW_SERIES_MAX) * 2) {
        t->slot_count *= 2;
    }
    t->slots = mem_calloc(t->slot_count, sizeof(*t->slots));
    bool made = t->slots != NULL &&
                text_numbers_new((uint32_t)config->routes_max, &t->paths) == 0 &&
                text_numbers_new((uint32_t)config->hosts_max, &t->hosts) == 0;
    int status = made ? read_routes(t, e) : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    status = status == 0 ? read_buckets(t, e) : status;
    if (status != 0) {
        access_series_table_free(t);
        return status;
    }
    *table_out = t;
    return 0;
}

void access_series_table_free(struct access_series_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; t->slots != NULL && i < t->slot_count; i++) {
        mem_free(t->slots[i].buckets);
    }
    for (size_t i = 0; i < t->route_count; i++) {
        regex_free(t->routes[i]);
    }
    text_numbers_free(t->paths);
    text_numbers_free(t->hosts);
    strbuf_release(&t->text);
    strbuf_release(&t->labels);
    mem_free(t->routes);
    mem_free(t->slots);
    mem_free(t);
}

/* ---- Keys ---- */

static uint32_t method_number(struct str method)
{
    for (uint32_t i = 1; i < METHODS; i++) {
        if (str_eq_c(method, methods[i])) {
            return i;
        }
    }
    return METHOD_OTHER;
}

static uint32_t number_or_overflow(struct text_numbers *n, struct str text)
{
    uint32_t number;
    return text_numbers_of(n, text, &number) == 0 ? number : NUMBER_OVERFLOW;
}

/* Configured routes are the texts of their rows; so a template that is spelt the same is the same. */
static uint32_t route_number(struct access_series_table *t, struct str path)
{
    const struct access_log_route *routes = t->config->routes.items;
    for (size_t i = 0; i < t->route_count; i++) {
        if (regex_matches(t->routes[i], path)) {
            return number_or_overflow(t->paths, str_of(routes[i].route));
        }
    }
    if (!t->config->templates || path.len == 0) {
        return NUMBER_NONE;
    }
    strbuf_reset(&t->text);
    guarded_text_add_template(path, &t->text);
    return strbuf_error(&t->text) == 0 ? number_or_overflow(t->paths, strbuf_str(&t->text))
                                       : NUMBER_OVERFLOW;
}

static uint32_t host_number(struct access_series_table *t, struct str host)
{
    if (!t->config->by_host || host.len == 0) {
        return NUMBER_NONE;
    }
    strbuf_reset(&t->text);
    guarded_text_add(host, &t->text);
    return strbuf_error(&t->text) == 0 ? number_or_overflow(t->hosts, strbuf_str(&t->text))
                                       : NUMBER_OVERFLOW;
}

/* ---- Counting ---- */

static struct access_series *find_slot(
    const struct access_series_table *t, const struct series_key *key)
{
    size_t at = hash64(key, sizeof(*key), t->seed) & (t->slot_count - 1);
    while (t->slots[at].used && memcmp(&t->slots[at].key, key, sizeof(*key)) != 0) {
        at = (at + 1) & (t->slot_count - 1);
    }
    return &t->slots[at];
}

static bool is_overflow(const struct series_key *key)
{
    return key->route == NUMBER_OVERFLOW && key->method == METHOD_OTHER && key->host == NUMBER_NONE;
}

/* The series of a request; when there is no room for it, that of its status. */
static int find_series(struct access_series_table *t, const struct access_line *line,
    struct access_series **series_out)
{
    struct series_key key = {.method = method_number(line->method),
        .status = (uint32_t)line->status,
        .route = route_number(t, line->path),
        .host = host_number(t, line->host)};
    struct access_series *s = find_slot(t, &key);
    if (!s->used && !is_overflow(&key) && t->count >= (size_t)t->config->series_max) {
        key.method = METHOD_OTHER;
        key.route = NUMBER_OVERFLOW;
        key.host = NUMBER_NONE;
        s = find_slot(t, &key);
    }
    t->statistics.overflowed_lines += is_overflow(&key);
    if (!s->used) {
        uint64_t *buckets = mem_calloc(t->bucket_count + 1, sizeof(*buckets));
        if (buckets == NULL) {
            return ERR_NOMEM;
        }
        *s = (struct access_series){.key = key, .used = true, .buckets = buckets};
        *(is_overflow(&key) ? &t->overflow_count : &t->count) += 1;
    }
    *series_out = s;
    return 0;
}

int access_series_add(struct access_series_table *t, const struct access_line *line, int64_t now_ms)
{
    struct access_series *s;
    if (line == NULL) {
        t->statistics.unparsed_lines++;
        return 0;
    }
    int status = find_series(t, line, &s);
    if (status != 0) {
        return status;
    }
    t->statistics.parsed_lines++;
    s->requests++;
    s->seen_ms = now_ms;
    if (line->bytes >= 0) {
        s->has_bytes = true;
        s->bytes += line->bytes;
    }
    if (line->seconds >= 0) {
        size_t at = 0;
        while (at < t->bucket_count && line->seconds > t->buckets[at]) {
            at++;
        }
        s->buckets[at]++;
        s->timed++;
        s->seconds += line->seconds;
    }
    return 0;
}

/* ---- Handing in ---- */

static struct str number_text(const struct text_numbers *n, uint32_t number)
{
    return number == NUMBER_NONE       ? STR("")
           : number == NUMBER_OVERFLOW ? STR(ACCESS_SERIES_OVERFLOW)
                                       : text_numbers_text(n, number);
}

static void set_common(const struct access_series_table *t, struct labels_builder *b)
{
    const struct access_log_config *c = t->config;
    for (size_t i = 0; i < c->labels.count; i++) {
        labels_builder_set(b, str_of(c->labels.items[i].key), str_of(c->labels.items[i].value));
    }
    labels_builder_set(b, STR("job"), str_of(c->job));
    labels_builder_set(b, STR("instance"), str_of(t->instance));
    labels_builder_set(b, STR("service_name"), str_of(c->service[0] != '\0' ? c->service : c->job));
}

static int hand_in(struct access_series_table *t, struct intake *intake, struct labels_builder *b,
    const char *metric, int64_t t_ms, double value)
{
    uint64_t epoch;
    struct sample sample = {t_ms, value};
    strbuf_reset(&t->labels);
    labels_builder_set(b, STR("__name__"), str_of(metric));
    int status = intake_encode_labels(intake->external(intake, &epoch), b, &t->labels);
    if (status == 0) {
        const struct remote_write_series series = {
            .labels_bytes = strbuf_str(&t->labels), .samples = &sample, .sample_count = 1};
        intake->add(intake, &series);
    }
    return status;
}

static int hand_in_durations(struct access_series_table *t, struct intake *intake,
    struct labels_builder *b, const struct access_series *s, int64_t t_ms, bool ended)
{
    double stale = value_stale_marker(), sum = 0;
    int first = 0;
    for (size_t i = 0; i <= t->bucket_count; i++) {
        sum += (double)s->buckets[i];
        labels_builder_set(b, STR("le"), str_of(t->bucket_texts[i]));
        int status = hand_in(
            t, intake, b, "http_server_request_duration_seconds_bucket", t_ms, ended ? stale : sum);
        first = first != 0 ? first : status;
    }
    labels_builder_delete(b, STR("le"));
    int status = hand_in(
        t, intake, b, "http_server_request_duration_seconds_sum", t_ms, ended ? stale : s->seconds);
    first = first != 0 ? first : status;
    status = hand_in(
        t, intake, b, "http_server_request_duration_seconds_count", t_ms, ended ? stale : s->timed);
    return first != 0 ? first : status;
}

static int hand_in_series(struct access_series_table *t, struct intake *intake,
    const struct access_series *s, int64_t t_ms, bool ended)
{
    struct labels_builder b;
    char code[12];
    double stale = value_stale_marker();
    (void)snprintf(code, sizeof(code), "%u", s->key.status);
    labels_builder_init(&b);
    set_common(t, &b);
    labels_builder_set(&b, STR("http_request_method"), str_of(methods[s->key.method]));
    labels_builder_set(&b, STR("http_response_status_code"), str_of(code));
    labels_builder_set(&b, STR("http_route"), number_text(t->paths, s->key.route));
    labels_builder_set(&b, STR("server_address"), number_text(t->hosts, s->key.host));
    int first =
        hand_in(t, intake, &b, "http_server_requests_total", t_ms, ended ? stale : s->requests);
    if (s->has_bytes) {
        int status = hand_in(
            t, intake, &b, "http_server_response_body_bytes_total", t_ms, ended ? stale : s->bytes);
        first = first != 0 ? first : status;
    }
    if (s->timed > 0) {
        int status = hand_in_durations(t, intake, &b, s, t_ms, ended);
        first = first != 0 ? first : status;
    }
    labels_builder_release(&b);
    return first;
}

static int hand_in_lines(struct access_series_table *t, struct intake *intake, const char *parsed,
    uint64_t count, int64_t t_ms)
{
    struct labels_builder b;
    labels_builder_init(&b);
    set_common(t, &b);
    labels_builder_set(&b, STR("parsed"), str_of(parsed));
    int status = hand_in(t, intake, &b, "access_log_lines_total", t_ms, (double)count);
    labels_builder_release(&b);
    return status;
}

/* Series behind a freed slot move up until there is a gap. */
static void remove_at(struct access_series_table *t, size_t at)
{
    size_t mask = t->slot_count - 1;
    *(is_overflow(&t->slots[at].key) ? &t->overflow_count : &t->count) -= 1;
    mem_free(t->slots[at].buckets);
    t->slots[at] = (struct access_series){0};
    for (size_t i = (at + 1) & mask; t->slots[i].used; i = (i + 1) & mask) {
        struct access_series moved = t->slots[i];
        t->slots[i] = (struct access_series){0};
        *find_slot(t, &moved.key) = moved;
    }
}

int access_series_flush(
    struct access_series_table *t, struct intake *intake, int64_t now_ms, int64_t t_ms)
{
    int64_t idle = t->config->idle_ms;
    int first = hand_in_lines(t, intake, "true", t->statistics.parsed_lines, t_ms);
    int status = hand_in_lines(t, intake, "false", t->statistics.unparsed_lines, t_ms);
    first = first != 0 ? first : status;
    for (size_t i = 0; i < t->slot_count; i++) {
        struct access_series *s = &t->slots[i];
        if (s->used) {
            status = hand_in_series(t, intake, s, t_ms, now_ms - s->seen_ms >= idle);
            first = first != 0 ? first : status;
        }
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        while (t->slots[i].used && now_ms - t->slots[i].seen_ms >= idle) {
            remove_at(t, i);
        }
    }
    return first;
}

void access_series_statistics(
    const struct access_series_table *t, struct access_series_statistics *statistics_out)
{
    *statistics_out = t->statistics;
    statistics_out->series = t->count + t->overflow_count;
}
