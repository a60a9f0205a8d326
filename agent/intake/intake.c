/* Labels as the queue keeps them, admission, and gates that count. */
#include "intake/intake.h"

#include "base/err.h"

int intake_encode_labels(
    const struct labels *external, struct labels_builder *b, struct strbuf *out)
{
    size_t count = external != NULL ? labels_count(external) : 0;
    for (size_t i = 0; i < count; i++) {
        struct label pair = labels_at(external, i);
        if (labels_builder_get(b, pair.name).len == 0) {
            labels_builder_set(b, pair.name, pair.value);
        }
    }
    const struct labels *l = NULL;
    int status = labels_builder_finish(b, &l);
    if (status == 0) {
        remote_write_encode_labels(labels_pairs(l), labels_count(l), out);
        status = strbuf_error(out);
    }
    labels_unref(l);
    return status;
}

int intake_admit(const struct intake *self, int64_t *retry_after_ms_out)
{
    if (self->pressure(self) < INTAKE_HIGH) {
        return 0;
    }
    *retry_after_ms_out = INTAKE_RETRY_AFTER_MS;
    return ERR_BUSY;
}

/* ---- Gates ---- */

static void gate_add(struct intake *self, const struct remote_write_series *series)
{
    struct intake_gate *gate = (struct intake_gate *)self;
    gate->samples += series->sample_count + series->histogram_count;
    gate->exemplars += series->exemplar_count;
    gate->behind->add(gate->behind, series);
}

static void gate_add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    struct intake_gate *gate = (struct intake_gate *)self;
    gate->behind->add_metadata(gate->behind, type, metric, help, unit);
}

static int gate_commit(struct intake *self)
{
    struct intake_gate *gate = (struct intake_gate *)self;
    return gate->behind->commit(gate->behind);
}

static enum intake_pressure gate_pressure(const struct intake *self)
{
    const struct intake_gate *gate = (const struct intake_gate *)self;
    return gate->behind->pressure(gate->behind);
}

static const struct labels *gate_external(const struct intake *self, uint64_t *epoch_out)
{
    const struct intake_gate *gate = (const struct intake_gate *)self;
    return gate->behind->external(gate->behind, epoch_out);
}

void intake_gate_init(struct intake_gate *gate, const char *source, struct intake *behind)
{
    *gate = (struct intake_gate){
        .intake = {gate_add, gate_add_metadata, gate_commit, gate_pressure, gate_external},
        .behind = behind,
        .source = source,
    };
}
