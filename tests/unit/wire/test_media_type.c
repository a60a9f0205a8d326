/* Content-Type and Content-Encoding, as they come and as they should not. */
#include "wire/media_type.h"

#include "support/support.h"

static void test_types(void **state)
{
    static const struct {
        const char *header, *type;
        bool is;
    } rows[] = {
        {"application/json", "application/json", true},
        {"Application/JSON", "application/json", true},
        {" application/json ; charset=utf-8", "application/json", true},
        {"application/json;", "application/json", true},
        {"application/jsonx", "application/json", false},
        {"application/jso", "application/json", false},
        {"charset=utf-8; application/json", "application/json", false},
        {"", "application/json", false},
        {";", "application/json", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (media_type_is(str_of(rows[i].header), rows[i].type) != rows[i].is) {
            fail_msg("\"%s\" is %s%s", rows[i].header, rows[i].is ? "not " : "", rows[i].type);
        }
    }
    assert_false(media_type_is((struct str){NULL, 0}, "a/b"));
}

static void test_parameters(void **state)
{
    static const struct {
        const char *header, *name, *value; /* value NULL: absent */
    } rows[] = {
        {"a/b; charset=utf-8; proto=x.Y", "proto", "x.Y"},
        {"a/b;PROTO = x.Y ", "proto", "x.Y"},
        {"a/b; proto=\"x.Y\"", "proto", "x.Y"},
        {"a/b; proto=", "proto", ""},
        {"a/b; proto", "proto", ""},
        {"a/b; proto=\"", "proto", "\""},
        {"a/b; xproto=1; proto=2", "proto", "2"},
        {"a/b; proto=1; proto=2", "proto", "1"},
        {"proto=1", "proto", NULL}, /* that is the type */
        {"a/b", "proto", NULL},
        {"", "proto", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str got = media_type_parameter(str_of(rows[i].header), rows[i].name);
        if ((got.ptr == NULL) != (rows[i].value == NULL) ||
            (rows[i].value != NULL && !str_eq_c(got, rows[i].value))) {
            fail_msg("%s of \"%s\" is \"%.*s\"%s, expected %s", rows[i].name, rows[i].header,
                (int)got.len, got.len > 0 ? got.ptr : "", got.ptr == NULL ? " (absent)" : "",
                rows[i].value != NULL ? rows[i].value : "nothing");
        }
    }
}

static void test_encodings(void **state)
{
    (void)state;
    assert_true(media_encoding_is(STR(" GZip "), "gzip"));
    assert_false(media_encoding_is(STR("gzip, gzip"), "gzip"));
    assert_false(media_encoding_is((struct str){NULL, 0}, "gzip"));
    assert_true(media_encoding_is_none((struct str){NULL, 0}));
    assert_true(media_encoding_is_none(STR(" ")));
    assert_true(media_encoding_is_none(STR("Identity")));
    assert_false(media_encoding_is_none(STR("br")));
}

static void test_remote_write(void **state)
{
    static const struct {
        const char *header;
        enum media_write kind;
        const char *message;
    } rows[] = {
        {"", MEDIA_WRITE_1, "prometheus.WriteRequest"},
        {"application/x-protobuf", MEDIA_WRITE_1, "prometheus.WriteRequest"},
        {"application/x-protobuf;proto=prometheus.WriteRequest", MEDIA_WRITE_1,
            "prometheus.WriteRequest"},
        {"Application/X-Protobuf; Proto=\"io.prometheus.write.v2.Request\"", MEDIA_WRITE_2,
            "io.prometheus.write.v2.Request"},
        {"application/x-protobuf;proto=io.prometheus.write.v3.Request", MEDIA_WRITE_OTHER,
            "io.prometheus.write.v3.Request"},
        {"application/x-protobuf;proto=", MEDIA_WRITE_OTHER, ""},
        {"application/json", MEDIA_WRITE_OTHER, ""},
        {"text/plain;proto=prometheus.WriteRequest", MEDIA_WRITE_OTHER, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str message;
        enum media_write kind = media_write_of(str_of(rows[i].header), &message);
        if (kind != rows[i].kind || !str_eq_c(message, rows[i].message)) {
            fail_msg("\"%s\" is %d \"%.*s\", expected %d \"%s\"", rows[i].header, kind,
                STR_ARG(message), rows[i].kind, rows[i].message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_remote_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
