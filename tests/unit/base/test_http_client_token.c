/* Tokens of OAuth 2 and headers of profiles, against a stub of both servers on one loop. */
#include "support/support.h"

#include "base/http_client.h"
#include "base/http_server.h"
#include "base/mem.h"
#include "base/vfs.h"

/* ---- The servers: one that gives tokens, one that wants them ---- */

static struct {
    unsigned questions;     /* for tokens */
    const char *expires_in; /* as it stands in the answer; NULL: absent */
    const char *answer;     /* instead of a token, with `status` */
    unsigned status;
    bool in_body_only;
    bool hang;
    char seen[512]; /* of the last question */
} stub;
static struct http_exchange *hanging;

static void answer_token(struct http_exchange *x, void *context)
{
    (void)context;
    struct str auth = http_exchange_header(x, "Authorization");
    stub.questions++;
    snprintf(stub.seen, sizeof(stub.seen), "%.*s|%.*s|%.*s", STR_ARG(auth),
        STR_ARG(http_exchange_header(x, "Content-Type")), STR_ARG(http_exchange_body(x)));
    struct strbuf body = STRBUF_INIT;
    if (stub.hang) {
        hanging = x;
        return;
    }
    if (stub.in_body_only && auth.len > 0) {
        http_exchange_reply_text(x, 401, "in the body, please");
        return;
    }
    if (stub.answer != NULL) {
        strbuf_add_c(&body, stub.answer);
        http_exchange_reply(x, stub.status, "application/json", &body);
        return;
    }
    strbuf_addf(&body, "{\"access_token\": \"t%u\", \"token_type\": \"bearer\"", stub.questions);
    if (stub.expires_in != NULL) {
        strbuf_addf(&body, ", \"expires_in\": %s", stub.expires_in);
    }
    strbuf_add_char(&body, '}');
    http_exchange_reply(x, 200, "application/json", &body);
}

/* Shows who came; "deny" answers 401. */
static void answer_data(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body = STRBUF_INIT;
    strbuf_addf(&body, "%.*s a=%.*s b=%.*s c=%.*s",
        STR_ARG(http_exchange_header(x, "Authorization")), STR_ARG(http_exchange_header(x, "X-A")),
        STR_ARG(http_exchange_header(x, "X-B")), STR_ARG(http_exchange_header(x, "X-C")));
    unsigned status = http_exchange_param(x, "deny").ptr != NULL ? 401 : 200;
    http_exchange_reply(x, status, "text/plain", &body);
}

static const struct http_route routes[] = {
    {"POST", "/token", answer_token, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/data", answer_data, NULL, HTTP_LANE_DIRECT, ""},
};

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    char token_url[64];
    struct http_profile profile;
    size_t left;
};

struct outcome {
    struct fixture *f;
    int error;
    unsigned calls;
    char text[256];
};

static void start(struct fixture *f)
{
    *f = (struct fixture){.left = 0};
    memset(&stub, 0, sizeof(stub));
    assert_int_equal(loop_new(&f->loop), 0);
    struct http_server_options server = {.address = "127.0.0.1:0",
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .loop = f->loop};
    assert_int_equal(http_server_start(&server, &f->server, NULL), 0);
    assert_int_equal(http_client_open(f->loop, NULL, &f->client), 0);
    snprintf(f->token_url, sizeof(f->token_url), "http://127.0.0.1:%u/token",
        http_server_port(f->server));
    f->profile.oauth2.client_id = "me & you";
    f->profile.oauth2.client_secret = "s:1";
    f->profile.oauth2.token_url = f->token_url;
}

static void stop(struct fixture *f)
{
    if (f->client != NULL) {
        f->client->close(f->client);
    }
    if (hanging != NULL) {
        http_exchange_reply_text(hanging, 200, "late");
        hanging = NULL;
    }
    http_server_stop(f->server);
    loop_free(f->loop);
}

