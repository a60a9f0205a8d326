/* JSON in, of the API: alerts that are posted, and silences. What is wrong is said in Alertmanager's words
 * where its clients know them.
 */
#include <jansson.h>

#include "alert/notify_parse.h"

#include <stdlib.h>

#include "alert/alert_json.h"
#include "base/mem.h"

static json_t *load(struct str body, struct err *e)
{
    json_error_t error;
    json_t *root = json_loadb(body.ptr, body.len, 0, &error);
    if (root == NULL) {
        err_set(e, ERR_INVALID, error.position, "the body is not JSON: %s", error.text);
    }
    return root;
}

static bool text_of(const json_t *object, const char *key, struct str *out)
{
    const json_t *value = json_object_get(object, key);
    *out = STR("");
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value)) {
        return false;
    }
    *out = str_make(json_string_value(value), json_string_length(value));
    return true;
}

/* An absent time is 0, which is what Go's zero time is read as. */
static int time_of(const json_t *object, const char *key, int64_t *out, struct err *e)
{
    struct str text;
    *out = 0;
    if (!text_of(object, key, &text) || (text.len > 0 && alert_json_parse_time(text, out) != 0)) {
        return err_set(e, ERR_INVALID, -1,
            "%s: expected a time like 2026-11-22T08:30:00Z, not \"%.*s\"", key, STR_ARG(text));
    }
    return 0;
}

/* ---- Alerts ---- */

/* Members of an object of texts; empty values are left out. */
static int pairs_of(const json_t *object, const char *what, struct label *pairs, size_t max,
    size_t *count_out, struct err *e)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    if (object != NULL && !json_is_null(object) && !json_is_object(object)) {
        return err_set(e, ERR_INVALID, -1, "%s: expected an object of texts", what);
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!json_is_string(value) || key[0] == '\0') {
            return err_set(e, ERR_INVALID, -1, "%s: \"%s\" has no text", what, key);
        }
        if (count == max) {
            return err_set(e, ERR_INVALID, -1, "%s: more than %zu", what, max);
        }
        if (json_string_length(value) > 0) {
            pairs[count++] = (struct label){
                str_of(key), str_make(json_string_value(value), json_string_length(value))};
        }
    }
    *count_out = count;
    return 0;
}

