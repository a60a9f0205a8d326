/* Any JSON as an object of the Kubernetes API, for each role, and as an instance of a service of Consul: targets
 * within the limits, or none. What an object is looked up beside gets the same JSON. Taking away what is not
 * kept changes nothing. */
#include <assert.h>

#include "discovery/consul_targets.h"
#include "discovery/kubernetes_targets.h"

static json_t *find(void *context, enum kubernetes_resource resource, struct str key)
{
    (void)resource, (void)key;
    return json_incref(context);
}

static void check_list(int status, const struct target_list *list)
{
    assert(status <= 0);
    for (size_t i = 0; i < list->count; i++) {
        assert(labels_count(list->items[i]) <= LABELS_COUNT_MAX);
    }
}

static void make(enum kubernetes_role role, json_t *object, struct target_list *list)
{
    static const struct kubernetes_attach all = {true, true, true, true, true};
    struct kubernetes_making m = {.attach = &all, .find = find, .context = object, .list = list};
    check_list(kubernetes_targets_make(&m, role, object), list);
}

static void check_role(
    enum kubernetes_role role, enum kubernetes_resource resource, struct str text)
{
    struct target_list whole = {0}, pruned = {0};
    json_t *object = json_loadb(text.ptr, text.len, 0, NULL);
    make(role, object, &whole);
    kubernetes_object_prune(resource, false, object);
    json_t *again = json_deep_copy(object);
    kubernetes_object_prune(resource, false, again);
    assert(json_equal(object, again));
    make(role, object, &pruned);
    json_decref(again);
    json_decref(object);
    target_list_release(&whole);
    target_list_release(&pruned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        enum kubernetes_role role;
        enum kubernetes_resource resource;
    } roles[] = {{KUBERNETES_POD, KUBERNETES_PODS},
        {KUBERNETES_ENDPOINTS, KUBERNETES_ENDPOINTS_LISTS},
        {KUBERNETES_ENDPOINTSLICE, KUBERNETES_SLICES}, {KUBERNETES_SERVICE, KUBERNETES_SERVICES},
        {KUBERNETES_NODE, KUBERNETES_NODES}, {KUBERNETES_INGRESS, KUBERNETES_INGRESSES}};
    static const struct consul_discovery_config consul = {.tag_separator = ","};
    struct str text = str_make((const char *)data, size);
    json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
    for (size_t i = 0; root != NULL && i < sizeof(roles) / sizeof(roles[0]); i++) {
        check_role(roles[i].role, roles[i].resource, text);
    }
    json_decref(root);
    struct target_list list = {0};
    check_list(consul_targets_add(&consul, "dc", "s", text, &list), &list);
    target_list_release(&list);
    return 0;
}
