/* Resources that pages share: each message and URL once, up to the bound. */
#include "span/span_resource_pool.h"

#include <string.h>

#include "support/support.h"
#include "wire/otlp_traces.h"

enum { MANY = 2000, TEXT_MAX = 32 };

/* A message of one attribute: service.name. */
static void encode(struct strbuf *out, const char *service)
{
    struct attribute name = {
        .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = str_of(service)};
    const struct span_resource resource = {.attributes = {&name, 1}};
    strbuf_reset(out);
    otlp_resource_encode(&resource, out);
    assert_int_equal(strbuf_error(out), 0);
}

static const struct span_pooled_resource *find(
    struct span_resource_pool *pool, struct strbuf *message, const char *url)
{
    const struct span_pooled_resource *found = NULL;
    int status = span_resource_pool_find(pool, strbuf_str(message), str_of(url), &found);
    assert_in_range(status, 0, 1);
    return status == 1 ? found : NULL;
}

static void check_sharing(void **state)
{
    static const struct span_pooled_resource *all[MANY];
    struct span_resource_pool pool;
    struct strbuf message = STRBUF_INIT;
    char service[TEXT_MAX];
    (void)state;
    span_resource_pool_init(&pool);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            (void)snprintf(service, sizeof(service), "service-%d", i / 2);
            encode(&message, service);
            const struct span_pooled_resource *found = find(&pool, &message, i % 2 ? "url" : "");
            assert_non_null(found);
            assert_true(str_eq_c(span_resource_service(&found->resource), service));
            assert_true(str_eq_c(found->resource.schema_url, i % 2 ? "url" : ""));
            assert_true(str_eq(found->raw, strbuf_str(&message)));
            assert_true(round == 0 || found == all[i]);
            all[i] = found;
        }
        assert_int_equal(pool.count, MANY);
    }
    strbuf_release(&message);
    span_resource_pool_release(&pool);
}

/* What does not fit is the page's own; what is there is found still. */
static void check_bound(void **state)
{
    struct span_resource_pool pool;
    struct strbuf message = STRBUF_INIT;
    static char service[1 << 20];
    size_t kept = 0;
    (void)state;
    span_resource_pool_init(&pool);
    memset(service, 'x', sizeof(service) - 1);
    for (int i = 0; i < 32; i++) {
        service[0] = (char)('A' + i);
        encode(&message, service);
        kept += find(&pool, &message, "") != NULL;
    }
    assert_in_range(kept, 1, SPAN_RESOURCE_POOL_BYTES_MAX >> 20);
    assert_int_equal(pool.count, kept);
    service[0] = 'A';
    encode(&message, service);
    assert_non_null(find(&pool, &message, ""));
    strbuf_release(&message);
    span_resource_pool_release(&pool);
}

static void check_damage(void **state)
{
    struct span_resource_pool pool;
    const struct span_pooled_resource *found = NULL;
    (void)state;
    span_resource_pool_init(&pool);
    assert_int_equal(
        span_resource_pool_find(&pool, str_make("\x0a\x7f", 2), STR(""), &found), ERR_CORRUPT);
    assert_int_equal(pool.count, 0);
    span_resource_pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_sharing),
        cmocka_unit_test(check_bound),
        cmocka_unit_test(check_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
