#include "collectors/id_list.h"

#include <stdlib.h>

#include "base/mem.h"
#include "procfs/field.h"

static int see_entry(void *context, const char *name, bool is_directory)
{
    struct id_list *list = context;
    uint64_t id;
    (void)is_directory;
    if (field_u64(str_of(name), &id) != 0 || list->count == list->max) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(*list->items), list->max);
    if (status == 0) {
        list->items[list->count++] = id;
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

int id_list_read(struct id_list *list, struct vfs *fs, const char *path, size_t max)
{
    list->count = 0;
    list->max = max;
    int status = vfs_list(fs, path, see_entry, list);
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), compare);
    }
    return status;
}

void id_list_release(struct id_list *list)
{
    mem_free(list->items);
    *list = (struct id_list){.items = NULL};
}
