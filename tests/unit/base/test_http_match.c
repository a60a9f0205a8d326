/* What can be decided about a request without a server: paths, methods, targets, codings, and the
 * parameters of queries and forms. Expected values follow RFC 9110, RFC 3986 and the URL standard's
 * form encoding. */
#include "support/support.h"

#include "http_match.h"
#include "http_params.h"

#include "base/err.h"

static void test_paths(void **state)
{
    static const struct {
        const char *pattern, *path;
        enum http_match_quality quality;
        const char *value;
    } cases[] = {
        {"/", "/", HTTP_MATCH_EXACT, ""},
        {"/a", "/a", HTTP_MATCH_EXACT, ""},
        {"/a", "/a/", HTTP_MATCH_NONE, ""},
        {"/a", "/ab", HTTP_MATCH_NONE, ""},
        {"/a/*", "/a/", HTTP_MATCH_WILDCARD, ""},
        {"/a/*", "/a/b/c", HTTP_MATCH_WILDCARD, "b/c"},
        {"/a/*", "/a", HTTP_MATCH_NONE, ""},
        {"/*", "/", HTTP_MATCH_WILDCARD, ""},
        {"/l/:name/values", "/l/job/values", HTTP_MATCH_NAMED, "job"},
        {"/l/:name/values", "/l/a%2Fb/values", HTTP_MATCH_NAMED, "a%2Fb"},
        {"/l/:name/values", "/l/a/b/values", HTTP_MATCH_NONE, ""},
        {"/l/:name/values", "/l//values", HTTP_MATCH_NONE, ""},
        {"/l/:name/values", "/l/job/value", HTTP_MATCH_NONE, ""},
        {"/l/:name", "/l/job", HTTP_MATCH_NAMED, "job"},
        {"/l/:name", "/l/", HTTP_MATCH_NONE, ""},
        {"/l/:name", "/x", HTTP_MATCH_NONE, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str value;
        enum http_match_quality got =
            http_match_path(cases[i].pattern, str_of(cases[i].path), &value);
        if (got != cases[i].quality || !str_eq_c(value, cases[i].value)) {
            fail_msg("%s on %s: got %d \"%.*s\", expected %d \"%s\"", cases[i].pattern,
                cases[i].path, got, STR_ARG(value), cases[i].quality, cases[i].value);
        }
    }
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/*"},
    {.method = "GET", .path = "/api/*"},
    {.method = "GET POST", .path = "/api/:name"},
    {.method = "DELETE", .path = "/api/exact"},
    {.method = "PUT", .path = "/api/exact"},
};

static void test_routes(void **state)
{
    static const struct {
        const char *method, *path;
        int expected; /* index, -1 = none */
        const char *methods;
    } cases[] = {
        {"GET", "/", 0, "GET, HEAD, OPTIONS"},
        {"HEAD", "/x", 0, "GET, HEAD, OPTIONS"},
        {"POST", "/x", -1, "GET, HEAD, OPTIONS"},
        {"GET", "/api/a/b", 1, "GET, HEAD, OPTIONS"},
        {"GET", "/api/a", 2, "GET, HEAD, POST, OPTIONS"},
        {"DELETE", "/api/exact", 3, "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
        {"PUT", "/api/exact", 4, "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
        {"GET", "/api/exact", 2, "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
        {"get", "/", -1, "GET, HEAD, OPTIONS"},
        {"", "/", -1, "GET, HEAD, OPTIONS"},
        {"GET", "x", -1, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str value;
        size_t count = sizeof(routes) / sizeof(routes[0]);
        const struct http_route *got =
            http_match_route(routes, count, str_of(cases[i].path), str_of(cases[i].method), &value);
        int index = got != NULL ? (int)(got - routes) : -1;
        struct strbuf methods = STRBUF_INIT;
        http_match_methods(routes, count, str_of(cases[i].path), &methods);
        if (index != cases[i].expected || !str_eq_c(strbuf_str(&methods), cases[i].methods)) {
            fail_msg("%s %s: got %d \"%.*s\", expected %d \"%s\"", cases[i].method, cases[i].path,
                index, STR_ARG(strbuf_str(&methods)), cases[i].expected, cases[i].methods);
        }
        strbuf_release(&methods);
    }
}

static void test_targets(void **state)
{
    static const struct {
        const char *target, *prefix;
        const char *path; /* NULL: the prefix is not there */
        const char *query;
    } cases[] = {
        {"/a?b=c", "", "/a", "b=c"},
        {"/a", "", "/a", ""},
        {"/a?", "", "/a", ""},
        {"/a?b?c", "", "/a", "b?c"},
        {"", "", "/", ""},
        {"?x", "", "/", "x"},
        {"/p/a?b", "/p", "/a", "b"},
        {"/p", "/p", "/", ""},
        {"/p?b", "/p", "/", "b"},
        {"/pa", "/p", NULL, NULL},
        {"/a", "/p", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str path = {NULL, 0}, query = {NULL, 0};
        bool got = http_match_target(str_of(cases[i].target), cases[i].prefix, &path, &query);
        if (got != (cases[i].path != NULL) ||
            (got && (!str_eq_c(path, cases[i].path) || !str_eq_c(query, cases[i].query)))) {
            fail_msg("%s: got %d \"%.*s\" \"%.*s\"", cases[i].target, got, STR_ARG(path),
                STR_ARG(query));
        }
    }
}

static void test_content_types(void **state)
{
    assert_true(http_is_compressible(STR("text/plain")));
    assert_true(http_is_compressible(STR("TEXT/html; charset=utf-8")));
    assert_true(http_is_compressible(STR("application/json; charset=utf-8")));
    assert_true(http_is_compressible(STR("image/svg+xml")));
    assert_false(http_is_compressible(STR("image/png")));
    assert_false(http_is_compressible(STR("application/jsonx")));
    assert_false(http_is_compressible(STR("")));
    assert_true(http_media_type_is(STR(" Application/JSON ;x"), "application/json"));
    assert_false(http_accepts_gzip((struct str){NULL, 0}));
}

/* "name=value" pieces with "|" between. */
static void describe(const struct http_params *params, struct strbuf *out)
{
    for (size_t i = 0; i < params->count; i++) {
        strbuf_addf(out, "%s%s=%s", i > 0 ? "|" : "", params->items[i].name.ptr,
            params->items[i].value.ptr);
    }
}

static void test_params(void **state)
{
    static const struct {
        const char *encoded, *expected;
    } cases[] = {
        {"", ""},
        {"a=1", "a=1"},
        {"a=1&b=2&a=3", "a=1|b=2|a=3"},
        {"a", "a="},
        {"=x", "=x"},
        {"a=b=c", "a=b=c"},
        {"&&a=1&&", "a=1"},
        {"match%5B%5D=up%7Ba%3D%22b%22%7D", "match[]=up{a=\"b\"}"},
        {"a=x+y%20z%2B", "a=x y z+"},
        {"a+b=1", "a b=1"},
        {"a=%", "a=%"},
        {"a=%4", "a=%4"},
        {"a=%zz%41", "a=%zzA"},
        {"a=%c3%BC", "a=ü"},
        {"a=1;b=2", "a=1;b=2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct http_params params = {0};
        assert_int_equal(http_params_add(&arena, str_of(cases[i].encoded), &params), 0);
        struct strbuf out = STRBUF_INIT;
        describe(&params, &out);
        if (!str_eq_c(strbuf_str(&out), cases[i].expected)) {
            fail_msg("%s: got \"%.*s\", expected \"%s\"", cases[i].encoded,
                STR_ARG(strbuf_str(&out)), cases[i].expected);
        }
        strbuf_release(&out);
        arena_release(&arena);
    }
}

static void test_params_found(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct http_params params = {0};
    assert_int_equal(http_params_add(&arena, STR("a=1&b=2"), &params), 0);
    assert_int_equal(http_params_add(&arena, STR("a=3"), &params), 0);
    assert_true(str_eq_c(http_params_find(&params, STR("a"), 0)->value, "1"));
    assert_true(str_eq_c(http_params_find(&params, STR("a"), 1)->value, "3"));
    assert_null(http_params_find(&params, STR("a"), 2));
    assert_null(http_params_find(&params, STR("c"), 0));
    struct str zero;
    assert_int_equal(http_decode(&arena, STR("a%00b"), false, &zero), 0);
    assert_int_equal(zero.len, 3);
    arena_release(&arena);
}

static void test_params_limit(void **state)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < HTTP_PARAMS_MAX; i++) {
        strbuf_add_c(&text, "a&");
    }
    struct arena arena;
    arena_init(&arena, 0);
    struct http_params params = {0};
    assert_int_equal(http_params_add(&arena, strbuf_str(&text), &params), 0);
    assert_int_equal(params.count, HTTP_PARAMS_MAX);
    assert_int_equal(http_params_add(&arena, STR("b"), &params), ERR_LIMIT);
    assert_int_equal(params.count, HTTP_PARAMS_MAX);
    arena_release(&arena);
    arena_init(&arena, 1000);
    params = (struct http_params){0};
    assert_int_equal(http_params_add(&arena, strbuf_str(&text), &params), ERR_LIMIT);
    arena_release(&arena);
    strbuf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_params_found),
        cmocka_unit_test(test_params_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
