/* What discovery is given: the outside world, and what a job says: Prometheus' *_sd_configs, a struct and
 * a table for each kind. */
#ifndef SONDE_DISCOVERY_DISCOVERY_CONFIG_H
#define SONDE_DISCOVERY_DISCOVERY_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/http_client.h"
#include "base/http_profile.h"
#include "base/loop.h"
#include "base/vfs.h"
#include "base/workpool.h"

/* Asks for records of a type (RFC 1035's number): the answer as it came, of 0 bytes when there are none.
 * 0, ERR_IO, ERR_LIMIT. Called on a side thread. */
typedef int (*dns_resolve)(
    const char *name, int type, uint8_t *answer, size_t cap, size_t *size_out);

/* All are borrowed. */
struct discovery_options {
    struct clock *clock;
    struct http_client *client;
    struct vfs *vfs;
    struct workpool *pool; /* for lookups, which wait; closed after discovery. NULL: in place */
    dns_resolve resolve;   /* NULL: the system's resolver */
    struct loop *loop; /* NULL: nothing is watched, sources are asked at their intervals alone */
    const char *(*environment)(const char *name); /* NULL: this process's */
    const char *service_account; /* folder of a pod's own account; NULL: where Kubernetes puts it */
};

struct file_discovery_config {
    struct config_strings files; /* the last part of a path may hold one star */
    int64_t refresh_ms;
};

struct http_discovery_config {
    const char *url;
    int64_t refresh_ms;
    struct http_profile profile;
};

struct dns_discovery_config {
    struct config_strings names;
    const char *type;
    int64_t port, refresh_ms;
};

struct docker_filter {
    const char *name;
    struct config_strings values;
};

struct docker_discovery_config {
    const char *host, *host_networking_host;
    int64_t port, refresh_ms;
    bool match_first_network;
    struct config_list filters; /* struct docker_filter */
    struct http_profile profile;
};

struct consul_discovery_config {
    const char *server, *scheme, *path_prefix;
    const char *token, *username, *password;
    const char *datacenter, *namespace, *partition;
    const char *tag_separator;
    struct config_strings services, tags;
    struct config_map node_meta;
    const char *filter, *health_filter;
    bool allow_stale;
    int64_t refresh_ms;
    struct http_profile profile;
};

/* Limits a role's own objects, or those that are joined with them, at the API server. */
struct kubernetes_selector {
    const char *role, *label, *field;
};

struct kubernetes_namespaces {
    bool own;
    struct config_strings names;
};

/* Labels of objects that stand beside a target's. */
struct kubernetes_attach {
    bool node, namespace, deployment, job, cronjob;
};

struct kubernetes_discovery_config {
    const char *role, *api_server, *kubeconfig_file;
    struct kubernetes_namespaces namespaces;
    struct config_list selectors; /* struct kubernetes_selector */
    struct kubernetes_attach attach;
    struct http_profile profile;
};

extern const struct config_field consul_discovery_fields[];
extern const struct config_field dns_discovery_fields[];
extern const struct config_field docker_discovery_fields[];
extern const struct config_field file_discovery_fields[];
extern const struct config_field http_discovery_fields[];
extern const struct config_field kubernetes_discovery_fields[];

/* All kinds of one job; each list holds the structs above. */
struct discovery_configs {
    struct config_list consul, dns, docker, file, http, kubernetes;
};

#define DISCOVERY_ROW(type, which, text)                                                           \
    {                                                                                              \
        .key = #which "_sd_configs", .kind = CONFIG_LIST,                                          \
        .offset = offsetof(type, discovery.which), .fields = which##_discovery_fields,             \
        .item_size = sizeof(struct which##_discovery_config), .help = (text)                       \
    }
/* What Prometheus and vmagent know beside these. */
#define DISCOVERY_REFUSED(which)                                                                   \
    {                                                                                              \
        .key = #which "_sd_configs", .kind = CONFIG_REFUSED,                                       \
        .help = "not among the kinds of discovery here (consul, dns, docker, file, http, "         \
                "kubernetes); let a program that knows these targets list them for "               \
                "file_sd_configs or http_sd_configs"                                               \
    }
#define DISCOVERY_OTHERS                                                                           \
    DISCOVERY_REFUSED(aws), DISCOVERY_REFUSED(azure), DISCOVERY_REFUSED(consulagent),              \
        DISCOVERY_REFUSED(digitalocean), DISCOVERY_REFUSED(dockerswarm), DISCOVERY_REFUSED(ec2),   \
        DISCOVERY_REFUSED(eureka), DISCOVERY_REFUSED(gce), DISCOVERY_REFUSED(hetzner),             \
        DISCOVERY_REFUSED(ionos), DISCOVERY_REFUSED(kuma), DISCOVERY_REFUSED(lightsail),           \
        DISCOVERY_REFUSED(linode), DISCOVERY_REFUSED(marathon), DISCOVERY_REFUSED(nerve),          \
        DISCOVERY_REFUSED(nomad), DISCOVERY_REFUSED(oci), DISCOVERY_REFUSED(openstack),            \
        DISCOVERY_REFUSED(outscale), DISCOVERY_REFUSED(ovhcloud), DISCOVERY_REFUSED(puppetdb),     \
        DISCOVERY_REFUSED(scaleway), DISCOVERY_REFUSED(serverset), DISCOVERY_REFUSED(stackit),     \
        DISCOVERY_REFUSED(triton), DISCOVERY_REFUSED(uyuni), DISCOVERY_REFUSED(vultr),             \
        DISCOVERY_REFUSED(yandexcloud)

/* Rows of the table of a struct that has `struct discovery_configs discovery`. */
#define DISCOVERY_FIELDS(type)                                                                     \
    DISCOVERY_ROW(type, consul, "Services of a Consul catalog"),                                   \
        DISCOVERY_ROW(type, dns, "Targets named by records of the domain name system"),            \
        DISCOVERY_ROW(type, docker, "Containers of a Docker Engine"),                              \
        DISCOVERY_ROW(type, file, "Targets in files"),                                             \
        DISCOVERY_ROW(type, http, "Targets listed by a web server"),                               \
        DISCOVERY_ROW(type, kubernetes, "Objects of a Kubernetes cluster"), DISCOVERY_OTHERS

#endif
