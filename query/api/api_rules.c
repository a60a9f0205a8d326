/* /api/v1/rules and /api/v1/alerts in Prometheus' JSON, and /config/v1/rules in Mimir's YAML, with which
 * Grafana's editor reads and writes rules.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "base/fpconv.h"
#include "base/rfc3339.h"
#include "query/rules.h"

/* ---- Pieces ---- */

/* Go's zero time for a moment that never was. */
static void write_time(struct json_writer *json, const char *key, int64_t time_ms)
{
    json_key(json, key);
    rfc3339_json(json, time_ms != INT64_MIN ? time_ms : RFC3339_GO_ZERO_MS);
}

/* Go's format 'e' with the shortest digits: "1e+00", "4.25e-03". */
static void write_value(struct json_writer *json, double value)
{
    char plain[FP_PLAIN_TEXT_MAX], text[FP_PLAIN_TEXT_MAX + 16];
    size_t length = fp_format_plain(value, plain), digits = 0, point = SIZE_MAX, first = SIZE_MAX;
    if (!isfinite(value)) {
        json_cstring(json, plain);
        return;
    }
    char kept[FP_PLAIN_TEXT_MAX];
    size_t place = 0; /* of digits in `plain`, the point left out */
    for (size_t i = 0; i < length; i++) {
        if (plain[i] == '.') {
            point = place;
        } else if (plain[i] != '-') {
            if (plain[i] != '0' || digits > 0) {
                first = digits == 0 ? place : first;
                kept[digits++] = plain[i];
            }
            place++;
        }
    }
    point = point == SIZE_MAX ? place : point;
    while (digits > 1 && kept[digits - 1] == '0') {
        digits--;
    }
    if (digits == 0) {
        kept[digits++] = '0';
        first = point - 1;
    }
    int exponent = (int)point - 1 - (int)first;
    snprintf(text, sizeof(text), "%s%c%s%.*se%c%02d", signbit(value) ? "-" : "", kept[0],
        digits > 1 ? "." : "", (int)digits - 1, kept + 1, exponent < 0 ? '-' : '+',
        exponent < 0 ? -exponent : exponent);
    json_cstring(json, text);
}

static void write_pairs(
    struct json_writer *json, const char *key, const struct label *pairs, size_t count)
{
    json_key(json, key);
    json_begin_object(json);
    for (size_t i = 0; i < count; i++) {
        json_key_str(json, pairs[i].name);
        json_string(json, pairs[i].value);
    }
    json_end(json);
}

static void write_text(struct json_writer *json, const char *key, struct str text)
{
    json_key(json, key);
    json_string(json, text);
}

static void write_seconds(struct json_writer *json, const char *key, double seconds)
{
    json_key(json, key);
    json_double(json, seconds);
}

static void write_alert(struct json_writer *json, const struct rule_alert *alert)
{
    json_begin_object(json);
    write_pairs(json, "labels", labels_pairs(alert->labels), labels_count(alert->labels));
    write_pairs(
        json, "annotations", labels_pairs(alert->annotations), labels_count(alert->annotations));
    write_text(json, "state", alert->firing ? STR("firing") : STR("pending"));
    write_time(json, "activeAt", alert->active_at_ms);
    if (alert->keep_firing_since_ms != INT64_MIN) {
        write_time(json, "keepFiringSince", alert->keep_firing_since_ms);
    }
    json_key(json, "value");
    write_value(json, alert->value);
    json_end(json);
}

static const char *state_of(const struct rule_status *rule)
{
    const char *state = rule->health == RULE_UNKNOWN ? "unknown" : "inactive";
    for (size_t i = 0; i < rule->alert_count; i++) {
        if (rule->alerts[i].firing) {
            return "firing";
        }
        state = "pending";
    }
    return state;
}

static void write_rule(struct json_writer *json, const struct rule_status *rule, bool with_alerts)
{
    static const char *const health[] = {
        [RULE_UNKNOWN] = "unknown", [RULE_OK] = "ok", [RULE_ERROR] = "err"};
    const struct rule_definition *d = rule->definition;
    json_begin_object(json);
    if (d->alerting) {
        json_key(json, "state");
        json_cstring(json, state_of(rule));
    }
    write_text(json, "name", d->name);
    write_text(json, "query", d->expr);
    if (d->alerting) {
        write_seconds(json, "duration", (double)d->for_ms / 1000);
        write_seconds(json, "keepFiringFor", (double)d->keep_firing_for_ms / 1000);
    }
    write_pairs(json, "labels", d->labels, d->label_count);
    if (d->alerting) {
        write_pairs(json, "annotations", d->annotations, d->annotation_count);
        json_key(json, "alerts");
        if (with_alerts) {
            json_begin_array(json);
            for (size_t i = 0; i < rule->alert_count; i++) {
                write_alert(json, &rule->alerts[i]);
            }
            json_end(json);
        } else {
            json_null(json);
        }
    }
    json_key(json, "health");
    json_cstring(json, health[rule->health]);
    if (rule->last_error.len > 0) {
        write_text(json, "lastError", rule->last_error);
    }
    write_seconds(json, "evaluationTime", (double)rule->evaluation_ns / 1e9);
    write_time(json, "lastEvaluation", rule->evaluated_at_ms);
    write_text(json, "type", d->alerting ? STR("alerting") : STR("recording"));
    json_end(json);
}

