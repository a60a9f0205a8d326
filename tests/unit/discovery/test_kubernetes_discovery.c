/* Objects of a cluster as they come and go: lists in pages, watches that end, versions that are forgotten,
 * objects that are joined. The API server is scripted. */
#include "discovery_world.h"

#include <string.h>

#include "base/log.h"
#include "discovery/kubernetes_object.h"
#include "support/support.h"

#define SERVER "http://api:6443"
#define PODS SERVER "/api/v1/pods"
#define LIST_PARAMETERS "?limit=500&resourceVersion=0"

#define POD(name, ip, version)                                                                     \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"resourceVersion\":\"" version     \
    "\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\"}]},\"status\":{\"podIP\":"  \
    "\"" ip "\"}}"
#define LIST(version, more, items)                                                                 \
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" version        \
    "\"" more "},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                          \
    EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS(code, message)                                                                      \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"" message "\",\"code\":" code "}"

struct fixture {
    struct discovery_world w;
    struct kubernetes_discovery_config config;
    struct discovery_configs job;
};

static void begin(struct fixture *f, const char *role)
{
    discovery_world_init(&f->w);
    f->config = (struct kubernetes_discovery_config){.role = role,
        .api_server = SERVER "/",
        .kubeconfig_file = "",
        .profile.follow_redirects = true};
    f->job = (struct discovery_configs){.kubernetes = {&f->config, 1}};
}

static void go(struct fixture *f)
{
    const struct discovery_configs *jobs[] = {&f->job};
    struct err e = ERR_INIT;
    if (discovery_check(&f->job, &e) != 0) {
        fail_msg("%s", e.message);
    }
    discovery_world_set(&f->w, jobs, 1);
    discovery_world_pass(&f->w, 0);
}

/* The oldest request with this in its URL is answered. */
static void answer(struct fixture *f, const char *url_part, unsigned status, const char *body)
{
    const struct sim_http_answer a = {.status = status, .answer_body = str_of(body)};
    if (!sim_http_client_answer(&f->w.http, url_part, &a)) {
        fail_msg("nobody asks for %s", url_part);
    }
    discovery_world_pass(&f->w, 0);
}

static void feed(struct fixture *f, const char *url_part, const char *text)
{
    if (!sim_http_client_feed(&f->w.http, url_part, str_of(text))) {
        fail_msg("nobody watches %s", url_part);
    }
    discovery_world_pass(&f->w, 0);
}

static void check_last_url(const struct fixture *f, const char *expected)
{
    const char *url = f->w.http.last.url != NULL ? f->w.http.last.url : "nothing";
    if (strncmp(url, expected, strlen(expected)) != 0) {
        fail_msg("asked %s, expected %s", url, expected);
    }
}

/* Addresses of all targets, in order. */
static int add_address(void *context, const struct labels *target)
{
    struct strbuf *out = context;
    strbuf_addf(out, "%.*s ", STR_ARG(labels_get(target, STR("__address__"))));
    return 0;
}

static void check_addresses(const struct fixture *f, const char *expected)
{
    struct strbuf got = STRBUF_INIT;
    strbuf_add_c(&got, "");
    assert_int_equal(discovery_each(f->w.discovery, &f->job, add_address, &got), 0);
    assert_string_equal(got.data, expected);
    strbuf_release(&got);
}

static uint64_t failing(const struct fixture *f)
{
    return discovery_world_failing(&f->w, "kubernetes");
}

/* ---- One list ---- */

