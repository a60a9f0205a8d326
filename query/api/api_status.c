/* /api/v1/status/…: what the server tells about itself, in Prometheus' shapes. */
#include <stdio.h>
#include <unistd.h>

#include "api/api_private.h"
#include "base/rfc3339.h"
#include "model/duration.h"

static void write_text(struct json_writer *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstring(json, value);
}

static void write_version(struct json_writer *json)
{
    static const char *const unknown[] = {
        "revision", "branch", "buildUser", "buildDate", "goVersion"};
    write_text(json, "version", SONDE_VERSION);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        write_text(json, unknown[i], "");
    }
}

/* Grafana takes a member `features` that is not empty for the mark of a server whose rules it may write, at
 * /config/v1/rules; its values are strings. */
void api_status_buildinfo(struct api_request *r)
{
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    write_version(&a.json);
    json_key(&a.json, "features");
    json_begin_object(&a.json);
    write_text(&a.json, "ruler_config_api", "true");
    json_end(&a.json);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

/* Without the API's envelope, as Prometheus has it. */
void api_version(struct api_request *r)
{
    struct strbuf text = STRBUF_INIT;
    struct json_writer json;
    json_init(&json, &text);
    json_begin_object(&json);
    write_version(&json);
    json_end(&json);
    api_reply(r, 200, "application/json", &text);
}

static void write_time(struct json_writer *json, const char *key, int64_t time_ms)
{
    json_key(json, key);
    rfc3339_json(json, time_ms);
}

static void write_retention(struct json_writer *json, int64_t retention_ms)
{
    struct strbuf text = STRBUF_INIT;
    duration_write(retention_ms, &text);
    write_text(
        json, "storageRetention", retention_ms == 0 || text.data == NULL ? "for ever" : text.data);
    strbuf_release(&text);
}

void api_status_runtimeinfo(struct api_request *r)
{
    const struct api *api = r->api;
    struct tsdb_statistics statistics;
    char folder[1024];
    tsdb_statistics(api->backend.db, &statistics);
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    write_time(&a.json, "startTime", api->started_ms);
    write_text(&a.json, "CWD", getcwd(folder, sizeof(folder)) != NULL ? folder : "");
    write_time(&a.json, "serverTime", clock_now_ms(api->clock));
    json_key(&a.json, "reloadConfigSuccess");
    json_bool(&a.json, atomic_load(&api->reload_succeeded));
    write_time(&a.json, "lastConfigTime", atomic_load(&api->reloaded_ms));
    json_key(&a.json, "corruptionCount");
    json_integer(&a.json, (int64_t)(statistics.wal_corrupt_records + statistics.parts_quarantined));
    /* What only Go has: clients of Prometheus expect the keys. */
    json_key(&a.json, "goroutineCount");
    json_integer(&a.json, 0);
    json_key(&a.json, "GOMAXPROCS");
    json_integer(&a.json, sysconf(_SC_NPROCESSORS_ONLN));
    write_text(&a.json, "GOGC", "");
    write_text(&a.json, "GODEBUG", "");
    write_retention(&a.json, api->program.retention_ms);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

void api_status_flags(struct api_request *r)
{
    const struct api_program *program = &r->api->program;
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    if (program->write_flags != NULL) {
        program->write_flags(program->context, &a.json);
    }
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

void api_status_config(struct api_request *r)
{
    const struct api_program *program = &r->api->program;
    struct strbuf yaml = STRBUF_INIT;
    struct api_answer a;
    if (program->write_config != NULL) {
        program->write_config(program->context, &yaml);
    }
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "yaml");
    json_string(&a.json, strbuf_str(&yaml));
    json_end(&a.json);
    strbuf_release(&yaml);
    api_answer_send(r, &a, NULL);
}

/* Answered while the store is being opened, too. How far the replay is, nobody counts: it is either
 * under way or done. */
void api_status_walreplay(struct api_request *r)
{
    bool done = atomic_load(&r->api->stage) != API_STARTING;
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "min");
    json_integer(&a.json, 0);
    json_key(&a.json, "max");
    json_integer(&a.json, 1);
    json_key(&a.json, "current");
    json_integer(&a.json, done);
    write_text(&a.json, "state", done ? "done" : "in progress");
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

/* ---- /api/v1/status/tsdb/blocks ---- */

static int write_part(void *context, const struct tsdb_part_about *part)
{
    struct json_writer *json = context;
    json_begin_object(json);
    json_key(json, "ulid");
    json_string(json, part->name);
    json_key(json, "minTime");
    json_integer(json, part->min_t);
    json_key(json, "maxTime"); // the first that is not in it
    json_integer(json, part->max_t + 1);
    json_key(json, "stats");
    json_begin_object(json);
    json_key(json, "numSamples");
    json_integer(json, (int64_t)part->samples);
    json_key(json, "numBytes");
    json_integer(json, (int64_t)part->bytes);
    json_end(json);
    json_key(json, "compaction");
    json_begin_object(json);
    json_key(json, "level");
    json_integer(json, part->level);
    json_key(json, "sources");
    json_begin_array(json);
    json_string(json, part->name);
    json_end(json);
    json_end(json);
    json_key(json, "resolution");
    json_integer(json, part->resolution_ms);
    json_key(json, "version");
    json_integer(json, 1);
    json_end(json);
    return strbuf_error(json->out);
}

/* Parts in the place of blocks. Beside what Prometheus has: bytes of the file, and the milliseconds of a
 * downsampled part's buckets. */
void api_status_blocks(struct api_request *r)
{
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "blocks");
    json_begin_array(&a.json);
    int status = tsdb_each_part(r->api->backend.db, write_part, &a.json);
    json_end(&a.json);
    json_end(&a.json);
    if (status != 0) {
        api_answer_drop(&a);
        api_fail(r, api_error_of(status), "%s", err_text(status));
        return;
    }
    api_answer_send(r, &a, NULL);
}
