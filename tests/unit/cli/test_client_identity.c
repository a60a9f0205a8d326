/* Flags, a file, and both: who one is to a server. */
#include "cli/client_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/support.h"

struct fixture {
    char path[64];
    struct arena arena;
    struct http_profile profile;
    struct err err;
};

/* The file is as it is written here; NULL: none. */
static int read_identity(struct fixture *f, const char *file, struct client_identity identity)
{
    f->err = (struct err)ERR_INIT;
    arena_init(&f->arena, 0);
    if (file != NULL) {
        snprintf(f->path, sizeof(f->path), "%s", "/tmp/sonde-identity-XXXXXX");
        int fd = mkstemp(f->path);
        assert_true(fd >= 0 && write(fd, file, strlen(file)) == (ssize_t)strlen(file));
        close(fd);
        identity.config_file = f->path;
    }
    int status = client_identity_read(&identity, &f->arena, &f->profile, &f->err);
    if (file != NULL) {
        unlink(f->path);
    }
    return status;
}

static void expect_text(const char *found, const char *expected)
{
    assert_string_equal(found != NULL ? found : "", expected);
}

#define FILE_OF_ALL                                                                                \
    "basic_auth: {username: carol, password: secret}\n"                                            \
    "tls_config: {ca_file: ca.pem, server_name: db}\n"                                             \
    "http_headers: {X-Scope-OrgID: {values: [one]}}\n"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        struct client_identity flags;
        const char *user, *password, *password_file, *token_file, *ca_file, *cert_file;
    } cases[] = {
        {NULL, {0}, "", "", "", "", "", ""},
        {"", {0}, "", "", "", "", "", ""},
        {NULL, {.user = "bob", .password_file = "/dev/null"}, "bob", "", "/dev/null", "", "", ""},
        {NULL, {.token_file = "/dev/null"}, "", "", "", "/dev/null", "", ""},
        {NULL, {.ca_file = "a", .cert_file = "c", .key_file = "k"}, "", "", "", "", "a", "c"},
        {FILE_OF_ALL, {0}, "carol", "secret", "", "", "ca.pem", ""},
        /* A flag is stronger than the file, and another kind of it puts the file's out of force. */
        {FILE_OF_ALL, {.password_file = "/dev/null"}, "carol", "", "/dev/null", "", "ca.pem", ""},
        {FILE_OF_ALL, {.user = "bob", .password_file = "/dev/null"}, "bob", "", "/dev/null", "",
            "ca.pem", ""},
        {FILE_OF_ALL, {.token_file = "/dev/null"}, "", "", "", "/dev/null", "ca.pem", ""},
        {FILE_OF_ALL, {.ca_file = "a"}, "carol", "secret", "", "", "a", ""},
        {"authorization: {credentials_file: /dev/null}\n",
            {.user = "bob", .password_file = "/dev/null"}, "bob", "", "/dev/null", "", "", ""},
        {"bearer_token_file: /dev/null\n", {0}, "", "", "", "/dev/null", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        if (read_identity(&f, cases[i].file, cases[i].flags) != 0) {
            fail_msg("case %zu: %s", i, f.err.message);
        }
        expect_text(f.profile.basic_auth.username, cases[i].user);
        expect_text(f.profile.basic_auth.password, cases[i].password);
        expect_text(f.profile.basic_auth.password_file, cases[i].password_file);
        expect_text(f.profile.bearer_token_file, cases[i].token_file);
        expect_text(f.profile.authorization.credentials_file, "");
        expect_text(f.profile.tls.ca_file, cases[i].ca_file);
        expect_text(f.profile.tls.cert_file, cases[i].cert_file);
        assert_true(f.profile.follow_redirects);
        arena_release(&f.arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        struct client_identity flags;
        const char *says;
    } cases[] = {
        {NULL, {.password_file = "/dev/null"}, "--password-file wants --user"},
        {NULL, {.user = "bob", .password_file = "/dev/null", .token_file = "/dev/null"},
            "choose one"},
        {NULL, {.token_file = "/nowhere/token"}, "cannot read /nowhere/token"},
        {NULL, {.cert_file = "c"}, "needs both cert_file and key_file"},
        {NULL, {.config_file = "/nowhere/at.yml"}, "cannot read /nowhere/at.yml"},
        {"basic_auth: {user: bob}\n", {0}, "unknown key \"user\""},
        {"basic_auth: [\n", {0}, ":"},
        {"basic_auth: {username: a, password: b}\nbearer_token: c\n", {0}, "at most one of"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        int status = read_identity(&f, cases[i].file, cases[i].flags);
        if (status == 0 || strstr(f.err.message, cases[i].says) == NULL) {
            fail_msg("case %zu: %d \"%s\", not \"%s\"", i, status, f.err.message, cases[i].says);
        }
        arena_release(&f.arena);
    }
}

static void test_nobody(void **state)
{
    (void)state;
    struct arena arena;
    struct http_profile profile;
    arena_init(&arena, 0);
    assert_int_equal(client_identity_read(NULL, &arena, &profile, NULL), 0);
    assert_true(http_profile_is_plain(&profile));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
