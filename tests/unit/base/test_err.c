/* Codes, names and sentences. */
#include "support/support.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void sentences_carry_code_and_position(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_int_equal(e.code, ERR_OK);
    assert_int_equal(
        err_set(&e, ERR_INVALID, 17, "expected %s, found %d", "a name", 3), ERR_INVALID);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(e.position, 17);
    assert_string_equal(e.message, "expected a name, found 3");
    assert_int_equal(err_prefix(&e, "%s:%d", "rules.yml", 9), ERR_INVALID);
    assert_string_equal(e.message, "rules.yml:9: expected a name, found 3");
    assert_int_equal(err_set(NULL, ERR_LIMIT, -1, "nobody listens"), ERR_LIMIT);
}

static void long_sentences_are_cut(void **state)
{
    (void)state;
    char text[2 * ERR_MESSAGE_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct err e = ERR_INIT;
    err_set(&e, ERR_IO, -1, "%s", text);
    assert_int_equal(strlen(e.message), ERR_MESSAGE_MAX - 1);
    err_prefix(&e, "short");
    assert_int_equal(strncmp(e.message, "short: xxx", 10), 0);
    assert_int_equal(strlen(e.message), ERR_MESSAGE_MAX - 1);
    /* A prefix that leaves no room for the sentence. */
    for (size_t length = ERR_MESSAGE_MAX - 6; length < ERR_MESSAGE_MAX + 3; length++) {
        err_set(&e, ERR_IO, -1, "sentence");
        assert_int_equal(err_prefix(&e, "%.*s", (int)length, text), ERR_IO);
        assert_true(strlen(e.message) < ERR_MESSAGE_MAX);
        assert_int_equal(e.message[0], 'x');
    }
}

static void every_code_has_a_name_and_a_text(void **state)
{
    (void)state;
    static const int codes[] = {
#define X(name, value, text) ERR_##name,
        ERR_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_true(codes[i] < 0);
        assert_string_not_equal(err_name(codes[i]), "UNKNOWN");
        assert_true(strlen(err_text(codes[i])) > 3);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
        }
    }
    assert_string_equal(err_name(ERR_NO_SPACE), "NO_SPACE");
    assert_string_equal(err_text(ERR_NO_SPACE), "no space left on the device");
    assert_string_equal(err_name(0), "OK");
    assert_string_equal(err_name(-9999), "UNKNOWN");
    assert_string_equal(err_text(1), "unknown error");
}

static void errno_values_have_codes(void **state)
{
    (void)state;
    static const struct {
        int errno_value, code;
    } table[] = {
        {0, 0},
        {ENOSPC, ERR_NO_SPACE},
        {EDQUOT, ERR_NO_SPACE},
        {ENOENT, ERR_NOT_FOUND},
        {EEXIST, ERR_EXISTS},
        {ENOTEMPTY, ERR_EXISTS},
        {EACCES, ERR_PERMISSION},
        {EPERM, ERR_PERMISSION},
        {EROFS, ERR_PERMISSION},
        {ENOMEM, ERR_NOMEM},
        {EMFILE, ERR_LIMIT},
        {ENFILE, ERR_LIMIT},
        {EISDIR, ERR_INVALID},
        {ENOTDIR, ERR_INVALID},
        {EAGAIN, ERR_BUSY},
        {EBUSY, ERR_BUSY},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EIO, ERR_IO},
        {ESTALE, ERR_IO},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int code = err_from_errno(table[i].errno_value);
        if (code != table[i].code) {
            fail_msg("errno %d is %s, expected %s", table[i].errno_value, err_name(code),
                err_name(table[i].code));
        }
    }
    char text[64];
    assert_ptr_equal(err_errno_text(ENOENT, text, sizeof(text)), text);
    assert_string_equal(text, "No such file or directory");
    err_errno_text(ENOENT, text, 8);
    assert_true(strlen(text) < 8);
    err_errno_text(99999, text, sizeof(text));
    assert_true(strlen(text) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_carry_code_and_position),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(every_code_has_a_name_and_a_text),
        cmocka_unit_test(errno_values_have_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
