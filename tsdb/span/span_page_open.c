/* Reading a page: its directory, its sections, numbers and texts in them. Bytes come from a disk: nothing is
 * believed that was not checked. */

#include "base/hash.h"
#include "base/mem.h"
#include "span/span_page_private.h"

/* ---- Bytes ---- */

void span_unpacker_init(struct span_unpacker *unpacker)
{
    *unpacker = (struct span_unpacker){.codec = NULL};
    strbuf_init(&unpacker->stored, SPAN_SECTION_BYTES_MAX + 1);
    strbuf_init(&unpacker->plain, SPAN_SECTION_BYTES_MAX + 1);
}

void span_unpacker_release(struct span_unpacker *unpacker)
{
    zstd_codec_free(unpacker->codec);
    strbuf_release(&unpacker->stored);
    strbuf_release(&unpacker->plain);
    unpacker->codec = NULL;
}

/* Bytes of the page, good until the next are read. */
static int read_stored(struct span_page *page, uint64_t offset, size_t size, struct str *stored_out)
{
    if (page->place.file == NULL) {
        *stored_out = str_make(page->bytes.ptr + offset, size);
        return 0;
    }
    struct strbuf *stored = &page->unpacker->stored;
    strbuf_reset(stored);
    char *room = strbuf_reserve(stored, size);
    *stored_out = str_make(room, size);
    return room == NULL ? strbuf_error(stored)
                        : vfs_pread_exact(page->place.fs, page->place.file,
                              page->place.offset + offset, room, size);
}

/* ---- Directory ---- */

/* Header and directory of most pages: of 120 sections. */
enum { HEAD_GUESS = 2048 };

static size_t directory_end(const struct span_page *page)
{
    return SPAN_PAGE_HEADER_SIZE + (size_t)page->section_count * SPAN_PAGE_ENTRY_SIZE;
}

static int corrupt(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, -1, "a page of spans is corrupt: %s", what);
}

/* `head` has the header, and what follows as far as it is there. */
static int read_header(struct span_page *page, struct str head, struct err *e)
{
    struct decbuf in = decbuf_of(head.ptr, head.len);
    struct str magic = decbuf_bytes(&in, 8);
    uint32_t version = decbuf_le32(&in);
    page->info.rows = decbuf_le32(&in);
    page->info.traces = decbuf_le32(&in);
    page->section_count = decbuf_le32(&in);
    page->info.start_min_ns = decbuf_le64(&in);
    page->info.start_max_ns = decbuf_le64(&in);
    page->info.duration_max_ns = decbuf_le64(&in);
    page->time_unit = decbuf_le32(&in);
    uint32_t size = decbuf_le32(&in);
    if (in.failed || !str_eq_c(magic, SPAN_PAGE_MAGIC)) {
        return corrupt(e, "it does not begin like one");
    }
    if (version != SPAN_PAGE_VERSION) {
        return err_set(e, ERR_INVALID, 8, "a page of spans has version %u, this program reads %d",
            version, SPAN_PAGE_VERSION);
    }
    bool sound = page->info.rows > 0 && page->info.rows <= SPAN_PAGE_ROWS_MAX &&
                 page->info.traces > 0 && page->info.traces <= page->info.rows &&
                 (page->time_unit == 1 || page->time_unit == 1000 || page->time_unit == 1000000);
    if (page->section_count > SPAN_PAGE_SECTIONS_MAX || size != page->size ||
        directory_end(page) > size) {
        return corrupt(e, "it is cut off");
    }
    return sound ? 0 : corrupt(e, "its header makes no sense");
}

/* `head` is header and directory. */
static int read_directory(struct span_page *page, struct str head, struct err *e)
{
    struct decbuf in = decbuf_of(head.ptr, head.len);
    (void)decbuf_bytes(&in, SPAN_PAGE_HEADER_SIZE - 4);
    struct strbuf covered = STRBUF_INIT;
    uint32_t checksum = decbuf_le32(&in);
    strbuf_add(&covered, head.ptr, SPAN_PAGE_HEADER_SIZE - 4);
    strbuf_add(&covered, in.p, decbuf_left(&in));
    int status = strbuf_error(&covered);
    bool good = status == 0 && checksum32(covered.data, covered.size) == checksum;
    strbuf_release(&covered);
    page->sections = arena_calloc(&page->arena, page->section_count, sizeof(*page->sections));
    if (status != 0 || page->sections == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM)); /* that is no damage */
    }
    if (!good) {
        return corrupt(e, "the checksum of its directory is wrong");
    }
    uint64_t offset = directory_end(page);
    for (uint32_t i = 0; i < page->section_count; i++) {
        struct page_section *s = &page->sections[i];
        s->what = decbuf_le32(&in);
        s->stored = decbuf_le32(&in);
        s->size = decbuf_le32(&in);
        s->checksum = decbuf_le32(&in);
        s->offset = offset;
        offset += s->stored;
        if ((i > 0 && s->what <= page->sections[i - 1].what) || s->size > SPAN_SECTION_BYTES_MAX ||
            s->stored > s->size || s->what >= SPAN_PAGE_SECTIONS_MAX) {
            return corrupt(e, "its directory makes no sense");
        }
    }
    return offset == page->size ? 0 : corrupt(e, "its sections do not fill it");
}