/* ---- Which ---- */

struct rules_question {
    const struct api_request *request;
    bool alerting, recording, with_alerts;
    const struct api_selector *selectors;
    size_t selector_count;
    size_t group_limit; /* 0 = all */
    struct str token;   /* of the first group; len 0 = the first there is */
};

/* Is there no such parameter, or one of this value? */
static bool is_wanted(const struct api_request *r, const char *parameter, struct str value)
{
    struct str one;
    bool any = false;
    for (size_t i = 0; http_exchange_param_at(r->exchange, parameter, i, &one); i++) {
        any = true;
        if (str_eq(one, value)) {
            return true;
        }
    }
    return !any;
}

static struct str value_of(const struct rule_definition *d, struct str name)
{
    for (size_t i = 0; i < d->label_count; i++) {
        if (str_eq(d->labels[i].name, name)) {
            return d->labels[i].value;
        }
    }
    return (struct str){0};
}

static bool is_selected(const struct rules_question *q, const struct rule_definition *d)
{
    bool selected = q->selector_count == 0;
    for (size_t i = 0; i < q->selector_count && !selected; i++) {
        selected = true;
        for (size_t k = 0; k < q->selectors[i].count && selected; k++) {
            const struct matcher *m = q->selectors[i].matchers[k];
            selected = matcher_matches(m, value_of(d, m->name));
        }
    }
    return selected && (d->alerting ? q->alerting : q->recording) &&
           is_wanted(q->request, "rule_name[]", d->name);
}

static bool has_selected(const struct rules_question *q, const struct rule_group_status *group)
{
    for (size_t i = 0; i < group->rule_count; i++) {
        if (is_selected(q, group->rules[i].definition)) {
            return true;
        }
    }
    return false;
}

/* Names a group on the page before it. */
static void write_token(const struct rule_group_status *group, char token[33])
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(
        &text, "%.*s;%.*s", STR_ARG(group->definition->file), STR_ARG(group->definition->name));
    struct hash128 hash = hash128(text.data, text.size, 0);
    snprintf(
        token, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
    strbuf_release(&text);
}

static void write_group(
    struct json_writer *json, const struct rules_question *q, const struct rule_group_status *group)
{
    const struct rule_group_definition *d = group->definition;
    json_begin_object(json);
    write_text(json, "name", d->name);
    write_text(json, "file", d->file);
    json_key(json, "rules");
    json_begin_array(json);
    for (size_t i = 0; i < group->rule_count; i++) {
        if (is_selected(q, group->rules[i].definition)) {
            write_rule(json, &group->rules[i], q->with_alerts);
        }
    }
    json_end(json);
    write_seconds(json, "interval", (double)group->interval_ms / 1000);
    json_key(json, "limit");
    json_integer(json, (int64_t)d->limit);
    write_seconds(json, "evaluationTime", (double)group->evaluation_ns / 1e9);
    write_time(json, "lastEvaluation", group->evaluated_at_ms);
    json_end(json);
}

/* Each returns false when it has answered. */
static bool read_question(struct api_request *r, struct rules_question *q)
{
    struct str type = http_exchange_param(r->exchange, "type");
    struct str exclude = http_exchange_param(r->exchange, "exclude_alerts");
    struct str limit = http_exchange_param(r->exchange, "group_limit");
    uint64_t count = 0;
    q->request = r;
    q->alerting = type.len == 0 || str_eq_c(type, "alert");
    q->recording = type.len == 0 || str_eq_c(type, "record");
    q->token = http_exchange_param(r->exchange, "group_next_token");
    q->with_alerts = exclude.len == 0 || str_eq_c(exclude, "false") || str_eq_c(exclude, "0");
    if (!q->alerting && !q->recording) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"type\": not supported value \"%.*s\"",
            STR_ARG(type));
        return false;
    }
    if (!q->with_alerts && !str_eq_c(exclude, "true") && !str_eq_c(exclude, "1")) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"exclude_alerts\": expected true or false, found \"%.*s\"",
            STR_ARG(exclude));
        return false;
    }
    if (q->token.len > 0 && limit.len == 0) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"group_next_token\": group_limit needs to be present in order to "
            "paginate over the groups");
        return false;
    }
    if (limit.len > 0 && (str_to_u64(limit, &count) != 0 || count == 0 || count > INT32_MAX)) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"group_limit\": group_limit needs to be greater than 0");
        return false;
    }
    q->group_limit = (size_t)count;
    struct str first;
    return !http_exchange_param_at(r->exchange, "match[]", 0, &first) ||
           param_selectors(r, &q->selectors, &q->selector_count);
}

