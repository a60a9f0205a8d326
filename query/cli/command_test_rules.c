/* sonde test rules: tests of rules, written for promtool. Each test has a store of its own in a folder for
 * what is temporary, which goes when the test is over. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "cli/command.h"
#include "cli/rule_test.h"
#include "tsdb/tsdb.h"

enum { FILES_MAX = 1024 };

/* ---- A store for one test ---- */

struct removal {
    const char *folder;
    int depth;
};

static int remove_entry(void *context, const char *name, bool is_directory);

/* The folder with all in it. A store's folders are two deep; deeper than REMOVAL_DEPTH_MAX nothing of ours
 * can be. Best effort: what cannot be removed is left to whoever cleans the folder for temporary files. */
enum { REMOVAL_DEPTH_MAX = 8 };

static void remove_folder(const char *folder, int depth)
{
    struct removal removal = {folder, depth};
    if (depth < REMOVAL_DEPTH_MAX) {
        (void)vfs_list(vfs_posix(), folder, remove_entry, &removal);
    }
    (void)vfs_remove(vfs_posix(), folder);
}

static int remove_entry(void *context, const char *name, bool is_directory)
{
    const struct removal *removal = context;
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s/%s", removal->folder, name);
    if (strbuf_error(&path) == 0) {
        if (is_directory) {
            remove_folder(path.data, removal->depth + 1);
        } else {
            (void)vfs_remove(vfs_posix(), path.data);
        }
    }
    strbuf_release(&path);
    return 0;
}

static int make_folder(struct strbuf *folder, struct err *e)
{
    const char *parent = getenv("TMPDIR");
    strbuf_addf(
        folder, "%s/sonde-rules-XXXXXX", parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    if (strbuf_error(folder) != 0) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    if (mkdtemp(folder->data) == NULL) {
        return err_set(e, ERR_IO, -1, "cannot make a folder %s", folder->data);
    }
    return 0;
}

static int run_test(struct rule_test_world *world, const struct rule_test *test,
    struct strbuf *differences, struct err *e)
{
    struct strbuf folder = STRBUF_INIT;
    struct tsdb *db = NULL;
    int status = make_folder(&folder, e);
    if (status == 0) {
        const struct tsdb_options options = {.path = folder.data, .sync_policy = WAL_SYNC_NEVER};
        status = tsdb_open(&options, &db, e);
        if (status == 0) {
            world->reads = tsdb_querier_source(db);
            world->writes = tsdb_appender_source(db);
            status = rule_test_run(world, test, differences, e);
            tsdb_abandon(db);
        }
        remove_folder(folder.data, 0);
    }
    strbuf_release(&folder);
    return status;
}

/* ---- One file ---- */

static int run_tests(const struct rule_test_file *file, struct rule_file *const *rules,
    struct strbuf *differences, struct err *e)
{
    struct rule_test_world world = {
        .file = file, .rule_files = rules, .rule_file_count = file->rule_files.count};
    const struct rule_test *tests = file->tests.items;
    for (size_t i = 0; i < file->tests.count; i++) {
        struct err one = ERR_INIT;
        int status = run_test(&world, &tests[i], differences, &one);
        if (status == ERR_NOMEM || status == ERR_IO || status == ERR_NO_SPACE) {
            *e = one;
            return status;
        }
        if (status != 0) {
            strbuf_addf(differences, "%s\n", one.message);
        }
    }
    return 0;
}

/* What is wrong goes to `differences`; an error is one of the machine. */
static int test_file(const char *path, struct strbuf *differences, struct err *e)
{
    struct rule_file **rules = NULL;
    struct rule_test_file file = {0};
    struct arena arena;
    size_t read = 0;
    arena_init(&arena, 0);
    int status = rule_test_file_read(path, &arena, &file, e);
    for (size_t i = 0; i < file.unmatched.count && status == 0; i++) {
        fprintf(stderr, "  WARNING: no file match pattern %s\n", file.unmatched.items[i]);
    }
    if (status == 0) {
        rules = arena_calloc(&arena, file.rule_files.count + 1, sizeof(struct rule_file *));
        status = rules == NULL ? arena_error(&arena) : 0;
    }
    while (status == 0 && read < file.rule_files.count) {
        status = rule_file_read(
            file.rule_files.items[read], PROMQL_FEATURES_ALL, differences, &rules[read], e);
        read += status == 0;
    }
    if (status == 0) {
        status = run_tests(&file, rules, differences, e);
    }
    if (status == ERR_INVALID || status == ERR_LIMIT || status == ERR_NOT_FOUND) {
        /* Of rule files every problem is there already. */
        strbuf_addf(differences, "%s", differences->size > 0 ? "" : e->message);
        strbuf_add_c(differences, "\n");
        status = 0;
    }
    for (size_t i = 0; i < read; i++) {
        rule_file_unref(rules[i]);
    }
    arena_release(&arena);
    return status;
}

/* ---- The command ---- */

int command_test_rules(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *files[FILES_MAX];
    size_t count = 0;
    int exit_status;
    if (command_parse_files(self, none, argc, argv, files, FILES_MAX, &count, &exit_status) != 0) {
        return exit_status;
    }
    log_set_level(LOG_LEVEL_ERROR); // what a rule fails with is among the differences
    exit_status = 0;
    for (size_t i = 0; i < count; i++) {
        struct strbuf differences = STRBUF_INIT;
        struct err e = ERR_INIT;
        printf("Unit Testing:  %s\n", files[i]);
        (void)fflush(stdout); // before what goes to standard error
        int status = test_file(files[i], &differences, &e);
        status = status != 0 ? status : strbuf_error(&differences);
        if (status != 0) {
            strbuf_release(&differences);
            if (e.message[0] == '\0') {
                err_set(&e, status, -1, "%s", err_text(status));
            }
            return command_fail(&e);
        }
        if (differences.size > 0) {
            fprintf(stderr, "  FAILED:\n%s", differences.data);
            exit_status = COMMAND_FAILED;
        } else {
            printf("  SUCCESS\n");
        }
        printf("\n");
        strbuf_release(&differences);
    }
    return exit_status;
}