static void test_list_and_watch(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "pod");
    go(&f);
    check_last_url(&f, PODS LIST_PARAMETERS);
    assert_true(f.w.http.last.streams && f.w.http.last.accept_gzip);
    /* Two pages; the second asks by the token alone. */
    answer(&f, PODS, 200, LIST("7", ",\"continue\":\"a/b=\"", POD("a", "10.0.0.1", "3")));
    check_last_url(&f, PODS "?limit=500&continue=a%2Fb%3D");
    check_addresses(&f, "10.0.0.1 ");
    answer(&f, PODS, 200, LIST("7", "", POD("b", "10.0.0.2", "4")));
    check_addresses(&f, "10.0.0.1 10.0.0.2 ");
    check_last_url(&f, PODS "?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=");
    assert_true(f.w.http.last.streams && !f.w.http.last.accept_gzip);

    feed(&f, PODS, EVENT("ADDED", POD("c", "10.0.0.3", "8")));
    check_addresses(&f, "10.0.0.1 10.0.0.2 10.0.0.3 ");
    feed(&f, PODS, EVENT("MODIFIED", POD("b", "10.0.0.22", "9")));
    feed(&f, PODS, EVENT("DELETED", POD("a", "10.0.0.1", "10")));
    check_addresses(&f, "10.0.0.22 10.0.0.3 ");
    feed(&f, PODS, BOOKMARK("42"));

    /* The server ends the watch: it goes on at once from the bookmark. */
    fake_clock_advance_ms(&f.w.clock, 300000);
    answer(&f, PODS, 200, "");
    check_last_url(&f, PODS "?watch=1&allowWatchBookmarks=true&resourceVersion=42&timeoutSeconds=");
    assert_int_equal(failing(&f), 0);
    discovery_world_release(&f.w);
}

static void cut(struct fixture *f, const char *url_part)
{
    const struct sim_http_answer a = {.error = ERR_IO};
    assert_true(sim_http_client_answer(&f->w.http, url_part, &a));
    discovery_world_pass(&f->w, 0);
}

static void test_connections_break(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "pod");
    go(&f);
    /* A list that breaks off: what came is there, nothing else is said of the rest. */
    const struct sim_http_answer half = {
        .error = ERR_IO, .answer_body = STR("{\"items\":[" POD("a", "10.0.0.1", "3") ",{\"meta")};
    assert_true(sim_http_client_answer(&f.w.http, PODS, &half));
    assert_int_equal(failing(&f), 1);
    discovery_world_pass(&f.w, 1000);
    check_last_url(&f, PODS LIST_PARAMETERS);
    answer(&f, PODS, 200, LIST("7", "", POD("a", "10.0.0.1", "3")));
    assert_int_equal(failing(&f), 0);

    /* A watch that breaks after it worked is no failure; it goes on after a second at most. */
    feed(&f, PODS, EVENT("ADDED", POD("b", "10.0.0.2", "8")));
    cut(&f, PODS);
    assert_int_equal(failing(&f), 0);
    assert_int_equal(f.w.http.in_flight, 0);
    discovery_world_pass(&f.w, 1000);
    check_last_url(&f, PODS "?watch=1&allowWatchBookmarks=true&resourceVersion=8&");

    /* One that never works is, and is tried more and more seldom. */
    static const int64_t waits[] = {2000, 4000, 8000, 16000, 30000, 30000};
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        cut(&f, PODS);
        assert_int_equal(failing(&f), 1);
        discovery_world_pass(&f.w, waits[i] / 2 - 1);
        assert_int_equal(f.w.http.in_flight, 0);
        discovery_world_pass(&f.w, waits[i] / 2 + 1);
        assert_int_equal(f.w.http.in_flight, 1);
    }
    check_addresses(&f, "10.0.0.1 10.0.0.2 ");
    feed(&f, PODS, BOOKMARK("9"));
    assert_int_equal(failing(&f), 0);
    discovery_world_release(&f.w);
}

