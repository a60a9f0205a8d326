/* sonde backup, sonde restore.
 *
 * With --server the server makes a snapshot in its data folder (hard links, an instant), which is then
 * copied and removed; the tool runs on the server's machine and reads that folder. Without, the store
 * must not be held by a server.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/api_client.h"
#include "cli/command.h"
#include "cli/store_lock.h"
#include "tsdb/backup.h"

enum { PATH_BYTES_MAX = 4096 };

/* A snapshot waits for a sync of the log and for a merge that is under way. */
#define SNAPSHOT_TIMEOUT_MS INT64_C(600000)

struct backup_flags {
    struct client_identity identity;
    const char *data, *server, *base;
    bool link, force;
};

/* ---- What is said ---- */

/* Findings first: they name files. */
static int print_done(const char *verb, struct strbuf *report, const struct backup_counts *c)
{
    strbuf_addf(report, "%s %" PRIu64 " files, %" PRIu64 " bytes", verb, c->files, c->bytes);
    if (c->linked_files > 0) {
        strbuf_addf(report, "; %" PRIu64 " files, %" PRIu64 " bytes of them by hard links",
            c->linked_files, c->linked_bytes);
    }
    strbuf_add_c(report, ".\n");
    if (c->problems > 0) {
        strbuf_addf(
            report, "%" PRIu64 " problems: what is damaged was taken as it is.\n", c->problems);
    }
    int exit_status = command_print(report);
    return c->problems > 0 ? COMMAND_FAILED : exit_status;
}

static int fail_with_report(struct strbuf *report, const struct err *e)
{
    if (report->size > 0) {
        fprintf(stderr, "%s", report->data);
    }
    strbuf_release(report);
    return command_fail(e);
}

/* ---- The server's snapshot ---- */

static int snapshot_name(const struct backup_flags *flags, unsigned status, const json_t *answer,
    struct str *name_out, struct err *e)
{
    const char *name = json_string_value(json_object_get(json_object_get(answer, "data"), "name"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (name == NULL || name[0] == '.' || strchr(name, '/') != NULL) {
        return err_set(e, ERR_INVALID, -1, "%s makes no snapshot (status %u): %s%s", flags->server,
            status, error != NULL ? error : "not a server of Sonde?",
            status == 503 ? "; it must be started with --web.enable-admin-api" : "");
    }
    *name_out = str_of(name);
    return 0;
}

/* Asks for a snapshot; its folder into `path`. */
static int take_snapshot(const struct backup_flags *flags, char *path, struct err *e)
{
    struct api_client_request request = {.server = flags->server,
        .identity = &flags->identity,
        .path = "/api/v1/admin/tsdb/snapshot",
        .timeout_ms = SNAPSHOT_TIMEOUT_MS};
    struct strbuf body = STRBUF_INIT;
    json_error_t problem;
    unsigned http_status = 0;
    struct str name;
    int status = api_client_ask(&request, &http_status, &body, e);
    json_t *answer = status == 0 ? json_loadb(body.data, body.size, 0, &problem) : NULL;
    if (status == 0) {
        status = snapshot_name(flags, http_status, answer, &name, e);
    }
    if (status == 0) {
        int written =
            snprintf(path, PATH_BYTES_MAX, "%s/snapshots/%.*s", flags->data, STR_ARG(name));
        status = written > 0 && written < PATH_BYTES_MAX
                     ? store_folder_check(path, e)
                     : err_set(e, ERR_LIMIT, -1, "the path %s is too long", flags->data);
        if (status != 0) {
            err_prefix(e, "the server's snapshot is not in %s: name its data folder with --data",
                flags->data);
        }
    }
    json_decref(answer);
    strbuf_release(&body);
    return status;
}

/* ---- sonde backup ---- */

static int backup_from(const char *from, const char *to, const struct backup_flags *flags,
    struct strbuf *report, struct backup_counts *counts, struct err *e)
{
    const struct backup_options options = {
        .from = from, .to = to, .base = flags->base, .link = flags->link};
    return tsdb_backup(&options, report, counts, e);
}

static int backup_of_server(const char *to, const struct backup_flags *flags, struct strbuf *report,
    struct backup_counts *counts, struct err *e)
{
    char path[PATH_BYTES_MAX];
    int status = take_snapshot(flags, path, e);
    if (status != 0) {
        return status;
    }
    status = backup_from(path, to, flags, report, counts, e);
    struct err remove_error = ERR_INIT;
    int removed = tsdb_backup_remove(NULL, path, &remove_error);
    if (status == 0 && removed != 0) {
        *e = remove_error;
        status = removed;
    }
    return status;
}

static int backup_of_folder(const char *to, const struct backup_flags *flags, struct strbuf *report,
    struct backup_counts *counts, struct err *e)
{
    struct store_lock lock;
    int status = store_lock_take(&lock, flags->data, e);
    if (status == 0) {
        status = backup_from(flags->data, to, flags, report, counts, e);
    }
    store_lock_give(&lock);
    return status;
}

int command_backup(const struct command *self, int argc, char **argv)
{
    struct backup_flags values = {.data = "data"};
    const struct flag flags[] = {
        {"data", FLAG_STRING, &values.data, "DIR", "The store's folder (default data).", 0, 0},
        {"server", FLAG_STRING, &values.server, "URL",
            "The server that holds it: it makes a snapshot (needs --web.enable-admin-api there).",
            0, 0},
        {"base", FLAG_STRING, &values.base, "DIR",
            "An earlier backup on the same disk: what it has is linked, not copied.", 0, 0},
        {"link", FLAG_BOOL, &values.link, NULL,
            "Hard links to the store's own files: instant, and no help against a failing disk.", 0,
            0},
        CLIENT_IDENTITY_FLAGS(&values.identity),
        {.name = NULL},
    };
    const char *to;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &to, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct strbuf report = STRBUF_INIT;
    struct backup_counts counts = {.files = 0};
    struct err e = ERR_INIT;
    int status = values.server != NULL ? backup_of_server(to, &values, &report, &counts, &e)
                                       : backup_of_folder(to, &values, &report, &counts, &e);
    return status != 0 ? fail_with_report(&report, &e) : print_done("Backed up", &report, &counts);
}

/* ---- sonde restore ---- */

int command_restore(const struct command *self, int argc, char **argv)
{
    struct backup_flags values = {.data = "data"};
    const struct flag flags[] = {
        {"data", FLAG_STRING, &values.data, "DIR",
            "The folder to make, empty or not there (default data).", 0, 0},
        {"link", FLAG_BOOL, &values.link, NULL,
            "Hard links to the backup's files: instant, on the same disk.", 0, 0},
        {"force", FLAG_BOOL, &values.force, NULL, "Although the backup is damaged.", 0, 0},
        {.name = NULL},
    };
    const char *from;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &from, 1, &exit_status) != 0) {
        return exit_status;
    }
    const struct backup_options options = {
        .from = from, .to = values.data, .link = values.link, .force = values.force};
    struct strbuf report = STRBUF_INIT;
    struct backup_counts counts = {.files = 0};
    struct err e = ERR_INIT;
    int status = tsdb_restore(&options, &report, &counts, &e);
    return status != 0 ? fail_with_report(&report, &e) : print_done("Restored", &report, &counts);
}
