/* sonde tsdb verify | dump: a store's files, looked at from outside. */
#include <stdio.h>

#include "base/flags.h"
#include "cli/cli_command.h"
#include "tsdb/tsdb.h"

/* One positional path, and flags of the command. 0 = go on, 1 = help was printed. */
static int take_path(const struct flag *flags, const char *what, int argc, char **argv,
    const bool *help, const char **path_out, struct err *e)
{
    const char *positional[1];
    size_t count = 0;
    int status = flags_parse(flags, argc, argv, positional, 1, &count, e);
    if (status != 0) {
        return status;
    }
    if (*help) {
        struct strbuf out = STRBUF_INIT;
        strbuf_addf(&out, "usage: sonde %s\n\n", what);
        flags_write_help(flags, &out);
        fwrite(out.data, 1, out.size, stdout);
        strbuf_release(&out);
        return 1;
    }
    if (count != 1) {
        return err_set(e, ERR_INVALID, -1, "say which; usage: sonde %s", what);
    }
    *path_out = positional[0];
    return 0;
}

int cli_tsdb_verify(int argc, char **argv, struct err *e)
{
    bool help = false;
    const char *path = NULL;
    const struct flag flags[] = {
        {"help", FLAG_BOOL, &help, NULL, "Print this", 0, 0},
        {NULL, FLAG_BOOL, NULL, NULL, NULL, 0, 0},
    };
    int status = take_path(flags, "tsdb verify DIRECTORY", argc, argv, &help, &path, e);
    if (status != 0) {
        return status < 0;
    }
    struct tsdb_options options = {.path = path, .read_only = true};
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    status = tsdb_verify(&options, &report, &problems, e);
    fwrite(report.data != NULL ? report.data : "", 1, report.size, stdout);
    strbuf_release(&report);
    if (status == 0) {
        printf("%s: %llu problems\n", path, (unsigned long long)problems);
    }
    return status != 0 || problems > 0;
}

int cli_tsdb_dump(int argc, char **argv, struct err *e)
{
    bool help = false, samples = false;
    const char *path = NULL;
    const struct flag flags[] = {
        {"samples", FLAG_BOOL, &samples, NULL, "Every sample too", 0, 0},
        {"help", FLAG_BOOL, &help, NULL, "Print this", 0, 0},
        {NULL, FLAG_BOOL, NULL, NULL, NULL, 0, 0},
    };
    int status = take_path(flags, "tsdb dump PATH [--samples]", argc, argv, &help, &path, e);
    if (status != 0) {
        return status < 0;
    }
    struct tsdb_options options = {.path = path, .read_only = true};
    struct strbuf out = STRBUF_INIT;
    status = tsdb_dump(&options, path, samples, &out, e);
    fwrite(out.data != NULL ? out.data : "", 1, out.size, stdout);
    strbuf_release(&out);
    return status != 0;
}