static void test_gone(void **state)
{
    (void)state;
    static const struct {
        bool is_event;
        const char *text;
    } cases[] = {
        {false, STATUS("410", "too old resource version")},
        {true, EVENT("ERROR", STATUS("410", "too old resource version"))},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        begin(&f, "pod");
        go(&f);
        answer(
            &f, PODS, 200, LIST("7", "", POD("a", "10.0.0.1", "3") "," POD("b", "10.0.0.2", "3")));
        if (cases[i].is_event) {
            feed(&f, PODS, cases[i].text);
        } else {
            answer(&f, PODS, 410, cases[i].text);
        }
        /* The list is read again, and no cache may answer; until it is complete nobody goes. */
        check_last_url(&f, PODS "?limit=500");
        assert_string_equal(f.w.http.last.url, PODS "?limit=500");
        assert_int_equal(failing(&f), 0);
        answer(&f, PODS, 200, LIST("90", ",\"continue\":\"x\"", POD("c", "10.0.0.3", "80")));
        check_addresses(&f, "10.0.0.1 10.0.0.2 10.0.0.3 ");
        answer(&f, PODS, 200, LIST("90", "", POD("b", "10.0.0.2", "3")));
        check_addresses(&f, "10.0.0.2 10.0.0.3 ");
        check_last_url(&f, PODS "?watch=1&allowWatchBookmarks=true&resourceVersion=90&");
        discovery_world_release(&f.w);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *body;
    } cases[] = {
        {401, STATUS("401", "Unauthorized")},
        {403, STATUS("403", "pods is forbidden: User x cannot list resource pods")},
        {500, "no JSON"},
        {200, "no JSON"},
        {200, "[]"},
        {200, "{\"items\":[{\"metadata\":{}}]}"},
        {200, "{\"items\":["},
    };
    struct fixture f;
    begin(&f, "pod");
    go(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer(&f, PODS, cases[i].status, cases[i].body);
        if (strcmp(cases[i].body, "[]") == 0) { /* a list of nothing, without a version */
            assert_int_equal(failing(&f), 0);
            answer(&f, PODS, 400, STATUS("400", "resourceVersion"));
        }
        assert_int_equal(failing(&f), 1);
        discovery_world_pass(&f.w, 30000);
        assert_int_equal(f.w.http.in_flight, 1);
    }
    discovery_world_release(&f.w);
}

/* ---- Namespaces and selectors ---- */

static void test_namespaces(void **state)
{
    (void)state;
    static const char *const expected[] = {
        SERVER "/apis/networking.k8s.io/v1/namespaces/one/ingresses"
               "?labelSelector=app%3Dx%2Ctier%21%3Dy&fieldSelector=metadata.name%3Dz&limit=500",
        SERVER "/apis/networking.k8s.io/v1/namespaces/two/ingresses"
               "?labelSelector=app%3Dx%2Ctier%21%3Dy&fieldSelector=metadata.name%3Dz&limit=500",
    };
    struct fixture f;
    const char *names[] = {"one", "two"};
    struct kubernetes_selector selector = {"ingress", "app=x,tier!=y", "metadata.name=z"};
    begin(&f, "ingress");
    f.config.namespaces.names = (struct config_strings){names, 2};
    f.config.selectors = (struct config_list){&selector, 1};
    go(&f);
    assert_int_equal(f.w.http.in_flight, 2);
    for (size_t i = 0; i < 2; i++) {
        answer(&f, expected[i], 200,
            i == 0 ? LIST("1", "",
                         "{\"metadata\":{\"name\":\"i\",\"namespace\":\"one\"},\"spec\":{\"rules\":"
                         "[{\"host\":\"a\"}]}}")
                   : LIST("1", "",
                         "{\"metadata\":{\"name\":\"i\",\"namespace\":\"two\"},\"spec\":{\"rules\":"
                         "[{\"host\":\"b\"}]}}"));
    }
    check_addresses(&f, "a b ");
    /* One namespace is read again: the other's objects stay. */
    answer(&f,
        "/one/ingresses?labelSelector=app%3Dx%2Ctier%21%3Dy&fieldSelector=metadata.name%3Dz"
        "&watch",
        410, "");
    answer(&f, "/one/ingresses", 200, LIST("2", "", ""));
    check_addresses(&f, "b ");
    discovery_world_release(&f.w);
}

/* ---- Joins ---- */

#define ENDPOINTS(ip, pod)                                                                         \
    "{\"metadata\":{\"name\":\"e\",\"namespace\":\"ns\"},\"subsets\":[{\"addresses\":[{\"ip\":"    \
    "\"" ip                                                                                        \
    "\",\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"ns\",\"name\":\"" pod  \
    "\"}}],\"ports\":[{\"port\":80}]}]}"
