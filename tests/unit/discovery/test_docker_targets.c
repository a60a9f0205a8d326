/* Answers of the Docker Engine API into targets. */
#include "discovery/docker_targets.h"

#include <string.h>

#include "support/support.h"

#define NETWORKS                                                                                   \
    "[{\"Id\":\"n1\",\"Name\":\"front\",\"Scope\":\"local\",\"Internal\":false,\"Ingress\":true,"  \
    "\"Labels\":{\"tier.x\":\"web\"}},{\"Id\":\"n2\",\"Name\":\"back\",\"Scope\":\"local\","       \
    "\"Internal\":true,\"Ingress\":false,\"Labels\":{}}]"
#define ENDPOINT(id, ip) "{\"NetworkID\":\"" id "\",\"IPAddress\":\"" ip "\"}"
#define CONTAINER(id, mode, ports, networks)                                                       \
    "{\"Id\":\"" id "\",\"Names\":[\"/" id "\"],\"Labels\":{\"a-b\":\"c\"},\"Ports\":[" ports      \
    "],\"HostConfig\":{\"NetworkMode\":\"" mode "\"},\"NetworkSettings\":{\"Networks\":{" networks \
    "}}}"
#define TCP "{\"IP\":\"0.0.0.0\",\"PrivatePort\":8080,\"PublicPort\":80,\"Type\":\"tcp\"}"
#define UDP "{\"PrivatePort\":53,\"Type\":\"udp\"}"

#define OF(id, mode)                                                                               \
    " __meta_docker_container_id=" id " __meta_docker_container_label_a_b=c"                       \
    " __meta_docker_container_name=/" id " __meta_docker_container_network_mode=" mode
#define FRONT(ip)                                                                                  \
    " __meta_docker_network_id=n1 __meta_docker_network_ingress=true"                              \
    " __meta_docker_network_internal=false __meta_docker_network_ip=" ip                           \
    " __meta_docker_network_label_tier_x=web __meta_docker_network_name=front"                     \
    " __meta_docker_network_scope=local"
#define BACK(ip)                                                                                   \
    " __meta_docker_network_id=n2 __meta_docker_network_ingress=false"                             \
    " __meta_docker_network_internal=true __meta_docker_network_ip=" ip                            \
    " __meta_docker_network_name=back __meta_docker_network_scope=local"

static const struct {
    const char *containers, *networks, *expected;
    bool all_networks;
} rows[] = {
    {"[]", "[]", "", false},
    {"[" CONTAINER("c1", "front", TCP "," UDP, "\"front\":" ENDPOINT("n1", "10.1.0.2")) "]",
        NETWORKS,
        "__address__=10.1.0.2:8080" OF("c1", "front")
            FRONT("10.1.0.2") " __meta_docker_port_private=8080 __meta_docker_port_public=80"
                              " __meta_docker_port_public_ip=0.0.0.0\n",
        false},
    /* No port by TCP: the entry's own. */
    {"[" CONTAINER("c1", "front", UDP, "\"front\":" ENDPOINT("n1", "10.1.0.2")) "]", NETWORKS,
        "__address__=10.1.0.2:9999" OF("c1", "front") FRONT("10.1.0.2") "\n", false},
    /* The host's network has neither addresses nor ports. */
    {"[" CONTAINER("c1", "host", "", "\"host\":" ENDPOINT("n3", "")) "]", NETWORKS,
        "__address__=node.local" OF("c1", "host") "\n", false},
    /* Two networks: the first by name, or both. */
    {"[" CONTAINER("c1", "front", UDP,
         "\"front\":" ENDPOINT("n1", "10.1.0.2") ",\"back\":" ENDPOINT("n2", "10.2.0.2")) "]",
        NETWORKS, "__address__=10.2.0.2:9999" OF("c1", "front") BACK("10.2.0.2") "\n", false},
    {"[" CONTAINER("c1", "front", UDP,
         "\"front\":" ENDPOINT("n1", "10.1.0.2") ",\"back\":" ENDPOINT("n2", "10.2.0.2")) "]",
        NETWORKS,
        "__address__=10.2.0.2:9999" OF("c1", "front")
            BACK("10.2.0.2") "\n"
                             "__address__=10.1.0.2:9999" OF("c1", "front") FRONT("10.1.0.2") "\n",
        true},
    /* In the network of another container; of itself, for ever. */
    {"[" CONTAINER("c1", "front", UDP, "\"front\":" ENDPOINT("n1", "10.1.0.2")) "," CONTAINER(
         "c2", "container:c1", "", "") "," CONTAINER("c3", "container:c3", "", "") "]",
        NETWORKS,
        "__address__=10.1.0.2:9999" OF("c1", "front") FRONT(
            "10.1.0.2") "\n"
                        "__address__=10.1.0.2:9999" OF("c2", "container:c1") FRONT("10.1.0.2") "\n",
        false},
    {"[1, null, {}, {\"Names\":[]}, {\"Names\":[1]}]", "[2]", "", false},
    {"{}", "[]", "!/containers/json: not a list", false},
    {"[", "[]", "!/containers/json: not a list in JSON: ", false},
    {"[]", "{}", "!/networks: not a list", false},
};

static void write_target(const struct labels *target, struct strbuf *out)
{
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        strbuf_addf(
            out, "%s%.*s=%.*s", i > 0 ? " " : "", STR_ARG(label.name), STR_ARG(label.value));
    }
    strbuf_add_char(out, '\n');
}

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct docker_discovery_config config = {.port = 9999,
            .host_networking_host = "node.local",
            .match_first_network = !rows[i].all_networks};
        struct target_list list = {0};
        struct err e = ERR_INIT;
        struct strbuf got = STRBUF_INIT;
        int status = docker_targets_make(
            &config, str_of(rows[i].containers), str_of(rows[i].networks), &list, &e);
        if (status != 0) {
            strbuf_addf(&got, "!%s", e.message);
        }
        for (size_t k = 0; status == 0 && k < list.count; k++) {
            write_target(list.items[k], &got);
        }
        strbuf_add_char(&got, '\0');
        bool good = rows[i].expected[0] == '!'
                        ? strncmp(got.data, rows[i].expected, strlen(rows[i].expected)) == 0
                        : strcmp(got.data, rows[i].expected) == 0;
        if (!good) {
            fail_msg("row %zu gave\n%s\nexpected\n%s", i, got.data, rows[i].expected);
        }
        strbuf_release(&got);
        target_list_release(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
