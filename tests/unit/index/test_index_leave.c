/* Ids that leave the index: against a plain list of what is there, short of memory, and under readers. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "index/index.h"
#include "support/support.h"

enum { SETS = 300, STEPS = 4000, LABELS = 3 };

/* A label set by number: three labels that many sets share, few share, and none. */
struct set_text {
    char text[LABELS][24];
    struct label labels[LABELS];
};

static void fill(struct set_text *s, uint32_t number)
{
    static const char *const names[LABELS] = {"job", "pod", "zone"};
    const uint32_t values[LABELS] = {number % 3, number, number % 40};
    for (int i = 0; i < LABELS; i++) {
        int n = snprintf(s->text[i], sizeof(s->text[i]), "%c%u", names[i][0], values[i]);
        s->labels[i] = (struct label){str_of(names[i]), str_make(s->text[i], (size_t)n)};
    }
}

struct twin {
    struct index *ix;
    uint32_t ids[SETS];
    uint32_t holds[SETS]; /* 0: of no use */
    bool known[SETS];     /* it may still be found, until the next sweep */
};

static void add(struct twin *t, uint32_t number)
{
    struct set_text s;
    uint32_t id = 0;
    fill(&s, number);
    assert_int_equal(index_add(t->ix, INDEX_TARGETS, s.labels, LABELS, &id), 0);
    assert_true(!t->known[number] || id == t->ids[number]);
    t->ids[number] = id;
    t->known[number] = true;
    t->holds[number]++;
    index_hold(t->ix, INDEX_TARGETS, &id, 1);
}

static void let_go(struct twin *t, uint32_t number)
{
    if (t->holds[number] > 0) {
        t->holds[number]--;
        index_unhold(t->ix, INDEX_TARGETS, &t->ids[number], 1);
    }
}

static void sweep(struct twin *t)
{
    while (index_sweep(t->ix, 1000)) {
    }
    for (uint32_t i = 0; i < SETS; i++) {
        t->known[i] = t->holds[i] > 0;
    }
}

static struct matcher *make_matcher(enum matcher_type type, const char *name, const char *value)
{
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(type, str_of(name), str_of(value), &m, NULL), 0);
    return m;
}

/* Which of the known sets the matcher takes is what the selection says. */
static void check_matcher(struct twin *t, const struct matcher *m)
{
    struct index_selection selection = {0};
    assert_int_equal(index_select(t->ix, &m, 1, &selection, NULL), 0);
    for (uint32_t i = 0; i < SETS; i++) {
        struct set_text s;
        fill(&s, i);
        struct str value = STR("");
        for (int k = 0; k < LABELS; k++) {
            value = str_eq(s.labels[k].name, m->name) ? s.labels[k].value : value;
        }
        bool wanted = t->known[i] && matcher_matches(m, value);
        if (t->known[i]) {
            assert_int_equal(index_selection_has(&selection, t->ids[i], 0), wanted);
        }
    }
    index_selection_release(&selection);
}

static void check_values(struct twin *t, int label)
{
    static const char *const names[LABELS] = {"job", "pod", "zone"};
    struct index_strings found = {0};
    assert_int_equal(
        index_label_values(t->ix, INDEX_TARGETS, str_of(names[label]), NULL, &found), 0);
    size_t distinct = 0;
    for (uint32_t i = 0; i < SETS; i++) {
        struct set_text s, before;
        fill(&s, i);
        bool first = t->known[i];
        for (uint32_t k = 0; first && k < i; k++) {
            fill(&before, k);
            first = !t->known[k] || !str_eq(before.labels[label].value, s.labels[label].value);
        }
        if (!first) {
            continue;
        }
        distinct++;
        size_t times = 0;
        for (size_t k = 0; k < found.count; k++) {
            times += str_eq(found.items[k], s.labels[label].value);
        }
        assert_int_equal(times, 1);
    }
    assert_int_equal(found.count, distinct);
    index_strings_release(&found);
}

static void check(struct twin *t, struct matcher *const *matchers, size_t count)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < SETS; i++) {
        struct set_text s;
        uint32_t id = 0;
        fill(&s, i);
        assert_int_equal(
            index_find(t->ix, INDEX_TARGETS, s.labels, LABELS, &id), t->known[i] ? 1 : 0);
        known += t->known[i];
    }
    assert_int_equal(index_live(t->ix, INDEX_TARGETS), known);
    for (size_t i = 0; i < count; i++) {
        check_matcher(t, matchers[i]);
    }
    for (int i = 0; i < LABELS; i++) {
        check_values(t, i);
    }
}