static void on_done(void *context, const struct http_client_response *r)
{
    struct outcome *o = context;
    o->calls++;
    o->error = r->error;
    struct str text = r->error != 0 ? str_of(r->error_text) : r->body;
    snprintf(o->text, sizeof(o->text), "%.*s", STR_ARG(text));
    if (o->f->left > 0 && --o->f->left == 0) {
        loop_stop(o->f->loop);
    }
}

static struct http_client_call *begin(
    struct fixture *f, const char *path, struct http_client_request request, struct outcome *o)
{
    char url[128];
    struct http_client_call *call = NULL;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(f->server), path);
    *o = (struct outcome){.f = f};
    request.method = "GET";
    request.url = url;
    request.profile = &f->profile;
    assert_int_equal(f->client->send(f->client, &request, on_done, o, &call), 0);
    assert_int_equal(o->calls, 0);
    f->left++;
    return call;
}

static const char *get(struct fixture *f, const char *path, struct outcome *o)
{
    begin(f, path, (struct http_client_request){0}, o);
    loop_run(f->loop);
    assert_int_equal(o->calls, 1);
    return o->text;
}

/* ---- Tests ---- */

/* All that wait get the one token; later ones have it until it is refused. */
static void test_shared_and_cached(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o[3];
    start(&f);
    stub.expires_in = "3600";
    for (size_t i = 0; i < 3; i++) {
        begin(&f, "/data", (struct http_client_request){0}, &o[i]);
    }
    loop_run(f.loop);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(o[i].text, "Bearer t1 a= b= c=");
    }
    /* RFC 6749, section 2.3.1: both parts are form-encoded; base64 of "me%20%26%20you:s%3A1". */
    assert_string_equal(stub.seen, "Basic bWUlMjAlMjYlMjB5b3U6cyUzQTE=|"
                                   "application/x-www-form-urlencoded|"
                                   "grant_type=client_credentials");
    assert_string_equal(get(&f, "/data?deny=1", &o[0]), "Bearer t1 a= b= c=");
    assert_int_equal(stub.questions, 1);
    assert_string_equal(get(&f, "/data", &o[0]), "Bearer t2 a= b= c=");
    f.profile.oauth2.client_secret = "other"; /* other settings, another token */
    assert_string_equal(get(&f, "/data", &o[0]), "Bearer t3 a= b= c=");
    f.profile.oauth2.client_secret = "s:1";
    assert_string_equal(get(&f, "/data", &o[0]), "Bearer t2 a= b= c=");
    stop(&f);
}

