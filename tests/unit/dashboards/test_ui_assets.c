/* The embedded files: found by path, sorted, of the size they claim. */
#include "support/support.h"

#include <string.h>

#include "query/ui_assets.h"

static void test_find_every_asset(void **state)
{
    (void)state;
    size_t count = 0;
    const struct ui_asset *all = ui_assets_all(&count);
    assert_true(count >= 4);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(ui_asset_find(str_of(all[i].path)), &all[i]);
        if (i > 0) {
            assert_true(str_cmp(str_of(all[i - 1].path), str_of(all[i].path)) < 0);
        }
    }
}

static void test_find_by_path(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *content_type; /* NULL: not there */
    } cases[] = {
        {"/", "text/html; charset=utf-8"},
        {"/graph", "text/html; charset=utf-8"},
        {"/traces", "text/html; charset=utf-8"},
        {"/ui/dashboards/index.json", "application/json"},
        {"/ui/dashboards/host-use.json", "application/json"},
        {"/ui/dashboards/hosts.json", "application/json"},
        {"/ui/dashboards/services.json", "application/json"},
        {"/ui/dashboards/sonde.json", "application/json"},
        {"", NULL},
        {"/ui", NULL},
        {"/ui/dashboards/", NULL},
        {"/ui/dashboards/../dashboards/sonde.json", NULL},
        {"/zzz", NULL},
        {"/graph/", NULL},
        {"/traces/", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ui_asset *asset = ui_asset_find(str_of(cases[i].path));
        if (!cases[i].content_type) {
            assert_null(asset);
            continue;
        }
        assert_non_null(asset);
        assert_string_equal(asset->content_type, cases[i].content_type);
    }
    assert_ptr_equal(ui_asset_find(STR("/graph")), ui_asset_find(STR("/")));
}

/* RFC 1952: magic and method first, no time stamp, the plain size in the last four bytes. */
static void test_stored_form(void **state)
{
    (void)state;
    static const uint8_t magic[] = {0x1f, 0x8b, 8};
    static const uint8_t no_time[4] = {0};
    size_t count = 0;
    const struct ui_asset *all = ui_assets_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct ui_asset *asset = &all[i];
        size_t etag_len = strlen(asset->etag);
        assert_true(etag_len > 2 && asset->etag[0] == '"' && asset->etag[etag_len - 1] == '"');
        if (!asset->gzipped) {
            assert_int_equal(asset->size, asset->plain_size);
            continue;
        }
        assert_true(asset->size > 18 && asset->size < asset->plain_size);
        assert_memory_equal(asset->bytes, magic, sizeof(magic));
        assert_memory_equal(asset->bytes + 4, no_time, sizeof(no_time));
        const uint8_t *end = asset->bytes + asset->size;
        size_t plain =
            (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
        assert_int_equal(plain, asset->plain_size);
    }
}

/* Only names with a hash in them may be cached for ever. */
static void test_immutable(void **state)
{
    (void)state;
    assert_false(ui_asset_find(STR("/"))->immutable);
    assert_false(ui_asset_find(STR("/ui/dashboards/index.json"))->immutable);
    size_t count = 0;
    const struct ui_asset *all = ui_assets_all(&count);
    for (size_t i = 0; i < count; i++) {
        struct str path = str_of(all[i].path);
        bool code = str_ends_with(path, STR(".js")) || str_ends_with(path, STR(".css"));
        assert_int_equal(code && !all[i].immutable, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_every_asset),
        cmocka_unit_test(test_find_by_path),
        cmocka_unit_test(test_stored_form),
        cmocka_unit_test(test_immutable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
