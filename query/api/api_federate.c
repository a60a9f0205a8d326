/* GET /federate: the newest sample of each series that matches any of match[], with its time, as a page for
 * another Prometheus to scrape (https://prometheus.io/docs/prometheus/latest/federation/).
 *
 * As Prometheus does it: a sample counts as long as an instant query would find it; a series that has
 * ended is not there; series without a name are left out; those without instance get an empty one, so
 * that the scraper with honor_labels does not put its own in. Native histograms are there only for who
 * accepts protobuf. Types are untyped.
 */
#include <assert.h>
#include <stdlib.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/api_stream.h"
#include "api/series_union.h"
#include "wire/exposition.h"

static const char TEXT_TYPE[] = "text/plain; version=0.0.4; charset=utf-8";

/* What an instant query looks back when nothing is set. */
enum { LOOKBACK_DEFAULT_MS = 5 * 60 * 1000 };

struct page {
    bool protobuf;
    struct api_stream answer;
    struct strbuf metrics, scratch; /* of the family at hand, in protobuf */
    struct str family;              /* its name; in the selection */
    enum exposition_family type;
};

/* ---- Pages ---- */

static void end_family(struct page *page)
{
    if (page->protobuf && page->family.len > 0) {
        exposition_protobuf_family(
            page->family, page->type, strbuf_str(&page->metrics), &page->answer.out);
        strbuf_reset(&page->metrics);
    }
}

static enum exposition_family type_of(const struct histogram *h)
{
    return h == NULL                          ? EXPOSITION_UNTYPED
           : h->reset_hint == HISTOGRAM_GAUGE ? EXPOSITION_GAUGE_HISTOGRAM
                                              : EXPOSITION_HISTOGRAM;
}

static void add_sample(struct page *page, struct str name, const struct label *labels, size_t count,
    const struct series_union_newest *newest)
{
    enum exposition_family type = type_of(newest->histogram);
    if (!str_eq(name, page->family) || type != page->type) {
        end_family(page);
        page->family = name;
        page->type = type;
        if (!page->protobuf) {
            exposition_write_type(&page->answer.out, name, METRIC_TYPE_UNKNOWN);
        }
    }
    if (page->protobuf) {
        exposition_protobuf_metric(labels, count, newest->value, newest->histogram, newest->t_ms,
            &page->scratch, &page->metrics);
    } else {
        exposition_write_sample(
            &page->answer.out, name, labels, count, newest->value, newest->t_ms);
    }
}

/* ---- Series ---- */

static int add_series(struct page *page, struct series *series, int64_t after, struct err *e)
{
    struct label labels[LABELS_COUNT_MAX + 1];
    const struct labels *set = series_labels(series);
    struct str name = labels_get(set, STR(LABEL_METRIC_NAME));
    struct series_union_newest newest;
    struct arena arena;
    size_t count = 0;
    if (name.len == 0) {
        return 0;
    }
    arena_init(&arena, API_ARENA_BYTES_MAX);
    int found = series_union_newest(series, after, &arena, &newest, e);
    if (found > 0 && (newest.histogram == NULL || page->protobuf)) {
        for (size_t i = 0; i < labels_count(set); i++) {
            struct label pair = labels_at(set, i);
            if (!str_eq(pair.name, STR(LABEL_METRIC_NAME))) {
                labels[count++] = pair;
            }
        }
        if (!labels_has(set, STR("instance"))) {
            labels[count++] = (struct label){STR("instance"), STR("")};
        }
        add_sample(page, name, labels, count, &newest);
    }
    arena_release(&arena);
    return found < 0 ? found : 0;
}

/* Series of one name stand together, whatever labels sort before __name__. */
static int by_name(const void *a, const void *b)
{
    const struct labels *one = series_labels(*(struct series *const *)a);
    const struct labels *two = series_labels(*(struct series *const *)b);
    int order =
        str_cmp(labels_get(one, STR(LABEL_METRIC_NAME)), labels_get(two, STR(LABEL_METRIC_NAME)));
    return order != 0 ? order : labels_cmp(one, two);
}

static int write_page(struct page *page, struct series_union *s, int64_t after, struct err *e)
{
    int status = 0;
    if (s->count > 1) {
        qsort(s->series, s->count, sizeof(*s->series), by_name);
    }
    for (size_t i = 0; status == 0 && i < s->count; i++) {
        status = add_series(page, s->series[i], after, e);
        status = status == 0 ? api_stream_offer(&page->answer, e) : status;
    }
    end_family(page);
    return status;
}

/* Whether an Accept header names the protobuf format. */
static bool accepts_protobuf(struct str accept)
{
    while (accept.len > 0) {
        struct str part = str_split(&accept, ',');
        if (str_starts_with(
                str_trim(str_split(&part, ';')), STR("application/vnd.google.protobuf"))) {
            return true;
        }
    }
    return false;
}

void api_federate(struct api_request *r)
{
    const struct api *api = r->api;
    int64_t now_ms = clock_now_ms(r->clock), lookback_ms = atomic_load(&api->lookback_ms);
    int64_t after = now_ms - (lookback_ms > 0 ? lookback_ms : LOOKBACK_DEFAULT_MS);
    struct page page = {.protobuf = accepts_protobuf(http_exchange_header(r->exchange, "Accept"))};
    struct series_union_options options = {.min_t = after + 1, .max_t = now_ms};
    struct series_union s;
    struct err e = ERR_INIT;
    if (!param_selectors(r, &options.selectors, &options.selector_count)) {
        return;
    }
    int status = series_union_open(api->backend.reads, &options, &s, &e);
    if (status != 0) {
        api_fail_with(r, &e);
        return;
    }
    api_stream_open(&page.answer, r, page.protobuf ? EXPOSITION_PROTOBUF_TYPE : TEXT_TYPE);
    strbuf_init(&page.metrics, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&page.scratch, STRBUF_LIMIT_DEFAULT);
    status = write_page(&page, &s, after, &e);
    series_union_close(&s);
    strbuf_release(&page.metrics);
    strbuf_release(&page.scratch);
    api_stream_close(&page.answer, status, &e);
}