static void test_expiry(void **state)
{
    (void)state;
    static const struct {
        const char *expires_in;
        const char *second; /* token of the second call */
    } cases[] = {{NULL, "t1"}, {"0", "t1"}, {"5", "t2"}, {"\"5\"", "t2"}, {"\"3600\"", "t1"},
        {"3599.5", "t1"}, {"-1e300", "t1"}, {"1e300", "t1"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct outcome o;
        char expected[64];
        start(&f);
        stub.expires_in = cases[i].expires_in;
        assert_string_equal(get(&f, "/data", &o), "Bearer t1 a= b= c=");
        snprintf(expected, sizeof(expected), "Bearer %s a= b= c=", cases[i].second);
        assert_string_equal(get(&f, "/data", &o), expected);
        stop(&f);
    }
}

static void test_in_body(void **state)
{
    (void)state;
    static const char *scope_items[] = {"read", "write all"};
    static struct config_pair params[] = {{"audience", "a=b"}};
    struct fixture f;
    struct outcome o;
    start(&f);
    stub.in_body_only = true;
    stub.expires_in = "1"; /* each call asks */
    f.profile.oauth2.scopes = (struct config_strings){scope_items, 2};
    f.profile.oauth2.endpoint_params = (struct config_map){params, 1};
    assert_string_equal(get(&f, "/data", &o), "Bearer t2 a= b= c=");
    assert_string_equal(stub.seen, "|application/x-www-form-urlencoded|"
                                   "grant_type=client_credentials&scope=read%20write%20all"
                                   "&client_id=me%20%26%20you&client_secret=s%3A1&audience=a%3Db");
    assert_string_equal(get(&f, "/data", &o), "Bearer t3 a= b= c="); /* at once in the body */
    stop(&f);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *answer, *sentence;
    } cases[] = {
        {500, "{}", "no token of oauth2: its endpoint answered 500"},
        {403, "{}", "no token of oauth2: its endpoint answered 403"},
        {400, "{}", "no token of oauth2: its endpoint answered 400"},
        {302, "{}", "no token of oauth2: its endpoint answered 302"},
        {200, "{}", "no token of oauth2: its endpoint's answer has none"},
        {200, "", "no token of oauth2: its endpoint's answer has none"},
        {200, "[1]", "no token of oauth2: its endpoint's answer has none"},
        {200, "{\"access_token\": \"\"}", "no token of oauth2: its endpoint's answer has none"},
        {200, "{\"access_token\": 7}", "no token of oauth2: its endpoint's answer has none"},
    };
    struct fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o;
        stub.status = cases[i].status;
        stub.answer = cases[i].answer;
        assert_string_equal(get(&f, "/data", &o), cases[i].sentence);
        assert_int_equal(o.error, ERR_IO);
    }
    struct outcome o;
    stub.answer = NULL; /* a later call is not held to what failed before */
    assert_memory_equal(get(&f, "/data", &o), "Bearer t", 8);
    stub.answer = "{\"access_token\": \"a\\nX: y\"}"; /* would begin another header */
    stub.status = 200;
    f.profile.oauth2.client_secret = "";
    (void)get(&f, "/data", &o);
    assert_int_equal(o.error, ERR_INVALID);
    f.profile.oauth2.proxy_url = "http://127.0.0.1:1"; /* its own way, where nobody is */
    (void)get(&f, "/data", &o);
    assert_int_equal(o.error, ERR_IO);
    assert_memory_equal(o.text, "no token of oauth2: ", 20);
    stop(&f);
}

static bool refuse(void *context, const struct sockaddr *address)
{
    (void)address;
    ++*(unsigned *)context;
    return false;
}

static void test_may_connect(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    unsigned asked = 0;
    start(&f);
    begin(&f, "/data",
        (struct http_client_request){.may_connect = refuse, .may_connect_context = &asked}, &o);
    loop_run(f.loop);
    assert_int_equal(o.error, ERR_PERMISSION);
    assert_int_equal(asked, 1);
    assert_int_equal(stub.questions, 0);
    stop(&f);
}

static void on_first(void *context)
{
    loop_stop(((struct fixture *)context)->loop);
}

/* Calls that wait are canceled alone, or with the client. */
static void test_cancel_and_close(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o[3];
    struct loop_timer *timer;
    start(&f);
    stub.hang = true;
    struct http_client_call *first = begin(&f, "/data", (struct http_client_request){0}, &o[0]);
    begin(&f, "/data", (struct http_client_request){0}, &o[1]);
    begin(&f, "/data", (struct http_client_request){.timeout_ms = 60000}, &o[2]);
    f.left = 0; /* nobody stops the loop but the timer */
    f.client->cancel(f.client, first);
    assert_int_equal(o[0].error, ERR_CANCELED);
    assert_int_equal(loop_timer_new(f.loop, on_first, &f, &timer), 0);
    while (stub.questions == 0) {
        loop_timer_start(timer, 1, 0);
        loop_run(f.loop);
    }
    f.client->close(f.client);
    f.client = NULL;
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].error, ERR_CANCELED);
    }
    loop_timer_free(timer);
    stop(&f);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Files are read for each token and each request. */
