/* Looks up what embed.cmake put into the program: a binary search in a table sorted by path. */
#include "query/ui_assets.h"

#include "ui_assets_table.h"

const struct ui_asset *ui_assets_all(size_t *count_out)
{
    *count_out = ui_assets_count;
    return ui_assets_table;
}

/* Places within the page that have an address of their own. */
static bool is_view(struct str path)
{
    return str_eq(path, STR("/graph")) || str_eq(path, STR("/traces"));
}

const struct ui_asset *ui_asset_find(struct str path)
{
    if (is_view(path)) {
        path = STR("/");
    }
    size_t low = 0;
    size_t high = ui_assets_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(str_of(ui_assets_table[middle].path), path);
        if (order == 0) {
            return &ui_assets_table[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
