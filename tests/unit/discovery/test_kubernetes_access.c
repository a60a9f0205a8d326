/* Ways to an API server, and which settings go together. */
#include "discovery/kubernetes_access.h"

#include <stdio.h>
#include <string.h>

#include "support/sim_vfs.h"
#include "support/support.h"

static const char *in_pod(const char *name)
{
    return strcmp(name, "KUBERNETES_SERVICE_HOST") == 0   ? "fd00::1"
           : strcmp(name, "KUBERNETES_SERVICE_PORT") == 0 ? "443"
                                                          : NULL;
}

static const char *nowhere(const char *name)
{
    (void)name;
    return NULL;
}

#define CONFIG(cluster, user)                                                                      \
    "apiVersion: v1\nkind: Config\ncurrent-context: here\n"                                        \
    "contexts:\n- name: other\n  context: {cluster: c9, user: u9}\n"                               \
    "- name: here\n  context: {cluster: c1, user: u1}\n"                                           \
    "clusters:\n- name: c1\n  cluster: {" cluster "}\nusers:\n- name: u1\n  user: {" user "}\n"
#define SERVER "server: 'https://k:6443/x/'"

static const struct {
    const char *file, *api_server;
    bool own;
    const char *(*environment)(const char *);
    /* Expected: server, profile; or a sentence. */
    const char *server, *token_file, *token, *name, *password, *ca, *cert, *key, *namespace,
        *sentence;
} rows[] = {
    {.environment = in_pod,
        .server = "https://[fd00::1]:443",
        .token_file = "/sa/token",
        .ca = "/sa/ca.crt"},
    {.environment = in_pod,
        .own = true,
        .server = "https://[fd00::1]:443",
        .token_file = "/sa/token",
        .ca = "/sa/ca.crt",
        .namespace = "mine"},
    {.environment = nowhere, .sentence = "this is no pod of a cluster"},
    {.environment = nowhere, .api_server = "http://a:1/", .server = "http://a:1"},
    {.file = CONFIG(SERVER ", certificate-authority: ca.pem", "token: abc"),
        .server = "https://k:6443/x",
        .token = "abc",
        .ca = "/conf/ca.pem"},
    {.file = CONFIG(SERVER, "tokenFile: /t, token: abc"),
        .server = "https://k:6443/x",
        .token_file = "/t"},
    {.file = CONFIG(SERVER, "client-certificate: c.pem, client-key: /k.pem"),
        .server = "https://k:6443/x",
        .cert = "/conf/c.pem",
        .key = "/k.pem"},
    {.file = CONFIG(SERVER, "username: n, password: p"),
        .server = "https://k:6443/x",
        .name = "n",
        .password = "p"},
    {.file = CONFIG(SERVER ", certificate-authority-data: Y2E=",
         "client-certificate-data: Y2VydA==, client-key-data: a2V5"),
        .server = "https://k:6443/x",
        .ca = "=ca",
        .cert = "=cert",
        .key = "=key"},
    {.file = CONFIG(SERVER, "exec: {command: aws}"),
        .sentence =
            "/conf/kube.yml: the current context's user takes its credentials from a plug-in"},
    {.file = CONFIG("server: ftp://x", ""),
        .sentence = "/conf/kube.yml: the current context's cluster has no server"},
    {.file = CONFIG(SERVER ", certificate-authority-data: '***'", ""),
        .sentence = "/conf/kube.yml: certificate-authority-data: "},
    {.file = "current-context: nobody\n",
        .sentence = "/conf/kube.yml: no cluster for the current context \"nobody\""},
    {.file = "[]", .sentence = "/conf/kube.yml: no cluster"},
    {.file = "", .sentence = "/conf/kube.yml: no cluster"},
    {.file = "a: [", .sentence = "/conf/kube.yml:"},
};

static void check_text(size_t row, const char *what, const char *got, const char *expected)
{
    char bytes[64] = "";
    if (expected != NULL && expected[0] == '=') { /* the bytes of a file in memory */
        FILE *file = got != NULL ? fopen(got, "re") : NULL;
        size_t size = file != NULL ? fread(bytes, 1, sizeof(bytes) - 1, file) : 0;
        bytes[size] = '\0';
        if (file != NULL) {
            fclose(file);
        }
        got = bytes;
        expected++;
    }
    got = got != NULL ? got : "";
    expected = expected != NULL ? expected : "";
    if (strcmp(got, expected) != 0) {
        fail_msg("row %zu: %s is \"%s\", expected \"%s\"", row, what, got, expected);
    }
}

