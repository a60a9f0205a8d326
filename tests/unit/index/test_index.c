/* Selections against the definition: every pair of target and shape, merged by hand, matched one by
 * one. Labels occur on either side and on both. */
#include "index/index.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"

static uint32_t add(struct index *ix, enum index_side side, const char *const *text)
{
    struct label pairs[8];
    size_t count = 0;
    for (; text[2 * count] != NULL; count++) {
        pairs[count] = (struct label){str_of(text[2 * count]), str_of(text[2 * count + 1])};
    }
    uint32_t id = UINT32_MAX;
    assert_int_equal(index_add(ix, side, pairs, count, &id), 0);
    uint32_t found = UINT32_MAX;
    assert_int_equal(index_find(ix, side, pairs, count, &found), 1);
    assert_int_equal(found, id);
    return id;
}

/* Label sets: pairs sorted by name. */
static const char *const TARGETS[][12] = {
    {NULL},
    {"instance", "a:1", "job", "node", NULL},
    {"instance", "b:1", "job", "node", NULL},
    {"instance", "a:2", "job", "api", NULL},
    {"env", "prod", "instance", "a:3", "job", "api", NULL},
    {"job", "batch", NULL},
};

static const char *const SHAPES[][12] = {
    {"__name__", "up", NULL},
    {"__name__", "requests", "code", "200", NULL},
    {"__name__", "requests", "code", "404", NULL},
    {"__name__", "requests", "code", "500", "env", "dev", NULL},
    {"__name__", "cpu", "cpu", "0", "mode", "idle", NULL},
    {"__name__", "cpu", "cpu", "1", "job", "inner", "mode", "user", NULL},
};

enum {
    TARGET_COUNT = sizeof(TARGETS) / sizeof(TARGETS[0]),
    SHAPE_COUNT = sizeof(SHAPES) / sizeof(SHAPES[0]),
};

static const char *const NAMES[] = {"__name__", "job", "instance", "env", "code", "cpu", "none"};
static const char *const VALUES[] = {"", "up", "node", "api", "a:1", "dev", "prod", "500", "inner"};
static const char *const PATTERNS[] = {"", ".*", ".+", "a.*", "node|api", "|dev", "(up|cpu)",
    "[0-9]+", "a:[12]", "p.*d", "4..", "x|y"};

static struct index *build(void)
{
    struct index *ix = NULL;
    assert_int_equal(index_new(&ix), 0);
    for (uint32_t i = 0; i < TARGET_COUNT; i++) {
        assert_int_equal(add(ix, INDEX_TARGETS, TARGETS[i]), i);
        assert_int_equal(add(ix, INDEX_TARGETS, TARGETS[i]), i);
    }
    for (uint32_t i = 0; i < SHAPE_COUNT; i++) {
        assert_int_equal(add(ix, INDEX_SHAPES, SHAPES[i]), i);
    }
    return ix;
}

/* The target's value if there is one, else the shape's, else "". */
static bool pair_matches(struct index *ix, uint32_t target, uint32_t shape,
    struct matcher *const *matchers, size_t count)
{
    const struct labels *of_target = index_labels(ix, INDEX_TARGETS, target);
    const struct labels *of_shape = index_labels(ix, INDEX_SHAPES, shape);
    for (size_t i = 0; i < count; i++) {
        struct str name = matchers[i]->name;
        struct str value =
            labels_has(of_target, name) ? labels_get(of_target, name) : labels_get(of_shape, name);
        if (!matcher_matches(matchers[i], value)) {
            return false;
        }
    }
    return true;
}

static void check(struct index *ix, struct matcher *const *matchers, size_t count)
{
    struct index_selection selection = {0};
    struct err e = ERR_INIT;
    assert_int_equal(
        index_select(ix, (const struct matcher *const *)matchers, count, &selection, &e), 0);
    for (uint32_t t = 0; t < TARGET_COUNT; t++) {
        for (uint32_t s = 0; s < SHAPE_COUNT; s++) {
            int in = 0;
            for (size_t r = 0; r < selection.count; r++) {
                in += id_set_has(selection.rectangles[r].targets, t) &&
                      id_set_has(selection.rectangles[r].shapes, s);
            }
            int expected = pair_matches(ix, t, s, matchers, count);
            if (in != expected) {
                struct strbuf text = STRBUF_INIT;
                for (size_t i = 0; i < count; i++) {
                    matcher_write(matchers[i], &text);
                    strbuf_add_char(&text, ' ');
                }
                fail_msg("%s: target %u shape %u is in %d rectangles, expected %d", text.data, t, s,
                    in, expected);
            }
        }
    }
    index_selection_release(&selection);
}

