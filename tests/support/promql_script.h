/* Runs scripts in the form of Prometheus' query tests (load, eval, clear) against the engine over the
 * memory store. The language is described in tests/promql/README.md. */
#ifndef SONDE_TESTS_PROMQL_SCRIPT_H
#define SONDE_TESTS_PROMQL_SCRIPT_H

#include <stddef.h>

#include "base/str.h"
#include "query/engine.h"
#include "tsdb/querier.h"

struct script_report {
    size_t passed, failed, skipped;
};

/* Where the samples go, and where the engine finds them. Functions return 0 or an error. */
struct script_store {
    int (*append)(struct script_store *store, const struct labels *labels, int64_t t, double value);
    int (*append_histogram)(struct script_store *store, const struct labels *labels, int64_t t,
        const struct histogram *histogram);
    int (*loaded)(struct script_store *store); /* after the last sample of a load */
    int (*clear)(struct script_store *store);  /* forgets everything; also before each script */
    struct querier_source *(*source)(struct script_store *store);
};

/* Runs one script and adds to the report; each failure is printed with its line. */
void promql_script_run(const char *name, struct str text, struct engine *engine,
    struct script_store *store, struct script_report *report);
/* All *.test files of a folder. False when it cannot be read. */
bool promql_script_run_folder(const char *folder, struct engine *engine, struct script_store *store,
    struct script_report *report);

/* A memory_store. */
struct memory_store;
struct script_memory {
    struct script_store store;
    struct memory_store *memory;
};
void script_memory_init(struct script_memory *s, struct memory_store *memory);

#endif
