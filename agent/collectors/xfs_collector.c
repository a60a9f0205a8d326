/* Counters of each mounted XFS filesystem: /sys/fs/xfs/<device>/stats/stats. Rows of a table say which
 * column of which line is which metric; the lines are described in the kernel's
 * Documentation/admin-guide/xfs.rst and fs/xfs/xfs_stats.h. */
#include "base/mem.h"
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/named_numbers.h"

#define FILESYSTEMS_MAX 65536

static const struct column_row {
    const char *line;
    int column;
    const char *name;
    const char *help;
} column_rows[] = {
    {"abt", 1, "node_xfs_allocation_btree_compares_total", "Comparisons in trees of free space."},
    {"abt", 0, "node_xfs_allocation_btree_lookups_total", "Look-ups in trees of free space."},
    {"abt", 3, "node_xfs_allocation_btree_records_deleted_total",
        "Records deleted from trees of free space."},
    {"abt", 2, "node_xfs_allocation_btree_records_inserted_total",
        "Records inserted into trees of free space."},
    {"bmbt", 1, "node_xfs_block_map_btree_compares_total", "Comparisons in block maps."},
    {"bmbt", 0, "node_xfs_block_map_btree_lookups_total", "Look-ups in block maps."},
    {"bmbt", 3, "node_xfs_block_map_btree_records_deleted_total",
        "Records deleted from block maps."},
    {"bmbt", 2, "node_xfs_block_map_btree_records_inserted_total",
        "Records inserted into block maps."},
    {"blk_map", 6, "node_xfs_block_mapping_extent_list_compares_total",
        "Comparisons in extent lists."},
    {"blk_map", 4, "node_xfs_block_mapping_extent_list_deletions_total",
        "Deletions from extent lists."},
    {"blk_map", 3, "node_xfs_block_mapping_extent_list_insertions_total",
        "Insertions into extent lists."},
    {"blk_map", 5, "node_xfs_block_mapping_extent_list_lookups_total", "Look-ups in extent lists."},
    {"blk_map", 0, "node_xfs_block_mapping_reads_total", "Block mappings for reads."},
    {"blk_map", 2, "node_xfs_block_mapping_unmaps_total", "Blocks unmapped."},
    {"blk_map", 1, "node_xfs_block_mapping_writes_total", "Block mappings for writes."},
    {"dir", 1, "node_xfs_directory_operation_create_total", "Directory entries created."},
    {"dir", 3, "node_xfs_directory_operation_getdents_total", "Times directories were listed."},
    {"dir", 0, "node_xfs_directory_operation_lookup_total", "Look-ups in directories."},
    {"dir", 2, "node_xfs_directory_operation_remove_total", "Directory entries removed."},
    {"extent_alloc", 1, "node_xfs_extent_allocation_blocks_allocated_total", "Blocks allocated."},
    {"extent_alloc", 3, "node_xfs_extent_allocation_blocks_freed_total", "Blocks freed."},
    {"extent_alloc", 0, "node_xfs_extent_allocation_extents_allocated_total", "Extents allocated."},
    {"extent_alloc", 2, "node_xfs_extent_allocation_extents_freed_total", "Extents freed."},
    {"ig", 0, "node_xfs_inode_operation_attempts_total", "Look-ups in the cache of inodes."},
    {"ig", 6, "node_xfs_inode_operation_attribute_changes_total", "Changes of inode attributes."},
    {"ig", 4, "node_xfs_inode_operation_duplicates_total",
        "Inodes that came into the cache meanwhile."},
    {"ig", 1, "node_xfs_inode_operation_found_total", "Inodes found in the cache."},
    {"ig", 3, "node_xfs_inode_operation_missed_total", "Inodes not found in the cache."},
    {"ig", 5, "node_xfs_inode_operation_reclaims_total", "Inodes reclaimed from the cache."},
    {"ig", 2, "node_xfs_inode_operation_recycled_total", "Inodes found while being reclaimed."},
    {"rw", 1, "node_xfs_read_calls_total", "Calls that read files."},
    {"vnodes", 0, "node_xfs_vnode_active_total", "Inodes not on the free list."},
    {"vnodes", 1, "node_xfs_vnode_allocate_total", "Inodes allocated."},
    {"vnodes", 2, "node_xfs_vnode_get_total", "Times an inode was got."},
    {"vnodes", 3, "node_xfs_vnode_hold_total", "Times an inode was held."},
    {"vnodes", 5, "node_xfs_vnode_reclaim_total", "Times an inode was reclaimed."},
    {"vnodes", 4, "node_xfs_vnode_release_total", "Times an inode was released."},
    {"vnodes", 6, "node_xfs_vnode_remove_total", "Times an inode was removed."},
    {"rw", 0, "node_xfs_write_calls_total", "Calls that wrote files."},
};

