/* Files of objectives: both formats, settings in annotations, what indicators are turned into, sentences with
 * places, and the way back to OpenSLO. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "slo/slo_expression.h"
#include "slo/slo_file.h"

static const char sloth[] =
    "version: prometheus/v1\n"
    "service: shop\n"
    "labels: {team: web}\n"
    "slos:\n"
    "  - name: requests\n"
    "    objective: 99.9\n"
    "    description: Requests work.\n"
    "    labels: {tier: one}\n"
    "    sli:\n"
    "      events:\n"
    "        error_query: sum(rate(http_requests_total{code=~\"5..\"}[{{.window}}]))\n"
    "        total_query: sum(rate(http_requests_total[{{ .window }}]))\n"
    "    alerting:\n"
    "      annotations:\n"
    "        runbook: https://wiki/shop\n"
    "        sonde.dev/window: 28d\n"
    "        sonde.dev/min-failures: \"5\"\n"
    "        sonde.dev/low-traffic: budget\n"
    "        sonde.dev/keep-firing-for: 90s\n"
    "      page_alert: {labels: {severity: page}}\n";

static const char openslo[] =
    "apiVersion: openslo/v1\n"
    "kind: SLI\n"
    "metadata: {name: work}\n"
    "spec:\n"
    "  ratioMetric:\n"
    "    counter: true\n"
    "    good: {metricSource: {type: Prometheus, spec: {query: 'sum(ok_total)'}}}\n"
    "    total: {metricSource: {type: Prometheus, spec: {query: 'sum(all_total) by (job)'}}}\n"
    "---\n"
    "apiVersion: openslo/v1\n"
    "kind: SLO\n"
    "metadata:\n"
    "  name: month\n"
    "  displayName: A month in Berlin\n"
    "  labels: {team: web}\n"
    "  annotations:\n"
    "    sonde.dev/runbook-waived: a test\n"
    "    sonde.dev/no-data: bad\n"
    "    sonde.dev/step: 30s\n"
    "    sonde.dev/tiers: \"fast=1h/5m@2%:page; slow=3d/6h@10%:ticket\"\n"
    "    note: hello\n"
    "spec:\n"
    "  service: shop\n"
    "  description: 'It \"works\"'\n"
    "  indicatorRef: work\n"
    "  timeWindow:\n"
    "    - duration: 1M\n"
    "      calendar: {startTime: '2026-01-01 00:00:00', timeZone: Europe/Berlin}\n"
    "  budgetingMethod: Occurrences\n"
    "  objectives:\n"
    "    - target: 0.995\n"
    "---\n"
    "apiVersion: openslo/v1\n"
    "kind: SLO\n"
    "metadata: {name: latency, annotations: {sonde.dev/runbook-url: 'https://w', "
    "sonde.dev/composite: "
    "product}}\n"
    "spec:\n"
    "  service: shop\n"
    "  timeWindow: [{duration: 30d, isRolling: true}]\n"
    "  objectives:\n"
    "    - target: 0.99\n"
    "      compositeWeight: 2\n"
    "      indicator: {spec: {ratioMetric: {good: {metricSource: {spec: {histogram: "
    "'lat{job=\"a\"}', "
    "threshold: 0.3}}}}}}\n"
    "    - targetPercent: 99\n"
    "      indicator: {spec: {ratioMetric: {good: {metricSource: {spec: {histogram: lat, "
    "threshold: 1, kind: "
    "native}}}}}}\n"
    "---\n"
    "apiVersion: openslo/v1\n"
    "kind: AlertCondition\n"
    "metadata: {name: c}\n"
    "spec: {condition: {kind: burnrate, op: lte, threshold: 2}}\n"
    "---\n"
    "apiVersion: openslo/v1\n"
    "kind: SLO\n"
    "metadata: {name: slices, annotations: {runbook_url: 'https://w'}}\n"
    "spec:\n"
    "  service: shop\n"
    "  timeWindow: [{duration: 7d, isRolling: true}]\n"
    "  budgetingMethod: Timeslices\n"
    "  indicator: {spec: {thresholdMetric: {metricSource: {spec: {query: 'avg(temperature)'}}}}}\n"
    "  objectives: [{target: 0.9, op: lt, value: 30, timeSliceWindow: 5m, timeSliceTarget: 0.9}]\n";

static struct slo_file parsed(const char *text)
{
    struct slo_file f;
    struct err e = ERR_INIT;
    if (slo_file_parse(NULL, STR("f.yml"), str_of(text), &f, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return f;
}

static void same(struct str got, const char *expected)
{
    if (!str_eq_c(got, expected)) {
        fail_msg("%.*s\nnot %s", STR_ARG(got), expected);
    }
}

static void sloth_is_read(void **state)
{
    (void)state;
    struct slo_file f = parsed(sloth);
    assert_int_equal(f.count, 1);
    const struct slo_definition *d = &f.definitions[0];
    same(d->name, "shop-requests");
    same(d->service, "shop");
    same(d->runbook_url, "https://wiki/shop");
    assert_int_equal(d->parameters.budget_billionths, 1000000);
    assert_int_equal(slo_window_period_ms(&d->parameters.window), INT64_C(28) * 86400000);
    assert_true(d->parameters.min_failures == 5);
    same(d->indicators[0].part,
        "sum(sum(increase(http_requests_total{code=~\"5..\"}[1m] anchored)))");
    same(d->indicators[0].total, "sum(sum(increase(http_requests_total[1m] anchored)))");
    assert_int_equal(d->label_count, 2);
    /* 28 days: the slow ticket's window is shortened, and said so. */
    assert_int_equal(d->parameters.tier_count, 4);
    assert_int_equal(d->parameters.tiers[3].long_ms, 4032 * 60000);
    assert_int_equal(d->note_count, 1);
    slo_file_release(&f);
}