#define SERVICE(value)                                                                             \
    "{\"metadata\":{\"name\":\"e\",\"namespace\":\"ns\",\"labels\":{\"l\":\"" value "\"}}}"
#define NODE(value) "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"l\":\"" value "\"}}}"

static int add_joined(void *context, const struct labels *target)
{
    static const char *const names[] = {"__address__", "__meta_kubernetes_pod_ip",
        "__meta_kubernetes_service_label_l", "__meta_kubernetes_node_label_l"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        strbuf_addf(
            context, "%s%.*s", i > 0 ? "," : "", STR_ARG(labels_get(target, str_of(names[i]))));
    }
    strbuf_add_char(context, ' ');
    return 0;
}

static void check_joined(struct fixture *f, const char *expected)
{
    struct strbuf got = STRBUF_INIT;
    discovery_world_pass(&f->w, 0);
    strbuf_add_c(&got, "");
    assert_int_equal(discovery_each(f->w.discovery, &f->job, add_joined, &got), 0);
    assert_string_equal(got.data, expected);
    strbuf_release(&got);
}

static void test_joins(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "endpoints");
    f.config.attach.node = true;
    go(&f);
    assert_int_equal(f.w.http.in_flight, 4);
    answer(&f, "/endpoints?", 200, LIST("1", "", ENDPOINTS("10.0.0.1", "p")));
    answer(&f, "/services?", 200, LIST("1", "", SERVICE("s1")));
    answer(&f, "/pods?", 200, LIST("1", "", ""));
    check_joined(&f, ""); /* nodes are not known yet */
    answer(&f, "/nodes?", 200, LIST("1", "", NODE("n-1")));
    check_joined(&f, "10.0.0.1:80,,s1,n-1 ");

    /* Each neighbour that comes, changes or goes makes the target anew. */
    feed(&f, "/pods?", EVENT("ADDED", POD("p", "10.0.0.1", "2")));
    check_joined(&f, "10.0.0.1:80,10.0.0.1,s1,n-1 ");
    feed(&f, "/services?", EVENT("MODIFIED", SERVICE("s2")));
    check_joined(&f, "10.0.0.1:80,10.0.0.1,s2,n-1 ");
    feed(&f, "/nodes?", EVENT("MODIFIED", NODE("n-2")));
    check_joined(&f, "10.0.0.1:80,10.0.0.1,s2,n-2 ");
    feed(&f, "/pods?", EVENT("DELETED", POD("p", "10.0.0.1", "3")));
    check_joined(&f, "10.0.0.1:80,,s2,n-2 ");
    feed(&f, "/services?", EVENT("DELETED", SERVICE("s2")));
    check_joined(&f, "10.0.0.1:80,,,n-2 ");
    feed(&f, "/endpoints?", EVENT("MODIFIED", ENDPOINTS("10.0.0.2", "q")));
    check_joined(&f, "10.0.0.2:80,,,n-2 ");

    /* What it looked for before and does not any more leaves it alone; a stranger, too. */
    (void)discovery_take_changed(f.w.discovery);
    feed(&f, "/pods?", EVENT("ADDED", POD("p", "10.0.0.1", "4")));
    feed(&f, "/nodes?", EVENT("MODIFIED", NODE("n-2")));
    discovery_world_pass(&f.w, 0);
    assert_false(discovery_take_changed(f.w.discovery));

    /* A list that no longer names a neighbour is as good as an event. */
    answer(&f, "/nodes?", 410, "");
    answer(&f, "/nodes?", 200, LIST("9", "", ""));
    check_joined(&f, "10.0.0.2:80,,, ");
    feed(&f, "/endpoints?", EVENT("DELETED", ENDPOINTS("10.0.0.2", "q")));
    check_joined(&f, "");
    discovery_world_release(&f.w);
}

