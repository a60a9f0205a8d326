/* Names of strangers as values of labels. */
#include <string.h>

#include "intake/guarded_text.h"
#include "support/support.h"

static const struct {
    const char *text, *made;
} templates[] = {
    {"", ""},
    {"GET /", "GET /"},
    {"GET /orders/4711", "GET /orders/{id}"},
    {"GET /v1/orders", "GET /v1/orders"}, /* a version is none */
    {"HTTP 2", "HTTP {id}"},
    {"/user/550e8400-e29b-41d4-a716-446655440000/cart", "/user/{id}/cart"},
    {"/blob/deadbeef", "/blob/deadbeef"}, /* a word of hexadecimal letters */
    {"/blob/deadbee5", "/blob/{id}"},
    {"/blob/DEADBEEF00", "/blob/{id}"},
    {"/t/aZ3kQ9xP7mB2nV5c", "/t/{id}"}, /* 16 letters and digits */
    {"/t/aZ3kQ9xP7mB2nV5", "/t/aZ3kQ9xP7mB2nV5"},
    {"2026-11-22", "{id}"},
    {"top-10 list", "top-{id} list"},
    {"a-b-c", "a-b-c"},
    {"-1-", "-{id}-"},
};

static void test_templates(void **state)
{
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        strbuf_add_c(&out, "");
        guarded_text_add_template(str_of(templates[i].text), &out);
        if (!str_eq_c(strbuf_str(&out), templates[i].made)) {
            fail_msg("%s: %s, expected %s", templates[i].text, out.data, templates[i].made);
        }
        strbuf_release(&out);
    }
}

/* Any bytes give well-formed text within the limit. */
static void test_any_bytes(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 3000; round++) {
        char text[300];
        size_t size = test_random(&random) % sizeof(text);
        for (size_t i = 0; i < size; i++) {
            uint64_t r = test_random(&random);
            text[i] = (char)(r % 3 == 0 ? r >> 8 : 'a' + (r >> 8) % 26);
        }
        struct strbuf out = STRBUF_INIT;
        guarded_text_add(str_make(text, size), &out);
        assert_true(out.size <= GUARDED_TEXT_BYTES_MAX);
        assert_true(str_is_utf8(strbuf_str(&out)));
        assert_true(memchr(out.size > 0 ? out.data : "", '\0', out.size) == NULL);
        strbuf_reset(&out);
        guarded_text_add_template(str_make(text, size), &out);
        assert_true(str_is_utf8(strbuf_str(&out)) && out.size <= GUARDED_TEXT_BYTES_MAX);
        strbuf_release(&out);
    }
}

static void test_cuts_between_characters(void **state)
{
    char text[200] = {0};
    struct strbuf out = STRBUF_INIT;
    memset(text, 'x', 127);
    memcpy(
        text + 127, "\xc3\xa4\xc3\xa4", 4); /* two characters of two bytes, the first across it */
    guarded_text_add(str_make(text, 131), &out);
    assert_int_equal(out.size, 127);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
