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

/* Grafana takes a member `features` that is not empty for the mark of a server whose rules it may write, at
 * /config/v1/rules; its values are strings. */
void api_status_buildinfo(struct api_request *r)
{
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    write_text(&a.json, "version", SONDE_VERSION);
    write_text(&a.json, "revision", "");
    write_text(&a.json, "branch", "");
    write_text(&a.json, "buildUser", "");
    write_text(&a.json, "buildDate", "");
    write_text(&a.json, "goVersion", "");
    json_key(&a.json, "features");
    json_begin_object(&a.json);
    write_text(&a.json, "ruler_config_api", "true");
    json_end(&a.json);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
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
