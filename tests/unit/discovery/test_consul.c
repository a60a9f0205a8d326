/* Consul: instances into targets; blocking queries and their index; services that come and go. */
#include "discovery_world.h"

#include <string.h>

#include "base/log.h"
#include "discovery/consul_targets.h"
#include "support/support.h"

#define SERVER "http://consul:8500"
#define META "__meta_consul_"

/* ---- Instances, as the reference of /v1/health/service shows them ---- */

static const struct {
    const char *json, *expected; /* expected: what is set beside the empty ones; "!": no instance */
} rows[] = {
    {"{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.1.0.1\",\"Datacenter\":\"dc1\","
     "\"TaggedAddresses\":"
     "{\"lan\":\"10.1.0.1\",\"wan-v4\":\"1.2.3.4\"},\"Meta\":{\"rack.no\":\"7\"}},\"Service\":{"
     "\"ID\":\"web-1\",\"Service\":\"web\",\"Tags\":[\"a\",\"b\"],\"Address\":\"10.2.0.1\","
     "\"Port\":8080,\"Meta\":{\"v-1\":\"x\"},\"Namespace\":\"ns1\",\"Partition\":\"p1\"},"
     "\"Checks\":"
     "[{\"CheckID\":\"serfHealth\",\"Status\":\"passing\"},{\"CheckID\":\"c\",\"Status\":"
     "\"warning\"}]}",
        "__address__=10.2.0.1:8080 " META "address=10.1.0.1 " META "dc=dc1 " META
        "health=warning " META "metadata_rack_no=7 " META "namespace=ns1 " META "node=n1 " META
        "partition=p1 " META "service=web " META "service_address=10.2.0.1 " META
        "service_id=web-1 " META "service_metadata_v_1=x " META "service_port=8080 " META
        "tagged_address_lan=10.1.0.1 " META "tagged_address_wan_v4=1.2.3.4 " META "tags=,a,b,\n"},
    /* Without an address of its own, that of its node; no tags. */
    {"{\"Node\":{\"Address\":\"fd00::1\"},\"Service\":{\"Address\":\"\",\"Port\":80,\"Tags\":null},"
     "\"Checks\":[]}",
        "__address__=[fd00::1]:80 " META "address=fd00::1 " META "dc=dc1 " META
        "health=passing " META "service=web " META "service_port=80 " META "tags=,,\n"},
    {"{\"Checks\":[{\"Status\":\"critical\"},{\"Status\":\"warning\"},{\"Status\":\"passing\"}]}",
        "__address__=:0 " META "dc=dc1 " META "health=critical " META "service=web " META
        "service_port=0 " META "tags=,,\n"},
    {"{\"Checks\":[{\"Status\":\"critical\"},{\"CheckID\":\"_service_maintenance:web-1\","
     "\"Status\":"
     "\"critical\"}]}",
        "__address__=:0 " META "dc=dc1 " META "health=maintenance " META "service=web " META
        "service_port=0 " META "tags=,,\n"},
    {"{\"Checks\":[{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"}]}",
        "__address__=:0 " META "dc=dc1 " META "health=maintenance " META "service=web " META
        "service_port=0 " META "tags=,,\n"},
    {"{\"Checks\":[{\"Status\":\"odd\"}],\"Node\":7,\"Service\":[]}",
        "__address__=:0 " META "dc=dc1 " META "service=web " META "service_port=0 " META
        "tags=,,\n"},
    {"[]", "!"},
    {"{", "!"},
};

static void write_target(const struct labels *target, struct strbuf *out)
{
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        strbuf_addf(
            out, "%s%.*s=%.*s", i > 0 ? " " : "", STR_ARG(label.name), STR_ARG(label.value));
    }
    strbuf_add_char(out, '\n');
}

static void test_instances(void **state)
{
    (void)state;
    const struct consul_discovery_config config = {.tag_separator = ","};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target_list list = {0};
        struct strbuf got = STRBUF_INIT;
        int status = consul_targets_add(&config, "dc1", "web", str_of(rows[i].json), &list);
        strbuf_add_c(&got, status == ERR_INVALID ? "!" : "");
        for (size_t k = 0; k < list.count; k++) {
            write_target(list.items[k], &got);
        }
        if (strcmp(got.data, rows[i].expected) != 0) {
            fail_msg("row %zu gave\n%s\nexpected\n%s", i, got.data, rows[i].expected);
        }
        target_list_release(&list);
        strbuf_release(&got);
    }
}

/* ---- Questions ---- */

struct fixture {
    struct discovery_world w;
    struct consul_discovery_config config;
    struct discovery_configs job;
};

static void begin(struct fixture *f)
{
    discovery_world_init(&f->w);
    f->config = (struct consul_discovery_config){.server = "consul:8500",
        .scheme = "http",
        .path_prefix = "",
        .token = "",
        .username = "",
        .password = "",
        .datacenter = "dc1",
        .namespace = "",
        .partition = "",
        .tag_separator = ",",
        .filter = "",
        .health_filter = "",
        .refresh_ms = 1000,
        .profile.follow_redirects = true};
    f->job = (struct discovery_configs){.consul = {&f->config, 1}};
}

