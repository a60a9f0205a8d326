/* Objects of the Kubernetes API into targets: shapes as the API's reference gives them, labels as
 * Prometheus' documentation of kubernetes_sd_config names them. */
#include "discovery/kubernetes_targets.h"

#include <string.h>

#include "support/support.h"

#define META "__meta_kubernetes_"

/* ---- A cluster of a few objects ---- */

#define POD_JSON                                                                                   \
    "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"u-1\","                    \
    "\"labels\":{\"app.kubernetes.io/name\":\"web\"},\"annotations\":{\"prometheus.io/scrape\":"   \
    "\"true\"},\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"x\"},{\"kind\":\"ReplicaSet\"," \
    "\"name\":\"web-7d\",\"controller\":true}]},\"spec\":{\"nodeName\":\"n1\",\"containers\":["    \
    "{\"name\":\"app\",\"image\":\"shop/web:2\",\"ports\":[{\"name\":\"http\",\"containerPort\":"  \
    "8080,\"protocol\":\"TCP\"},{\"containerPort\":9090,\"protocol\":\"TCP\"}]},"                  \
    "{\"name\":\"side\",\"image\":\"side:1\"}],\"initContainers\":[{\"name\":\"init\",\"image\":"  \
    "\"init:1\",\"ports\":[{\"name\":\"i\",\"containerPort\":7070,\"protocol\":\"TCP\"}]}]},"      \
    "\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.7\",\"hostIP\":\"192.168.0.1\","         \
    "\"conditions\":[{\"type\":\"Initialized\",\"status\":\"True\"},{\"type\":\"Ready\","          \
    "\"status\":\"True\"}],\"containerStatuses\":[{\"name\":\"app\",\"containerID\":\"c://a\"}],"  \
    "\"initContainerStatuses\":[{\"name\":\"init\",\"containerID\":\"c://i\"}]}}"

static const struct {
    enum kubernetes_resource resource;
    const char *key, *json;
} cluster[] = {
    {KUBERNETES_PODS, "shop/web-1", POD_JSON},
    {KUBERNETES_NODES, "n1",
        "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"zone\":\"z1\"},\"annotations\":{\"a\":"
        "\"b\"}}}"},
    {KUBERNETES_NAMESPACES, "shop",
        "{\"metadata\":{\"name\":\"shop\",\"labels\":{\"team\":\"t1\"},\"annotations\":{\"n\":"
        "\"m\"}}}"},
    {KUBERNETES_REPLICA_SETS, "shop/web-7d",
        "{\"metadata\":{\"ownerReferences\":[{\"kind\":\"Deployment\",\"name\":\"web\","
        "\"controller\":true}]}}"},
    {KUBERNETES_JOBS, "shop/nightly-1",
        "{\"metadata\":{\"ownerReferences\":[{\"kind\":\"CronJob\",\"name\":\"nightly\","
        "\"controller\":true}]}}"},
    {KUBERNETES_SERVICES, "shop/web",
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"s\":\"1\"}}}"},
    {KUBERNETES_SERVICES, "shop/dual",
        "{\"metadata\":{\"name\":\"dual\"},\"spec\":{\"ipFamilyPolicy\":\"PreferDualStack\","
        "\"ipFamilies\":[\"IPv4\",\"IPv6\"]}}"},
};

static json_t *find(void *context, enum kubernetes_resource resource, struct str key)
{
    (void)context;
    for (size_t i = 0; i < sizeof(cluster) / sizeof(cluster[0]); i++) {
        if (cluster[i].resource == resource && str_eq_c(key, cluster[i].key)) {
            return json_loads(cluster[i].json, 0, NULL);
        }
    }
    return NULL;
}

/* ---- Labels ---- */

#define POD_LABELS                                                                                 \
    " " META "pod_annotation_prometheus_io_scrape=true " META                                      \
    "pod_annotationpresent_prometheus_io_scrape=true"
