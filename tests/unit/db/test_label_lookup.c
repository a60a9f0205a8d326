/* Names and values of labels, beside a table of which series has a sample at which hour.
 *
 * Targets share shapes in part only, some series end early, some begin late; lookups are over windows, with
 * matchers and limits, in the head, in parts, and across both. The head tells exactly what has samples in the
 * window, parts what may have: there only windows over everything are asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "support/store_fixture.h"
#include "support/support.h"

#define HOUR_MS INT64_C(3600000)

/* More shapes than a table is asked for one by one. */
enum { TARGETS = 23, SHAPES = 190, HOURS = 4, LABELS_MAX = 5, TEXT_MAX = 16, ROUNDS = 300 };

struct world {
    struct store_fixture store;
    bool has[TARGETS][SHAPES][HOURS];
    uint64_t seed;
};

/* ---- Series ---- */

struct texts {
    char name[TEXT_MAX], instance[TEXT_MAX], mode[TEXT_MAX], zone[TEXT_MAX];
};

/* Some shapes have a mode, some targets a zone. In order of names. */
static size_t labels_of(
    uint32_t target, uint32_t shape, struct texts *x, struct label pairs[LABELS_MAX])
{
    size_t count = 0;
    snprintf(x->name, TEXT_MAX, "m%03u", shape / 3);
    snprintf(x->instance, TEXT_MAX, "i%u", target);
    snprintf(x->mode, TEXT_MAX, "mode%u", shape % 3);
    snprintf(x->zone, TEXT_MAX, "zone%u", shape % 2);
    pairs[count++] = (struct label){STR("__name__"), str_of(x->name)};
    pairs[count++] = (struct label){STR("instance"), str_of(x->instance)};
    if (target % 5 != 0) {
        pairs[count++] = (struct label){STR("job"), STR("j")};
    }
    if (shape % 3 != 0) {
        pairs[count++] = (struct label){STR("mode"), str_of(x->mode)};
    }
    if (shape / 3 % 7 == 0) {
        pairs[count++] = (struct label){STR("zone"), str_of(x->zone)};
    }
    return count;
}

static void write_hour(struct world *w, uint32_t hour)
{
    for (uint32_t t = 0; t < TARGETS; t++) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(tsdb_appender_source(w->store.db), &a, NULL), 0);
        for (uint32_t s = 0; s < SHAPES; s++) {
            struct texts x;
            struct label pairs[LABELS_MAX];
            struct series_ref ref;
            if (w->has[t][s][hour]) {
                size_t count = labels_of(t, s, &x, pairs);
                assert_int_equal(appender_series(a, pairs, count, NULL, &ref, NULL), 0);
                assert_int_equal(
                    appender_append(a, ref, FIXTURE_START_MS + hour * HOUR_MS, 1.0), 0);
            }
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    }
}

static void setup(struct world *w)
{
    *w = (struct world){.seed = test_seed()};
    for (uint32_t t = 0; t < TARGETS; t++) {
        for (uint32_t s = 0; s < SHAPES; s++) {
            bool any = test_random(&w->seed) % 4 != 0;
            for (uint32_t h = 0; any && h < HOURS; h++) {
                /* Shapes above 150 end after the first hour, or begin in the last. */
                w->has[t][s][h] = s < 150      ? test_random(&w->seed) % 8 != 0
                                  : s % 2 == 0 ? h == 0
                                               : h == HOURS - 1 && t == 7;
            }
        }
    }
    store_fixture_init(&w->store, FIXTURE_START_MS + HOURS * HOUR_MS);
    store_fixture_open(&w->store);
}

/* ---- What is asked, and the answer of the table ---- */

struct question {
    const char *name;              /* values of this label; NULL = names */
    const char *key, *value;       /* matcher, or NULL */
    uint32_t first_hour, end_hour; /* window */
    size_t limit;
};

struct answer {
    char texts[SHAPES * LABELS_MAX][TEXT_MAX];
    size_t count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void answer_add(struct answer *a, struct str text)
{
    char one[TEXT_MAX];
    snprintf(one, sizeof(one), "%.*s", STR_ARG(text));
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->texts[i], one) == 0) {
            return;
        }
    }
    memcpy(a->texts[a->count++], one, TEXT_MAX);
}

static void answer_series(
    struct answer *a, const struct question *q, const struct label *pairs, size_t count)
{
    bool matches = q->key == NULL;
    for (size_t i = 0; i < count; i++) {
        matches =
            matches || (str_eq_c(pairs[i].name, q->key) && str_eq_c(pairs[i].value, q->value));
    }
    for (size_t i = 0; matches && i < count; i++) {
        if (q->name == NULL) {
            answer_add(a, pairs[i].name);
        } else if (str_eq_c(pairs[i].name, q->name)) {
            answer_add(a, pairs[i].value);
        }
    }
}