static void check_row(size_t i, const struct discovery_options *world)
{
    struct arena arena;
    struct err e = ERR_INIT;
    struct kubernetes_access a = {.server = NULL};
    const struct kubernetes_discovery_config config = {
        .api_server = rows[i].api_server != NULL ? rows[i].api_server : "",
        .kubeconfig_file = rows[i].file != NULL ? "/conf/kube.yml" : "",
        .namespaces.own = rows[i].own};
    arena_init(&arena, 0);
    int status = kubernetes_access_open(world, &config, &arena, &a, &e);
    if (rows[i].sentence != NULL) {
        if (status == 0 || strncmp(e.message, rows[i].sentence, strlen(rows[i].sentence)) != 0) {
            fail_msg("row %zu: %d \"%s\", expected \"%s\"", i, status, e.message, rows[i].sentence);
        }
        arena_release(&arena);
        return;
    }
    if (status != 0) {
        fail_msg("row %zu: %s", i, e.message);
    }
    check_text(i, "server", a.server, rows[i].server);
    check_text(i, "token file", a.profile.authorization.credentials_file, rows[i].token_file);
    check_text(i, "token", a.profile.authorization.credentials, rows[i].token);
    check_text(i, "name", a.profile.basic_auth.username, rows[i].name);
    check_text(i, "password", a.profile.basic_auth.password, rows[i].password);
    check_text(i, "CA", a.profile.tls.ca_file, rows[i].ca);
    check_text(i, "certificate", a.profile.tls.cert_file, rows[i].cert);
    check_text(i, "key", a.profile.tls.key_file, rows[i].key);
    check_text(i, "namespace", a.own_namespace, rows[i].namespace);
    kubernetes_access_close(&a);
    arena_release(&arena);
}

static void test_access(void **state)
{
    (void)state;
    struct sim_vfs *disk = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(disk);
    assert_int_equal(vfs_mkdir(fs, "/conf"), 0);
    assert_int_equal(vfs_mkdir(fs, "/sa"), 0);
    assert_int_equal(vfs_write_file_atomic(fs, "/sa/namespace", "mine\n", 5), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct discovery_options world = {
            .vfs = fs, .service_account = "/sa", .environment = rows[i].environment};
        if (rows[i].file != NULL) {
            assert_int_equal(
                vfs_write_file_atomic(fs, "/conf/kube.yml", rows[i].file, strlen(rows[i].file)), 0);
        }
        check_row(i, &world);
    }
    assert_int_equal(vfs_remove(fs, "/conf/kube.yml"), 0);
    struct err e = ERR_INIT;
    struct arena arena;
    struct kubernetes_access a;
    const struct discovery_options world = {.vfs = fs};
    const struct kubernetes_discovery_config config = {.kubeconfig_file = "/conf/kube.yml"};
    arena_init(&arena, 0);
    assert_int_equal(kubernetes_access_open(&world, &config, &arena, &a, &e), ERR_NOT_FOUND);
    arena_release(&arena);
    sim_vfs_free(disk);
}

static void test_settings(void **state)
{
    static const struct kubernetes_selector pods = {"pod", "", ""},
                                            twice[] = {{"node", "", ""}, {"node", "", ""}};
    static const char *const many[KUBERNETES_NAMESPACES_MAX + 1] = {"n"};
    static const struct {
        struct kubernetes_discovery_config config;
        const char *sentence; /* NULL: good */
    } cases[] = {
        {{.role = "pod"}, NULL},
        {{.role = "pods"}, "role \"pods\"; accepted: pod, endpoints"},
        {{.role = "pod", .api_server = "https://a"}, NULL},
        {{.role = "pod", .api_server = "a:1"}, "api_server \"a:1\"; accepted: http://HOST"},
        {{.role = "pod", .api_server = "https://a", .kubeconfig_file = "k"},
            "api_server and kubeconfig_file exclude each other"},
        {{.role = "pod", .profile.bearer_token = "x"},
            "credentials, certificates and proxies need"},
        {{.role = "pod", .api_server = "https://a", .profile.bearer_token = "x"}, NULL},
        {{.role = "pod", .kubeconfig_file = "k", .profile.bearer_token = "x"},
            "kubeconfig_file brings its own credentials"},
        {{.role = "pod", .namespaces.own = true}, NULL},
        {{.role = "pod", .api_server = "https://a", .namespaces.own = true},
            "own_namespace is that of the agent's own pod"},
        {{.role = "pod",
             .namespaces.names = {(const char **)(uintptr_t)many, KUBERNETES_NAMESPACES_MAX + 1}},
            "51 namespaces; at most 50"},
        {{.role = "endpoints", .selectors = {(void *)(uintptr_t)&pods, 1}}, NULL},
        {{.role = "service", .selectors = {(void *)(uintptr_t)&pods, 1}},
            "selectors: role \"pod\"; role service accepts selectors for service"},
        {{.role = "node", .selectors = {(void *)(uintptr_t)twice, 2}},
            "selectors: role \"node\" comes twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct kubernetes_discovery_config c = cases[i].config;
        c.api_server = c.api_server != NULL ? c.api_server : "";
        c.kubeconfig_file = c.kubeconfig_file != NULL ? c.kubeconfig_file : "";
        c.profile.follow_redirects = true;
        int status = kubernetes_config_check(&c, &e);
        if (cases[i].sentence == NULL
                ? status != 0
                : strncmp(e.message, cases[i].sentence, strlen(cases[i].sentence)) != 0) {
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, e.message,
                cases[i].sentence != NULL ? cases[i].sentence : "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