#define CONTROLLER " " META "pod_controller_kind=ReplicaSet " META "pod_controller_name=web-7d"
#define POD_REST(deployment)                                                                       \
    deployment " " META "pod_host_ip=192.168.0.1 " META "pod_ip=10.0.0.7 " META                    \
               "pod_label_app_kubernetes_io_name=web " META                                        \
               "pod_labelpresent_app_kubernetes_io_name=true " META "pod_name=web-1 " META         \
               "pod_node_name=n1 " META "pod_phase=Running " META "pod_ready=true " META           \
               "pod_uid=u-1"
#define CONTAINER(id, image, init, name)                                                           \
    id " " META "pod_container_image=" image " " META "pod_container_init=" init " " META          \
       "pod_container_name=" name
#define ID(id) " " META "pod_container_id=" id
#define PORT(name, number)                                                                         \
    name " " META "pod_container_port_number=" number " " META "pod_container_port_protocol=TCP"
#define NAMED(name) " " META "pod_container_port_name=" name
#define NAMESPACE " " META "namespace=shop"

/* The four targets of the pod of the cluster; the other way from which its labels may come is `more`. */
#define POD_TARGETS(before, after)                                                                 \
    "__address__=10.0.0.7:8080" before POD_LABELS CONTAINER(                                       \
        ID("c://a"), "shop/web:2", "false", "app") PORT(NAMED("http"), "8080") CONTROLLER          \
    POD_REST(                                                                                      \
        after) "\n"                                                                                \
               "__address__=10.0.0.7:9090" before POD_LABELS                                       \
               CONTAINER(ID("c://a"), "shop/web:2", "false", "app") PORT("", "9090") CONTROLLER    \
               POD_REST(after) "\n"                                                                \
                               "__address__=10.0.0.7" before POD_LABELS CONTAINER(                 \
                                   "", "side:1", "false", "side") CONTROLLER                       \
                               POD_REST(after) "\n"                                                \
                                               "__address__=10.0.0.7:7070" before POD_LABELS       \
                                               CONTAINER(ID("c://i"), "init:1", "true", "init")    \
                                                   PORT(NAMED("i"), "7070") CONTROLLER             \
                                                   POD_REST(after) "\n"

#define NODE_LABELS                                                                                \
    " " META "node_annotation_a=b " META "node_annotationpresent_a=true " META                     \
    "node_label_zone=z1 " META "node_labelpresent_zone=true " META "node_name=n1"
#define NAMESPACE_LABELS                                                                           \
    " " META "namespace_annotation_n=m " META "namespace_annotationpresent_n=true " META           \
    "namespace_label_team=t1 " META "namespace_labelpresent_team=true"

/* What an endpoint of the pod's port 8080 and the other ports of that pod give. */
#define BEHIND                                                                                     \
    POD_LABELS CONTAINER("", "shop/web:2", "false", "app") PORT(NAMED("http"), "8080")             \
        CONTROLLER POD_REST("")
#define SERVICE                                                                                    \
    " " META "service_label_s=1 " META "service_labelpresent_s=true " META "service_name=web"

static const struct kubernetes_attach none, nodes = {.node = true},
                                            all = {true, true, true, true, true};