static void openslo_is_read(void **state)
{
    (void)state;
    struct slo_file f = parsed(openslo);
    assert_int_equal(f.count, 3);
    const struct slo_definition *month = &f.definitions[0];
    same(month->name, "month");
    assert_true(month->parameters.window.calendar);
    assert_int_equal(month->parameters.no_data, SLO_BAD);
    assert_int_equal(month->parameters.step_ms, 30000);
    assert_int_equal(month->parameters.tier_count, 2);
    assert_true(month->parameters.tiers[0].page);
    assert_true(month->indicators[0].part_is_good);
    same(month->indicators[0].part, "sum(sum(increase(ok_total[30s] anchored)))");
    same(month->indicators[0].total, "sum(sum by (job) (increase(all_total[30s] anchored)))");
    const struct slo_definition *latency = &f.definitions[1];
    assert_int_equal(latency->parameters.composition, SLO_PRODUCT);
    assert_int_equal(latency->parameters.budget_billionths, 19900000);
    same(latency->indicators[0].part,
        "sum(increase(lat_bucket{job=\"a\",le=\"0.3\"}[1m] anchored))");
    same(latency->indicators[0].total, "sum(increase(lat_count{job=\"a\"}[1m] anchored))");
    same(latency->indicators[1].part,
        "sum(histogram_fraction(-Inf, 1, increase(lat[1m] anchored)) * "
        "histogram_count(increase(lat[1m] anchored)))");
    const struct slo_definition *slices = &f.definitions[2];
    assert_int_equal(slices->indicators[0].kind, SLO_SLICES_VALUE);
    assert_int_equal(slices->indicators[0].op, SLO_LT);
    assert_int_equal(slices->parameters.step_ms, 300000);
    assert_non_null(strstr(f.warnings.data, "op lte"));
    slo_file_release(&f);
}

static const char pyrra[] =
    "apiVersion: pyrra.dev/v1alpha1\n"
    "kind: ServiceLevelObjective\n"
    "metadata:\n"
    "  name: requests\n"
    "  namespace: shop\n"
    "  labels: {prometheus: k8s, pyrra.dev/team: web}\n"
    "  annotations: {pyrra.dev/runbook_url: https://wiki/shop, other.example/x: y}\n"
    "spec:\n"
    "  target: '99.5'\n"
    "  window: 2w\n"
    "  description: Requests work.\n"
    "  indicator:\n"
    "    ratio:\n"
    "      errors: {metric: 'http_requests_total{code=~\"5..\"}'}\n"
    "      total: {metric: http_requests_total}\n"
    "      grouping: [handler]\n"
    "---\n"
    "apiVersion: pyrra.dev/v1alpha1\n"
    "kind: ServiceLevelObjective\n"
    "metadata: {name: latency, namespace: shop, annotations: {sonde.dev/runbook-waived: a test}}\n"
    "spec:\n"
    "  target: '90'\n"
    "  window: 28d\n"
    "  indicator:\n"
    "    latency:\n"
    "      success: {metric: 'took_seconds_bucket{le=\"1\"}'}\n"
    "      total: {metric: 'took_seconds_count'}\n"
    "  alerting: {burnrates: false}\n"
    "---\n"
    "apiVersion: pyrra.dev/v1alpha1\n"
    "kind: ServiceLevelObjective\n"
    "metadata: {name: native, namespace: shop, annotations: {sonde.dev/runbook-waived: a test}}\n"
    "spec:\n"
    "  target: '99'\n"
    "  window: 4w\n"
    "  indicator: {latencyNative: {latency: 250ms, total: {metric: 'took_seconds{job=\"a\"}'}}}\n"
    "---\n"
    "apiVersion: pyrra.dev/v1alpha1\n"
    "kind: ServiceLevelObjective\n"
    "metadata: {name: up, namespace: shop, annotations: {sonde.dev/runbook-waived: a test}}\n"
    "spec:\n"
    "  target: '99.9'\n"
    "  window: 28d\n"
    "  indicator: {bool_gauge: {metric: 'up{job=\"a\"}'}}\n";

