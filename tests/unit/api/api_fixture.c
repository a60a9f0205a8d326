/* The API behind a real HTTP server, and the plainest HTTP client there is. */
#include "support/support.h"

#include "api_fixture.h"

#include <arpa/inet.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/http_server.h"

/* ---- Twins of the store's own calls ---- */

struct tsdb_statistics fake_statistics;
const struct metric_metadata *fake_metadata;
size_t fake_metadata_count;
int fake_compact_status;
unsigned fake_compactions;
const struct cardinality *fake_cardinality;
struct strbuf fake_deletes;
bool fake_admin_api;

int tsdb_each_part(struct tsdb *db,
    int (*callback)(void *context, const struct tsdb_part_about *part), void *context)
{
    (void)db;
    const struct tsdb_part_about part = {.name = STR("raw/20000/p-00000003"),
        .min_t = 1728000000000,
        .max_t = 1728007199999,
        .samples = 42,
        .bytes = 777,
        .level = 1};
    return callback(context, &part);
}

void tsdb_statistics(struct tsdb *db, struct tsdb_statistics *statistics_out)
{
    (void)db;
    *statistics_out = fake_statistics;
}

uint64_t tsdb_data_version(struct tsdb *db)
{
    (void)db;
    return 0;
}

int64_t tsdb_samples_from(struct tsdb *db)
{
    return INT64_MIN;
}

int64_t tsdb_changed_since(struct tsdb *db, uint64_t version)
{
    (void)db, (void)version;
    return INT64_MAX;
}

int tsdb_cardinality(
    struct tsdb *db, size_t top, struct arena *arena, struct cardinality *cardinality_out)
{
    (void)db, (void)top, (void)arena;
    if (fake_cardinality == NULL) {
        return ERR_UNSUPPORTED;
    }
    *cardinality_out = *fake_cardinality;
    return 0;
}

int tsdb_cardinality_of_day(struct tsdb *db, int64_t t_ms, size_t top, struct arena *arena,
    struct cardinality *cardinality_out)
{
    int status = tsdb_cardinality(db, top, arena, cardinality_out);
    if (status == 0) {
        cardinality_out->series = (uint64_t)(t_ms / 86400000);
    }
    return status;
}

