/* The index of sources, and its search. */
#include "alert/inhibition.h"

#include <stdlib.h>

#include "base/mem.h"

int inhibition_index_begin(struct inhibition_index *index, const struct alerting_config *config)
{
    inhibition_index_release(index);
    index->rules = mem_calloc(config->inhibitions.count + 1, sizeof(*index->rules));
    index->rule_count = index->rules != NULL ? config->inhibitions.count : 0;
    return index->rules != NULL ? 0 : ERR_NOMEM;
}

static uint64_t equal_hash(const struct alerting_inhibition *rule, const struct labels *labels)
{
    return labels_restrict_hash(labels, rule->equal_names, rule->equal.count, true);
}

int inhibition_index_add(struct inhibition_index *index, const struct alerting_config *config,
    const struct alert_item *item)
{
    const struct alerting_inhibition *rules = config->inhibitions.items;
    for (size_t i = 0; i < index->rule_count; i++) {
        struct inhibition_rule_index *r = &index->rules[i];
        if (!label_matchers_match(&rules[i].source, item->alert.labels)) {
            continue;
        }
        int status = mem_array_grow((void **)&r->sources, &r->cap, r->count + 1,
            sizeof(*r->sources), INHIBITION_SOURCES_MAX);
        if (status != 0) {
            return status;
        }
        r->sources[r->count++] =
            (struct inhibition_source){equal_hash(&rules[i], item->alert.labels), item};
    }
    return 0;
}

static int compare_sources(const void *a, const void *b)
{
    uint64_t x = ((const struct inhibition_source *)a)->equal_hash;
    uint64_t y = ((const struct inhibition_source *)b)->equal_hash;
    return x < y ? -1 : x > y;
}

void inhibition_index_finish(struct inhibition_index *index)
{
    for (size_t i = 0; i < index->rule_count; i++) {
        if (index->rules[i].count > 1) {
            qsort(index->rules[i].sources, index->rules[i].count, sizeof(struct inhibition_source),
                compare_sources);
        }
    }
}

void inhibition_index_release(struct inhibition_index *index)
{
    for (size_t i = 0; i < index->rule_count; i++) {
        mem_free(index->rules[i].sources);
    }
    mem_free(index->rules);
    *index = (struct inhibition_index){0};
}

static size_t first_of(const struct inhibition_rule_index *r, uint64_t hash)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->sources[middle].equal_hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool equal_labels(
    const struct alerting_inhibition *rule, const struct labels *a, const struct labels *b)
{
    bool same = true;
    for (size_t i = 0; same && i < rule->equal.count; i++) {
        same = str_eq(labels_get(a, rule->equal_names[i]), labels_get(b, rule->equal_names[i]));
    }
    return same;
}

const struct alert_item *inhibition_of(const struct inhibition_index *index,
    const struct alerting_config *config, const struct labels *labels, int64_t now_ms)
{
    const struct alerting_inhibition *rules = config->inhibitions.items;
    for (size_t i = 0; i < index->rule_count; i++) {
        const struct alerting_inhibition *rule = &rules[i];
        if (!label_matchers_match(&rule->target, labels)) {
            continue;
        }
        bool two_sided = label_matchers_match(&rule->source, labels);
        uint64_t hash = equal_hash(rule, labels);
        const struct inhibition_rule_index *r = &index->rules[i];
        for (size_t j = first_of(r, hash); j < r->count && r->sources[j].equal_hash == hash; j++) {
            const struct alert_item *source = r->sources[j].item;
            if (alert_item_fires(source, now_ms) &&
                equal_labels(rule, source->alert.labels, labels) &&
                !(two_sided && label_matchers_match(&rule->target, source->alert.labels))) {
                return source;
            }
        }
    }
    return NULL;
}
