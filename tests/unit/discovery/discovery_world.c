/* The world of discovery's tests. */
#include "discovery_world.h"

#include <string.h>

#include "support/support.h"

void discovery_world_init(struct discovery_world *w)
{
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    w->disk = sim_vfs_new(1);
    assert_non_null(w->disk);
    w->options = (struct discovery_options){
        .clock = &w->clock.clock, .client = &w->http.client, .vfs = sim_vfs_get(w->disk)};
    assert_int_equal(discovery_new(&w->options, &w->discovery), 0);
}

void discovery_world_release(struct discovery_world *w)
{
    discovery_free(w->discovery);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

void discovery_world_set(
    struct discovery_world *w, const struct discovery_configs *const *jobs, size_t count)
{
    assert_int_equal(discovery_prepare(w->discovery, jobs, count, NULL), 0);
    discovery_settle(w->discovery, true);
}

void discovery_world_pass(struct discovery_world *w, int64_t milliseconds)
{
    fake_clock_advance_ms(&w->clock, milliseconds);
    int64_t wait = discovery_step(w->discovery);
    assert_true(wait >= 0 && wait <= 1000);
}

void discovery_world_expect(struct discovery_world *w, const char *url, const char *json)
{
    sim_http_client_expect(&w->http, &(struct sim_http_answer){.method = "GET",
                                         .url = url,
                                         .answer_body = str_of(json),
                                         .headers = {{"Content-Type", "application/json"}},
                                         .header_count = 1});
}

static int write_target(void *context, const struct labels *target)
{
    struct strbuf *out = context;
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        strbuf_addf(
            out, "%s%.*s=%.*s", i > 0 ? " " : "", STR_ARG(label.name), STR_ARG(label.value));
    }
    strbuf_add_char(out, '\n');
    return 0;
}

void discovery_world_check(
    struct discovery_world *w, const struct discovery_configs *configs, const char *expected)
{
    struct strbuf got = STRBUF_INIT;
    assert_int_equal(discovery_each(w->discovery, configs, write_target, &got), 0);
    strbuf_add_char(&got, '\0');
    if (strcmp(got.data, expected) != 0) {
        fail_msg("found\n%s\nexpected\n%s", got.data, expected);
    }
    strbuf_release(&got);
}

uint64_t discovery_world_failing(const struct discovery_world *w, const char *kind)
{
    for (size_t i = 0; i < discovery_kind_count(); i++) {
        struct discovery_statistics s;
        discovery_statistics(w->discovery, i, &s);
        if (strcmp(s.kind, kind) == 0) {
            return s.failing;
        }
    }
    fail_msg("no kind %s", kind);
    return 0;
}