static void test_files_and_headers(void **state)
{
    (void)state;
    static const char *one[] = {"plain"}, *two[] = {"hush"}, *three[1];
    struct http_profile_header headers[] = {
        {"X-A", .values = {one, 1}}, {"X-B", .secrets = {two, 1}}, {"X-C", .files = {three, 1}}};
    char path[] = "/tmp/test_http_client_token.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    three[0] = path;
    struct fixture f;
    struct outcome o;
    start(&f);
    stub.expires_in = "1";
    f.profile.headers = (struct config_list){headers, 3};
    f.profile.oauth2.client_secret = "";
    f.profile.oauth2.client_secret_file = path;
    f.profile.oauth2.client_id = "i";
    write_file(path, " first\n");
    assert_string_equal(get(&f, "/data", &o), "Bearer t1 a=plain b=hush c=first");
    assert_memory_equal(stub.seen, "Basic aTpmaXJzdA==|", 19); /* i:first */
    write_file(path, "second");
    assert_string_equal(get(&f, "/data", &o), "Bearer t2 a=plain b=hush c=second");
    assert_memory_equal(stub.seen, "Basic aTpzZWNvbmQ=|", 19); /* i:second */
    assert_int_equal(unlink(path), 0);
    struct http_client_request request = {
        .method = "GET", .url = f.token_url, .profile = &f.profile};
    assert_int_equal(f.client->send(f.client, &request, on_done, &o, NULL), ERR_NOT_FOUND);
    stop(&f);
}

/* What a file may say, and what comes of it. */
static void test_settings(void **state)
{
    (void)state;
    static const struct config_field fields[] = {
        HTTP_PROFILE_FIELDS(struct fixture),
        {.key = NULL},
    };
    static const struct {
        const char *text, *sentence; /* NULL: good */
    } cases[] = {
        {"oauth2: {client_id: a, token_url: 'http://t', client_secret: s, scopes: [x]}", NULL},
        {"oauth2: {client_id: a}", "oauth2 needs client_id and token_url"},
        {"oauth2: {client_id: a, token_url: 'http://t', client_secret: s, client_secret_file: f}",
            "a secret and the file that holds it are both set"},
        {"oauth2: {client_id: a, token_url: 'http://t'}\nbearer_token: b", "at most one of"},
        {"oauth2: {client_id: a, token_url: 'http://t', tls_config: {cert_file: c}}",
            "oauth2.tls_config needs both"},
        {"http_headers: {X-A: {values: [a, b], secrets: [c], files: [d]}}", NULL},
        {"http_headers: {authorization: {values: [a]}}", "Authorization cannot be set here"},
        {"http_headers: {'X A': {values: [a]}}", "\"X A\" is not the name of a header"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena, other;
        struct yaml_node *root = NULL;
        struct fixture f = {0}, plain = {0};
        struct http_profile copy;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        arena_init(&other, 0);
        assert_int_equal(yaml_parse(&arena, "t", str_of(cases[i].text), &root, NULL), 0);
        assert_int_equal(config_read(&arena, "t", root, fields, &f, &e), 0);
        assert_int_equal(config_defaults(&arena, fields, &plain, &e), 0);
        int status = http_profile_check(&f.profile, &e);
        if (cases[i].sentence == NULL) {
            assert_int_equal(status, 0);
            assert_false(http_profile_is_plain(&f.profile));
            assert_true(http_profile_is_plain(&plain.profile));
            assert_int_equal(http_profile_copy(&f.profile, &other, &copy), 0);
            assert_true(http_profile_eq(&f.profile, &copy));
            assert_false(http_profile_eq(&plain.profile, &copy));
        } else if (status != ERR_INVALID || strstr(e.message, cases[i].sentence) == NULL) {
            fail_msg("%s: %d \"%s\"", cases[i].text, status, e.message);
        }
        arena_release(&arena);
        arena_release(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_and_cached),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_in_body),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_may_connect),
        cmocka_unit_test(test_cancel_and_close),
        cmocka_unit_test(test_files_and_headers),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