/* Everything as it is now, in the request's arena. */
static bool read_status(
    struct api_request *r, struct rule_group_status **groups_out, size_t *count_out)
{
    *groups_out = NULL;
    *count_out = 0;
    if (r->api->backend.rules == NULL) {
        return true;
    }
    int status = rules_status(
        r->api->backend.rules, http_exchange_arena(r->exchange), groups_out, count_out);
    if (status != 0) {
        api_fail(r, api_error_of(status), "%s", err_text(status));
    }
    return status == 0;
}

void api_rules(struct api_request *r)
{
    struct rules_question q = {0};
    struct rule_group_status *groups;
    size_t count, shown = 0;
    char token[33] = "";
    if (!read_question(r, &q) || !read_status(r, &groups, &count)) {
        return;
    }
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "groups");
    json_begin_array(&a.json);
    bool found = q.token.len == 0, more = false;
    for (size_t i = 0; i < count && !more; i++) {
        const struct rule_group_definition *d = groups[i].definition;
        write_token(&groups[i], token);
        found = found || str_eq_c(q.token, token);
        if (!found || !is_wanted(r, "rule_group[]", d->name) || !is_wanted(r, "file[]", d->file) ||
            !has_selected(&q, &groups[i])) {
            continue;
        }
        more = q.group_limit > 0 && shown == q.group_limit;
        if (!more) {
            write_group(&a.json, &q, &groups[i]);
            shown++;
        }
    }
    json_end(&a.json);
    if (!found) {
        api_answer_drop(&a);
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"group_next_token\": invalid group_next_token '%.*s'. were rule "
            "groups changed?",
            STR_ARG(q.token));
        return;
    }
    if (more) {
        json_key(&a.json, "groupNextToken");
        json_cstring(&a.json, token);
    }
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

void api_alerts(struct api_request *r)
{
    struct rule_group_status *groups;
    size_t count;
    if (!read_status(r, &groups, &count)) {
        return;
    }
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "alerts");
    json_begin_array(&a.json);
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < groups[g].rule_count; i++) {
            for (size_t k = 0; k < groups[g].rules[i].alert_count; k++) {
                write_alert(&a.json, &groups[g].rules[i].alerts[k]);
            }
        }
    }
    json_end(&a.json);
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

/* ---- Writing ---- */

#define CONFIG_PATH STR("/config/v1/rules")

/* "namespace" or "namespace/group" of the path: the first slash divides. */
static void split_path(const struct api_request *r, struct str *namespace, struct str *group)
{
    *group = str_skip(http_exchange_path(r->exchange), CONFIG_PATH.len);
    *group = str_skip(*group, group->len > 0); /* its slash */
    *namespace = str_split(group, '/');
}

/* Mimir's answers are plain text. */
static void answer_plain(struct api_request *r, int status, const struct err *e)
{
    switch (status) {
    case 0:
        api_reply_text(r, 202, "");
        break;
    case ERR_NOT_FOUND:
        api_reply_text(r, 404, e->message);
        break;
    case ERR_INVALID:
    case ERR_LIMIT:
        api_reply_text(r, 400, e->message);
        break;
    default:
        api_reply_text(r, 500, e->message);
        break;
    }
}

static void show_config(struct api_request *r, struct str namespace, struct str group)
{
    struct strbuf yaml = STRBUF_INIT;
    struct err e = ERR_INIT;
    int status = rules_write_yaml(r->api->backend.rules, namespace, group, &yaml, &e);
    if (status == 0 && strbuf_error(&yaml) != 0) {
        status = err_set(&e, strbuf_error(&yaml), -1, "%s", err_text(strbuf_error(&yaml)));
    }
    if (status != 0) {
        strbuf_release(&yaml);
        answer_plain(r, status, &e);
        return;
    }
    api_reply(r, 200, "application/yaml", &yaml);
}

/* The tenant in X-Scope-OrgID may be any: there is one. */
void api_rule_config(struct api_request *r)
{
    struct rules *rules = r->api->backend.rules;
    struct str namespace, group, method = http_exchange_method(r->exchange);
    struct err e = ERR_INIT;
    int status;
    split_path(r, &namespace, &group);
    if (rules == NULL) {
        status = err_set(&e, ERR_NOT_FOUND, -1, "no rules are evaluated here");
    } else if (str_eq_c(method, "GET")) {
        show_config(r, namespace, group);
        return;
    } else if (str_eq_c(method, "POST")) {
        status = rules_write_group(rules, namespace, http_exchange_body(r->exchange), &e);
    } else if (group.len > 0) {
        status = rules_delete_group(rules, namespace, group, &e);
    } else {
        status = rules_delete_namespace(rules, namespace, &e);
    }
    answer_plain(r, status, &e);
}