static void add_one_shape(struct index *ix)
{
    struct label shape = {STR("__name__"), STR("m")};
    uint32_t id = 0;
    assert_int_equal(index_add(ix, INDEX_SHAPES, &shape, 1, &id), 0);
    index_hold(ix, INDEX_SHAPES, &id, 1);
}

/* A walk: sets come, are held, let go and swept, and come again under new ids. */
static void test_a_walk(void **state)
{
    (void)state;
    struct matcher *matchers[] = {make_matcher(MATCHER_EQUAL, "job", "j1"),
        make_matcher(MATCHER_EQUAL, "pod", "p7"), make_matcher(MATCHER_NOT_EQUAL, "zone", "z3"),
        make_matcher(MATCHER_REGEX, "pod", "p.*[13].*"),
        make_matcher(MATCHER_NOT_REGEX, "pod", "p[2-5].+"),
        make_matcher(MATCHER_REGEX, "zone", "z1.*"), make_matcher(MATCHER_EQUAL, "other", "")};
    size_t count = sizeof(matchers) / sizeof(matchers[0]);
    uint64_t random = test_seed();
    struct twin t = {0};
    assert_int_equal(index_new(&t.ix), 0);
    add_one_shape(t.ix);
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)(test_random(&random) % SETS);
        uint64_t dice = test_random(&random) % 100;
        /* Tides: for a while more come than go. */
        bool flood = step / 500 % 2 == 0;
        if (dice < (flood ? 65u : 35u)) {
            add(&t, number);
        } else if (dice < 98) {
            for (int i = 0; i < 3; i++) {
                let_go(&t, (number + (uint32_t)i) % SETS);
            }
        } else {
            sweep(&t);
        }
        if (step % 400 == 0) {
            sweep(&t);
        }
        if (step % 160 == 0) {
            check(&t, matchers, count);
        }
    }
    for (uint32_t i = 0; i < SETS; i++) {
        while (t.holds[i] > 0) {
            let_go(&t, i);
        }
    }
    sweep(&t);
    check(&t, matchers, count);
    add(&t, 7);
    check(&t, matchers, count);
    let_go(&t, 7);
    index_free(t.ix);
    for (size_t i = 0; i < count; i++) {
        matcher_free(matchers[i]);
    }
}

/* Generation after generation of pods: what the index weighs is what lives, and 16 bytes an id. */
static void test_memory_falls(void **state)
{
    (void)state;
    enum { PODS = 2000, GENERATIONS = 10 };
    struct index *ix = NULL;
    size_t first = 0, last = 0;
    assert_int_equal(index_new(&ix), 0);
    for (uint32_t g = 0; g < GENERATIONS; g++) {
        static uint32_t ids[PODS];
        struct set_text s;
        for (uint32_t i = 0; i < PODS; i++) {
            fill(&s, g * PODS + i);
            assert_int_equal(index_add(ix, INDEX_TARGETS, s.labels, LABELS, &ids[i]), 0);
        }
        index_hold(ix, INDEX_TARGETS, ids, PODS);
        last = index_memory(ix);
        first = g == 0 ? last : first;
        index_unhold(ix, INDEX_TARGETS, ids, PODS);
        while (index_sweep(ix, 500)) {
        }
        assert_int_equal(index_live(ix, INDEX_TARGETS), 0);
    }
    /* The array of entries doubles: at most twice 16 bytes for each id that ever was. */
    size_t entries = (size_t)2 * 16 * PODS * GENERATIONS;
    if (last > first + entries) {
        fail_msg("%zu bytes at first, %zu in the end", first, last);
    }
    index_free(ix);
}

/* Series in memory keep an id as holds do, and a pin keeps what somebody looks at. */
static void test_what_keeps_an_id(void **state)
{
    (void)state;
    struct index *ix = NULL;
    struct set_text s;
    uint32_t target = 0, shape = 0, found = 0;
    struct label name = {STR("__name__"), STR("up")};
    assert_int_equal(index_new(&ix), 0);
    fill(&s, 5);
    assert_int_equal(index_add(ix, INDEX_TARGETS, s.labels, LABELS, &target), 0);
    assert_int_equal(index_add(ix, INDEX_SHAPES, &name, 1, &shape), 0);
    index_count_series(ix, target, shape);
    assert_false(index_sweep(ix, 100));
    assert_int_equal(index_find(ix, INDEX_TARGETS, s.labels, LABELS, &found), 1);
    uint64_t pin = index_pin(ix);
    const struct labels *labels = index_labels(ix, INDEX_TARGETS, target);
    index_uncount_series(ix, target, shape);
    for (int i = 0; i < 5; i++) {
        assert_false(index_sweep(ix, 100));
        uint64_t later = index_pin(ix); /* of others, who come and go */
        assert_int_equal(index_find(ix, INDEX_TARGETS, s.labels, LABELS, &found), 0);
        assert_true(str_eq(labels_get(labels, STR("pod")), STR("p5")));
        index_unpin(ix, later);
    }
    index_unpin(ix, pin);
    assert_false(index_sweep(ix, 100));
    assert_int_equal(index_add(ix, INDEX_TARGETS, s.labels, LABELS, &found), 0);
    assert_int_equal(found, target + 1);
    index_free(ix);
}

