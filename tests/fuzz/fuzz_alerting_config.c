/* Any bytes as Alertmanager's file: a configuration whose public form is YAML again, or a sentence. */
#include <assert.h>

#include "alert/alerting_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alerting_config *c = NULL;
    struct err e = ERR_INIT;
    int status = alerting_config_parse("fuzz", str_make((const char *)data, size), &c, &e);
    if (status != 0) {
        assert(c == NULL && e.message[0] != '\0');
        return 0;
    }
    struct strbuf text = STRBUF_INIT;
    struct arena arena;
    struct yaml_node *root = NULL;
    arena_init(&arena, 64 << 20);
    alerting_config_write_public(c, &text);
    assert(strbuf_error(&text) != 0 ||
           yaml_parse(&arena, "public", strbuf_str(&text), &root, &e) == 0);
    arena_release(&arena);
    strbuf_release(&text);
    alerting_config_free(c);
    return 0;
}