static void answer_of(const struct world *w, const struct question *q, struct answer *a)
{
    a->count = 0;
    for (uint32_t t = 0; t < TARGETS; t++) {
        for (uint32_t s = 0; s < SHAPES; s++) {
            bool any = false;
            for (uint32_t h = q->first_hour; h < q->end_hour; h++) {
                any = any || w->has[t][s][h];
            }
            struct texts x;
            struct label pairs[LABELS_MAX];
            if (any) {
                answer_series(a, q, pairs, labels_of(t, s, &x, pairs));
            }
        }
    }
    qsort(a->texts, a->count, TEXT_MAX, compare);
}

static void ask(struct world *w, const struct question *q, struct answer *expected)
{
    struct querier *querier = store_fixture_querier(&w->store);
    struct arena arena;
    struct string_list list;
    struct matcher *m = NULL;
    arena_init(&arena, 0);
    if (q->key != NULL) {
        assert_int_equal(matcher_new(MATCHER_EQUAL, str_of(q->key), str_of(q->value), &m, NULL), 0);
    }
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {.min_t = FIXTURE_START_MS + q->first_hour * HOUR_MS,
        .max_t = FIXTURE_START_MS + q->end_hour * HOUR_MS - 1,
        .matchers = matchers,
        .matcher_count = m != NULL};
    int status = q->name == NULL
                     ? querier->ops->label_names(querier, &request, q->limit, &arena, &list, NULL)
                     : querier->ops->label_values(
                           querier, str_of(q->name), &request, q->limit, &arena, &list, NULL);
    assert_int_equal(status, 0);
    answer_of(w, q, expected);
    size_t count = q->limit > 0 && q->limit < expected->count ? q->limit : expected->count;
    if (list.count != count || list.truncated != (count < expected->count)) {
        fail_msg("%s{%s=%s} hours %u-%u limit %zu: %zu items, not %zu", q->name ? q->name : "names",
            q->key ? q->key : "", q->value ? q->value : "", q->first_hour, q->end_hour, q->limit,
            list.count, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_c(list.items[i], expected->texts[i])) {
            fail_msg("%s{%s=%s} hours %u-%u limit %zu: %.*s, not %s", q->name ? q->name : "names",
                q->key ? q->key : "", q->value ? q->value : "", q->first_hour, q->end_hour,
                q->limit, STR_ARG(list.items[i]), expected->texts[i]);
        }
    }
    matcher_free(m);
    arena_release(&arena);
    querier_close(querier);
}

static void ask_many(struct world *w, bool windows)
{
    static const char *const names[] = {
        NULL, "__name__", "instance", "job", "mode", "zone", "unknown"};
    static const char *const matchers[][2] = {{NULL, NULL}, {"__name__", "m007"},
        {"__name__", "m055"}, {"instance", "i7"}, {"mode", "mode1"}, {"zone", "zone1"},
        {"job", "j"}, {"job", "k"}};
    struct answer *expected = mem_alloc(sizeof(*expected));
    assert_non_null(expected);
    for (int i = 0; i < ROUNDS; i++) {
        size_t m = test_random(&w->seed) % (sizeof(matchers) / sizeof(matchers[0]));
        struct question q = {
            .name = names[test_random(&w->seed) % (sizeof(names) / sizeof(names[0]))],
            .key = matchers[m][0],
            .value = matchers[m][1],
            .end_hour = HOURS};
        if (windows) {
            q.first_hour = (uint32_t)(test_random(&w->seed) % HOURS);
            q.end_hour =
                q.first_hour + 1 + (uint32_t)(test_random(&w->seed) % (HOURS - q.first_hour));
        }
        q.limit = test_random(&w->seed) % 2 == 0 ? 0 : 1 + test_random(&w->seed) % 40;
        ask(w, &q, expected);
    }
    mem_free(expected);
}

/* ---- Tests ---- */

static void test_lookups_are_those_of_the_table(void **state)
{
    (void)state;
    struct world *w = mem_alloc(sizeof(*w));
    assert_non_null(w);
    setup(w);
    for (uint32_t hour = 0; hour + 1 < HOURS; hour++) {
        write_hour(w, hour);
    }
    bool last[TARGETS][SHAPES];
    for (uint32_t t = 0; t < TARGETS; t++) { // the last hour is not written yet
        for (uint32_t s = 0; s < SHAPES; s++) {
            last[t][s] = w->has[t][s][HOURS - 1];
            w->has[t][s][HOURS - 1] = false;
        }
    }
    ask_many(w, true);
    assert_int_equal(tsdb_compact(w->store.db, NULL), 0);
    ask_many(w, false);
    for (uint32_t t = 0; t < TARGETS; t++) {
        for (uint32_t s = 0; s < SHAPES; s++) {
            w->has[t][s][HOURS - 1] = last[t][s];
        }
    }
    write_hour(w, HOURS - 1);
    ask_many(w, false); // parts and head
    store_fixture_close(&w->store);
    mem_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