static void go(struct fixture *f)
{
    const struct discovery_configs *jobs[] = {&f->job};
    assert_int_equal(discovery_check(&f->job, NULL), 0);
    discovery_world_set(&f->w, jobs, 1);
    discovery_world_pass(&f->w, 0);
}

static void answer(struct fixture *f, const char *url_part, const char *index, const char *body)
{
    const struct sim_http_answer a = {
        .answer_body = str_of(body), .headers = {{"X-Consul-Index", index}}, .header_count = 1};
    if (!sim_http_client_answer(&f->w.http, url_part, &a)) {
        fail_msg("nobody asks for %s", url_part);
    }
    discovery_world_pass(&f->w, 0);
}

static void refuse(struct fixture *f, const char *url_part, unsigned status)
{
    const struct sim_http_answer a = {.status = status, .answer_body = STR("no")};
    assert_true(sim_http_client_answer(&f->w.http, url_part, &a));
    discovery_world_pass(&f->w, 0);
}

static void check_url(const struct fixture *f, const char *expected)
{
    assert_string_equal(f->w.http.last.url, expected);
}

#define INSTANCE(ip) "{\"Node\":{\"Address\":\"" ip "\"},\"Service\":{\"Port\":80}}"

static int add_address(void *context, const struct labels *target)
{
    strbuf_addf(context, "%.*s ", STR_ARG(labels_get(target, STR("__address__"))));
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

/* What the next question is by the index of an answer: the rules of blocking queries. */
static void test_index(void **state)
{
    (void)state;
    static const struct {
        const char *index; /* of the answer */
        const char *next;  /* parameters of the question after it */
        bool is_new;       /* the answer counts */
    } steps[] = {
        {"7", "&index=7&wait=120000ms", true},
        {"7", "&index=7&wait=120000ms", false}, /* nothing new */
        {"9", "&index=9&wait=120000ms", true},
        {"3", "", true}, /* it went backwards: begin anew, at once */
        {"4", "&index=4&wait=120000ms", true},
        {"0", "", true},
        {"0", "&index=1&wait=120000ms", true}, /* at least 1, or the next would not wait */
        {"none", "&index=1&wait=120000ms", false},
    };
    struct fixture f;
    const char *services[] = {"web"};
    begin(&f);
    f.config.services = (struct config_strings){services, 1};
    go(&f);
    check_url(&f, SERVER "/v1/health/service/web?dc=dc1");
    char body[128], expected[256], addresses[64] = "";
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        snprintf(body, sizeof(body), "[" INSTANCE("10.0.0.%zu") "]", i);
        answer(&f, "/web", steps[i].index, body);
        if (steps[i].is_new) {
            snprintf(addresses, sizeof(addresses), "10.0.0.%zu:80 ", i);
        }
        check_addresses(&f, addresses);
        assert_int_equal(f.w.http.in_flight, 0); /* not before refresh_interval */
        discovery_world_pass(&f.w, 1000);
        snprintf(
            expected, sizeof(expected), SERVER "/v1/health/service/web?dc=dc1%s", steps[i].next);
        check_url(&f, expected);
    }
    discovery_world_release(&f.w);
}

static void test_parameters(void **state)
{
    (void)state;
    struct fixture f;
    const char *services[] = {"a b"}, *tags[] = {"t1", "t2"};
    struct config_pair meta = {"rack", "7"};
    begin(&f);
    f.config.scheme = "https";
    f.config.path_prefix = "/consul";
    f.config.token = "secret";
    f.config.namespace = "n";
    f.config.partition = "p";
    f.config.filter = "X == 1";
    f.config.health_filter = "Y";
    f.config.allow_stale = true;
    f.config.node_meta = (struct config_map){&meta, 1};
    f.config.services = (struct config_strings){services, 1};
    f.config.tags = (struct config_strings){tags, 2};
    go(&f);
    check_url(&f, "https://consul:8500/consul/v1/catalog/services?dc=dc1&ns=n&partition=p&"
                  "filter=X%20%3D%3D%201&node-meta=rack%3A7&stale=");
    assert_true(str_eq_c(sim_http_client_last_header(&f.w.http, "X-Consul-Token"), "secret"));
    /* Only what is named and has both tags. */
    answer(&f, "/catalog", "1",
        "{\"a b\":[\"t2\",\"x\",\"t1\"],\"other\":[\"t1\",\"t2\"],\"consul\":[]}");
    check_url(&f, "https://consul:8500/consul/v1/health/service/a%20b?dc=dc1&ns=n&partition=p&"
                  "filter=Y&tag=t1&tag=t2&node-meta=rack%3A7&stale=");
    assert_int_equal(f.w.http.in_flight, 1);
    discovery_world_release(&f.w);
}

