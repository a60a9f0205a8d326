/* Looking at the stored bytes of a part page by page, without decoding: what a disk has changed since the
 * part was written shows in the checksums. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "part/part_private.h"

/* The page a cursor is at: 0 is the group's times, then its value pages. */
struct stored_page {
    uint64_t offset;
    size_t size;
    uint32_t first_column, end_column; /* whose runs are in it */
};

static struct stored_page page_at(const struct part *p, const struct part_scrub *at)
{
    const struct part_group_place *place = &p->places[at->group];
    uint32_t columns = p->schemas[p->groups[at->group].schema].column_count;
    if (at->page == 0) {
        return (struct stored_page){place->body, place->times_size, 0, columns};
    }
    uint32_t i = at->page - 1;
    return (struct stored_page){place->page_offsets[i],
        (size_t)(place->page_offsets[i + 1] - place->page_offsets[i]), place->page_columns[i],
        i + 1 < place->page_count ? place->page_columns[i + 1] : columns};
}

static int check_page(
    struct part *p, const struct stored_page *page, uint8_t **bytes, size_t *cap, bool *good_out)
{
    int status = mem_array_grow((void **)bytes, cap, page->size, 1, PART_PAGE_BYTES_MAX);
    if (status == 0) {
        status = vfs_pread_exact(p->fs, p->file, page->offset, *bytes, page->size);
    }
    *good_out = status == 0 && page->size >= PART_PAGE_CHECKSUM_SIZE &&
                get_le32(*bytes) == checksum32(*bytes + PART_PAGE_CHECKSUM_SIZE,
                                        page->size - PART_PAGE_CHECKSUM_SIZE);
    return status == ERR_CORRUPT ? 0 : status; // shorter than it was is damage like any other
}

static void advance(const struct part *p, struct part_scrub *at)
{
    if (++at->page > p->places[at->group].page_count) {
        at->page = 0;
        at->group++;
    }
}

int part_scrub(struct part *p, struct part_scrub *at, size_t bytes_max, size_t *bytes_out,
    void (*damaged)(void *context, uint32_t group, uint32_t first_column, uint32_t end_column),
    void *context)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, read = 0;
    int status = 0;
    while (status == 0 && at->group < p->info.group_count && (read == 0 || read < bytes_max)) {
        struct stored_page page = page_at(p, at);
        bool good = false;
        status = check_page(p, &page, &bytes, &cap, &good);
        if (status == 0 && !good) {
            damaged(context, at->group, page.first_column, page.end_column);
        }
        read += page.size;
        advance(p, at);
    }
    mem_free(bytes);
    *bytes_out = read;
    return status != 0 ? status : at->group < p->info.group_count;
}
