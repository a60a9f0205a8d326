/* Any text as a template, in both sets of functions: parsing and execution end within their limits, and what
 * is written stays within its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "query/template.h"

#define OUTPUT_BYTES_MAX ((size_t)4096)

static void run(struct str text, enum template_functions functions)
{
    static const struct label pairs[] = {{{"a", 1}, {"1", 1}}, {{"alertname", 9}, {"x<y", 3}}};
    struct template_options options = {.functions = functions, .html = text.len % 2 == 1};
    struct template_limits limits = {.steps_max = 2000,
        .output_bytes_max = OUTPUT_BYTES_MAX,
        .memory_bytes = (size_t)1 << 20,
        .depth_max = 20};
    struct template_hooks hooks = {.time_ms = 1};
    struct template *t = NULL;
    struct err e = ERR_INIT;
    if (template_parse(STR("t"), text, &options, &t, &e) != 0) {
        if (e.message[0] == '\0') {
            abort();
        }
        return;
    }
    struct arena arena;
    arena_init(&arena, 0);
    struct strbuf out = STRBUF_INIT;
    struct template_value root = template_pairs(&arena, pairs, 2, true);
    int status = template_execute(t, &root, &hooks, &limits, &out, &e);
    if (out.size > OUTPUT_BYTES_MAX || (status != 0 && e.message[0] == '\0')) {
        abort();
    }
    strbuf_release(&out);
    arena_release(&arena);
    template_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    run(text, TEMPLATE_FUNCTIONS_RULES);
    run(text, TEMPLATE_FUNCTIONS_NOTIFICATIONS);
    return 0;
}
