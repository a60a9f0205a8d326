/* sonde tsdb: looking into a store without a server. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/vfs.h"
#include "cli/command.h"
#include "tsdb/tsdb.h"

static int note_entry(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(bool *)context |= strcmp(name, "LOCK") == 0 || strcmp(name, "MANIFEST") == 0;
    return 0;
}

/* A folder that is no store would be found sound. */
static int check_folder(const char *path, struct err *e)
{
    bool is_store = false;
    int status = vfs_list(vfs_posix(), path, note_entry, &is_store);
    if (status != 0) {
        return err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
    }
    return is_store ? 0 : err_set(e, ERR_INVALID, -1, "%s is not the folder of a store", path);
}

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
    if (check_folder(path, &e) != 0 || tsdb_verify(&options, &report, &problems, &e) != 0) {
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