static void test_catalog(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.datacenter = "";
    go(&f);
    /* First the datacenter. */
    check_url(&f, SERVER "/v1/agent/self");
    refuse(&f, "/self", 500);
    assert_int_equal(discovery_world_failing(&f.w, "consul"), 1);
    discovery_world_pass(&f.w, 15000);
    answer(&f, "/self", "1", "{\"Config\":{\"Datacenter\":\"east\"}}");
    check_url(&f, SERVER "/v1/catalog/services");
    answer(&f, "/catalog", "5", "{\"b\":[],\"a\":[]}");
    assert_int_equal(f.w.http.in_flight, 2);
    answer(&f, "/service/a", "5", "[" INSTANCE("10.0.0.1") "," INSTANCE("10.0.0.2") "]");
    answer(&f, "/service/b", "5", "[" INSTANCE("10.0.0.3") "]");
    check_addresses(&f, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 ");
    assert_int_equal(discovery_world_failing(&f.w, "consul"), 0);

    /* One goes, one comes, one stays and is not asked anew. */
    discovery_world_pass(&f.w, 1000);
    assert_int_equal(f.w.http.in_flight, 3);
    answer(&f, "/catalog", "6", "{\"c\":[],\"b\":[]}");
    check_addresses(&f, "10.0.0.3:80 ");
    assert_int_equal(f.w.http.in_flight, 2);
    check_url(&f, SERVER "/v1/health/service/c");

    /* What is not whole, or refused, changes nothing. */
    const struct sim_http_answer half = {.error = ERR_IO, .answer_body = STR("[" INSTANCE("x"))};
    assert_true(sim_http_client_answer(&f.w.http, "/service/c", &half));
    answer(&f, "/service/b", "8", "{}[");
    assert_int_equal(discovery_world_failing(&f.w, "consul"), 1);
    check_addresses(&f, "10.0.0.3:80 ");
    discovery_world_pass(&f.w, 15000);
    answer(&f, "/service/b", "9", "[]");
    answer(&f, "/service/c", "9", "[" INSTANCE("10.0.0.4") "]");
    check_addresses(&f, "10.0.0.4:80 ");
    assert_int_equal(discovery_world_failing(&f.w, "consul"), 0);
    discovery_world_release(&f.w);
}

/* More services than may wait at Consul: each is asked, none waits, and no more are under way than may be. */
static void test_many_services(void **state)
{
    (void)state;
    enum { MANY = 400, UNDER_WAY_MAX = 128 };
    struct fixture f;
    struct strbuf catalog = STRBUF_INIT;
    begin(&f);
    f.config.refresh_ms = 1000000;
    go(&f);
    for (int i = 0; i < MANY; i++) {
        strbuf_addf(&catalog, "%c\"s%03d\":[]", i > 0 ? ',' : '{', i);
    }
    strbuf_add_char(&catalog, '}');
    answer(&f, "/catalog", "1", catalog.data);
    size_t asked = 0;
    while (f.w.http.in_flight > 0 && asked < MANY) {
        assert_true(f.w.http.in_flight <= UNDER_WAY_MAX);
        assert_null(strstr(f.w.http.last.url, "index="));
        answer(&f, "/service/", "3", "[" INSTANCE("10.0.0.1") "]");
        asked++;
    }
    assert_int_equal(asked, MANY);
    assert_int_equal(f.w.http.in_flight, 0);
    strbuf_release(&catalog);
    discovery_world_release(&f.w);
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *server, *scheme, *prefix, *token, *username;
        const char *basic_name, *bearer;
        const char *sentence; /* NULL: good */
    } cases[] = {
        {"h:1", "http", "", "", "", "", "", NULL},
        {"h:1", "https", "/x", "t", "u", "", "", NULL},
        {"", "http", "", "", "", "", "", "server \"\"; accepted: HOST:PORT"},
        {"http://h", "http", "", "", "", "", "", "server \"http://h\"; accepted"},
        {"h", "ftp", "", "", "", "", "", "scheme \"ftp\"; accepted: http, https"},
        {"h", "http", "x", "", "", "", "", "path_prefix \"x\" must begin with /"},
        {"h", "http", "", "", "u", "b", "", "username and password exclude basic_auth"},
        {"h", "http", "", "t", "", "", "b", "token excludes authorization and oauth2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct err e = ERR_INIT;
        begin(&f);
        f.config.server = cases[i].server;
        f.config.scheme = cases[i].scheme;
        f.config.path_prefix = cases[i].prefix;
        f.config.token = cases[i].token;
        f.config.username = cases[i].username;
        f.config.profile.basic_auth.username = cases[i].basic_name;
        f.config.profile.bearer_token = cases[i].bearer;
        int status = discovery_check(&f.job, &e);
        if (cases[i].sentence == NULL ? status != 0
                                      : strstr(e.message, cases[i].sentence) == NULL) {
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, e.message,
                cases[i].sentence != NULL ? cases[i].sentence : "");
        }
        discovery_world_release(&f.w);
    }
}

static void drop_line(void *context, struct str line)
{
    (void)context;
    (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_catalog),
        cmocka_unit_test(test_many_services),
        cmocka_unit_test(test_settings),
    };
    log_set_sink(drop_line, NULL); /* failures are wanted here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