int tsdb_metadata(struct tsdb *db, struct str metric,
    int (*callback)(void *context, const struct metric_metadata *metadata), void *context)
{
    (void)db;
    for (size_t i = 0; i < fake_metadata_count; i++) {
        if (metric.len == 0 || str_eq(metric, fake_metadata[i].metric)) {
            int status = callback(context, &fake_metadata[i]);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

int tsdb_compact(struct tsdb *db, struct err *e)
{
    (void)db;
    fake_compactions++;
    return fake_compact_status != 0 ? err_set(e, fake_compact_status, -1, "no room") : 0;
}

int tsdb_delete_series(struct tsdb *db, const struct matcher *const *matchers, size_t count,
    int64_t min_t, int64_t max_t, struct err *e)
{
    (void)db;
    strbuf_addf(&fake_deletes, "%lld..%lld", (long long)min_t, (long long)max_t);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_char(&fake_deletes, ' ');
        matcher_write(matchers[i], &fake_deletes);
    }
    strbuf_add_char(&fake_deletes, '\n');
    return fake_compact_status != 0 ? err_set(e, fake_compact_status, -1, "no room") : 0;
}

int tsdb_clean_tombstones(struct tsdb *db, struct err *e)
{
    (void)db;
    strbuf_add_c(&fake_deletes, "clean\n");
    return fake_compact_status != 0 ? err_set(e, fake_compact_status, -1, "no room") : 0;
}

int tsdb_snapshot(
    struct tsdb *db, const char *dest, const struct tsdb_snapshot_options *options, struct err *e)
{
    (void)db;
    strbuf_addf(&fake_deletes, "%s %s\n", options->parts_only ? "parts" : "snapshot", dest);
    return fake_compact_status != 0 ? err_set(e, fake_compact_status, -1, "no room") : 0;
}

/* ---- The fixture ---- */

void api_fixture_serve(struct api_fixture *f)
{
    struct api_backend backend = {
        .engine = f->engine,
        .features = PROMQL_FEATURES_DEFAULT,
        .reads = &f->lookup.source,
        .writes = memory_sink_source(f->sink),
    };
    api_serve(f->api, &backend);
}

static bool admit(void *context)
{
    const struct api_fixture *f = context;
    return !f->memory_is_short;
}

void api_fixture_start(struct api_fixture *f, bool serving)
{
    *f = (struct api_fixture){.head = STRBUF_INIT, .body = STRBUF_INIT};
    fake_clock_init(&f->clock, 1000000000);
    fake_statistics = (struct tsdb_statistics){.min_t = 1, .max_t = 0};
    fake_metadata_count = 0;
    fake_compact_status = 0;
    fake_compactions = 0;
    fake_cardinality = NULL;
    fake_deletes = (struct strbuf)STRBUF_INIT;
    f->store = memory_store_new();
    lookup_source_init(&f->lookup, memory_store_source(f->store));
    f->sink = memory_sink_new(f->store);
    struct engine_options engine = {.features = PROMQL_FEATURES_DEFAULT};
    assert_int_equal(engine_new(&engine, &f->engine), 0);
    struct api_options options = {.clock = &f->clock.clock,
        .program = {
            .context = f, .admit = admit, .data_path = "data", .admin_api = fake_admin_api}};
    assert_int_equal(api_new(&options, &f->api), 0);
    if (serving) {
        api_fixture_serve(f);
    }
    struct workpool_options lane = {"query", 2, 8};
    assert_int_equal(workpool_open(&lane, &f->lane), 0);
    struct http_server_options http = {
        .address = "127.0.0.1:0", .lanes = {[HTTP_LANE_QUERY] = f->lane}};
    http.routes = api_http_routes(f->api, &http.route_count);
    struct err e = ERR_INIT;
    if (http_server_start(&http, &f->server, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

void api_fixture_stop(struct api_fixture *f)
{
    api_stop(f->api);
    http_server_stop(f->server);
    workpool_close(f->lane);
    api_free(f->api);
    engine_free(f->engine);
    memory_sink_free(f->sink);
    memory_store_free(f->store);
    strbuf_release(&fake_deletes);
    strbuf_release(&f->head);
    strbuf_release(&f->body);
}

/* ---- A client ---- */

static int dial(const struct api_fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};
    struct timeval patience = {.tv_sec = 30};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
}

/* Until the end of the connection. */
static void receive_all(int fd, struct strbuf *out)
{
    for (;;) {
        char *room = strbuf_reserve(out, 65536);
        assert_non_null(room);
        ssize_t n = recv(fd, room, 65536, 0);
        assert_true(n >= 0);
        if (n == 0) {
            return;
        }
        strbuf_commit(out, (size_t)n);
    }
}

void api_fixture_send(struct api_fixture *f, const char *method, const char *target,
    const char *headers, const void *body, size_t size)
{
    struct strbuf request = STRBUF_INIT, answer = STRBUF_INIT;
    strbuf_addf(&request, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", method, target);
    strbuf_addf(&request, "Content-Length: %zu\r\n%s\r\n", size, headers != NULL ? headers : "");
    strbuf_add(&request, body, size);
    int fd = dial(f);
    send_all(fd, request.data, request.size);
    receive_all(fd, &answer);
    (void)close(fd);
    const char *end = memmem(answer.data, answer.size, "\r\n\r\n", 4);
    assert_non_null(end);
    size_t head_size = (size_t)(end - answer.data) + 4;
    uint64_t status = 0;
    assert_int_equal(str_to_u64(str_make(answer.data + 9, 3), &status), 0);
    f->status = (unsigned)status;
    strbuf_reset(&f->head);
    strbuf_reset(&f->body);
    strbuf_add(&f->head, answer.data, head_size);
    strbuf_add(&f->body, answer.data + head_size, answer.size - head_size);
    strbuf_release(&request);
    strbuf_release(&answer);
}

const char *api_fixture_get(struct api_fixture *f, const char *target)
{
    api_fixture_send(f, "GET", target, NULL, "", 0);
    return f->body.data;
}

const char *api_fixture_post(struct api_fixture *f, const char *target, const char *form)
{
    api_fixture_send(f, "POST", target, "Content-Type: application/x-www-form-urlencoded\r\n", form,
        strlen(form));
    return f->body.data;
}

struct str api_fixture_header(const struct api_fixture *f, const char *name)
{
    struct str rest = strbuf_str(&f->head);
    size_t length = strlen(name);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (line.len > length && line.ptr[length] == ':' &&
            strncasecmp(line.ptr, name, length) == 0) {
            return str_trim(str_skip(line, length + 1));
        }
    }
    return (struct str){NULL, 0};
}

void api_fixture_sample(struct api_fixture *f, int64_t t_ms, double value, ...)
{
    struct label pairs[16];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, value);
    for (const char *name; (name = va_arg(arguments, const char *)) != NULL; count++) {
        pairs[count] = (struct label){str_of(name), str_of(va_arg(arguments, const char *))};
    }
    va_end(arguments);
    const struct labels *labels;
    assert_int_equal(labels_new(pairs, count, &labels, NULL), 0);
    assert_int_equal(memory_store_append(f->store, labels, t_ms, value), 0);
    labels_unref(labels);
}
