/* Web configurations, good and broken, from files beside their certificates. */
#include "web_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/support.h"

#define HASH "$2y$10$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PAIR "cert_file: cert.pem, key_file: key.pem"

struct folder {
    char path[32];
};

static void put(const struct folder *f, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void setup(struct folder *f)
{
    snprintf(f->path, sizeof(f->path), "%s", "/tmp/sonde-web-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    put(f, "cert.pem", "the certificate");
    put(f, "key.pem", "the key");
    put(f, "clients.pem", "the clients");
}

static void teardown(const struct folder *f)
{
    static const char *const names[] = {"cert.pem", "key.pem", "clients.pem", "web.yml"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
        unlink(path);
    }
    rmdir(f->path);
}

static int load(const struct folder *f, const char *text, struct web_config *config, struct err *e)
{
    char path[64];
    put(f, "web.yml", text);
    snprintf(path, sizeof(path), "%s/web.yml", f->path);
    *e = (struct err)ERR_INIT;
    return web_config_load(path, config, e);
}

static void expect(struct str found, const char *expected)
{
    if (!str_eq_c(found, expected)) {
        fail_msg("\"%.*s\", not \"%s\"", STR_ARG(found), expected);
    }
}

static void test_good(void **state)
{
    (void)state;
    struct folder f;
    struct web_config c;
    struct err e;
    setup(&f);
    assert_int_equal(load(&f, "", &c, &e), 0);
    assert_false(c.has_tls);
    assert_int_equal(c.users.count, 0);
    web_config_release(&c);
    assert_int_equal(load(&f, "tls_server_config: {" PAIR "}\n", &c, &e), 0);
    assert_true(c.has_tls);
    expect(c.tls.cert_pem, "the certificate");
    expect(c.tls.key_pem, "the key");
    expect(c.tls.client_ca_pem, "");
    assert_int_equal(c.tls.client_auth, WEB_CLIENT_NONE);
    assert_int_equal(c.tls.min_version, WEB_TLS12);
    assert_int_equal(c.tls.max_version, WEB_TLS13);
    web_config_release(&c);
    assert_int_equal(load(&f,
                         "tls_server_config: {cert: A, key: B, client_ca_file: clients.pem, "
                         "client_auth_type: VerifyClientCertIfGiven, min_version: TLS10, "
                         "max_version: TLS12}\n"
                         "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n"
                         "basic_auth_users: {a: " HASH ", b: " HASH "}\n",
                         &c, &e),
        0);
    expect(c.tls.cert_pem, "A");
    expect(c.tls.key_pem, "B");
    expect(c.tls.client_ca_pem, "the clients");
    assert_int_equal(c.tls.client_auth, WEB_CLIENT_VERIFY_IF_GIVEN);
    assert_int_equal(c.tls.min_version, WEB_TLS10);
    assert_int_equal(c.tls.max_version, WEB_TLS12);
    assert_int_equal(c.users.count, 2);
    assert_string_equal(c.users.items[1].value, HASH);
    assert_int_equal(c.http.headers.count, 1);
    web_config_release(&c);
    teardown(&f);
}

/* What names files changes with them. */
static void test_fingerprint(void **state)
{
    (void)state;
    struct folder f;
    struct web_config c;
    struct err e;
    uint64_t seen[3];
    static const char text[] = "tls_server_config: {" PAIR "}\n";
    setup(&f);
    for (int i = 0; i < 3; i++) {
        put(&f, "key.pem", i < 2 ? "the key" : "another key");
        assert_int_equal(load(&f, text, &c, &e), 0);
        seen[i] = c.fingerprint;
        web_config_release(&c);
    }
    assert_true(seen[0] == seen[1] && seen[1] != seen[2]);
    teardown(&f);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"tls_server_config: {cert_file: cert.pem}\n", "needs one of cert_file and cert"},
        {"tls_server_config: {" PAIR ", cert: A}\n", "needs one of cert_file and cert"},
        {"tls_server_config: {cert_file: none.pem, key_file: key.pem}\n", "none.pem"},
        {"tls_server_config: {cert_file: cert.pem, key_file: none.pem}\n", "none.pem"},
        {"tls_server_config: {" PAIR ", client_auth_type: Sure}\n", "client_auth_type is"},
        {"tls_server_config: {" PAIR ", client_ca_file: clients.pem}\n",
            "needs a client_auth_type that verifies"},
        {"tls_server_config: {" PAIR ", client_auth_type: RequireAndVerifyClientCert}\n",
            "needs client_ca_file"},
        {"tls_server_config: {" PAIR ", client_ca: A, client_ca_file: clients.pem, "
         "client_auth_type: VerifyClientCertIfGiven}\n",
            "cannot both be set"},
        {"tls_server_config: {" PAIR ", min_version: TLS14}\n", "TLS10, TLS11, TLS12 or TLS13"},
        {"tls_server_config: {" PAIR ", min_version: TLS13, max_version: TLS12}\n", "in order"},
        {"tls_server_config: {" PAIR ", cipher_suites: [a]}\n", "cannot be set"},
        {"tls_server_config: {" PAIR ", curve_preferences: [a]}\n", "cannot be set"},
        {"tls_server_config: {" PAIR ", passphrase: a}\n", "unknown key \"passphrase\""},
        {"basic_auth_users: {a: secret}\n", "needs a bcrypt hash"},
        {"basic_auth_users: {a: \"" HASH "x\"}\n", "needs a bcrypt hash"},
        {"basic_auth_users: {\"a:b\": " HASH "}\n", "needs a bcrypt hash"},
        {"basic_auth_users: {a: $2x$10$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ}\n",
            "needs a bcrypt hash"},
        {"basic_auth_users: {a: $2y$03$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ}\n",
            "needs a bcrypt hash"},
        {"basic_auth_users: {a: $2y$17$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ}\n",
            "has cost 17; at most 16"},
        {"http_server_config: {headers: {Set-Cookie: a}}\n", "\"Set-Cookie\" cannot be set"},
        {"http_server_config: {headers: {X-Frame-Options: \"a\\r\\nb\"}}\n", "one line"},
        {"basic_auth: {}\n", "unknown key \"basic_auth\""},
        {"a: [\n", "web.yml:"},
    };
    struct folder f;
    setup(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct web_config c;
        struct err e;
        int status = load(&f, cases[i].text, &c, &e);
        if (status == 0 || strstr(e.message, cases[i].says) == NULL) {
            fail_msg("%s: %d \"%s\", not \"%s\"", cases[i].text, status, e.message, cases[i].says);
        }
    }
    teardown(&f);
}

static void test_no_file(void **state)
{
    (void)state;
    struct web_config c;
    struct err e = ERR_INIT;
    assert_int_equal(web_config_load("/nowhere/web.yml", &c, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.message, "cannot read /nowhere/web.yml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
