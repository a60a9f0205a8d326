/* Groups, pages, runs, times and columns that were read lately; see the header.
 *
 * Groups are few and looked for one by one, after the one of the last read; the one not used for the
 * longest makes room. Pages and runs have one place each by their number, columns one by their hash: what
 * comes later takes the place. */
#include "part/part_memory.h"

#include "base/hash.h"
#include "base/mem.h"
#include "row/row_times.h"

/* ---- Pages ---- */

static void drop_page(struct group_memory *g, struct held_page *held)
{
    if (held->ref.entry != NULL) {
        part_cache_unref(g->cache, &held->ref);
    }
    mem_free(held->bytes);
    *held = (struct held_page){.index = UINT32_MAX};
}

/* A page of the file, verified: from the cache, or read, and given to the cache. */
static int load_page(
    struct part *p, uint64_t offset, uint64_t size, uint32_t index, struct held_page *held)
{
    if (p->cache != NULL && part_cache_find(p->cache, p->identity, offset, &held->ref)) {
        held->index = index;
        return 0;
    }
    uint8_t *bytes = size <= PART_PAGE_BYTES_MAX ? mem_alloc((size_t)size) : NULL;
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    struct str page = {NULL, 0};
    int status = vfs_pread_exact(p->fs, p->file, offset, bytes, (size_t)size);
    if (status == 0) {
        status = part_page_check(str_make((const char *)bytes, (size_t)size), &page);
    }
    if (status != 0) {
        mem_free(bytes);
        return status;
    }
    if (p->cache != NULL) {
        part_cache_add(p->cache, p->identity, offset, page);
    }
    *held = (struct held_page){.ref = {page, NULL}, .bytes = bytes, .index = index};
    return 0;
}

/* ---- Groups ---- */

static void forget_times(struct part_memory *m, struct group_memory *g)
{
    for (uint32_t s = 0; s < g->times.stream_count; s++) {
        if (g->rows[s] != NULL) {
            m->times_bytes -= g->times.rows[s] * sizeof(int64_t);
            mem_free(g->rows[s]);
            g->rows[s] = NULL;
        }
    }
}

static void forget_group(struct part_memory *m, struct group_memory *g)
{
    if (g->part == NULL) {
        return;
    }
    forget_times(m, g);
    drop_page(g, &g->times_page);
    for (size_t i = 0; i < PART_MEMORY_PAGES; i++) {
        drop_page(g, &g->pages[i]);
    }
    g->part = NULL;
}

void part_memory_init(struct part_memory *m)
{
    *m = (struct part_memory){.last = NULL};
}

static void forget_columns(struct part_memory *m)
{
    for (size_t i = 0; m->columns != NULL && i < PART_MEMORY_COLUMNS; i++) {
        mem_free(m->columns[i].values);
        m->columns[i] = (struct held_column){.values = NULL};
    }
    m->columns_bytes = 0;
}

void part_memory_release(struct part_memory *m)
{
    for (size_t i = 0; i < PART_MEMORY_GROUPS; i++) {
        if (m->groups[i] != NULL) {
            forget_group(m, m->groups[i]);
            mem_free(m->groups[i]);
        }
    }
    forget_columns(m);
    mem_free(m->columns);
    mem_free(m->cells);
    part_memory_init(m);
}

static size_t group_bytes(const struct group_memory *g)
{
    size_t bytes = sizeof(*g);
    if (g->part != NULL) {
        bytes += g->times_page.ref.page.len;
        for (size_t i = 0; i < PART_MEMORY_PAGES; i++) {
            bytes += g->pages[i].ref.page.len;
        }
    }
    return bytes;
}

size_t part_memory_bytes(const struct part_memory *m)
{
    size_t bytes = m->times_bytes + m->columns_bytes;
    bytes += m->columns != NULL ? PART_MEMORY_COLUMNS * sizeof(*m->columns) : 0;
    bytes += m->cells != NULL ? PART_MEMORY_CELLS * sizeof(*m->cells) : 0;
    for (size_t i = 0; i < PART_MEMORY_GROUPS; i++) {
        bytes += m->groups[i] != NULL ? group_bytes(m->groups[i]) : 0;
    }
    return bytes;
}

static bool is_group(const struct group_memory *g, const struct part *p, uint32_t group)
{
    return g != NULL && g->part == p && g->identity == p->identity && g->group == group;
}