static const struct {
    enum kubernetes_role role;
    const struct kubernetes_attach *attach;
    const char *json, *expected;
} rows[] = {
    {KUBERNETES_POD, &none, POD_JSON, POD_TARGETS(NAMESPACE, "")},
    {KUBERNETES_POD, &nodes, POD_JSON, POD_TARGETS(NAMESPACE NODE_LABELS, "")},
    {KUBERNETES_POD, &all, POD_JSON,
        POD_TARGETS(NAMESPACE NAMESPACE_LABELS NODE_LABELS, " " META "pod_deployment_name=web")},
    /* Of a job; in a network of IPv6; not ready for want of a condition. */
    {KUBERNETES_POD, &(const struct kubernetes_attach){.job = true, .cronjob = true},
        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"shop\",\"ownerReferences\":[{\"kind\":"
        "\"Job\",\"name\":\"nightly-1\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":"
        "\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":1,\"protocol\":\"UDP\"}]}]},"
        "\"status\":{\"podIP\":\"fd00::1\"}}",
        "__address__=[fd00::1]:1" NAMESPACE CONTAINER("", "i", "false",
            "c") " " META "pod_container_port_number=1 " META
                 "pod_container_port_protocol=UDP " META "pod_controller_kind=Job " META
                 "pod_controller_name=nightly-1 " META "pod_cronjob_name=nightly " META
                 "pod_ip=fd00::1 " META "pod_job_name=nightly-1 " META "pod_name=n " META
                 "pod_ready=unknown\n"},
    /* No address yet; on a node that is not listed. */
    {KUBERNETES_POD, &none,
        "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"status\":{}"
        "}",
        ""},
    {KUBERNETES_POD, &nodes,
        "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"nodeName\":\"n9\",\"containers\":[{\"name\":"
        "\"c\"}]},\"status\":{\"podIP\":\"10.0.0.9\"}}",
        ""},

    {KUBERNETES_NODE, &none,
        "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"zone\":\"z1\"}},\"spec\":{\"providerID\":"
        "\"p://1\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":"
        "\"MemoryPressure\",\"status\":\"Unknown\"}],\"addresses\":[{\"type\":\"ExternalIP\","
        "\"address\":\"1.2.3.4\"},{\"type\":\"InternalIP\",\"address\":\"10.1.0.1\"},{\"type\":"
        "\"InternalIP\",\"address\":\"10.1.0.2\"}],\"daemonEndpoints\":{\"kubeletEndpoint\":"
        "{\"Port\":10250}}}}",
        "__address__=10.1.0.1:10250 " META "node_address_ExternalIP=1.2.3.4 " META
        "node_address_InternalIP=10.1.0.1 " META "node_condition_memorypressure=unknown " META
        "node_condition_ready=true " META "node_label_zone=z1 " META
        "node_labelpresent_zone=true " META "node_name=n1 " META
        "node_provider_id=p://1 instance=n1\n"},
    {KUBERNETES_NODE, &none, "{\"metadata\":{\"name\":\"n1\"},\"status\":{}}", ""},

    {KUBERNETES_SERVICE, &none,
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"s\":\"1\"}},\"spec\":"
        "{\"type\":\"ClusterIP\",\"clusterIP\":\"10.2.0.1\",\"ports\":[{\"name\":\"http\",\"port\":"
        "80,\"protocol\":\"TCP\"},{\"port\":81,\"protocol\":\"TCP\"}]}}",
        "__address__=web.shop.svc:80" NAMESPACE " " META "service_cluster_ip=10.2.0.1 " META
        "service_label_s=1 " META "service_labelpresent_s=true " META "service_name=web " META
        "service_port_name=http " META "service_port_number=80 " META
        "service_port_protocol=TCP " META "service_type=ClusterIP\n"
        "__address__=web.shop.svc:81" NAMESPACE " " META "service_cluster_ip=10.2.0.1 " META
        "service_label_s=1 " META "service_labelpresent_s=true " META "service_name=web " META
        "service_port_number=81 " META "service_port_protocol=TCP " META
        "service_type=ClusterIP\n"},
    {KUBERNETES_SERVICE, &all,
        "{\"metadata\":{\"name\":\"out\",\"namespace\":\"shop\"},\"spec\":{\"type\":"
        "\"ExternalName\",\"externalName\":\"db.example\",\"ports\":[{\"port\":5432,\"protocol\":"
        "\"TCP\"}]}}",
        "__address__=out.shop.svc:5432" NAMESPACE NAMESPACE_LABELS " " META
        "service_external_name=db.example " META "service_name=out " META
        "service_port_number=5432 " META "service_port_protocol=TCP " META
        "service_type=ExternalName\n"},
    {KUBERNETES_SERVICE, &none,
        "{\"metadata\":{\"name\":\"lb\",\"namespace\":\"shop\"},\"spec\":{\"type\":"
        "\"LoadBalancer\",\"clusterIP\":\"10.2.0.2\",\"loadBalancerIP\":\"9.9.9.9\",\"ports\":"
        "[{\"port\":80}]},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.1.1.1\"},"
        "{\"hostname\":\"h\"},{\"ip\":\"1.1.1.2\"}]}}}",
        "__address__=lb.shop.svc:80" NAMESPACE " " META "service_cluster_ip=10.2.0.2 " META
        "service_loadbalancer_ip=1.1.1.1,1.1.1.2 " META "service_name=lb " META
        "service_port_number=80 " META "service_type=LoadBalancer\n"},
    {KUBERNETES_SERVICE, &none,
        "{\"metadata\":{\"name\":\"lb\",\"namespace\":\"shop\"},\"spec\":{\"type\":"
        "\"LoadBalancer\",\"loadBalancerIP\":\"9.9.9.9\",\"ports\":[{\"port\":80}]}}",
        "__address__=lb.shop.svc:80" NAMESPACE " " META "service_loadbalancer_ip=9.9.9.9 " META
        "service_name=lb " META "service_port_number=80 " META "service_type=LoadBalancer\n"},

    {KUBERNETES_INGRESS, &none,
        "{\"metadata\":{\"name\":\"i\",\"namespace\":\"shop\"},\"spec\":{\"ingressClassName\":"
        "\"nginx\",\"tls\":[{\"hosts\":[\"a.example\",\"*.b.example\"]}],\"rules\":[{\"host\":"
        "\"a.example\",\"http\":{\"paths\":[{\"path\":\"/x\"},{}]}},{\"host\":\"c.b.example\"},"
        "{\"host\":\"d.c.b.example\",\"http\":{\"paths\":[]}},{\"host\":\"e.example\",\"http\":"
        "{\"paths\":[{\"path\":\"/\"}]}}]}}",
        "__address__=a.example" NAMESPACE " " META "ingress_class_name=nginx " META
        "ingress_host=a.example " META "ingress_name=i " META "ingress_path=/x " META
        "ingress_scheme=https\n"
        "__address__=a.example" NAMESPACE " " META "ingress_class_name=nginx " META
        "ingress_host=a.example " META "ingress_name=i " META "ingress_path=/ " META
        "ingress_scheme=https\n"
        "__address__=c.b.example" NAMESPACE " " META "ingress_class_name=nginx " META
        "ingress_host=c.b.example " META "ingress_name=i " META "ingress_path=/ " META
        "ingress_scheme=https\n"
        "__address__=e.example" NAMESPACE " " META "ingress_class_name=nginx " META
        "ingress_host=e.example " META "ingress_name=i " META "ingress_path=/ " META
        "ingress_scheme=http\n"},

    {KUBERNETES_ENDPOINTS, &none,
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"e\":\"1\"}},"
        "\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.7\",\"nodeName\":\"n1\",\"hostname\":\"h\","
        "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"web-1\"}}],"
        "\"notReadyAddresses\":[{\"ip\":\"10.0.0.8\"}],\"ports\":[{\"name\":\"web\",\"port\":8080,"
        "\"protocol\":\"TCP\"}]}]}",
        "__address__=10.0.0.7:8080 " META "endpoint_address_target_kind=Pod " META
        "endpoint_address_target_name=web-1 " META "endpoint_hostname=h " META
        "endpoint_node_name=n1 " META "endpoint_port_name=web " META
        "endpoint_port_protocol=TCP " META "endpoint_ready=true " META "endpoints_label_e=1 " META
        "endpoints_labelpresent_e=true " META "endpoints_name=web" NAMESPACE BEHIND SERVICE "\n"
        "__address__=10.0.0.8:8080 " META "endpoint_port_name=web " META
        "endpoint_port_protocol=TCP " META "endpoint_ready=false " META "endpoints_label_e=1 " META
        "endpoints_labelpresent_e=true " META "endpoints_name=web" NAMESPACE SERVICE "\n"
        /* Ports of the pod that no endpoint names. */
        "__address__=10.0.0.7:9090 " META "endpoints_label_e=1 " META
        "endpoints_labelpresent_e=true " META "endpoints_name=web" NAMESPACE POD_LABELS CONTAINER(
            "", "shop/web:2", "false", "app") PORT("", "9090") CONTROLLER POD_REST("") SERVICE
        "\n"
        "__address__=10.0.0.7:7070 " META "endpoints_label_e=1 " META
        "endpoints_labelpresent_e=true " META
        "endpoints_name=web" NAMESPACE POD_LABELS CONTAINER("", "init:1", "true", "init")
            PORT(NAMED("i"), "7070") CONTROLLER POD_REST("") SERVICE "\n"},
    /* Without service or pod; of a node. */
    {KUBERNETES_ENDPOINTS, &nodes,
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"shop\"},\"subsets\":[{\"addresses\":[{"
        "\"ip\":"
        "\"10.0.0.1\",\"targetRef\":{\"kind\":\"Node\",\"name\":\"n1\"}},{\"ip\":\"10.0.0.2\","
        "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"gone\"}}],\"ports\":"
        "[{\"port\":1}]}]}",
        "__address__=10.0.0.1:1 " META "endpoint_address_target_kind=Node " META
        "endpoint_address_target_name=n1 " META "endpoint_ready=true " META
        "endpoints_name=x" NAMESPACE NODE_LABELS "\n"
        "__address__=10.0.0.2:1 " META "endpoint_address_target_kind=Pod " META
        "endpoint_address_target_name=gone " META "endpoint_ready=true " META
        "endpoints_name=x" NAMESPACE "\n"},

    {KUBERNETES_ENDPOINTSLICE, &all,
        "{\"metadata\":{\"name\":\"web-x\",\"namespace\":\"shop\",\"labels\":{"
        "\"kubernetes.io/service-name\":\"web\"}},\"addressType\":\"IPv4\",\"ports\":[{\"name\":"
        "\"http\",\"port\":8080,\"protocol\":\"TCP\",\"appProtocol\":\"h2c\"},{\"name\":\"any\"}],"
        "\"endpoints\":[{\"addresses\":[\"10.0.0.9\"],\"hostname\":\"h\",\"nodeName\":\"n1\","
        "\"zone\":\"z1\",\"conditions\":{\"ready\":true,\"serving\":false,\"terminating\":null},"
        "\"deprecatedTopology\":{\"a/b\":\"c\"}}]}",
        "__address__=10.0.0.9:8080 " META "endpointslice_address_type=IPv4 " META
        "endpointslice_endpoint_conditions_ready=true " META
        "endpointslice_endpoint_conditions_serving=false " META
        "endpointslice_endpoint_hostname=h " META "endpointslice_endpoint_node_name=n1 " META
        "endpointslice_endpoint_topology_a_b=c " META
        "endpointslice_endpoint_topology_present_a_b=true " META
        "endpointslice_endpoint_zone=z1 " META
        "endpointslice_label_kubernetes_io_service_name=web " META
        "endpointslice_labelpresent_kubernetes_io_service_name=true " META
        "endpointslice_name=web-x " META "endpointslice_port=8080 " META
        "endpointslice_port_app_protocol=h2c " META "endpointslice_port_name=http " META
        "endpointslice_port_protocol=TCP" NAMESPACE NAMESPACE_LABELS NODE_LABELS SERVICE "\n"
        "__address__=10.0.0.9 " META "endpointslice_address_type=IPv4 " META
        "endpointslice_endpoint_conditions_ready=true " META
        "endpointslice_endpoint_conditions_serving=false " META
        "endpointslice_endpoint_hostname=h " META "endpointslice_endpoint_node_name=n1 " META
        "endpointslice_endpoint_topology_a_b=c " META
        "endpointslice_endpoint_topology_present_a_b=true " META
        "endpointslice_endpoint_zone=z1 " META
        "endpointslice_label_kubernetes_io_service_name=web " META
        "endpointslice_labelpresent_kubernetes_io_service_name=true " META
        "endpointslice_name=web-x " META
        "endpointslice_port_name=any" NAMESPACE NAMESPACE_LABELS NODE_LABELS SERVICE "\n"},
    {KUBERNETES_ENDPOINTSLICE, &none,
        "{\"metadata\":{\"name\":\"s\",\"namespace\":\"shop\"},\"addressType\":\"IPv4\",\"ports\":"
        "[{\"name\":\"p\",\"port\":8080,\"protocol\":\"TCP\"},{\"port\":9090},{\"port\":7070}],"
        "\"endpoints\":[{\"addresses\":[\"10.0.0.7\"],\"targetRef\":{\"kind\":\"Pod\","
        "\"namespace\":\"shop\",\"name\":\"web-1\"}}]}",
        "__address__=10.0.0.7:8080 " META "endpointslice_address_target_kind=Pod " META
        "endpointslice_address_target_name=web-1 " META "endpointslice_address_type=IPv4 " META
        "endpointslice_name=s " META "endpointslice_port=8080 " META
        "endpointslice_port_name=p " META "endpointslice_port_protocol=TCP" NAMESPACE BEHIND "\n"
        "__address__=10.0.0.7:9090 " META "endpointslice_address_target_kind=Pod " META
        "endpointslice_address_target_name=web-1 " META "endpointslice_address_type=IPv4 " META
        "endpointslice_name=s " META
        "endpointslice_port=9090" NAMESPACE POD_LABELS CONTAINER("", "shop/web:2", "false", "app")
            PORT("", "9090") CONTROLLER POD_REST(
                "") "\n"
                    "__address__=10.0.0.7:7070 " META "endpointslice_address_target_kind=Pod " META
                    "endpointslice_address_target_name=web-1 " META
                    "endpointslice_address_type=IPv4 " META "endpointslice_name=s " META
                    "endpointslice_port=7070" NAMESPACE POD_LABELS CONTAINER("", "init:1", "true",
                        "init") PORT(NAMED("i"), "7070") CONTROLLER POD_REST("") "\n"},
    /* The second family of a service of two. */
    {KUBERNETES_ENDPOINTSLICE, &none,
        "{\"metadata\":{\"name\":\"s\",\"namespace\":\"shop\",\"labels\":{"
        "\"kubernetes.io/service-name\":\"dual\"}},\"addressType\":\"IPv6\",\"ports\":[{\"port\":"
        "1}],\"endpoints\":[{\"addresses\":[\"fd00::1\"]}]}",
        ""},

    /* What is not as it should be gives nothing, or less. */
    {KUBERNETES_POD, &all, "{}", ""},
    {KUBERNETES_POD, &none, "{\"spec\":[1],\"status\":{\"podIP\":\"1.1.1.1\"},\"metadata\":7}", ""},
    {KUBERNETES_POD, &none,
        "{\"spec\":{\"containers\":[null,{\"ports\":[{\"containerPort\":-1}]}]},\"status\":"
        "{\"podIP\":\"1.1.1.1\",\"conditions\":{}}}",
        "__address__=1.1.1.1 " META "pod_container_init=false " META "pod_ip=1.1.1.1 " META
        "pod_ready=unknown\n"
        "__address__=1.1.1.1:0 " META "pod_container_init=false " META
        "pod_container_port_number=0 " META "pod_ip=1.1.1.1 " META "pod_ready=unknown\n"},
    {KUBERNETES_NODE, &none, "{\"status\":{\"addresses\":[{\"type\":\"InternalIP\"}]}}", ""},
    {KUBERNETES_SERVICE, &all, "{\"spec\":{\"ports\":7}}", ""},
    {KUBERNETES_INGRESS, &all, "{\"spec\":{\"rules\":[[]],\"tls\":[7]}}",
        META "ingress_path=/ " META "ingress_scheme=http\n"},
    {KUBERNETES_ENDPOINTS, &all, "{\"subsets\":[1,{\"addresses\":7,\"ports\":[1]}]}", ""},
    {KUBERNETES_ENDPOINTSLICE, &all, "{\"endpoints\":[1],\"ports\":[1]}", ""},
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

static void make(size_t row, const json_t *object, struct strbuf *out)
{
    struct target_list list = {0};
    struct kubernetes_making m = {.attach = rows[row].attach, .find = find, .list = &list};
    assert_int_equal(kubernetes_targets_make(&m, rows[row].role, object), 0);
    strbuf_reset(out);
    strbuf_add_c(out, "");
    for (size_t i = 0; i < list.count; i++) {
        write_target(list.items[i], out);
    }
    target_list_release(&list);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The words of each line in order, so that rows may group labels by where they come from. */
static void sort_words(struct str text, struct strbuf *out)
{
    struct str words[128];
    strbuf_reset(out);
    strbuf_add_c(out, "");
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        size_t count = 0;
        while (line.len > 0) {
            assert_true(count < 128);
            words[count++] = str_split(&line, ' ');
        }
        qsort(words, count, sizeof(words[0]), by_text);
        for (size_t i = 0; i < count; i++) {
            strbuf_addf(out, "%.*s\n", STR_ARG(words[i]));
        }
        strbuf_add_char(out, '\n');
    }
}

static void test_targets(void **state)
{
    static const enum kubernetes_resource resources[] = {KUBERNETES_PODS,
        KUBERNETES_ENDPOINTS_LISTS, KUBERNETES_SLICES, KUBERNETES_SERVICES, KUBERNETES_NODES,
        KUBERNETES_INGRESSES};
    (void)state;
    struct strbuf got = STRBUF_INIT, sorted = STRBUF_INIT, expected = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *object = json_loads(rows[i].json, 0, NULL);
        assert_non_null(object);
        for (int pruned = 0; pruned < 2; pruned++) {
            make(i, object, &got);
            sort_words(strbuf_str(&got), &sorted);
            sort_words(str_of(rows[i].expected), &expected);
            if (strcmp(sorted.data, expected.data) != 0) {
                print_error(
                    "row %zu%s gave\n%s\nexpected\n", i, pruned ? " (pruned)" : "", sorted.data);
                fail_msg("%s", expected.data);
            }
            /* What is taken away before an object is kept is missed by nobody. */
            kubernetes_object_prune(resources[rows[i].role], false, object);
        }
        json_decref(object);
    }
    strbuf_release(&got);
    strbuf_release(&sorted);
    strbuf_release(&expected);
}

