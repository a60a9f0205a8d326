/* The store of objects: names, the queue of what is due, who looks for whom; against a plain list. */
#include "discovery/kubernetes_store.h"

#include <stdio.h>

#include "base/err.h"
#include "support/support.h"

enum { MANY = 2000 };

static struct str name_of(char *text, size_t size, unsigned i)
{
    return str_make(text, (size_t)snprintf(text, size, "ns/o%u", i));
}

static struct kubernetes_object *put(
    struct kubernetes_store *s, enum kubernetes_resource resource, unsigned i, const char *json)
{
    char text[32];
    struct kubernetes_object *object = NULL;
    assert_int_equal(
        kubernetes_store_put(s, resource, name_of(text, sizeof(text), i), str_of(json), &object),
        0);
    return object;
}

static struct kubernetes_object *find(
    const struct kubernetes_store *s, enum kubernetes_resource resource, unsigned i)
{
    char text[32];
    return kubernetes_store_find(s, resource, name_of(text, sizeof(text), i));
}

static void test_objects(void **state)
{
    (void)state;
    struct kubernetes_store s = {.buckets = NULL};
    assert_null(find(&s, KUBERNETES_PODS, 0));
    for (unsigned i = 0; i < MANY; i++) {
        struct kubernetes_object *object = put(&s, KUBERNETES_PODS, i, "first");
        object->source = i % 2;
        object->generation = 1;
    }
    size_t bytes = s.bytes;
    assert_string_equal(put(&s, KUBERNETES_PODS, 7, "second!")->json, "second!");
    assert_int_equal(s.bytes, bytes + 2); /* two characters more */
    assert_int_equal(s.count, MANY);
    assert_null(find(&s, KUBERNETES_NODES, 7)); /* of another kind */

    /* A new list of source 0 names every fourth object: the others of that source are outdated. */
    for (unsigned i = 0; i < MANY; i += 4) {
        find(&s, KUBERNETES_PODS, i)->generation = 2;
    }
    size_t bucket = 0, gone = 0;
    struct kubernetes_object *old;
    while ((old = kubernetes_store_outdated(&s, 0, 2, &bucket)) != NULL) {
        kubernetes_store_remove(&s, old);
        gone++;
    }
    assert_int_equal(gone, MANY / 4);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(find(&s, KUBERNETES_PODS, i) != NULL, i % 4 != 2);
    }
    kubernetes_store_release(&s);
}

static void test_limit(void **state)
{
    (void)state;
    struct kubernetes_store s = {.bytes = KUBERNETES_BYTES_MAX - 400};
    struct kubernetes_object *object = put(&s, KUBERNETES_PODS, 1, "small");
    char large[500] = "";
    memset(large, 'x', sizeof(large));
    struct kubernetes_object *none = NULL;
    assert_int_equal(kubernetes_store_put(
                         &s, KUBERNETES_PODS, STR("ns/o1"), str_make(large, sizeof(large)), &none),
        ERR_LIMIT);
    assert_int_equal(kubernetes_store_put(
                         &s, KUBERNETES_PODS, STR("ns/o2"), str_make(large, sizeof(large)), &none),
        ERR_LIMIT);
    assert_string_equal(object->json, "small"); /* as it was */
    assert_int_equal(s.count, 1);
    s.count = KUBERNETES_OBJECTS_MAX;
    assert_int_equal(
        kubernetes_store_put(&s, KUBERNETES_PODS, STR("ns/o3"), STR("y"), &none), ERR_LIMIT);
    s.count = 1;
    kubernetes_store_release(&s);
}

static void test_queue(void **state)
{
    (void)state;
    struct kubernetes_store s = {.buckets = NULL};
    struct kubernetes_object *o[4];
    for (unsigned i = 0; i < 4; i++) {
        o[i] = put(&s, KUBERNETES_ENDPOINTS_LISTS, i, "{}");
    }
    assert_null(kubernetes_store_dequeue(&s));
    assert_int_equal(kubernetes_store_enqueue(&s, o[2]), 0);
    assert_int_equal(kubernetes_store_enqueue(&s, o[0]), 0);
    assert_int_equal(kubernetes_store_enqueue(&s, o[2]), 0); /* once is enough */
    assert_int_equal(kubernetes_store_enqueue(&s, o[1]), 0);
    kubernetes_store_remove(&s, o[0]); /* gone while it is due */
    assert_ptr_equal(kubernetes_store_dequeue(&s), o[2]);
    assert_int_equal(kubernetes_store_enqueue(&s, o[2]), 0); /* due again */
    assert_ptr_equal(kubernetes_store_dequeue(&s), o[1]);
    assert_ptr_equal(kubernetes_store_dequeue(&s), o[2]);
    assert_null(kubernetes_store_dequeue(&s));

    /* Who looked for what was touched is due; for nothing else. */
    uint64_t a = kubernetes_store_hash(KUBERNETES_PODS, STR("ns/a"));
    uint64_t b = kubernetes_store_hash(KUBERNETES_PODS, STR("ns/b"));
    assert_int_not_equal(a, kubernetes_store_hash(KUBERNETES_NODES, STR("ns/a")));
    assert_int_equal(kubernetes_store_refer(o[1], a), 0);
    assert_int_equal(kubernetes_store_refer(o[1], a), 0);
    assert_int_equal(o[1]->reference_count, 1);
    assert_int_equal(kubernetes_store_refer(o[3], b), 0);
    assert_int_equal(kubernetes_store_touch(&s, a), 0);
    assert_int_equal(kubernetes_store_touch(&s, a), 0);
    assert_int_equal(kubernetes_store_spread(&s, KUBERNETES_ENDPOINTS_LISTS), 0);
    assert_ptr_equal(kubernetes_store_dequeue(&s), o[1]);
    assert_null(kubernetes_store_dequeue(&s));
    assert_int_equal(kubernetes_store_spread(&s, KUBERNETES_ENDPOINTS_LISTS), 0);
    assert_null(kubernetes_store_dequeue(&s)); /* what was touched is forgotten */
    kubernetes_store_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