/* An empty place: a new one, or that of the group not used for the longest. */
static struct group_memory *make_room(struct part_memory *m)
{
    struct group_memory *oldest = NULL;
    for (size_t i = 0; i < PART_MEMORY_GROUPS; i++) {
        if (m->groups[i] == NULL) {
            m->groups[i] = mem_alloc(sizeof(*m->groups[i]));
            if (m->groups[i] == NULL) {
                break;
            }
            m->groups[i]->part = NULL;
            return m->groups[i];
        }
        bool older = oldest == NULL || m->groups[i]->used < oldest->used;
        oldest = older ? m->groups[i] : oldest;
    }
    if (oldest != NULL) {
        forget_group(m, oldest);
    }
    return oldest;
}

/* Fills an empty place with a group whose times page has been read. */
static int begin_group(
    struct group_memory *g, struct part *p, uint32_t group, const struct held_page *times_page)
{
    g->part = p;
    g->identity = p->identity;
    g->cache = p->cache;
    g->group = group;
    g->times_page = *times_page;
    memset(g->rows, 0, sizeof(g->rows));
    for (size_t i = 0; i < PART_MEMORY_PAGES; i++) {
        g->pages[i] = (struct held_page){.index = UINT32_MAX};
    }
    for (size_t i = 0; i < PART_MEMORY_RUNS; i++) {
        g->runs[i].column = UINT32_MAX;
        g->runs[i].page = UINT32_MAX;
    }
    int status = part_times_parse(times_page->ref.page, p->groups[group].target_count, &g->times);
    g->times.stream_count = status == 0 ? g->times.stream_count : 0;
    return status;
}

int part_memory_group(
    struct part_memory *m, struct part *p, uint32_t group, struct group_memory **group_out)
{
    struct group_memory *g = is_group(m->last, p, group) ? m->last : NULL;
    for (size_t i = 0; g == NULL && i < PART_MEMORY_GROUPS && m->groups[i] != NULL; i++) {
        g = is_group(m->groups[i], p, group) ? m->groups[i] : NULL;
    }
    if (g == NULL) {
        const struct part_group_place *place = &p->places[group];
        struct held_page page = {.index = 0};
        g = make_room(m);
        int status = g != NULL ? load_page(p, place->body, place->times_size, 0, &page) : ERR_NOMEM;
        if (status != 0) {
            return status;
        }
        status = begin_group(g, p, group, &page);
        if (status != 0) {
            forget_group(m, g);
            return status;
        }
    }
    g->used = ++m->reads;
    m->last = g;
    *group_out = g;
    return 0;
}

/* ---- Times ---- */

int part_memory_rows(struct part_memory *m, struct group_memory *g, uint32_t table,
    const int64_t **rows_out, uint32_t *count_out)
{
    uint32_t stream = g->times.stream_of[table], count = g->times.rows[stream];
    if (g->rows[stream] == NULL) {
        size_t bytes = count * sizeof(int64_t);
        if (m->times_bytes + bytes > PART_MEMORY_TIMES_BYTES_MAX) {
            for (size_t i = 0; i < PART_MEMORY_GROUPS && m->groups[i] != NULL; i++) {
                forget_times(m, m->groups[i]);
            }
        }
        int64_t *rows = mem_alloc(bytes);
        if (rows == NULL) {
            return ERR_NOMEM;
        }
        struct str packed = g->times.streams[stream];
        int status = row_times_decode(packed.ptr, packed.len, count, rows);
        if (status == 0 && g->times.has_extents &&
            (rows[0] != g->times.first[stream] || rows[count - 1] != g->times.last[stream])) {
            status = ERR_CORRUPT;
        }
        if (status != 0) {
            mem_free(rows);
            return status;
        }
        g->rows[stream] = rows;
        m->times_bytes += bytes;
    }
    *rows_out = g->rows[stream];
    *count_out = count;
    return 0;
}

/* ---- Runs ---- */

