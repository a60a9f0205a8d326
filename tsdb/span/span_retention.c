/* Rules of retention and marks of blocks; see the header. */
#include "span/span_retention.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/regex.h"

static const uint64_t MILLISECOND_NS = 1000000;

/* ---- Rules ---- */

static int compile(struct span_retention *r, const struct span_retention_rule *rule, struct err *e)
{
    struct err why = ERR_INIT;
    struct compiled_rule *made = &r->rules[r->rule_count];
    int status = regex_new(rule->services, &made->services, &why);
    if (status != 0) {
        return err_set(e, status, -1, "services \"%.*s\": %s", STR_ARG(rule->services),
            why.message[0] != '\0' ? why.message : err_text(status));
    }
    made->keep_ms = rule->keep_ms == 0 ? INT64_MAX : rule->keep_ms;
    r->rule_count++;
    return 0;
}

/* Everything that a decision depends on. */
static uint32_t checksum_of(
    const struct span_retention *r, const struct span_retention_rules *rules)
{
    uint64_t sum = hash64(&r->retention_ms, sizeof(r->retention_ms), (uint64_t)r->errors_ms);
    for (size_t i = 0; i < rules->rule_count; i++) {
        const struct span_retention_rule *rule = &rules->rules[i];
        sum = hash64(rule->services.ptr, rule->services.len, sum ^ (uint64_t)rule->keep_ms);
    }
    return (uint32_t)sum | 1;
}

int span_retention_init(
    struct span_retention *r, const struct span_retention_rules *rules, struct err *e)
{
    *r =
        (struct span_retention){.retention_ms = rules->retention_ms, .errors_ms = rules->errors_ms};
    if (rules->rule_count > SPAN_RETENTION_RULES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "%zu rules of retention, at most %d are taken",
            rules->rule_count, SPAN_RETENTION_RULES_MAX);
    }
    r->rules = mem_calloc(rules->rule_count + 1, sizeof(*r->rules));
    if (r->rules == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    r->policy = checksum_of(r, rules);
    int status = 0;
    for (size_t i = 0; status == 0 && i < rules->rule_count; i++) {
        status = compile(r, &rules->rules[i], e);
    }
    return status;
}

void span_retention_release(struct span_retention *r)
{
    for (size_t i = 0; i < r->rule_count; i++) {
        regex_free(r->rules[i].services);
    }
    mem_free(r->rules);
    r->rules = NULL;
    r->rule_count = 0;
}

/* ---- Time ---- */

uint64_t span_retention_start_ns(int64_t now_ms, int64_t keep_ms)
{
    int64_t oldest_ms = now_ms > keep_ms ? now_ms - keep_ms : 0;
    return (uint64_t)oldest_ms * MILLISECOND_NS;
}

int64_t span_retention_longest_ms(const struct span_retention *r)
{
    int64_t longest = r->errors_ms > r->retention_ms ? r->errors_ms : r->retention_ms;
    for (size_t i = 0; i < r->rule_count; i++) {
        longest = r->rules[i].keep_ms > longest ? r->rules[i].keep_ms : longest;
    }
    return longest;
}

/* ---- Marks ---- */

/* How many of the rules have had their time for all that starts up to `start_max_ns`. */
static uint32_t passed(const struct span_retention *r, int64_t now_ms, uint64_t start_max_ns)
{
    uint32_t count = start_max_ns < span_retention_start_ns(now_ms, r->retention_ms);
    count += r->errors_ms > 0 && start_max_ns < span_retention_start_ns(now_ms, r->errors_ms);
    for (size_t i = 0; i < r->rule_count; i++) {
        count += start_max_ns < span_retention_start_ns(now_ms, r->rules[i].keep_ms);
    }
    return count;
}

uint64_t span_retention_mark(const struct span_retention *r, int64_t now_ms, uint64_t start_max_ns)
{
    return (uint64_t)r->policy << 32 | passed(r, now_ms, start_max_ns);
}

bool span_retention_is_due(
    const struct span_retention *r, int64_t now_ms, uint64_t mark, uint64_t start_max_ns)
{
    uint32_t before = mark >> 32 == r->policy ? (uint32_t)mark : 0;
    return passed(r, now_ms, start_max_ns) > before;
}

/* ---- A trace ---- */

static int64_t keep_of_service(const struct span_retention *r, struct str service)
{
    for (size_t i = 0; i < r->rule_count; i++) {
        if (regex_matches(r->rules[i].services, service)) {
            return r->rules[i].keep_ms;
        }
    }
    return r->retention_ms;
}

bool span_keep_wants(const struct span_keep *keep, const struct otlp_span *spans, size_t count)
{
    const struct span_retention *r = keep->retention;
    const struct span_resource *resource = NULL; /* of the span before */
    uint64_t latest_ns = 0;
    int64_t longest_ms = 0;
    for (size_t i = 0; i < count; i++) {
        latest_ns = spans[i].span.start_ns > latest_ns ? spans[i].span.start_ns : latest_ns;
    }
    for (size_t i = 0; i < count; i++) {
        if (spans[i].span.status == SPAN_STATUS_ERROR && r->errors_ms > longest_ms) {
            longest_ms = r->errors_ms;
        }
        if (spans[i].resource != resource) {
            resource = spans[i].resource;
            int64_t keep_ms = keep_of_service(r, span_resource_service(resource));
            longest_ms = keep_ms > longest_ms ? keep_ms : longest_ms;
        }
    }
    return latest_ns >= span_retention_start_ns(keep->now_ms, longest_ms);
}
