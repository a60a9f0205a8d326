/* Scripts of queries with their expected answers: those of tests/promql, and those of the folder that
 * SONDE_PROMQL_SCRIPTS names (Prometheus' own are in this form). */
#include "support/support.h"

#include <stdlib.h>

#include "support/memory_store.h"
#include "support/promql_script.h"

/* `share_min` 1: whatever has two series is shared among threads. */
static void run(const char *folder, uint64_t share_min)
{
    struct engine *engine;
    const struct engine_options options = {.features = PROMQL_FEATURES_ALL,
        .delayed_name_removal = true,
        .threads = 3,
        .share_min = share_min};
    assert_int_equal(engine_new(&options, &engine), 0);
    struct script_report report = {0};
    struct script_memory memory;
    script_memory_init(&memory, memory_store_new());
    assert_non_null(memory.memory);
    bool there = promql_script_run_folder(folder, engine, &memory.store, &report);
    memory_store_free(memory.memory);
    engine_free(engine);
    if (!there) {
        fail_msg("cannot read the scripts in %s", folder);
    }
    print_message("%s: %zu passed, %zu failed, %zu skipped\n", folder, report.passed, report.failed,
        report.skipped);
    assert_int_equal(report.failed, 0);
    assert_true(report.passed > 0);
}

static void test_own_scripts(void **state)
{
    (void)state;
    run("tests/promql", 0);
    run("tests/promql", 1);
}

static void test_outside_scripts(void **state)
{
    (void)state;
    const char *folder = getenv("SONDE_PROMQL_SCRIPTS");
    if (folder == NULL) {
        skip();
    }
    run(folder, 0);
    run(folder, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_scripts),
        cmocka_unit_test(test_outside_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