/* Whatever allocation fails while ids leave, the index stays right, and they leave next time. */
static void test_short_memory(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct twin t = {0};
        assert_int_equal(index_new(&t.ix), 0);
        add_one_shape(t.ix);
        for (uint32_t i = 0; i < 80; i++) {
            add(&t, i);
        }
        for (uint32_t i = 0; i < 80; i++) {
            let_go(&t, i);
        }
        mem_fail_nth(nth);
        (void)index_sweep(t.ix, 1000);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        sweep(&t);
        check(&t, NULL, 0);
        add(&t, 3);
        check(&t, NULL, 0);
        let_go(&t, 3);
        index_free(t.ix);
        if (!struck) {
            break;
        }
    }
}

/* ---- Readers beside the sweep ---- */

enum { ROUNDS = 60, PODS_AT_ONCE = 200, KEPT = 20 };

struct stage {
    struct index *ix;
    uint32_t kept[KEPT];
    _Atomic bool over;
};

static void *churn(void *context)
{
    struct stage *stage = context;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t ids[PODS_AT_ONCE];
        for (uint32_t i = 0; i < PODS_AT_ONCE; i++) {
            struct set_text s;
            fill(&s, 1000 + round * PODS_AT_ONCE + i);
            assert_int_equal(index_add(stage->ix, INDEX_TARGETS, s.labels, LABELS, &ids[i]), 0);
        }
        index_hold(stage->ix, INDEX_TARGETS, ids, PODS_AT_ONCE);
        index_unhold(stage->ix, INDEX_TARGETS, ids, PODS_AT_ONCE);
        while (index_sweep(stage->ix, 64)) {
        }
    }
    atomic_store(&stage->over, true);
    return NULL;
}

/* What is held is always found, by each kind of question; what is found can be looked at. */
static void *ask(void *context)
{
    struct stage *stage = context;
    const struct matcher *patterns[] = {make_matcher(MATCHER_REGEX, "pod", "p1?[0-9]"),
        make_matcher(MATCHER_NOT_REGEX, "pod", "p[0-9]{3,}")};
    while (!atomic_load(&stage->over)) {
        for (int p = 0; p < 2; p++) {
            struct index_selection selection = {0};
            assert_int_equal(index_select(stage->ix, &patterns[p], 1, &selection, NULL), 0);
            for (uint32_t i = 0; i < KEPT; i++) {
                assert_true(index_selection_has(&selection, stage->kept[i], 0));
            }
            index_selection_release(&selection);
        }
        uint64_t pin = index_pin(stage->ix);
        struct index_strings zones = {0};
        size_t bytes = 0;
        assert_int_equal(
            index_label_values(stage->ix, INDEX_TARGETS, STR("zone"), NULL, &zones), 0);
        for (size_t i = 0; i < zones.count; i++) {
            bytes += zones.items[i].ptr[0] == 'z' ? zones.items[i].len : 0;
        }
        assert_true(bytes >= (size_t)2 * KEPT);
        index_strings_release(&zones);
        index_unpin(stage->ix, pin);
    }
    for (int p = 0; p < 2; p++) {
        matcher_free((struct matcher *)(uintptr_t)patterns[p]);
    }
    return NULL;
}

static void test_readers(void **state)
{
    (void)state;
    struct stage stage = {.ix = NULL};
    pthread_t threads[3];
    assert_int_equal(index_new(&stage.ix), 0);
    add_one_shape(stage.ix);
    for (uint32_t i = 0; i < KEPT; i++) {
        struct set_text s;
        fill(&s, i);
        assert_int_equal(index_add(stage.ix, INDEX_TARGETS, s.labels, LABELS, &stage.kept[i]), 0);
    }
    index_hold(stage.ix, INDEX_TARGETS, stage.kept, KEPT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? churn : ask, &stage), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(index_live(stage.ix, INDEX_TARGETS), KEPT);
    index_free(stage.ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_walk),
        cmocka_unit_test(test_memory_falls),
        cmocka_unit_test(test_what_keeps_an_id),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
