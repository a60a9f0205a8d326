/* Any bytes as OTLP metrics, in protobuf or, when they begin with '{', in JSON; what is taken is translated
 * with every naming, deltas added up. Series must be in order, and histograms such that they can be
 * walked. */
#include <assert.h>
#include <string.h>

#include "wire/otlp_translate.h"

static int check_series(void *context, const struct otlp_series *s)
{
    (void)context;
    assert(s->label_count > 0);
    for (size_t i = 0; i < s->label_count; i++) {
        assert(s->labels[i].name.len > 0 && s->labels[i].value.len > 0);
        assert(str_is_utf8(s->labels[i].name) && str_is_utf8(s->labels[i].value));
        assert(i == 0 || str_cmp(s->labels[i - 1].name, s->labels[i].name) < 0);
    }
    if (s->histogram != NULL) {
        struct histogram_walk walk;
        struct histogram_bucket bucket;
        assert(histogram_can_be_walked(s->histogram));
        histogram_walk_begin(&walk, s->histogram);
        while (histogram_walk_next(&walk, &bucket)) {
        }
    }
    return 0;
}

static int check_metadata(
    void *context, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    (void)context, (void)type, (void)help, (void)unit;
    assert(metric.len > 0);
    return 0;
}

static void translate(const struct otlp_metrics *metrics, struct arena *arena)
{
    static const char *const all[] = {"*"};
    static const struct otlp_sink sink = {NULL, check_series, check_metadata};
    struct otlp_delta *delta;
    assert(otlp_delta_new(16, &delta) == 0);
    for (int naming = 0; naming < 4; naming++) {
        struct otlp_translate_options options = {.naming = (enum otlp_naming)naming,
            .promoted = all,
            .promoted_count = naming % 2,
            .keep_identifying = naming > 1,
            .promote_scope = naming > 1};
        struct otlp_rejected rejected;
        struct otlp_delta_batch batch;
        otlp_delta_begin(delta, 0, &batch);
        int status = otlp_translate(metrics, &options, &batch, &sink, arena, &rejected);
        assert(status == 0 || status == ERR_LIMIT);
        assert(rejected.points == 0 || rejected.first.message[0] != '\0');
        otlp_delta_end(&batch, naming % 2 == 0);
    }
    otlp_delta_free(delta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct otlp_metrics metrics;
    struct err e = ERR_INIT;
    struct str message = str_make((const char *)data, size);
    arena_init(&arena, (size_t)64 << 20);
    int status = size > 0 && data[0] == '{'
                     ? otlp_metrics_decode_json(message, &arena, &metrics, &e)
                     : otlp_metrics_decode(message, &arena, &metrics, &e);
    assert(status == 0 || (e.code == status && e.message[0] != '\0'));
    if (status == 0) {
        translate(&metrics, &arena);
    }
    arena_release(&arena);
    return 0;
}