static void pyrra_is_read(void **state)
{
    (void)state;
    struct slo_file f = parsed(pyrra);
    assert_int_equal(f.count, 4);
    const struct slo_definition *d = f.definitions;
    same(d[0].name, "requests");
    same(d[0].service, "shop");
    same(d[0].runbook_url, "https://wiki/shop");
    assert_int_equal(d[0].label_count, 1);
    same(d[0].labels[0].name, "team");
    assert_int_equal(d[0].parameters.budget_billionths, 5000000);
    assert_true(slo_window_period_ms(&d[0].parameters.window) == INT64_C(14) * 86400 * 1000);
    same(d[0].indicators[0].part, "sum(increase(http_requests_total{code=~\"5..\"}[1m] anchored))");
    same(d[0].indicators[0].total, "sum(increase(http_requests_total[1m] anchored))");
    assert_false(d[0].indicators[0].part_is_good);
    assert_non_null(strstr(f.warnings.data, "f.yml:16: grouping is not followed"));
    same(d[1].indicators[0].part, "sum(increase(took_seconds_bucket{le=\"1\"}[1m] anchored))");
    assert_true(d[1].indicators[0].part_is_good);
    assert_int_equal(d[1].parameters.tier_count, 0);
    assert_true(d[2].indicators[0].native && d[2].indicators[0].value == 0.25);
    assert_true(d[2].parameters.tier_count > 0);
    same(d[3].indicators[0].part, "sum(sum_over_time(up{job=\"a\"}[1m]))");
    same(d[3].indicators[0].total, "sum(count_over_time(up{job=\"a\"}[1m]))");
    slo_file_release(&f);
}

static void written_and_read_again(void **state)
{
    (void)state;
    static const char *const texts[] = {sloth, openslo, pyrra};
    for (size_t t = 0; t < 3; t++) {
        struct slo_file f = parsed(texts[t]);
        for (size_t i = 0; i < f.count; i++) {
            struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
            slo_openslo_write(&f.definitions[i], &once);
            struct slo_file again = parsed(once.data);
            slo_openslo_write(&again.definitions[0], &twice);
            assert_string_equal(once.data, twice.data);
            assert_true(f.definitions[i].hash == again.definitions[0].hash);
            assert_true(str_eq(
                f.definitions[i].indicators[0].part, again.definitions[0].indicators[0].part));
            slo_file_release(&again);
            strbuf_release(&once);
            strbuf_release(&twice);
        }
        slo_file_release(&f);
    }
}

