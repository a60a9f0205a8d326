/* The commands of `sonde`: rows of a table. A command is added by a row in sonde.c and a file. */
#ifndef SONDE_QUERY_COMMAND_H
#define SONDE_QUERY_COMMAND_H

#include <stddef.h>

#include "base/err.h"
#include "base/flags.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Exit statuses: something is wrong with what was looked at or asked for; with the command line. */
enum { COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

/* One word, or two: "query", "tsdb verify". */
struct command {
    const char *name;
    const char *parameters; /* "EXPRESSION [FLAG...]" */
    const char *help;       /* one line */
    /* argv[0] is the last word of the name; returns the exit status. */
    int (*run)(const struct command *self, int argc, char **argv);
};

int command_query(const struct command *self, int argc, char **argv);
int command_backup(const struct command *self, int argc, char **argv);
int command_restore(const struct command *self, int argc, char **argv);
int command_check_rules(const struct command *self, int argc, char **argv);
int command_test_rules(const struct command *self, int argc, char **argv);
int command_rules_backfill(const struct command *self, int argc, char **argv);
int command_check_config(const struct command *self, int argc, char **argv);
int command_check_relabel(const struct command *self, int argc, char **argv);
int command_check_web_config(const struct command *self, int argc, char **argv);
int command_check_alerting(const struct command *self, int argc, char **argv);
int command_alerts_deliveries(const struct command *self, int argc, char **argv);
int command_alerts_replay(const struct command *self, int argc, char **argv);
int command_slo_check(const struct command *self, int argc, char **argv);
int command_slo_budget(const struct command *self, int argc, char **argv);
int command_slo_forecast(const struct command *self, int argc, char **argv);
int command_slo_backtest(const struct command *self, int argc, char **argv);
int command_trace_get(const struct command *self, int argc, char **argv);
int command_trace_search(const struct command *self, int argc, char **argv);
int command_trace_tail(const struct command *self, int argc, char **argv);
int command_tsdb_verify(const struct command *self, int argc, char **argv);
int command_tsdb_dump(const struct command *self, int argc, char **argv);
int command_tsdb_stats(const struct command *self, int argc, char **argv);
int command_tsdb_import(const struct command *self, int argc, char **argv);
int command_tsdb_export(const struct command *self, int argc, char **argv);

/* Parses flags and takes exactly `wanted` other words. `flags` has no row for --help: it is handled
 * here. 0 to go on; else the command ends with *status_out. */
int command_parse(const struct command *self, const struct flag *flags, int argc, char **argv,
    const char **words, size_t wanted, int *status_out);
/* "sonde: sentence" on standard error; returns COMMAND_FAILED. */
int command_fail(const struct err *e);
/* The files among the words of a command, `cap` at most and at least one; flags as for command_parse. 0 to go
 * on; else the command ends with *status_out. */
int command_parse_files(const struct command *self, const struct flag *flags, int argc, char **argv,
    const char **files, size_t cap, size_t *count_out, int *status_out);
/* Writes to standard output and releases the text; the exit status. */
int command_print(struct strbuf *text);

#endif
