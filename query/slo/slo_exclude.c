/* Exclusions over HTTP: made from JSON, listed, removed. Each change is in the journal before the answer, and in
 * the log with its author and reason.
 */
#include <jansson.h>
#include <math.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "slo_manager.h"

#define REQUEST_BYTES_MAX ((size_t)64 << 10)

static void write_key(uint64_t id, uint8_t key[9])
{
    key[0] = 'x';
    for (int i = 0; i < 8; i++) {
        key[1 + i] = (uint8_t)(id >> (56 - 8 * i));
    }
}

static struct str key_str(const uint8_t *key)
{
    return str_make((const char *)key, 9);
}

/* "2026-01-02T03:04:05Z", with an offset or a fraction, or seconds since 1970. */
static bool parse_time(const json_t *value, int64_t *time_out)
{
    if (json_is_number(value)) {
        double seconds = json_number_value(value);
        *time_out = (int64_t)llround(seconds * 1000);
        return fabs(seconds) < 1e11;
    }
    const char *text = json_string_value(value);
    return text != NULL && rfc3339_parse(str_of(text), time_out) == 0;
}

static struct str text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return str_of(json_is_string(value) ? json_string_value(value) : "");
}

static int read_request(const json_t *object, struct slo_exclusion *x, struct err *e)
{
    x->reason = text_of(object, "reason");
    x->author = text_of(object, "author");
    x->zone_name = text_of(object, "timezone");
    x->until_ms = INT64_MAX;
    struct str repeat = text_of(object, "repeat");
    if (!parse_time(json_object_get(object, "start"), &x->start_ms) ||
        !parse_time(json_object_get(object, "end"), &x->end_ms)) {
        return err_set(e, ERR_INVALID, -1,
            "start and end are times such as \"2026-01-02T03:04:05Z\", or seconds since 1970");
    }
    if (repeat.len > 0 && !slo_repeat_find(repeat, &x->repeat)) {
        return err_set(e, ERR_INVALID, -1, "repeat: once, daily or weekly");
    }
    const json_t *until = json_object_get(object, "until");
    if (until != NULL && !parse_time(until, &x->until_ms)) {
        return err_set(e, ERR_INVALID, -1, "until is a time");
    }
    return slo_exclusion_check(x, e);
}

static int check_zone(struct slo_manager *m, struct str name, struct err *e)
{
    struct zone *zone = NULL;
    int status = zone_open(m->fs, name, &zone, e);
    zone_free(zone);
    return status == 0 ? 0 : ERR_INVALID;
}

/* Under the lock. */
static int add(struct slo_manager *m, struct slo_exclusion *x, struct err *e)
{
    uint8_t key[9];
    struct strbuf record = STRBUF_INIT;
    if (slo_set_find(m->set, x->slo) == NULL) {
        return err_set(e, ERR_NOT_FOUND, -1, "there is no SLO \"%.*s\"",
            (int)(x->slo.len < 200 ? x->slo.len : 200), x->slo.ptr);
    }
    if (m->exclusions.count == SLO_EXCLUSIONS_MAX) {
        return err_set(e, ERR_LIMIT, -1, "there are %d exclusions already", SLO_EXCLUSIONS_MAX);
    }
    for (size_t i = 0; i < m->exclusions.count; i++) {
        x->id = m->exclusions.items[i].id > x->id ? m->exclusions.items[i].id : x->id;
    }
    x->id++;
    write_key(x->id, key);
    slo_exclusion_encode(x, &record);
    int status = strbuf_error(&record);
    if (status == 0) {
        slo_journal_put(m->journal, key_str(key), strbuf_str(&record));
        status = slo_journal_commit(m->journal, e);
    }
    strbuf_release(&record);
    if (status != 0) {
        slo_journal_delete(m->journal, key_str(key));
        return status;
    }
    return slo_manager_exclude(m, e);
}

