/* Any bytes as a list of target groups, in JSON and in YAML: refused with a sentence, or targets
 * within the limits. */
#include <assert.h>

#include "discovery/group_list.h"

static void check(int status, const struct err *e, struct target_list *list)
{
    assert(status == 0 || (e->code == status && e->message[0] != '\0'));
    for (size_t i = 0; i < list->count; i++) {
        assert(labels_count(list->items[i]) <= LABELS_COUNT_MAX);
    }
    target_list_release(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct label meta = {STR("__meta_url"), STR("u")};
    struct target_list list = {0};
    struct err e = ERR_INIT;
    int status = group_list_parse_json(text, "fuzz", meta, &list, &e);
    check(status, &e, &list);
    e = (struct err)ERR_INIT;
    status = group_list_parse_yaml(text, "fuzz", meta, &list, &e);
    check(status, &e, &list);
    return 0;
}