static void expressions(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        enum slo_expression kind;
        const char *expected; /* beginning with '!': part of the sentence */
    } table[] = {
        {"a - b", SLO_COUNTER, "sum(increase(a[1m] anchored) - increase(b[1m] anchored))"},
        {"rate(a[5m] offset 1m)", SLO_COUNTER, "sum(increase(a[1m] anchored offset 1m))"},
        {"queue", SLO_GAUGE, "sum(sum_over_time(queue[1m]))"},
        {"count_over_time(up[{{.window}}])", SLO_COUNTER, "sum(count_over_time(up[1m]))"},
        {"(sum(increase(a[1h])))", SLO_COUNTER, "sum((sum(increase(a[1m] anchored))))"},
        {"avg(t) / 2", SLO_VALUE, "avg(t) / 2"},
        {"sum(rate(a[5m])) / sum(rate(b[5m]))", SLO_COUNTER, "!not their ratio"},
        {"irate(a[5m])", SLO_COUNTER, "!counts of events are wanted"},
        {"max_over_time(rate(a[5m])[1h:])", SLO_COUNTER, "!subqueries"},
        {"a[5m]", SLO_COUNTER, "!range vector"},
        {"sum(", SLO_COUNTER, "!parse error"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct err e = ERR_INIT;
        struct str text = STR("");
        int status =
            slo_expression(&arena, str_of(table[i].query), table[i].kind, 60000, &text, &e);
        if (table[i].expected[0] == '!') {
            if (status != ERR_INVALID || strstr(e.message, table[i].expected + 1) == NULL) {
                fail_msg("%s: %d %s", table[i].query, status, e.message);
            }
        } else {
            assert_int_equal(status, 0);
            same(text, table[i].expected);
        }
        arena_release(&arena);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const char head[] = "apiVersion: openslo/v1\nkind: SLO\n";
    static const struct {
        const char *text, *sentence;
    } table[] = {
        {"a: 1\n", "f.yml:1:1: neither `apiVersion: openslo/v1` nor"},
        {"version: prometheus/v1\nservice: s\nslos:\n  - name: n\n    objective: 99.9\n    sli: "
         "{events: "
         "{error_query: a, total_query: b}}\n",
            "f.yml:4:5: SLO \"s-n\" has no runbook"},
        {"version: prometheus/v1\nservice: s\nslos:\n  - name: n\n    objective: 100\n    sli: "
         "{events: "
         "{error_query: a, total_query: b}}\n",
            "f.yml:5:16: a target lies between 0 and 100"},
        {"version: prometheus/v1\nservice: s\nslos:\n  - name: n\n    objective: 99\n    sli: "
         "{events: {error_query: a, total_query: b}}\n    alerting: {annotations: {runbook_url: x, "
         "sonde.dev/step: 1s}}\n",
            "f.yml:4:5: SLO \"s-n\": its window has more steps than the 1100000 that are kept"},
        {"version: prometheus/v1\nservice: s\nslos:\n  - name: n\n    objektive: 1\n",
            "f.yml:5:5:"},
        {"version: prometheus/v1\nservice: s\nslos:\n  - {name: n, objective: 99, sli: {plugin: "
         "{id: x}}}\n",
            "plugins are programs"},
        {"apiVersion: pyrra.dev/v1alpha1\nkind: SLO\n", "`kind: ServiceLevelObjective`"},
        {"apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: n}\nspec: "
         "{target: '99', window: 1x}\n",
            "f.yml:4:7: window: "},
        {"apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: n}\nspec: "
         "{target: '99', window: 1d, indicator: {}}\n",
            "one of ratio, latency, latencyNative and bool_gauge"},
        {"metadata: {name: a b, annotations: {runbook_url: x}}\nspec: {}\n",
            "f.yml:4:7: timeWindow"},
        {"metadata: {name: n, annotations: {sonde.dev/color: x}}\nspec: {}\n",
            "f.yml:3:11: unknown annotation sonde.dev/color"},
        {"metadata: {name: n, annotations: {sonde.dev/no-data: maybe}}\nspec: {}\n",
            "freeze, bad, good or ignore"},
        {"metadata: {name: n, annotations: {sonde.dev/tiers: 'x=1h'}}\nspec: {}\n",
            "up to eight of"},
        {"metadata: {name: n, annotations: {sonde.dev/step: 7s}}\nspec: {}\n", "divides a day"},
        {"metadata: {name: n, annotations: {runbook_url: x}}\nspec:\n  timeWindow: [{duration: "
         "30d, "
         "isRolling: true}]\n  objectives: [{target: 0.9, indicatorRef: nope}]\n",
            "f.yml:6:16: no SLI \"nope\""},
        {"metadata: {name: n, annotations: {runbook_url: x}}\nspec:\n  timeWindow: [{duration: "
         "30d, "
         "calendar: {startTime: '2026-02-30 00:00:00', timeZone: UTC}}]\n",
            "startTime"},
        {"metadata: {name: n, annotations: {runbook_url: x}}\nspec:\n  timeWindow: [{duration: "
         "30d, "
         "calendar: {startTime: '2026-02-20 00:00:00', timeZone: No/Where}}]\n",
            "timeZone: unknown time zone"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct strbuf text = STRBUF_INIT;
        strbuf_add_c(&text, strncmp(table[i].text, "metadata", 8) == 0 ? head : "");
        strbuf_add_c(&text, table[i].text);
        struct slo_file f;
        struct err e = ERR_INIT;
        if (slo_file_parse(NULL, STR("f.yml"), strbuf_str(&text), &f, &e) != ERR_INVALID ||
            strstr(e.message, table[i].sentence) == NULL) {
            fail_msg("%s\ngives %s\nnot %s", text.data, e.message, table[i].sentence);
        }
        strbuf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sloth_is_read),
        cmocka_unit_test(openslo_is_read),
        cmocka_unit_test(pyrra_is_read),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(expressions),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
