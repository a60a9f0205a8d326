/* Signatures, with values that Python's hmac and base64 gave. */
#include "alert/webhook_signature.h"

#include "support/support.h"

static void test_sign(void **state)
{
    (void)state;
    /* python3: key = bytes(range(32)); "whsec_" + base64.b64encode(key)
     * hmac.new(key, b"msg_1.1614265330.{\"a\":1}", "sha256") */
    struct webhook_key keys[2];
    assert_int_equal(webhook_key_parse(
                         STR("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), &keys[0], NULL),
        0);
    assert_int_equal(keys[0].size, 32);
    /* key = b"k" * 24, without the prefix and with a line end as files have it */
    assert_int_equal(
        webhook_key_parse(STR("a2tra2tra2tra2tra2tra2tra2tra2tr\n"), &keys[1], NULL), 0);
    assert_int_equal(keys[1].size, 24);
    struct strbuf out = STRBUF_INIT;
    webhook_sign(keys, 2, "msg_1", 1614265330, STR("{\"a\":1}"), &out);
    assert_string_equal(out.data, "v1,glGkvNcadkg5eS0kC1lHn//MXDsMAhfgJN70uXXgt2s= "
                                  "v1,wHU/mSjb8canV2fM9uCTP04RmAVvGvo/wSCyqYLNXV0=");
    strbuf_release(&out);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "whsec_", "whsec_short", "whsec_AAAA",
        "whsec_not base64 at all!!!!!!!!!!!!!!!!!!!!!!!!!!",
        "whsec_"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAA"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct webhook_key key;
        struct err e = ERR_INIT;
        if (webhook_key_parse(str_of(bad[i]), &key, &e) != ERR_INVALID ||
            (bad[i][0] != '\0' && strstr(e.message, bad[i] + 6) != NULL && bad[i][6] != '\0')) {
            fail_msg("%s: %s", bad[i], e.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
