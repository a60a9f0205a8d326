/* Runs scripts in the form of Prometheus' query tests (load, eval, clear) against the engine over the
 * memory store. The language is described in tests/promql/README.md. */
#ifndef SONDE_TESTS_PROMQL_SCRIPT_H
#define SONDE_TESTS_PROMQL_SCRIPT_H

#include <stddef.h>

#include "base/str.h"
#include "query/engine.h"

struct script_report {
    size_t passed, failed, skipped;
};

/* Runs one script and adds to the report; each failure is printed with its line. */
void promql_script_run(
    const char *name, struct str text, struct engine *engine, struct script_report *report);
/* All *.test files of a folder. False when it cannot be read. */
bool promql_script_run_folder(
    const char *folder, struct engine *engine, struct script_report *report);

#endif