static struct matcher *random_matcher(uint64_t *random)
{
    enum matcher_type type = test_random(random) % 4;
    const char *name = NAMES[test_random(random) % (sizeof(NAMES) / sizeof(NAMES[0]))];
    const char *value =
        type == MATCHER_EQUAL || type == MATCHER_NOT_EQUAL
            ? VALUES[test_random(random) % (sizeof(VALUES) / sizeof(VALUES[0]))]
            : PATTERNS[test_random(random) % (sizeof(PATTERNS) / sizeof(PATTERNS[0]))];
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(type, str_of(name), str_of(value), &m, NULL), 0);
    return m;
}

static void test_selection_is_the_definition(void **state)
{
    struct index *ix = build();
    uint64_t random = test_seed();
    for (int round = 0; round < 3000; round++) {
        struct matcher *matchers[4];
        size_t count = test_random(&random) % 5;
        for (size_t i = 0; i < count; i++) {
            matchers[i] = random_matcher(&random);
        }
        check(ix, matchers, count);
        for (size_t i = 0; i < count; i++) {
            matcher_free(matchers[i]);
        }
    }
    index_free(ix);
}

static bool list_has(const struct index_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq_c(list->items[i], text)) {
            return true;
        }
    }
    return false;
}

static void test_names_and_values(void **state)
{
    struct index *ix = build();
    const uint32_t some[] = {1, 4};
    struct id_set *ids = id_set_of(some, 2);
    struct index_strings names = {0}, values = {0}, all = {0}, scanned = {0};
    assert_int_equal(index_label_names(ix, INDEX_TARGETS, ids, &names), 0);
    assert_true(list_has(&names, "env") && list_has(&names, "job") && list_has(&names, "instance"));
    assert_int_equal(names.count, 3);
    assert_int_equal(index_label_values(ix, INDEX_TARGETS, STR("instance"), ids, &values), 0);
    assert_true(list_has(&values, "a:1") && list_has(&values, "a:3"));
    assert_int_equal(values.count, 2);
    assert_int_equal(index_label_values(ix, INDEX_SHAPES, STR("__name__"), NULL, &all), 0);
    assert_int_equal(all.count, 3);
    struct id_set *every = id_set_range(0, SHAPE_COUNT);
    assert_int_equal(index_label_values(ix, INDEX_SHAPES, STR("code"), every, &scanned), 0);
    assert_int_equal(scanned.count, 3);
    index_strings_release(&names);
    index_strings_release(&values);
    index_strings_release(&all);
    index_strings_release(&scanned);
    id_set_free(ids);
    id_set_free(every);
    index_free(ix);
}

/* Every allocation of an addition fails once; the set is found or added after all. */
static void test_short_memory(void **state)
{
    struct label pairs[] = {{STR("__name__"), STR("m")}, {STR("a"), STR("b")}};
    for (uint64_t nth = 1;; nth++) {
        struct index *ix = build();
        uint32_t id = 0;
        mem_fail_nth(nth);
        int status = index_add(ix, INDEX_SHAPES, pairs, 2, &id);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        assert_int_equal(index_add(ix, INDEX_SHAPES, pairs, 2, &id), 0);
        uint32_t again = 0;
        assert_int_equal(index_find(ix, INDEX_SHAPES, pairs, 2, &again), 1);
        assert_int_equal(again, id);
        index_free(ix);
        if (!struck) {
            break;
        }
    }
}

/* ---- Many threads ---- */

enum { THREADS = 4, SETS = 600 };

static void *add_many(void *context)
{
    struct index *ix = context;
    for (int i = 0; i < SETS; i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "v%d", i);
        struct label pairs[] = {{STR("__name__"), STR("m")}, {STR("a"), str_make(text, (size_t)n)}};
        uint32_t id = 0;
        assert_int_equal(index_add(ix, INDEX_SHAPES, pairs, 2, &id), 0);
        assert_true(
            str_eq(labels_get(index_labels(ix, INDEX_SHAPES, id), STR("a")), pairs[1].value));
    }
    return NULL;
}

static void *select_many(void *context)
{
    struct index *ix = context;
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("a"), STR("v.*[13579]"), &m, NULL), 0);
    for (int i = 0; i < 100; i++) {
        struct index_selection selection = {0};
        assert_int_equal(
            index_select(ix, (const struct matcher *const *)&m, 1, &selection, NULL), 0);
        index_selection_release(&selection);
    }
    matcher_free(m);
    return NULL;
}

static void test_threads(void **state)
{
    struct index *ix = NULL;
    assert_int_equal(index_new(&ix), 0);
    struct label none = {0};
    uint32_t id = 0;
    assert_int_equal(index_add(ix, INDEX_TARGETS, &none, 0, &id), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? add_many : select_many, ix), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(index_count(ix, INDEX_SHAPES), SETS);
    index_free(ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_the_definition),
        cmocka_unit_test(test_names_and_values),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