/* Which page holds a column: the last one that begins at or before it. */
static uint32_t page_of(const struct part_group_place *place, uint32_t column)
{
    uint32_t low = 0, high = place->page_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (place->page_columns[middle] <= column) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The page of that index into its place. */
static int hold_page(struct group_memory *g, uint32_t index, const struct held_page **page_out)
{
    uint32_t slot = index % PART_MEMORY_PAGES;
    struct held_page *held = &g->pages[slot];
    *page_out = held;
    if (held->index == index) {
        return 0;
    }
    for (size_t i = 0; i < PART_MEMORY_RUNS; i++) {
        if (g->runs[i].page == slot) {
            g->runs[i].column = UINT32_MAX;
        }
    }
    drop_page(g, held);
    const uint64_t *offsets = g->part->places[g->group].page_offsets;
    return load_page(g->part, offsets[index], offsets[index + 1] - offsets[index], index, held);
}

int part_memory_run(struct group_memory *g, uint32_t column, const struct part_run **run_out)
{
    struct held_run *held = &g->runs[column % PART_MEMORY_RUNS];
    *run_out = &held->run;
    if (held->column == column) {
        return 0;
    }
    const struct part *p = g->part;
    const struct part_group_place *place = &p->places[g->group];
    uint32_t columns = p->schemas[p->groups[g->group].schema].column_count;
    uint32_t index = page_of(place, column), first = place->page_columns[index];
    uint32_t end = index + 1 < place->page_count ? place->page_columns[index + 1] : columns;
    const struct held_page *page;
    struct str run;
    uint32_t runs = 0;
    held->column = UINT32_MAX;
    int status = hold_page(g, index, &page);
    if (status == 0) {
        status = part_page_run(page->ref.page, column - first, &runs, &run);
    }
    if (status == 0 && runs != end - first) {
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        status = part_run_parse(run, column, p->groups[g->group].target_count, &held->run);
    }
    if (status == 0) {
        held->column = column;
        held->page = index % PART_MEMORY_PAGES;
    }
    return status;
}

/* ---- Columns that others lean on ---- */

static size_t slot_of(const struct group_memory *g, uint32_t table, uint32_t column)
{
    uint64_t place = (uint64_t)column << 40 ^ (uint64_t)table << 28 ^ g->group;
    return (size_t)hash_mix64(place ^ g->identity << 20) % PART_MEMORY_COLUMNS;
}

const double *part_memory_recall(
    const struct part_memory *m, const struct group_memory *g, uint32_t table, uint32_t column)
{
    if (m->columns == NULL) {
        return NULL;
    }
    const struct held_column *held = &m->columns[slot_of(g, table, column)];
    bool same = held->values != NULL && held->column == column && held->table == table &&
                held->group == g->group && held->identity == g->identity;
    return same ? held->values : NULL;
}

void part_memory_keep(struct part_memory *m, const struct group_memory *g, uint32_t table,
    uint32_t column, const double *values)
{
    uint32_t count = g->times.rows[g->times.stream_of[table]];
    if (m->columns == NULL) {
        m->columns = mem_calloc(PART_MEMORY_COLUMNS, sizeof(*m->columns));
    }
    if (m->columns == NULL) {
        return;
    }
    if (m->columns_bytes + count * sizeof(*values) > PART_MEMORY_COLUMNS_BYTES_MAX) {
        forget_columns(m);
    }
    struct held_column *held = &m->columns[slot_of(g, table, column)];
    if (held->cap < count) {
        m->columns_bytes -= held->cap * sizeof(*values);
        mem_free(held->values);
        held->values = mem_alloc(count * sizeof(*values));
        held->cap = held->values != NULL ? count : 0;
        m->columns_bytes += held->cap * sizeof(*values);
    }
    if (held->values != NULL) {
        held->identity = g->identity;
        held->group = g->group;
        held->table = table;
        held->column = column;
        memcpy(held->values, values, count * sizeof(*values));
    }
}

static struct held_cell *cell_of(const struct part_memory *m, const struct group_memory *g,
    uint32_t table, uint32_t column, uint32_t row)
{
    uint64_t place = (uint64_t)column << 40 ^ (uint64_t)table << 28 ^ g->group;
    place ^= (uint64_t)row << 51;
    return &m->cells[(size_t)hash_mix64(place ^ g->identity << 20) % PART_MEMORY_CELLS];
}

bool part_memory_recall_cell(const struct part_memory *m, const struct group_memory *g,
    uint32_t table, uint32_t column, uint32_t row, double *value_out)
{
    if (m->cells == NULL) {
        return false;
    }
    const struct held_cell *held = cell_of(m, g, table, column, row);
    bool same = held->identity == g->identity && held->group == g->group && held->table == table &&
                held->column == column && held->row == row;
    *value_out = same ? held->value : *value_out;
    return same;
}

void part_memory_keep_cell(struct part_memory *m, const struct group_memory *g, uint32_t table,
    uint32_t column, uint32_t row, double value)
{
    if (m->cells == NULL) {
        m->cells = mem_calloc(PART_MEMORY_CELLS, sizeof(*m->cells));
    }
    if (m->cells != NULL) {
        *cell_of(m, g, table, column, row) =
            (struct held_cell){g->identity, g->group, table, column, row, value};
    }
}