/* More endpoints than are made in a turn: they are all there after a few. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct fixture f;
    struct strbuf list = STRBUF_INIT;
    begin(&f, "endpointslice");
    go(&f);
    strbuf_add_c(&list, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[");
    for (int i = 0; i < MANY; i++) {
        strbuf_addf(&list,
            "%s{\"metadata\":{\"name\":\"s%d\",\"namespace\":\"ns\"},\"ports\":[{\"port\":1}],"
            "\"endpoints\":[{\"addresses\":[\"10.0.%d.%d\"]}]}",
            i > 0 ? "," : "", i, i / 250, i % 250);
    }
    strbuf_add_c(&list, "]}");
    answer(&f, "/services?", 200, LIST("1", "", ""));
    answer(&f, "/pods?", 200, LIST("1", "", ""));
    answer(&f, "/endpointslices?", 200, list.data);
    size_t turns = 0;
    struct discovery_statistics all = {.targets = 0};
    while (all.targets < MANY && turns++ < MANY) {
        discovery_world_pass(&f.w, 1);
        for (size_t i = 0; i < discovery_kind_count(); i++) {
            struct discovery_statistics s;
            discovery_statistics(f.w.discovery, i, &s);
            all = strcmp(s.kind, "kubernetes") == 0 ? s : all;
        }
    }
    assert_int_equal(all.targets, MANY);
    assert_true(turns >= 2 && turns <= 10);
    strbuf_release(&list);
    discovery_world_release(&f.w);
}

/* One object whose labels are too many goes without targets; the others do not care. */
static void test_monstrous_object(void **state)
{
    (void)state;
    struct fixture f;
    struct strbuf list = STRBUF_INIT;
    begin(&f, "pod");
    go(&f);
    strbuf_add_c(&list, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":["
                        "{\"metadata\":{\"name\":\"m\",\"namespace\":\"ns\",\"labels\":{");
    for (int i = 0; i < LABELS_COUNT_MAX; i++) {
        strbuf_addf(&list, "%s\"l%d\":\"v\"", i > 0 ? "," : "", i);
    }
    strbuf_add_c(
        &list, "}},\"spec\":{\"containers\":[{}]},\"status\":{\"podIP\":\"10.0.0.9\"}}," POD(
                   "z", "10.0.0.1", "1") "]}");
    answer(&f, PODS, 200, list.data);
    check_addresses(&f, "10.0.0.1 ");
    assert_int_equal(failing(&f), 0);
    strbuf_release(&list);
    discovery_world_release(&f.w);
}

/* An object beyond the limit fails the list; what is known stays, and the next list is as good as the first. */
static void test_large_object(void **state)
{
    (void)state;
    struct fixture f;
    struct strbuf list = STRBUF_INIT;
    begin(&f, "pod");
    go(&f);
    answer(&f, PODS, 200, LIST("1", "", POD("a", "10.0.0.1", "1")));
    answer(&f, PODS, 410, "");
    strbuf_add_c(&list, "{\"metadata\":{\"resourceVersion\":\"2\"},\"items\":["
                        "{\"metadata\":{\"name\":\"m\",\"annotations\":{\"x\":\"");
    char *filler = strbuf_reserve(&list, KUBERNETES_OBJECT_BYTES_MAX);
    assert_non_null(filler);
    memset(filler, 'y', KUBERNETES_OBJECT_BYTES_MAX);
    strbuf_commit(&list, KUBERNETES_OBJECT_BYTES_MAX);
    strbuf_add_c(&list, "\"}}}]}");
    answer(&f, PODS, 200, list.data);
    assert_int_equal(failing(&f), 1);
    check_addresses(&f, "10.0.0.1 ");
    discovery_world_pass(&f.w, 30000);
    answer(&f, PODS, 200, LIST("3", "", POD("b", "10.0.0.2", "3")));
    assert_int_equal(failing(&f), 0);
    check_addresses(&f, "10.0.0.2 ");
    strbuf_release(&list);
    discovery_world_release(&f.w);
}

static void drop_line(void *context, struct str line)
{
    (void)context;
    (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_and_watch),
        cmocka_unit_test(test_connections_break),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_monstrous_object),
        cmocka_unit_test(test_large_object),
    };
    log_set_sink(drop_line, NULL); /* failures are wanted here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
