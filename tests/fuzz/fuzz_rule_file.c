/* Rule files and groups from strangers: what is accepted is written, reads back, and is the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/rule_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rule_file *file = NULL, *again = NULL;
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    size_t count, count_again;
    if (rule_file_parse(
            "f", str_make((const char *)data, size), PROMQL_FEATURES_ALL, NULL, &file, &e) != 0) {
        return 0;
    }
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    strbuf_add_c(&text, count > 0 ? "groups:\n" : "groups: []\n");
    for (size_t i = 0; i < count; i++) {
        rule_group_write(&groups[i], 2, &text);
    }
    int status = rule_file_parse("f", strbuf_str(&text), PROMQL_FEATURES_ALL, NULL, &again, &e);
    assert(status == 0);
    const struct rule_group_definition *copies = rule_file_groups(again, &count_again);
    assert(count == count_again);
    for (size_t i = 0; i < count; i++) {
        assert(rule_group_eq(&groups[i], &copies[i]));
    }
    strbuf_release(&text);
    rule_file_unref(again);
    rule_file_unref(file);
    return 0;
}
