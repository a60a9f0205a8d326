/* Size and speed of pages of spans, on the traffic of a shop that does not exist (span_shop.h).
 *
 *   bench_spans [SPANS]
 *
 * Printed: bytes a span as OTLP, as OTLP under zstd-3 a message, and as pages, sorted by section; spans a
 * second of one core's time to take a message apart, to write a page and to read all of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "span/span_page_format.h"
#include "span/span_pager.h"
#include "support/span_shop.h"
#include "wire/zstd_codec.h"

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail on Linux
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct totals {
    uint64_t spans, otlp, zstd, pages, page_count;
    uint64_t sections[SPAN_SECTION_VALUES + 1];
    double walk_s, write_s, read_s;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_spans: %s\n", what);
    exit(1);
}

static void count_sections(struct totals *t, const struct strbuf *page)
{
    const uint8_t *bytes = (const uint8_t *)page->data;
    uint32_t count = get_le32(bytes + 20);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = bytes + SPAN_PAGE_HEADER_SIZE + i * SPAN_PAGE_ENTRY_SIZE;
        uint32_t what = get_le32(entry);
        t->sections[what < SPAN_SECTION_VALUES ? what : SPAN_SECTION_VALUES] += get_le32(entry + 4);
    }
}

static void finish_page(struct totals *t, struct span_pager *pager)
{
    struct strbuf bytes = STRBUF_INIT;
    struct span_page *page = NULL;
    struct arena arena;
    arena_init(&arena, 0);
    double before = cpu_seconds();
    if (span_pager_write(pager, 3, &bytes) != 0) {
        die("a page was not written");
    }
    t->write_s += cpu_seconds() - before;
    before = cpu_seconds();
    struct otlp_span *spans = mem_calloc(span_pager_rows(pager), sizeof(*spans));
    if (span_page_open(strbuf_str(&bytes), &page, NULL) != 0 ||
        span_page_spans(page, 0, (uint32_t)span_pager_rows(pager), &arena, spans) != 0) {
        die("a page was not read");
    }
    t->read_s += cpu_seconds() - before;
    t->pages += bytes.size;
    t->page_count++;
    count_sections(t, &bytes);
    span_page_close(page);
    mem_free(spans);
    arena_release(&arena);
    strbuf_release(&bytes);
    span_pager_reset(pager);
}

static void take_message(
    struct totals *t, struct otlp_traces *walker, struct span_pager *pager, struct str message)
{
    struct otlp_span span;
    double before = cpu_seconds(), paged = t->write_s + t->read_s;
    if (otlp_traces_begin(walker, message, NULL) != 0) {
        die("a message was not read");
    }
    while (otlp_traces_next(walker, &span) == 1) {
        if (span_pager_add(pager, &span) == ERR_LIMIT) {
            finish_page(t, pager);
            (void)span_pager_add(pager, &span); // an empty page takes any span of this size
        }
        t->spans++;
    }
    t->walk_s += cpu_seconds() - before - (t->write_s + t->read_s - paged);
}

static void print(const struct totals *t)
{
    static const char *const names[] = {"resources", "scopes", "traces", "span ids", "parents",
        "parent ids", "starts", "durations", "kinds", "names", "of resource", "of scope", "shapes",
        "of shape", "columns", "more", "events", "links", "messages", "states", "counts", "values"};
    double n = (double)t->spans;
    printf("%llu spans, %llu pages\n", (unsigned long long)t->spans,
        (unsigned long long)t->page_count);
    printf("B/span: OTLP %.1f, zstd-3 a message %.1f, pages %.2f\n", (double)t->otlp / n,
        (double)t->zstd / n, (double)t->pages / n);
    printf("M spans/s: into a pager %.2f, a page written %.2f, both %.2f, read whole %.2f\n",
        n / t->walk_s / 1e6, n / t->write_s / 1e6, n / (t->walk_s + t->write_s) / 1e6,
        n / t->read_s / 1e6);
    for (size_t i = 0; i <= SPAN_SECTION_VALUES; i++) {
        printf("  %-12s %.2f\n", names[i], (double)t->sections[i] / n);
    }
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    struct span_shop *shop = span_shop_new(1, 1700000000000000000u, 1000);
    struct strbuf message = STRBUF_INIT, packed = STRBUF_INIT;
    struct otlp_traces *walker = NULL;
    struct span_pager *pager = NULL;
    struct zstd_codec *codec = NULL;
    struct totals totals = {0};
    if (otlp_traces_new(&walker) != 0 || span_pager_new(&pager) != 0 ||
        zstd_codec_new(&codec) != 0) {
        die("no memory");
    }
    while (totals.spans < wanted) {
        (void)span_shop_next(shop, &message);
        strbuf_reset(&packed);
        (void)zstd_encode(codec, strbuf_str(&message), 3, &packed);
        totals.otlp += message.size;
        totals.zstd += packed.size;
        take_message(&totals, walker, pager, strbuf_str(&message));
    }
    finish_page(&totals, pager);
    print(&totals);
    zstd_codec_free(codec);
    span_pager_free(pager);
    otlp_traces_free(walker);
    strbuf_release(&message);
    strbuf_release(&packed);
    span_shop_free(shop);
    return 0;
}
