/* Series that are in tiers alone: their samples went, names and values are still answered, and what is left
 * of them can be exported. */
#include <string.h>

#include "base/strbuf.h"
#include "support/store_fixture.h"
#include "support/support.h"
#include "tsdb/block.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START FIXTURE_START_MS

static void append(
    struct appender *a, const char *metric, const char *instance, const char *pod, int64_t t)
{
    struct label labels[4] = {{STR("__name__"), str_of(metric)},
        {STR("instance"), str_of(instance)}, {STR("job"), STR("j")}, {STR("pod"), str_of(pod)}};
    struct series_ref ref;
    assert_int_equal(appender_series(a, labels, 3 + (pod[0] != '\0'), NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, t, (double)(t / MINUTE % 17)), 0);
}

/* One series every ten minutes; another, of a host that goes, on the first day only. */
static void run_days(struct store_fixture *f, int days)
{
    for (int i = 0; i < days * 144; i++) {
        struct appender *a = NULL;
        fake_clock_advance_ms(&f->clock, 10 * MINUTE);
        int64_t now = clock_now_ms(&f->clock.clock);
        assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
        append(a, "up", "a", "", now);
        if (now <= START + 20 * HOUR) {
            append(a, "gone", "b", "x", now);
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
        if (i % 3 == 2) {
            store_fixture_maintain(f);
        }
    }
}

static void add_list(struct strbuf *text, const struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        strbuf_addf(text, "%.*s ", STR_ARG(list->items[i]));
    }
    strbuf_addf(text, "| ");
}

/* Names, metrics, instances and how many series a range has. */
static void assert_answers(
    struct store_fixture *f, int64_t min_t, int64_t max_t, const char *expected)
{
    struct querier *q = store_fixture_querier(f);
    struct strbuf text = STRBUF_INIT;
    struct arena arena;
    struct string_list list;
    struct series_set *set = NULL;
    struct select_request request = {.min_t = min_t, .max_t = max_t};
    arena_init(&arena, 0);
    assert_int_equal(q->ops->label_names(q, &request, 0, &arena, &list, NULL), 0);
    add_list(&text, &list);
    assert_int_equal(q->ops->label_values(q, STR("__name__"), &request, 0, &arena, &list, NULL), 0);
    add_list(&text, &list);
    assert_int_equal(q->ops->label_values(q, STR("instance"), &request, 0, &arena, &list, NULL), 0);
    add_list(&text, &list);
    request.labels_only = true;
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    strbuf_addf(&text, "%zu", set->count);
    series_set_free(set);
    arena_release(&arena);
    querier_close(q);
    assert_string_equal(text.data, expected);
    strbuf_release(&text);
}

static void delete_gone(struct store_fixture *f)
{
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("pod"), STR("x"), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    assert_int_equal(tsdb_delete_series(f->db, list, 1, INT64_MIN, INT64_MAX, NULL), 0);
    matcher_free(m);
}

static void test_series_of_tiers_alone(void **state)
{
    static const char both[] = "__name__ instance job pod | gone up | a b | 2";
    static const char one[] = "__name__ instance job | up | a | 1";
    struct store_fixture f;
    store_fixture_init(&f, START);
    f.options.retention_ms = 2 * DAY;
    f.options.tiers[TSDB_TIER_5M].enabled = true;
    f.options.tiers[TSDB_TIER_1H].enabled = true;
    store_fixture_open(&f);
    run_days(&f, 1);
    assert_answers(&f, INT64_MIN, INT64_MAX, both);
    run_days(&f, 4);
    assert_true(store_fixture_statistics(&f).expired_parts > 0);
    for (int round = 0; round < 2; round++) {
        assert_answers(&f, INT64_MIN, INT64_MAX, both);
        assert_answers(&f, START, START + DAY, both);
        assert_answers(&f, START + 2 * HOUR, START + 2 * HOUR + MINUTE, both);
        assert_answers(&f, START + 22 * HOUR, START + 3 * DAY, one);
        assert_answers(&f, START + 2 * DAY, START + 3 * DAY, one);
        assert_answers(&f, START + 4 * DAY, INT64_MAX, one);
        assert_answers(&f, INT64_MIN, START - 1, "| | | 0");
        store_fixture_reopen(&f);
    }
    delete_gone(&f);
    assert_answers(&f, INT64_MIN, INT64_MAX, one);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    assert_answers(&f, INT64_MIN, INT64_MAX, one);
    store_fixture_close(&f);
}

static struct block_export_counts export_all(struct store_fixture *f, const char *to, bool tiers)
{
    struct block_export_counts counts;
    struct err e = ERR_INIT;
    const struct block_export_options options = {.fs = sim_vfs_get(f->sim),
        .source = tsdb_querier_source(f->db),
        .directory = to,
        .min_t = START,
        .max_t = START + 10 * DAY,
        .tiers = tiers,
        .range_ms = BLOCK_RANGE_LONG_MS,
        .now_ms = START};
    if (block_export(&options, &counts, &e) != 0) {
        fail_msg("export: %s", e.message);
    }
    return counts;
}

/* A sample every ten minutes is the last one of its bucket of five: a tier has all of them. */
static void test_export(void **state)
{
    struct store_fixture f;
    store_fixture_init(&f, START);
    f.options.retention_ms = 2 * DAY;
    f.options.tiers[TSDB_TIER_5M].enabled = true;
    store_fixture_open(&f);
    run_days(&f, 6);
    struct block_export_counts raw = export_all(&f, "raw", false);
    struct block_export_counts all = export_all(&f, "all", true);
    assert_true(raw.samples > 0 && raw.samples <= 4 * 144);
    assert_int_equal(all.samples, 6 * 144 + 20 * 6);
    assert_int_equal(all.blocks, 7); /* the last sample is at a midnight */
    assert_int_equal(all.series, 7 + 1);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_of_tiers_alone),
        cmocka_unit_test(test_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
