/* sonde tsdb: looking into a store without a server. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/store_lock.h"
#include "tsdb/tsdb.h"

int command_tsdb_verify(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *path;
    int exit_status;
    if (command_parse(self, none, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct tsdb_options options = {.path = path, .read_only = true};
    struct strbuf report = STRBUF_INIT;
    struct err e = ERR_INIT;
    uint64_t problems = 0;
    if (store_folder_check(path, &e) != 0 || tsdb_verify(&options, &report, &problems, &e) != 0) {
        strbuf_release(&report);
        return command_fail(&e);
    }
    if (problems == 0) {
        strbuf_addf(&report, "%s is sound.\n", path);
    } else {
        strbuf_addf(&report, "%" PRIu64 " problems in %s.\n", problems, path);
    }
    exit_status = command_print(&report);
    return problems > 0 ? COMMAND_FAILED : exit_status;
}

int command_tsdb_dump(const struct command *self, int argc, char **argv)
{
    bool samples = false;
    const struct flag flags[] = {
        {"samples", FLAG_BOOL, &samples, NULL, "Every sample, too.", 0, 0},
        {.name = NULL},
    };
    const char *path;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct tsdb_options options = {.path = path, .read_only = true};
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (tsdb_dump(&options, path, samples, &text, &e) != 0) {
        strbuf_release(&text);
        return command_fail(&e);
    }
    strbuf_add_c(&text, "");
    return command_print(&text);
}

int command_tsdb_stats(const struct command *self, int argc, char **argv)
{
    int64_t top = 20;
    const struct flag flags[] = {
        {"top", FLAG_INTEGER, &top, "N", "How many metrics (default 20).", 1, 100000},
        {.name = NULL},
    };
    const char *path;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct tsdb_options options = {.path = path, .read_only = true};
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (store_folder_check(path, &e) != 0 || tsdb_stats(&options, (size_t)top, &text, &e) != 0) {
        strbuf_release(&text);
        return command_fail(&e);
    }
    return command_print(&text);
}