static int compare_pairs(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static int times_of(const json_t *object, struct notify_parsed_alerts *to, int64_t now_ms,
    struct alert *alert, bool *guessed_out, struct err *e)
{
    int status = time_of(object, "startsAt", &alert->starts_at_ms, e);
    if (status == 0) {
        status = time_of(object, "endsAt", &alert->ends_at_ms, e);
    }
    if (status != 0) {
        return status;
    }
    if (alert->starts_at_ms == 0) {
        alert->starts_at_ms = alert->ends_at_ms != 0 ? alert->ends_at_ms : now_ms;
    }
    *guessed_out = alert->ends_at_ms == 0;
    if (*guessed_out) {
        alert->ends_at_ms = now_ms + to->resolve_timeout_ms;
    }
    if (alert->starts_at_ms > alert->ends_at_ms) {
        return err_set(e, ERR_INVALID, -1, "start time must be before end time");
    }
    alert->resolved = alert->ends_at_ms <= now_ms;
    return 0;
}

static int add_alert(
    struct notify_parsed_alerts *to, const json_t *object, int64_t now_ms, struct err *e)
{
    struct label labels[NOTIFY_ALERT_LABELS_MAX], annotations[ALERT_ANNOTATIONS_MAX];
    size_t label_count = 0;
    struct alert alert = {.annotations = annotations};
    bool guessed = false;
    if (!json_is_object(object)) {
        return err_set(e, ERR_INVALID, -1, "expected a list of alerts, each an object");
    }
    int status = pairs_of(json_object_get(object, "labels"), "labels", labels,
        NOTIFY_ALERT_LABELS_MAX, &label_count, e);
    if (status == 0 && label_count == 0) {
        status = err_set(e, ERR_INVALID, -1, "at least one label pair required");
    }
    if (status == 0) {
        status = pairs_of(json_object_get(object, "annotations"), "annotations", annotations,
            ALERT_ANNOTATIONS_MAX, &alert.annotation_count, e);
    }
    if (status == 0 && !text_of(object, "generatorURL", &alert.generator_url)) {
        status = err_set(e, ERR_INVALID, -1, "generatorURL: expected a text");
    }
    if (status == 0) {
        status = times_of(object, to, now_ms, &alert, &guessed, e);
    }
    if (status == 0) {
        qsort(annotations, alert.annotation_count, sizeof(annotations[0]), compare_pairs);
        status = labels_new(labels, label_count, &alert.labels, e);
    }
    if (status == 0) {
        status = alert_item_new(&alert, now_ms, guessed, &to->items[to->count]);
        to->count += status == 0;
        labels_unref(alert.labels);
    }
    if (status != 0 && e->message[0] == '\0') {
        err_set(e, status == ERR_LIMIT ? ERR_INVALID : status, -1, "an alert is too large");
    }
    return status;
}

int notify_parse_alerts(
    struct str body, int64_t now_ms, struct notify_parsed_alerts *to, struct err *e)
{
    json_t *root = load(body, e);
    if (root == NULL) {
        return ERR_INVALID;
    }
    size_t count = json_array_size(root);
    int status = 0;
    if (!json_is_array(root) || count > NOTIFY_POSTED_ALERTS_MAX) {
        status = err_set(
            e, ERR_INVALID, -1, "expected a list of at most %d alerts", NOTIFY_POSTED_ALERTS_MAX);
    } else {
        to->items = mem_calloc(count + 1, sizeof(struct alert_item *));
        status = to->items != NULL ? 0 : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    /* The good ones are taken, and the first bad one is told. */
    for (size_t i = 0; to->items != NULL && i < count; i++) {
        struct err own = ERR_INIT;
        int one = add_alert(to, json_array_get(root, i), now_ms, &own);
        to->invalid += one != 0;
        if (one != 0 && status == 0) {
            status = err_set(e, one == ERR_LIMIT ? ERR_INVALID : one, -1, "%s", own.message);
        }
    }
    json_decref(root);
    return status;
}

void notify_parsed_alerts_release(struct notify_parsed_alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++) {
        alert_item_unref(alerts->items[i]);
    }
    mem_free(alerts->items);
    *alerts = (struct notify_parsed_alerts){0};
}

/* ---- Silences ---- */

static int add_matcher(struct silence *s, const json_t *object, struct err *e)
{
    struct str name, value;
    if (!text_of(object, "name", &name) || !text_of(object, "value", &value)) {
        return err_set(e, ERR_INVALID, -1, "a matcher is {name, value, isRegex, isEqual}");
    }
    const json_t *equal = json_object_get(object, "isEqual");
    bool is_regex = json_is_true(json_object_get(object, "isRegex"));
    bool is_equal = equal == NULL || !json_is_false(equal);
    enum matcher_type type = is_regex ? (is_equal ? MATCHER_REGEX : MATCHER_NOT_REGEX)
                                      : (is_equal ? MATCHER_EQUAL : MATCHER_NOT_EQUAL);
    return label_matchers_add(&s->matchers, type, name, value, e);
}

static int fill_silence(struct silence *s, const json_t *root, struct err *e)
{
    struct str id, created_by, comment;
    const json_t *matchers = json_object_get(root, "matchers");
    if (!json_is_object(root) || !json_is_array(matchers)) {
        return err_set(e, ERR_INVALID, -1,
            "a silence is {matchers, startsAt, endsAt, createdBy, comment}, and id to change one");
    }
    if (!text_of(root, "id", &id) || !text_of(root, "createdBy", &created_by) ||
        !text_of(root, "comment", &comment) || id.len >= SILENCE_ID_SIZE ||
        comment.len + created_by.len > SILENCE_TEXT_BYTES_MAX) {
        return err_set(e, ERR_INVALID, -1,
            "id, createdBy and comment are texts of at most %zu bytes", SILENCE_TEXT_BYTES_MAX);
    }
    int status = time_of(root, "startsAt", &s->starts_at_ms, e);
    status = status != 0 ? status : time_of(root, "endsAt", &s->ends_at_ms, e);
    for (size_t i = 0; status == 0 && i < json_array_size(matchers); i++) {
        status = add_matcher(s, json_array_get(matchers, i), e);
    }
    if (status != 0) {
        return status == ERR_LIMIT ? ERR_INVALID : status;
    }
    label_matchers_sort(&s->matchers);
    memcpy(s->id, id.ptr, id.len);
    s->created_by = mem_strndup(created_by.ptr, created_by.len);
    s->comment = mem_strndup(comment.ptr, comment.len);
    return s->created_by != NULL && s->comment != NULL
               ? 0
               : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
}

int notify_parse_silence(struct str body, struct silence **silence_out, struct err *e)
{
    json_t *root = load(body, e);
    if (root == NULL) {
        return ERR_INVALID;
    }
    struct silence *s = mem_calloc(1, sizeof(*s));
    int status =
        s != NULL ? fill_silence(s, root, e) : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    json_decref(root);
    if (status != 0) {
        silence_free(s);
        return status;
    }
    *silence_out = s;
    return 0;
}
