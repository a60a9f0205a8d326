/* What changes the store by an operator's hand: deleting series, cleaning, snapshots, compaction. The
 * paths, parameters and answers are Prometheus'. What loses data or fills the disk is behind
 * --web.enable-admin-api, as there; compaction is not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "base/hash.h"
#include "base/log.h"

#define SNAPSHOT_NAME_MAX 64
#define SNAPSHOT_PATH_MAX 4096

/* False when the request has been refused. */
static bool is_enabled(struct api_request *r)
{
    bool enabled = r->api->program.admin_api;
    if (!enabled) {
        api_fail(r, API_ERROR_UNAVAILABLE, "admin APIs disabled");
    }
    return enabled;
}

void api_compact(struct api_request *r)
{
    struct err e = ERR_INIT;
    if (r->api->backend.spans != NULL) {
        span_store_cut_soon(r->api->backend.spans);
    }
    if (tsdb_compact(r->api->backend.db, &e) != 0) {
        api_fail_with(r, &e);
    } else {
        api_reply_empty(r, 204);
    }
}

void api_delete_series(struct api_request *r)
{
    const struct api_selector *selectors = NULL;
    size_t count = 0;
    int64_t start_ms = 0, end_ms = 0;
    struct err e = ERR_INIT;
    if (!is_enabled(r) || !param_time(r, "start", INT64_MIN, &start_ms) ||
        !param_time(r, "end", INT64_MAX, &end_ms) || !param_selectors(r, &selectors, &count)) {
        return;
    }
    if (count == 0) {
        api_fail(r, API_ERROR_BAD_DATA, "no match[] parameter provided");
        return;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = tsdb_delete_series(
            r->api->backend.db, selectors[i].matchers, selectors[i].count, start_ms, end_ms, &e);
    }
    if (status != 0) {
        api_fail_with(r, &e);
        return;
    }
    LOG_INFO("api: series deleted", LOG_I("selectors", count));
    api_reply_empty(r, 204);
}

void api_clean_tombstones(struct api_request *r)
{
    struct err e = ERR_INIT;
    if (!is_enabled(r)) {
        return;
    }
    if (tsdb_clean_tombstones(r->api->backend.db, &e) != 0) {
        api_fail_with(r, &e);
    } else {
        api_reply_empty(r, 204);
    }
}

/* ---- Snapshots ---- */

/* "true" and "false" in the forms that Prometheus takes; absent is false. */
static bool param_flag(struct api_request *r, const char *name, bool *flag_out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"", "0", "f", "F", "false", "FALSE", "False"};
    struct str text = http_exchange_param(r->exchange, name);
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (str_eq_c(text, yes[i])) {
            *flag_out = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        if (str_eq_c(text, no[i])) {
            *flag_out = false;
            return true;
        }
    }
    api_fail(r, API_ERROR_BAD_DATA,
        "invalid parameter \"%s\": expected true or false, not \"%.*s\"", name, STR_ARG(text));
    return false;
}

/* The time to the second, and what tells two of one second apart: "20230714T061530Z-2be650b6d019eb54". */
static void name_snapshot(struct api *api, char name_out[SNAPSHOT_NAME_MAX])
{
    int64_t now_ms = clock_now_ms(api->clock), mono_ns = clock_monotonic_ns(api->clock);
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[32];
    (void)gmtime_r(&seconds, &parts);
    (void)strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
    uint64_t tail = hash_mix64((uint64_t)mono_ns + (uint64_t)now_ms % 1000 * 1000000);
    (void)snprintf(name_out, SNAPSHOT_NAME_MAX, "%s-%016" PRIx64, text, tail);
}

void api_snapshot(struct api_request *r)
{
    struct tsdb *db = r->api->backend.db;
    struct err e = ERR_INIT;
    char name[SNAPSHOT_NAME_MAX], path[SNAPSHOT_PATH_MAX];
    bool skip_head = false;
    if (!is_enabled(r) || !param_flag(r, "skip_head", &skip_head)) {
        return;
    }
    name_snapshot(r->api, name);
    int written = snprintf(path, sizeof(path), "%s/snapshots/%s", r->api->program.data_path, name);
    if (written <= 0 || written >= SNAPSHOT_PATH_MAX) {
        api_fail(r, API_ERROR_INTERNAL, "the path of the data directory is too long");
        return;
    }
    const struct tsdb_snapshot_options options = {r->api->backend.spans, skip_head};
    int status = tsdb_snapshot(db, path, &options, &e);
    if (status != 0) {
        api_fail_with(r, &e);
        return;
    }
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "name");
    json_cstring(&a.json, name);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}
