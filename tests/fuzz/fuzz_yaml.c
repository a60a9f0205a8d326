/* Any bytes as YAML: a tree or an error with a sentence, within the limits of yaml.h. */
#include <assert.h>

#include "base/yaml.h"

/* Walks the whole tree, so that the sanitizers see every node; the limits bound the walk. */
static size_t count_nodes(const struct yaml_node *node, size_t depth)
{
    assert(depth <= YAML_DEPTH_MAX);
    assert(node->line > 0 && node->column > 0);
    assert(node->kind != YAML_SCALAR || node->text.ptr[node->text.len] == '\0');
    size_t count = 1;
    for (size_t i = 0; i < node->count; i++) {
        if (node->entries[i].key != NULL) {
            count += count_nodes(node->entries[i].key, depth + 1);
        }
        count += count_nodes(node->entries[i].value, depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, 64 << 20);
    struct yaml_node *root = NULL;
    struct err e = ERR_INIT;
    int status = yaml_parse(&arena, "fuzz", str_make((const char *)data, size), &root, &e);
    if (status != 0) {
        assert(root == NULL && e.code == status && e.message[0] != '\0');
    } else if (root != NULL) {
        assert(count_nodes(root, 1) <= 2 * (size_t)YAML_NODES_MAX);
    }
    arena_release(&arena);
    return 0;
}