enum { XFS_COLUMNS = sizeof(column_rows) / sizeof(column_rows[0]) };

enum { FILE_STATS, FILE_COUNT };
static const char *const xfs_files[FILE_COUNT] = {[FILE_STATS] = "stats/stats"};

struct xfs_row {
    double values[XFS_COLUMNS];
    bool has[XFS_COLUMNS];
};

struct xfs_state {
    struct devices filesystems;
    struct xfs_row *rows; /* one for each filesystem */
    size_t cap;
};

static int xfs_open(struct collect *c, void *state, struct err *e)
{
    struct xfs_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->filesystems, COLLECT_SYS, "fs/xfs", xfs_files, FILE_COUNT);
    return 0;
}

/* The sum of all filesystems lies beside them and would count everything twice. */
static bool is_filesystem(void *context, struct str name)
{
    (void)context;
    return !str_eq_c(name, "stats") && !str_eq_c(name, "debug");
}

/* `text` without the newline at its end, which devices_read cuts. */
static void parse_stats(struct str text, struct xfs_row *row)
{
    while (text.len > 0) {
        struct procfs_named_numbers line;
        struct str one = str_split(&text, '\n');
        struct str with_newline = str_make(one.ptr, one.len + (text.ptr != NULL ? 1 : 0));
        if (procfs_named_numbers_next(&with_newline, &line) <= 0) {
            continue; // the last line, which no metric is taken from, lost its newline
        }
        for (int i = 0; i < XFS_COLUMNS; i++) {
            if (str_eq_c(line.name, column_rows[i].line) && column_rows[i].column < line.count) {
                row->values[i] = (double)line.numbers[column_rows[i].column];
                row->has[i] = true;
            }
        }
    }
}

static int xfs_collect(struct collect *c, void *state)
{
    struct xfs_state *s = state;
    int status = devices_refresh_seldom(c, &s->filesystems, is_filesystem, NULL);
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status; // no XFS is mounted
    }
    size_t count = s->filesystems.count;
    status = mem_array_grow((void **)&s->rows, &s->cap, count, sizeof(*s->rows), FILESYSTEMS_MAX);
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct str text;
        s->rows[i] = (struct xfs_row){.has = {false}};
        if (devices_read(c, &s->filesystems, i, FILE_STATS, &text) == 0) {
            parse_stats(text, &s->rows[i]);
        }
    }
    for (int column = 0; status == 0 && column < XFS_COLUMNS; column++) {
        metric_family(
            c->sink, column_rows[column].name, METRIC_TYPE_COUNTER, column_rows[column].help);
        for (size_t i = 0; i < count; i++) {
            struct label_pair label = {"device", device_name(&s->filesystems, i)};
            if (s->rows[i].has[column]) {
                metric_sample(c->sink, &label, 1, s->rows[i].values[column]);
            }
        }
    }
    return status;
}

static void xfs_close(struct collect *c, void *state)
{
    struct xfs_state *s = state;
    devices_close(c, &s->filesystems);
    mem_free(s->rows);
}

const struct collector xfs_collector = {
    .name = "xfs",
    .help = "Counters of XFS filesystems (/sys/fs/xfs)",
    .default_enabled = true,
    .state_size = sizeof(struct xfs_state),
    .open = xfs_open,
    .collect = xfs_collect,
    .close = xfs_close,
};