static void test_prune(void **state)
{
    static const struct {
        enum kubernetes_resource resource;
        bool joined;
        const char *json, *expected;
    } cases[] = {
        {KUBERNETES_PODS, false,
            "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"managedFields\":[1],"
            "\"resourceVersion\":\"7\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"env\":[1],"
            "\"ports\":[]}],\"volumes\":[]},\"status\":{\"podIP\":\"1\",\"qosClass\":\"x\","
            "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"r\"}]}}",
            "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":"
            "[]}]},\"status\":{\"podIP\":\"1\",\"conditions\":[{\"type\":\"Ready\",\"status\":"
            "\"True\"}]}}"},
        {KUBERNETES_NODES, true,
            "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"status\":{\"images\":[1,2,3]}}",
            "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"},
        {KUBERNETES_SERVICES, true, "{\"spec\":{\"clusterIP\":\"1\",\"ipFamilies\":[\"IPv4\"]}}",
            "{\"spec\":{\"ipFamilies\":[\"IPv4\"]}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *object = json_loads(cases[i].json, 0, NULL);
        json_t *expected = json_loads(cases[i].expected, 0, NULL);
        kubernetes_object_prune(cases[i].resource, cases[i].joined, object);
        if (!json_equal(object, expected)) {
            fail_msg("case %zu gave %s", i, json_dumps(object, 0));
        }
        json_decref(object);
        json_decref(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_prune),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
