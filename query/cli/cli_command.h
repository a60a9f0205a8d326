/* The multi-call tool: one row a command. Growing it means a row and a file. */
#ifndef SONDE_CLI_CLI_COMMAND_H
#define SONDE_CLI_CLI_COMMAND_H

#include "base/err.h"

struct cli_command {
    const char *name;  /* the words, e.g. "tsdb verify" */
    const char *usage; /* what follows them */
    const char *help;  /* one line */
    /* argv[0] is the last word of the name. Returns the exit code; on 1 with a sentence in `e` the
     * caller prints it. */
    int (*run)(int argc, char **argv, struct err *e);
};

int cli_query(int argc, char **argv, struct err *e);
int cli_tsdb_verify(int argc, char **argv, struct err *e);
int cli_tsdb_dump(int argc, char **argv, struct err *e);

#endif
