/* The door: external labels, admission, gates. */
#include "intake/intake.h"

#include "base/err.h"
#include "support/support.h"

struct behind {
    struct intake intake;
    uint64_t samples, metadata, commits;
    enum intake_pressure pressure;
};

static void add(struct intake *self, const struct remote_write_series *series)
{
    ((struct behind *)self)->samples += series->sample_count + series->histogram_count;
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    (void)type, (void)metric, (void)help, (void)unit;
    ((struct behind *)self)->metadata++;
}

static int commit(struct intake *self)
{
    ((struct behind *)self)->commits++;
    return ERR_LIMIT;
}

static enum intake_pressure pressure(const struct intake *self)
{
    return ((const struct behind *)self)->pressure;
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    (void)self;
    *epoch_out = 7;
    return labels_empty();
}

static const struct intake door = {add, add_metadata, commit, pressure, external};

static void test_a_gate_counts_and_passes_on(void **state)
{
    struct behind behind = {.intake = door};
    struct intake_gate gate;
    struct sample samples[3] = {{1, 1}, {2, 2}, {3, 3}};
    struct remote_write_exemplar exemplar = {.value = 1};
    struct remote_write_series series = {STR(""), samples, 3, NULL, 0, &exemplar, 1};
    uint64_t epoch = 0;
    intake_gate_init(&gate, "test", &behind.intake);
    gate.intake.add(&gate.intake, &series);
    gate.intake.add(&gate.intake, &series);
    gate.intake.add_metadata(&gate.intake, METRIC_TYPE_GAUGE, STR("x"), STR(""), STR(""));
    assert_int_equal(gate.samples, 6);
    assert_int_equal(gate.exemplars, 2);
    assert_int_equal(behind.samples, 6);
    assert_int_equal(behind.metadata, 1);
    assert_int_equal(gate.intake.commit(&gate.intake), ERR_LIMIT);
    assert_int_equal(behind.commits, 1);
    assert_ptr_equal(gate.intake.external(&gate.intake, &epoch), labels_empty());
    assert_int_equal(epoch, 7);
}

static void test_pushers_are_refused_under_pressure(void **state)
{
    static const struct {
        enum intake_pressure pressure;
        int status;
    } rows[] = {
        {INTAKE_EASY, 0}, {INTAKE_TIGHT, 0}, {INTAKE_HIGH, ERR_BUSY}, {INTAKE_FULL, ERR_BUSY}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct behind behind = {.intake = door, .pressure = rows[i].pressure};
        struct intake_gate gate;
        int64_t wait = 0;
        intake_gate_init(&gate, "test", &behind.intake);
        assert_int_equal(intake_admit(&gate.intake, &wait), rows[i].status);
        assert_int_equal(wait, rows[i].status == 0 ? 0 : INTAKE_RETRY_AFTER_MS);
    }
}

static void test_external_labels_fill_gaps_only(void **state)
{
    const struct label own[] = {{STR("__name__"), STR("x")}, {STR("zone"), STR("mine")}};
    const struct label outside[] = {{STR("zone"), STR("theirs")}, {STR("host"), STR("h")}};
    const struct label want[] = {
        {STR("__name__"), STR("x")}, {STR("host"), STR("h")}, {STR("zone"), STR("mine")}};
    const struct labels *external_labels = NULL;
    struct labels_builder b;
    struct strbuf got = STRBUF_INIT, expected = STRBUF_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(labels_new(outside, 2, &external_labels, &e), 0);
    labels_builder_init(&b);
    labels_builder_set(&b, own[1].name, own[1].value);
    labels_builder_set(&b, own[0].name, own[0].value);
    assert_int_equal(intake_encode_labels(external_labels, &b, &got), 0);
    remote_write_encode_labels(want, 3, &expected);
    assert_true(str_eq(strbuf_str(&got), strbuf_str(&expected)));
    labels_builder_release(&b);
    labels_unref(external_labels);
    strbuf_release(&got);
    strbuf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_gate_counts_and_passes_on),
        cmocka_unit_test(test_pushers_are_refused_under_pressure),
        cmocka_unit_test(test_external_labels_fill_gaps_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