/* The first `size` bytes, or all there are. */
static int read_head(struct span_page *page, size_t size, struct str *head_out)
{
    size = size < page->size ? size : page->size;
    if (page->place.file == NULL) {
        *head_out = str_make(page->bytes.ptr, size);
        return 0;
    }
    return read_stored(page, 0, size, head_out);
}

static int open_page(struct span_page *page, struct err *e)
{
    struct str head;
    int status = read_head(page, HEAD_GUESS, &head);
    status = status == 0 ? read_header(page, head, e) : status;
    if (status == 0 && head.len < directory_end(page)) {
        status = read_head(page, directory_end(page), &head);
    }
    if (status == 0) {
        status = read_directory(page, str_make(head.ptr, directory_end(page)), e);
    }
    if (status == 0) {
        status = span_page_read_keys(page);
        if (status == ERR_CORRUPT) {
            (void)corrupt(e, "the keys of its attributes");
        }
    }
    return status;
}

/* Which then is `page`'s, or gone. */
static int finish_open(struct span_page *page, struct span_page **page_out, struct err *e)
{
    struct err local = ERR_INIT;
    e = e != NULL ? e : &local;
    arena_init(&page->arena, 0);
    int status = open_page(page, e);
    if (status != 0) {
        span_page_close(page);
        return e->code == status ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    *page_out = page;
    return 0;
}

int span_page_open(struct str bytes, struct span_page **page_out, struct err *e)
{
    struct span_page *page = mem_calloc(1, sizeof(*page));
    if (page == NULL || bytes.len > UINT32_MAX) {
        mem_free(page);
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    page->bytes = bytes;
    page->size = (uint32_t)bytes.len;
    span_unpacker_init(&page->own);
    page->unpacker = &page->own;
    return finish_open(page, page_out, e);
}

int span_page_open_at(const struct span_page_place *place, struct span_unpacker *unpacker,
    struct span_page **page_out, struct err *e)
{
    struct span_page *page = mem_calloc(1, sizeof(*page));
    if (page == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    page->place = *place;
    page->size = place->size;
    page->unpacker = unpacker;
    return finish_open(page, page_out, e);
}

void span_page_lend(struct span_page *page, struct span_unpacker *unpacker)
{
    page->unpacker = unpacker;
}

size_t span_page_memory(const struct span_page *page)
{
    return sizeof(*page) + page->arena.used;
}

void span_page_close(struct span_page *page)
{
    if (page != NULL) {
        span_unpacker_release(&page->own);
        arena_release(&page->arena);
        mem_free(page);
    }
}

struct span_page_info span_page_info(const struct span_page *page)
{
    return page->info;
}

/* ---- Sections ---- */

static struct page_section *find_section(struct span_page *page, uint32_t what)
{
    uint32_t low = 0, high = page->section_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (page->sections[middle].what < what) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < page->section_count && page->sections[low].what == what ? &page->sections[low]
                                                                         : NULL;
}

static int decompress(struct span_page *page, const struct page_section *s, struct str stored)
{
    struct span_unpacker *u = page->unpacker;
    int status = u->codec == NULL ? zstd_codec_new(&u->codec) : 0;
    strbuf_reset(&u->plain);
    status = status == 0 ? zstd_decode(u->codec, stored, s->size, &u->plain) : status;
    if (status == 0 && u->plain.size != s->size) {
        status = ERR_CORRUPT;
    }
    return status == ERR_LIMIT ? ERR_CORRUPT : status;
}

static int read_section(struct span_page *page, const struct page_section *s, struct str *plain_out)
{
    struct str stored;
    int status = read_stored(page, s->offset, s->stored, &stored);
    if (status == 0 && checksum32(stored.ptr, stored.len) != s->checksum) {
        status = ERR_CORRUPT;
    }
    *plain_out = stored;
    if (status == 0 && s->stored != s->size) {
        status = decompress(page, s, stored);
        *plain_out = strbuf_str(&page->unpacker->plain);
    }
    return status;
}

int span_page_check(struct span_page *page)
{
    struct str plain;
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < page->section_count; i++) {
        status = read_section(page, &page->sections[i], &plain);
    }
    return status;
}

int span_page_glance(struct span_page *page, uint32_t what, struct str *plain_out)
{
    const struct page_section *s = find_section(page, what);
    *plain_out = s != NULL ? s->plain : STR("");
    return s == NULL || s->is_kept ? 0 : read_section(page, s, plain_out);
}

int span_page_section(struct span_page *page, uint32_t what, struct str *plain_out)
{
    struct page_section *s = find_section(page, what);
    struct str plain;
    *plain_out = STR("");
    if (s == NULL) {
        return 0;
    }
    if (!s->is_kept) {
        int status = read_section(page, s, &plain);
        bool lasts = page->place.file == NULL && s->stored == s->size;
        if (status == 0 && !lasts) {
            plain.ptr = arena_dup(&page->arena, plain.ptr, plain.len);
            status = plain.ptr == NULL ? ERR_NOMEM : 0;
        }
        if (status != 0) {
            return status;
        }
        s->plain = plain;
        s->is_kept = true;
    }
    *plain_out = s->plain;
    return 0;
}

int span_page_numbers(struct span_page *page, struct decbuf *in, uint32_t count, uint64_t limit,
    uint32_t **numbers_out)
{
    uint32_t *numbers = arena_alloc(&page->arena, count * sizeof(*numbers));
    if (numbers == NULL) {
        return ERR_NOMEM;
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = page_uvarint(in);
        most = number > most ? number : most;
        numbers[i] = (uint32_t)number;
    }
    if (in->failed || most > UINT32_MAX || (limit > 0 && count > 0 && most >= limit)) {
        return ERR_CORRUPT;
    }
    *numbers_out = numbers;
    return 0;
}

int span_page_indexes(struct span_page *page, struct decbuf *in, uint32_t count, uint32_t limit,
    uint16_t **indexes_out)
{
    uint16_t *indexes = arena_alloc(&page->arena, count * sizeof(*indexes));
    if (indexes == NULL) {
        return ERR_NOMEM;
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = page_uvarint(in);
        most = index > most ? index : most;
        indexes[i] = (uint16_t)index;
    }
    *indexes_out = indexes;
    return in->failed || (count > 0 && most >= limit) ? ERR_CORRUPT : 0;
}

int span_page_texts(
    struct span_page *page, struct decbuf *in, uint32_t count, struct page_texts *texts_out)
{
    uint64_t distinct = decbuf_uvarint(in);
    bool plain = distinct == 0;
    uint64_t stored = plain ? count : distinct;
    if (in->failed || stored > count) {
        return ERR_CORRUPT;
    }
    struct str *texts = arena_calloc(&page->arena, (size_t)stored, sizeof(*texts));
    uint32_t *codes = NULL;
    if (texts == NULL) {
        return ERR_NOMEM;
    }
    const uint8_t *first = in->p;
    for (uint64_t i = 0; i < stored; i++) {
        texts[i] = decbuf_sized(in);
    }
    if (in->failed) {
        return ERR_CORRUPT;
    }
    size_t size = (size_t)(in->p - first);
    const char *copy = arena_dup(&page->arena, first, size);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; i < stored; i++) {
        texts[i].ptr = copy + (texts[i].ptr - (const char *)first);
    }
    int status = 0;
    if (plain) {
        codes = arena_alloc(&page->arena, count * sizeof(*codes));
        status = codes == NULL ? ERR_NOMEM : 0;
        for (uint32_t i = 0; status == 0 && i < count; i++) {
            codes[i] = i;
        }
    } else {
        status = span_page_numbers(page, in, count, distinct, &codes);
    }
    *texts_out = (struct page_texts){texts, codes, (uint32_t)stored};
    return status;
}

int span_page_sparse(struct span_page *page, uint32_t what, struct page_sparse *sparse_out)
{
    struct str plain;
    *sparse_out = (struct page_sparse){.count = 0};
    int status = span_page_section(page, what, &plain);
    if (status != 0 || plain.len == 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in), row = 0;
    if (in.failed || count > page->info.rows) {
        return ERR_CORRUPT;
    }
    uint16_t *rows = arena_alloc(&page->arena, (size_t)count * sizeof(*rows));
    struct str *items = arena_alloc(&page->arena, (size_t)count * sizeof(*items));
    if (rows == NULL || items == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = decbuf_uvarint(&in);
        items[i] = decbuf_sized(&in);
        if (in.failed || step >= page->info.rows || (i > 0 && step == 0) ||
            row + step >= page->info.rows) {
            return ERR_CORRUPT;
        }
        row += step;
        rows[i] = (uint16_t)row;
    }
    *sparse_out = (struct page_sparse){rows, items, (uint32_t)count};
    return decbuf_left(&in) == 0 ? 0 : ERR_CORRUPT;
}
