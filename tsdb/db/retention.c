/* The rules of retention: copied from the options, resolved to ids of the index. */
#include "db/retention.h"

#include "base/mem.h"

#define DAY_MS ((int64_t)86400000)

/* ---- Rules ---- */

static int copy_rule(const struct tsdb_retention_rule *rule, struct retention_rule *copy)
{
    copy->matchers = mem_calloc(rule->matcher_count + 1, sizeof(struct matcher *));
    int status = copy->matchers != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < rule->matcher_count; i++) {
        const struct matcher *m = rule->matchers[i];
        status = matcher_new(m->type, m->name, m->value, &copy->matchers[i], NULL);
        copy->matcher_count += status == 0;
    }
    return status;
}

int retention_init(struct retention *r, const struct tsdb_options *options)
{
    if (options->retention_rule_count > RETENTION_RULES_MAX) {
        return ERR_LIMIT;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < options->retention_rule_count; i++) {
        r->keep_ms[i] = options->retention_rules[i].keep_ms;
        r->count = i + 1;
        status = copy_rule(&options->retention_rules[i], &r->rules[i]);
    }
    r->keep_ms[r->count] = options->retention_ms;
    return status;
}

void retention_release(struct retention *r)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t m = 0; m < r->rules[i].matcher_count; m++) {
            matcher_free(r->rules[i].matchers[m]);
        }
        mem_free(r->rules[i].matchers);
        index_selection_release(&r->rules[i].selection);
    }
    r->count = 0;
}

int64_t retention_longest(const struct retention *r)
{
    int64_t longest = 0;
    for (size_t i = 0; i <= r->count; i++) {
        if (r->keep_ms[i] == 0) {
            return 0;
        }
        longest = r->keep_ms[i] > longest ? r->keep_ms[i] : longest;
    }
    return longest;
}

int retention_resolve(struct retention *r, struct index *index, struct err *e)
{
    uint32_t targets = index_count(index, INDEX_TARGETS), shapes = index_count(index, INDEX_SHAPES);
    if (r->resolved && targets == r->targets && shapes == r->shapes) {
        return 0;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < r->count; i++) {
        struct retention_rule *rule = &r->rules[i];
        index_selection_release(&rule->selection);
        rule->selection = (struct index_selection){0};
        status = index_select(index, (const struct matcher *const *)rule->matchers,
            rule->matcher_count, &rule->selection, e);
    }
    r->resolved = status == 0;
    r->targets = targets;
    r->shapes = shapes;
    return status;
}

int64_t retention_kept_from(const struct retention *r, const struct labels *series, int64_t now_ms)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct retention_rule *rule = &r->rules[i];
        if (matchers_match(
                (const struct matcher *const *)rule->matchers, rule->matcher_count, series)) {
            int64_t since = now_ms - r->keep_ms[i], rest = since % DAY_MS;
            return r->keep_ms[i] == 0 ? INT64_MIN : since - rest - (rest < 0 ? DAY_MS : 0);
        }
    }
    return INT64_MIN;
}

size_t retention_rule_of(const struct retention *r, uint32_t target, uint32_t shape)
{
    size_t i = 0;
    while (i < r->count && !index_selection_has(&r->rules[i].selection, target, shape)) {
        i++;
    }
    return i;
}