int slo_add_exclusion(
    struct slo_manager *m, struct str name, struct str json, uint64_t *id_out, struct err *e)
{
    json_error_t error;
    if (json.len > REQUEST_BYTES_MAX) {
        return err_set(e, ERR_INVALID, -1, "an exclusion has at most %zu bytes", REQUEST_BYTES_MAX);
    }
    json_t *object = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(
            e, ERR_INVALID, -1, "a JSON object with start, end, reason and author is wanted");
    }
    struct slo_exclusion x = {.slo = name, .made_ms = clock_now_ms(m->clock)};
    int status = read_request(object, &x, e);
    if (status == 0) {
        status = check_zone(m, x.zone_name, e);
    }
    if (status == 0) {
        lock_take(&m->lock);
        status = add(m, &x, e);
        lock_give(&m->lock);
    }
    if (status == 0) {
        LOG_INFO("exclusion of an objective made", LOG_STR("slo", x.slo), LOG_I("id", x.id),
            LOG_STR("author", x.author), LOG_STR("reason", x.reason), LOG_I("start_ms", x.start_ms),
            LOG_I("end_ms", x.end_ms), LOG_S("repeat", slo_repeat_name(x.repeat)));
        *id_out = x.id;
    }
    json_decref(object);
    return status;
}

int slo_remove_exclusion(struct slo_manager *m, struct str name, uint64_t id, struct str author,
    struct str reason, struct err *e)
{
    uint8_t key[9];
    bool found = false;
    write_key(id, key);
    if (str_trim(author).len == 0 || str_trim(reason).len == 0) {
        return err_set(e, ERR_INVALID, -1, "a removal has a reason and an author, too");
    }
    lock_take(&m->lock);
    for (size_t i = 0; i < m->exclusions.count; i++) {
        found |= m->exclusions.items[i].id == id && str_eq(m->exclusions.items[i].slo, name);
    }
    int status = 0;
    if (found) {
        slo_journal_delete(m->journal, key_str(key));
        status = slo_journal_commit(m->journal, e);
        status = status == 0 ? slo_manager_exclude(m, e) : status;
    }
    lock_give(&m->lock);
    if (!found) {
        return err_set(e, ERR_NOT_FOUND, -1, "SLO \"%.*s\" has no exclusion %llu",
            (int)(name.len < 200 ? name.len : 200), name.ptr, (unsigned long long)id);
    }
    if (status == 0) {
        LOG_INFO("exclusion of an objective removed", LOG_STR("slo", name), LOG_I("id", id),
            LOG_STR("author", author), LOG_STR("reason", reason));
    }
    return status;
}

static void write_exclusion(const struct slo_exclusion *x, struct json_writer *out)
{
    json_begin_object(out);
    json_key(out, "id");
    sonde_json_integer(out, (int64_t)x->id);
    json_key(out, "start");
    json_seconds(out, x->start_ms);
    json_key(out, "end");
    json_seconds(out, x->end_ms);
    json_key(out, "repeat");
    json_cstring(out, slo_repeat_name(x->repeat));
    if (x->repeat != SLO_ONCE) {
        json_key(out, "timezone");
        sonde_json_string(out, x->zone_name);
        if (x->until_ms != INT64_MAX) {
            json_key(out, "until");
            json_seconds(out, x->until_ms);
        }
    }
    json_key(out, "reason");
    sonde_json_string(out, x->reason);
    json_key(out, "author");
    sonde_json_string(out, x->author);
    json_key(out, "made");
    json_seconds(out, x->made_ms);
    json_end(out);
}

int slo_write_exclusions(
    struct slo_manager *m, struct str name, struct json_writer *out, struct err *e)
{
    lock_take(&m->lock);
    bool found = slo_set_find(m->set, name) != NULL;
    json_begin_array(out);
    for (size_t i = 0; i < m->exclusions.count && found; i++) {
        if (str_eq(m->exclusions.items[i].slo, name)) {
            write_exclusion(&m->exclusions.items[i], out);
        }
    }
    json_end(out);
    lock_give(&m->lock);
    return found ? 0
                 : err_set(e, ERR_NOT_FOUND, -1, "there is no SLO \"%.*s\"",
                       (int)(name.len < 200 ? name.len : 200), name.ptr);
}
