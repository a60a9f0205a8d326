/* Reading the rules of retention; see the header. */
#include "server/retention_rules.h"

#include "base/regex.h"
#include "model/duration.h"
#include "query/promql.h"

/* The text up to the last colon, which no duration has, and what is behind it. */
static bool split_rule(struct str text, struct str *selector, struct str *keep)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return false;
    }
    *selector = str_trim(str_make(text.ptr, colon - 1));
    *keep = str_trim(str_make(text.ptr + colon, text.len - colon));
    return selector->len > 0 && keep->len > 0;
}

static int parse_rule(
    struct arena *arena, const char *text, struct tsdb_retention_rule *rule, struct err *e)
{
    struct str selector, keep;
    struct expr *expr = NULL;
    struct err why = ERR_INIT;
    if (!split_rule(str_of(text), &selector, &keep)) {
        return err_set(e, ERR_INVALID, -1,
            "storage.retention_rules: \"%s\": expected a selector, a colon and a duration, as in "
            "{job=\"debug\"}: 2d",
            text);
    }
    int status = promql_parse_selector(selector, arena, &expr, &why);
    if (status == 0) {
        status = duration_parse(keep, &rule->keep_ms, &why);
    }
    if (status != 0) {
        return err_set(e, status, -1, "storage.retention_rules: \"%s\": %s", text, why.message);
    }
    rule->matchers = expr->selector.matchers;
    rule->matcher_count = expr->selector.matcher_count;
    return 0;
}

int retention_rules_parse(struct arena *arena, const struct config_strings *texts,
    struct tsdb_retention_rule **rules_out, size_t *count_out, struct err *e)
{
    if (texts->count > RETENTION_RULES_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, -1, "storage.retention_rules: %zu rules; at most %d are taken",
            texts->count, RETENTION_RULES_TEXT_MAX);
    }
    struct tsdb_retention_rule *rules = arena_calloc(arena, texts->count + 1, sizeof(*rules));
    if (rules == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    for (size_t i = 0; i < texts->count; i++) {
        int status = parse_rule(arena, texts->items[i], &rules[i], e);
        if (status != 0) {
            return status;
        }
    }
    *rules_out = rules;
    *count_out = texts->count;
    return 0;
}

/* ---- Services ---- */

static int parse_services(const char *text, struct span_retention_rule *rule, struct err *e)
{
    struct str keep;
    struct err why = ERR_INIT;
    struct regex *pattern = NULL;
    if (!split_rule(str_of(text), &rule->services, &keep)) {
        return err_set(e, ERR_INVALID, -1,
            "traces.retention_services: \"%s\": expected a pattern of services, a colon and a "
            "duration, as in checkout|cart: 90d",
            text);
    }
    int status = regex_new(rule->services, &pattern, &why); /* the store makes its own */
    regex_free(pattern);
    status = status == 0 ? duration_parse(keep, &rule->keep_ms, &why) : status;
    if (status != 0) {
        return err_set(e, status, -1, "traces.retention_services: \"%s\": %s", text, why.message);
    }
    return 0;
}

int retention_services_parse(struct arena *arena, const struct config_strings *texts,
    struct span_retention_rule **rules_out, size_t *count_out, struct err *e)
{
    if (texts->count > SPAN_RETENTION_RULES_MAX) {
        return err_set(e, ERR_LIMIT, -1,
            "traces.retention_services: %zu rules; at most %d are taken", texts->count,
            SPAN_RETENTION_RULES_MAX);
    }
    struct span_retention_rule *rules = arena_calloc(arena, texts->count + 1, sizeof(*rules));
    if (rules == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    for (size_t i = 0; i < texts->count; i++) {
        int status = parse_services(texts->items[i], &rules[i], e);
        if (status != 0) {
            return status;
        }
    }
    *rules_out = rules;
    *count_out = texts->count;
    return 0;
}
