/* The routes over HTTP: what Grafana and other clients of Prometheus send, and what they must get. The
 * expected bodies are Prometheus 3's answers to the same requests over the same samples; where the
 * server differs on purpose, the row says so. */
#include "support/support.h"

#include "api_fixture.h"
#include "base/mem.h"
#include "base/vfs.h"

#define DATA(text) "{\"status\":\"success\",\"data\":" text "}"
#define ERROR(type, text) "{\"status\":\"error\",\"errorType\":\"" type "\",\"error\":\"" text "\"}"
#define TRUNCATED(text)                                                                            \
    "{\"status\":\"success\",\"data\":" text ",\"warnings\":[\"results truncated due to limit\"]}"

struct exchange {
    const char *method, *target;
    const char *form; /* of a POST */
    unsigned status;
    const char *body;
};

static void ask(struct api_fixture *f, const struct exchange *x)
{
    if (x->form != NULL) {
        api_fixture_post(f, x->target, x->form);
    } else {
        api_fixture_send(f, x->method, x->target, NULL, "", 0);
    }
    if (f->status != x->status || strcmp(f->body.data != NULL ? f->body.data : "", x->body) != 0) {
        fail_msg("%s %s %s\n  gave  %u %s\n  wants %u %s", x->method, x->target,
            x->form != NULL ? x->form : "", f->status, f->body.data, x->status, x->body);
    }
}

/* Three series, one sample each at 1000 s; a name that needs escaping. */
static void start(struct api_fixture *f)
{
    api_fixture_start(f, true);
    api_fixture_sample(f, 1000000, 1, "__name__", "up", "job", "node", "instance", "a", NULL);
    api_fixture_sample(f, 1000000, 0, "__name__", "up", "job", "db", "instance", "b", NULL);
    api_fixture_sample(f, 1000000, 5, "__name__", "load", "job", "node", "http.status", "ok", NULL);
}

static void check_all(const struct exchange *exchanges, size_t count)
{
    struct api_fixture f;
    start(&f);
    for (size_t i = 0; i < count; i++) {
        ask(&f, &exchanges[i]);
    }
    api_fixture_stop(&f);
}
#define CHECK(exchanges) check_all(exchanges, sizeof(exchanges) / sizeof(exchanges[0]))

static void test_instant(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        /* Grafana's "Save & test" */
        {"POST", "/api/v1/query", "query=1%2B1&time=4", 200,
            DATA("{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}")},
        {"GET", "/api/v1/query?query=1%2B1&time=4", NULL, 200,
            DATA("{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}")},
        /* no time: now, which is 1 000 000 s */
        {"GET", "/api/v1/query?query=time()", NULL, 200,
            DATA("{\"resultType\":\"scalar\",\"result\":[1000000,\"1000000\"]}")},
        {"GET", "/api/v1/query?query=%22a%22&time=1.5", NULL, 200,
            DATA("{\"resultType\":\"string\",\"result\":[1.500,\"a\"]}")},
        {"GET", "/api/v1/query?query=load&time=1000&dedup=true", NULL, 200,
            DATA("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"load\","
                 "\"http.status\":\"ok\",\"job\":\"node\"},\"value\":[1000,\"5\"]}]}")},
        {"GET", "/api/v1/query?query=up&time=1970-01-01T00:16:40Z&limit=1", NULL, 200,
            TRUNCATED("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\","
                      "\"instance\":\"a\",\"job\":\"node\"},\"value\":[1000,\"1\"]}]}")},
        /* a sample is found for five minutes, or as long as is said */
        {"GET", "/api/v1/query?query=count(up)&time=1310", NULL, 200,
            DATA("{\"resultType\":\"vector\",\"result\":[]}")},
        {"GET", "/api/v1/query?query=count(up)&time=1310&lookback_delta=10m", NULL, 200,
            DATA(
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1310,\"2\"]}]}")},
    };
    CHECK(exchanges);
}

static void test_instant_errors(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"POST", "/api/v1/query", "query=sum(", 400,
            ERROR("bad_data", "invalid parameter \\\"query\\\": 1:5: parse error: unclosed left "
                              "parenthesis")},
        {"GET", "/api/v1/query", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"query\\\": unknown position: parse error: no expression "
                "found in input")},
        {"GET", "/api/v1/query?query=1&time=x", NULL, 400,
            ERROR("bad_data", "invalid parameter \\\"time\\\": invalid time value for 'time': "
                              "cannot parse \\\"x\\\" to a valid timestamp")},
        {"GET", "/api/v1/query?query=1&timeout=x", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"timeout\\\": cannot parse \\\"x\\\" to a valid duration")},
        {"GET", "/api/v1/query?query=1&limit=-1", NULL, 400,
            ERROR("bad_data", "invalid parameter \\\"limit\\\": limit must be non-negative")},
        {"GET", "/api/v1/query?query=up%2Bon(job)up&time=1000", NULL, 200,
            DATA("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"job\":\"node\"},\"value\":["
                 "1000,\"2\"]},{\"metric\":{\"job\":\"db\"},\"value\":[1000,\"0\"]}]}")},
    };
    CHECK(exchanges);
}

static void test_range(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"POST", "/api/v1/query_range", "query=up{job=\"db\"}&start=1000&end=1001&step=0.5", 200,
            DATA("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"up\","
                 "\"instance\":\"b\",\"job\":\"db\"},\"values\":[[1000,\"0\"],[1000.500,\"0\"],"
                 "[1001,\"0\"]]}]}")},
        {"GET", "/api/v1/query_range?query=1&start=1000&end=1030&step=15s", NULL, 200,
            DATA("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1000,\"1\"],"
                 "[1015,\"1\"],[1030,\"1\"]]}]}")},
        {"GET", "/api/v1/query_range?query=1&start=1000&end=999&step=15", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"end\\\": end timestamp must not be before start time")},
        {"GET", "/api/v1/query_range?query=1&start=1000&end=1001&step=0", NULL, 400,
            ERROR("bad_data", "invalid parameter \\\"step\\\": zero or negative query resolution "
                              "step widths are not accepted. Try a positive integer")},
        {"GET", "/api/v1/query_range?query=1&start=1000&end=1001&step=-5m", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"step\\\": cannot parse \\\"-5m\\\" to a valid duration")},
        {"GET", "/api/v1/query_range?query=1&start=1000&end=1001", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"step\\\": cannot parse \\\"\\\" to a valid duration")},
        {"GET", "/api/v1/query_range?query=1&end=1001&step=1", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp")},
        /* a year at one second */
        {"GET", "/api/v1/query_range?query=1&start=0&end=31536000&step=1", NULL, 400,
            ERROR("bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try "
                              "decreasing the query resolution (?step=XX)")},
        {"GET", "/api/v1/query_range?query=up[5m]&start=0&end=1&step=1", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"query\\\": invalid expression type \\\"range vector\\\" for "
                "range query, must be Scalar or instant Vector")},
    };
    CHECK(exchanges);
}

static void test_labels(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"GET", "/api/v1/labels", NULL, 200,
            DATA("[\"__name__\",\"http.status\",\"instance\",\"job\"]")},
        {"GET", "/api/v1/labels?limit=1", NULL, 200, TRUNCATED("[\"__name__\"]")},
        {"GET", "/api/v1/labels?limit=4", NULL, 200,
            DATA("[\"__name__\",\"http.status\",\"instance\",\"job\"]")},
        /* two selectors: the union */
        {"POST", "/api/v1/labels", "match[]=load&match[]=up{instance=\"a\"}", 200,
            DATA("[\"__name__\",\"http.status\",\"instance\",\"job\"]")},
        {"POST", "/api/v1/labels", "match[]=up", 200, DATA("[\"__name__\",\"instance\",\"job\"]")},
        {"POST", "/api/v1/labels", "match[]=nothing", 200, DATA("[]")},
        {"GET", "/api/v1/labels?start=2000&end=3000", NULL, 200, DATA("[]")},
        {"GET", "/api/v1/label/job/values", NULL, 200, DATA("[\"db\",\"node\"]")},
        {"GET", "/api/v1/label/job/values?match[]=load&start=0&end=2000", NULL, 200,
            DATA("[\"node\"]")},
        {"GET", "/api/v1/label/job/values?limit=1", NULL, 200, TRUNCATED("[\"db\"]")},
        {"GET", "/api/v1/label/U__http_2e_status/values", NULL, 200, DATA("[\"ok\"]")},
        {"GET", "/api/v1/label/http.status/values", NULL, 200, DATA("[\"ok\"]")},
        {"GET", "/api/v1/label/none/values", NULL, 200, DATA("[]")},
        {"GET", "/api/v1/label/%FF/values", NULL, 400,
            ERROR("bad_data", "invalid label name: \\\"\\\\xff\\\"")},
        {"GET", "/api/v1/labels?match[]=up{", NULL, 400,
            ERROR("bad_data", "invalid parameter \\\"match[]\\\": 1:4: parse error: unexpected end "
                              "of input inside braces")},
        {"GET", "/api/v1/labels?limit=x", NULL, 400,
            ERROR("bad_data", "invalid parameter \\\"limit\\\": \\\"x\\\" is not a whole number")},
    };
    CHECK(exchanges);
}

static void test_series(void **state)
{
    (void)state;
#define UP_A "{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"node\"}"
#define UP_B "{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"db\"}"
#define LOAD "{\"__name__\":\"load\",\"http.status\":\"ok\",\"job\":\"node\"}"
    static const struct exchange exchanges[] = {
        {"GET", "/api/v1/series?match[]=up", NULL, 200, DATA("[" UP_A "," UP_B "]")},
        {"POST", "/api/v1/series", "match[]=up&match[]={job=\"node\"}", 200,
            DATA("[" LOAD "," UP_A "," UP_B "]")},
        {"POST", "/api/v1/series", "match[]=up&limit=1", 200, TRUNCATED("[" UP_A "]")},
        {"GET", "/api/v1/series?match[]=up&start=2000&end=3000", NULL, 200, DATA("[]")},
        {"GET", "/api/v1/series", NULL, 400, ERROR("bad_data", "no match[] parameter provided")},
    };
    CHECK(exchanges);
}

/* What one selector could not read is said, whatever the others read. */
static void test_series_warnings(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    f.lookup.warning = "a run is missing";
    ask(&f,
        &(struct exchange){"POST", "/api/v1/series", "match[]=load&match[]=nothing", 200,
            "{\"status\":\"success\",\"data\":[" LOAD "],\"warnings\":[\"a run is missing\"]}"});
    api_fixture_stop(&f);
}

static void test_metadata(void **state)
{
    (void)state;
    static const struct metric_metadata entries[] = {
        {STR("a"), METRIC_TYPE_COUNTER, STR("one"), STR("seconds")},
        {STR("a"), METRIC_TYPE_GAUGE, STR("two"), STR("")},
        {STR("b"), METRIC_TYPE_UNKNOWN, STR(""), STR("")},
    };
#define A1 "{\"type\":\"counter\",\"help\":\"one\",\"unit\":\"seconds\"}"
#define A2 "{\"type\":\"gauge\",\"help\":\"two\",\"unit\":\"\"}"
#define B "{\"type\":\"unknown\",\"help\":\"\",\"unit\":\"\"}"
    static const struct exchange exchanges[] = {
        {"GET", "/api/v1/metadata", NULL, 200, DATA("{\"a\":[" A1 "," A2 "],\"b\":[" B "]}")},
        {"GET", "/api/v1/metadata?limit=1", NULL, 200, DATA("{\"a\":[" A1 "," A2 "]}")},
        {"GET", "/api/v1/metadata?limit_per_metric=1", NULL, 200,
            DATA("{\"a\":[" A1 "],\"b\":[" B "]}")},
        {"GET", "/api/v1/metadata?metric=b", NULL, 200, DATA("{\"b\":[" B "]}")},
        {"GET", "/api/v1/metadata?metric=c", NULL, 200, DATA("{}")},
    };
    struct api_fixture f;
    start(&f);
    ask(&f, &(struct exchange){"GET", "/api/v1/metadata", NULL, 200, DATA("{}")});
    fake_metadata = entries;
    fake_metadata_count = 3;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        ask(&f, &exchanges[i]);
    }
    api_fixture_stop(&f);
}

static void test_what_clients_ask_at_start(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        /* Grafana's probe: milliseconds */
        {"POST", "/api/v1/query_exemplars", "query=test&start=1700000000000&end=1700001800000", 200,
            DATA("[]")},
        {"GET", "/api/v1/query_exemplars?query=sum(", NULL, 400,
            ERROR("bad_data", "1:5: parse error: unclosed left parenthesis")},
        {"GET", "/api/v1/rules?type=alert", NULL, 200, DATA("{\"groups\":[]}")},
        {"GET", "/api/v1/alerts", NULL, 200, DATA("{\"alerts\":[]}")},
        {"GET", "/api/v1/targets", NULL, 200,
            DATA("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}")},
        {"GET", "/api/v1/targets/metadata", NULL, 200, DATA("[]")},
        {"GET", "/api/v1/scrape_pools", NULL, 200, DATA("{\"scrapePools\":[]}")},
        {"GET", "/api/v1/alertmanagers", NULL, 200,
            DATA("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}")},
        {"GET", "/api/v1/status/buildinfo", NULL, 200,
            DATA("{\"version\":\"" SONDE_VERSION "\",\"revision\":\"\",\"branch\":\"\","
                 "\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\","
                 "\"features\":{\"ruler_config_api\":\"true\"}}")},
        {"GET", "/api/v1/status/walreplay", NULL, 200,
            DATA("{\"min\":0,\"max\":1,\"current\":1,\"state\":\"done\"}")},
        {"GET", "/api/v1/status/flags", NULL, 200, DATA("{}")},
        {"GET", "/api/v1/status/config", NULL, 200, DATA("{\"yaml\":\"\"}")},
        {"GET", "/api/v1/format_query?query=sum(up)by(job)", NULL, 200,
            DATA("\"sum by (job) (up)\"")},
    };
    CHECK(exchanges);
}

/* The answer of the documentation of Prometheus' API, with a second series. */
static void test_exemplars(void **state)
{
    (void)state;
    struct label labels[][2] = {{{STR("__name__"), STR("a_bucket")}, {STR("le"), STR("1")}},
        {{STR("__name__"), STR("b_total")}, {STR("job"), STR("x")}},
        {{STR("trace_id"), STR("EpTx")}}};
    const struct labels *sets[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(labels_new(labels[i], i < 2 ? 2 : 1, &sets[i], NULL), 0);
    }
    const struct exemplar items[] = {
        {sets[2], 6, 1600096945479}, {labels_empty(), 0.25, 1600096946000}};
    const struct exemplar_series series[] = {{sets[0], items, 2}, {sets[1], items, 1}};
    const struct exemplar_list all = {.series = series, .count = 2};
#define SERIES_A                                                                                   \
    "{\"seriesLabels\":{\"__name__\":\"a_bucket\",\"le\":\"1\"},\"exemplars\":[{\"labels\":{"      \
    "\"trace_id\":"                                                                                \
    "\"EpTx\"},\"value\":\"6\",\"timestamp\":1600096945.479},{\"labels\":{},\"value\":\"0.25\","   \
    "\"timestamp\":1600096946}]}"
#define SERIES_B                                                                                   \
    "{\"seriesLabels\":{\"__name__\":\"b_total\",\"job\":\"x\"},\"exemplars\":[{\"labels\":{"      \
    "\"trace_id\":"                                                                                \
    "\"EpTx\"},\"value\":\"6\",\"timestamp\":1600096945.479}]}"
#define PATH "/api/v1/query_exemplars?query="
    static const struct {
        const char *target, *answer;
        unsigned status;
    } cases[] = {
        {PATH "a_bucket&start=1600096945&end=1600096946", DATA("[" SERIES_A "]"), 200},
        {PATH "histogram_quantile(0.9,sum(rate(a_bucket[5m]))by(le))", DATA("[" SERIES_A "]"), 200},
        {PATH "b_total%2Ba_bucket%2Brate(b_total{job=%22x%22}[1m])",
            DATA("[" SERIES_A "," SERIES_B "]"), 200},
        {PATH "b_total{job=%22y%22}", DATA("[]"), 200},
        {PATH "a_bucket&start=1600096946&end=1600096947", DATA("[]"), 200},
        {PATH "1%2B1", DATA("[]"), 200},
        {PATH "up&start=2&end=1",
            ERROR("bad_data", "end timestamp must not be before start timestamp"), 400},
        {PATH "up&start=x",
            ERROR("bad_data", "invalid parameter \\\"start\\\": invalid time value for 'start': "
                              "cannot parse \\\"x\\\" to a valid timestamp"),
            400},
    };
    struct api_fixture f;
    api_fixture_start(&f, true);
    f.lookup.exemplars = &all;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(api_fixture_get(&f, cases[i].target), cases[i].answer);
        assert_int_equal(f.status, cases[i].status);
    }
    api_fixture_stop(&f);
    for (size_t i = 0; i < 3; i++) {
        labels_unref(sets[i]);
    }
#undef SERIES_A
#undef SERIES_B
#undef PATH
}

/* Trees as translate_ast.go of Prometheus 3 makes them. */
#define UP_MATCHER "{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"up\"}"
#define UP_NODE                                                                                    \
    "{\"anchored\":false,\"matchers\":[" UP_MATCHER "],\"name\":\"up\",\"offset\":0,"              \
    "\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"}"
#define ONE "{\"type\":\"numberLiteral\",\"val\":\"1\"}"

static void test_parse_query(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"GET", "/api/v1/parse_query?query=up", NULL, 200, DATA(UP_NODE)},
        {"POST", "/api/v1/parse_query", "query=-(1)", 200,
            DATA("{\"expr\":{\"expr\":" ONE
                 ",\"type\":\"parenExpr\"},\"op\":\"-\",\"type\":\"unaryExpr\"}")},
        {"POST", "/api/v1/parse_query", "query=\"a\"", 200,
            DATA("{\"type\":\"stringLiteral\",\"val\":\"a\"}")},
        {"POST", "/api/v1/parse_query",
            "query=rate({a!~\"b\",__name__=\"x\"}[5m] offset -1m @ end())", 200,
            DATA("{\"args\":[{\"anchored\":false,\"matchers\":[{\"name\":\"a\",\"type\":\"!~\","
                 "\"value\":\"b\"},"
                 "{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"x\"}],\"name\":\"\",\"offset\":"
                 "-60000,"
                 "\"range\":300000,\"smoothed\":false,\"startOrEnd\":\"end\",\"timestamp\":null,"
                 "\"type\":\"matrixSelector\"}],\"func\":{\"argTypes\":[\"matrix\"],\"name\":"
                 "\"rate\","
                 "\"returnType\":\"vector\",\"variadic\":0},\"type\":\"call\"}")},
        {"POST", "/api/v1/parse_query", "query=topk without(a,b) (1,up @ 5)", 200,
            DATA("{\"expr\":{\"anchored\":false,\"matchers\":[" UP_MATCHER
                 "],\"name\":\"up\",\"offset\":0,"
                 "\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":5000,\"type\":"
                 "\"vectorSelector\"},"
                 "\"grouping\":[\"a\",\"b\"],\"op\":\"topk\",\"param\":" ONE
                 ",\"type\":\"aggregation\","
                 "\"without\":true}")},
        {"POST", "/api/v1/parse_query", "query=up > bool on(a) group_left(c) up", 200,
            DATA("{\"bool\":true,\"lhs\":" UP_NODE ",\"matching\":{\"card\":\"many-to-one\","
                 "\"fillValues\":{\"lhs\":null,\"rhs\":null},\"include\":[\"c\"],\"labels\":[\"a\"]"
                 ",\"on\":true},"
                 "\"op\":\">\",\"rhs\":" UP_NODE ",\"type\":\"binaryExpr\"}")},
        {"POST", "/api/v1/parse_query", "query=1 atan2 1", 200,
            DATA("{\"bool\":false,\"lhs\":" ONE ",\"matching\":null,\"op\":\"atan2\",\"rhs\":" ONE
                 ",\"type\":\"binaryExpr\"}")},
        {"POST", "/api/v1/parse_query", "query=up[1h:5m] offset 1s", 200,
            DATA("{\"expr\":" UP_NODE
                 ",\"offset\":1000,\"range\":3600000,\"startOrEnd\":null,\"step\":300000,"
                 "\"timestamp\":null,\"type\":\"subquery\"}")},
        {"GET", "/api/v1/parse_query?query=sum(", NULL, 400,
            ERROR("bad_data",
                "invalid parameter \\\"query\\\": 1:5: parse error: unclosed left parenthesis")},
    };
    CHECK(exchanges);
}

/* As deep as the parser goes. */
static void test_parse_deep_query(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf form = STRBUF_INIT;
    start(&f);
    strbuf_add_c(&form, "query=");
    for (int i = 0; i < 240; i++) {
        strbuf_add_c(&form, "abs(");
    }
    strbuf_add_c(&form, "up");
    for (int i = 0; i < 240; i++) {
        strbuf_add_c(&form, ")");
    }
    api_fixture_post(&f, "/api/v1/parse_query", form.data);
    assert_int_equal(f.status, 200);
    strbuf_release(&form);
    api_fixture_stop(&f);
}

static void test_cardinality(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    fake_statistics = (struct tsdb_statistics){.min_t = 5, .max_t = 1000000, .part_count = 2};
    ask(&f, &(struct exchange){"GET", "/api/v1/status/tsdb?limit=2", NULL, 200,
                DATA("{\"headStats\":{\"numSeries\":3,\"numLabelPairs\":7,\"chunkCount\":2,"
                     "\"minTime\":5,\"maxTime\":1000000},"
                     "\"seriesCountByMetricName\":[{\"name\":\"up\",\"value\":2},"
                     "{\"name\":\"load\",\"value\":1}],"
                     "\"labelValueCountByLabelName\":[{\"name\":\"__name__\",\"value\":2},"
                     "{\"name\":\"instance\",\"value\":2}],"
                     /* node twice and db; up twice and load */
                     "\"memoryInBytesByLabelName\":[{\"name\":\"job\",\"value\":10},"
                     "{\"name\":\"__name__\",\"value\":8}],"
                     "\"seriesCountByLabelValuePair\":[{\"name\":\"__name__=up\",\"value\":2},"
                     "{\"name\":\"job=node\",\"value\":2}]}")});
    api_fixture_stop(&f);
}

/* From the store's counts, when no series are named. */
static void test_counts(void **state)
{
    (void)state;
    struct cardinality_item metrics[] = {{STR("up"), STR(""), 9}, {STR("load"), STR(""), 4}};
    struct cardinality_item pairs[] = {{STR("job"), STR("api"), 9}};
    struct job_churn jobs[] = {{STR("api"), 3, 2}};
    struct cardinality counts = {.series = 13,
        .label_pairs = 5,
        .series_by_metric = {metrics, 2},
        .series_by_pair = {pairs, 1},
        .jobs = jobs,
        .job_count = 1};
    struct api_fixture f;
    start(&f);
    fake_statistics = (struct tsdb_statistics){.min_t = 5, .max_t = 1000000, .part_count = 2};
    fake_cardinality = &counts;
    static const struct exchange exchange = {"GET", "/api/v1/status/tsdb?topN=10", NULL, 200,
        DATA("{\"headStats\":{\"numSeries\":13,\"numLabelPairs\":5,\"chunkCount\":2,"
             "\"minTime\":5,\"maxTime\":1000000},"
             "\"seriesCountByMetricName\":[{\"name\":\"up\",\"value\":9},"
             "{\"name\":\"load\",\"value\":4}],"
             "\"labelValueCountByLabelName\":[],\"memoryInBytesByLabelName\":[],"
             "\"seriesCountByLabelValuePair\":[{\"name\":\"job=api\",\"value\":9}],"
             "\"newSeriesCountByJob\":[{\"name\":\"api\",\"thisHour\":3,\"lastHour\":2}]}")};
    ask(&f, &exchange);
    /* Named ones are looked at, though there are counts. */
    api_fixture_get(&f, "/api/v1/status/tsdb?match[]=load");
    assert_int_equal(f.status, 200);
    assert_non_null(strstr(f.body.data, "\"numSeries\":1,"));
    api_fixture_get(&f, "/api/v1/status/tsdb?match[]=load&match[]=up");
    assert_int_equal(f.status, 400);
    api_fixture_get(&f, "/api/v1/status/tsdb?topN=10001");
    assert_int_equal(f.status, 400);
    /* Of a day: the fake answers with its number. */
    counts.new_series = 6;
    api_fixture_get(&f, "/api/v1/status/tsdb?date=1970-02-01");
    assert_int_equal(f.status, 200);
    assert_non_null(strstr(f.body.data, "\"numSeries\":31,"));
    assert_non_null(strstr(f.body.data, "\"newSeriesCount\":6"));
    static const char *const bad[] = {
        "1970-02-1", "yesterday", "1970-02-30", "1970-02-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/api/v1/status/tsdb?date=%s", bad[i]);
        api_fixture_get(&f, path);
        assert_int_equal(f.status, 400);
    }
    api_fixture_stop(&f);
}

static void test_methods_and_paths(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    api_fixture_send(&f, "PUT", "/api/v1/query", NULL, "", 0);
    assert_int_equal(f.status, 405);
    ask(&f, &(struct exchange){
                "GET", "/api/v1/write", NULL, 405, ERROR("bad_data", "this path takes POST")});
    assert_true(str_eq_c(api_fixture_header(&f, "Allow"), "POST"));
    ask(&f,
        &(struct exchange){"GET", "/api/v1/nothing", NULL, 404,
            ERROR("not_found", "there is nothing at this path; docs/http-api.md lists what is")});
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"), "application/json"));
    api_fixture_send(&f, "OPTIONS", "/api/v1/query", "Origin: http://a\r\n", "", 0);
    assert_int_equal(f.status, 204);
    api_fixture_send(&f, "GET", "/api/v1/labels", "Accept-Encoding: zstd\r\n", "", 0);
    assert_null(api_fixture_header(&f, "Content-Encoding").ptr);
    api_fixture_send(&f, "HEAD", "/-/ready", NULL, "", 0);
    assert_int_equal(f.status, 200);
    api_fixture_stop(&f);
}

static void test_lifecycle(void **state)
{
    (void)state;
    struct api_fixture f;
    api_fixture_start(&f, false);
    static const struct exchange starting[] = {
        {"GET", "/-/healthy", NULL, 200, "Sonde is healthy.\n"},
        {"GET", "/-/ready", NULL, 503, "The server is starting.\n"},
        {"GET", "/api/v1/query?query=1", NULL, 503, "The server is starting; try again soon.\n"},
        {"GET", "/api/v1/status/walreplay", NULL, 200,
            DATA("{\"min\":0,\"max\":1,\"current\":0,\"state\":\"in progress\"}")},
    };
    static const struct exchange serving[] = {
        {"GET", "/-/ready", NULL, 200, "Sonde is ready.\n"},
        {"POST", "/-/reload", NULL, 403, "There is no configuration file to read again.\n"},
        {"POST", "/api/v1/admin/tsdb/compact", NULL, 204, ""},
    };
    for (size_t i = 0; i < sizeof(starting) / sizeof(starting[0]); i++) {
        ask(&f, &starting[i]);
    }
    api_fixture_serve(&f);
    for (size_t i = 0; i < sizeof(serving) / sizeof(serving[0]); i++) {
        ask(&f, &serving[i]);
    }
    assert_int_equal(fake_compactions, 1);
    fake_compact_status = ERR_NO_SPACE;
    ask(&f, &(struct exchange){
                "POST", "/api/v1/admin/tsdb/compact", NULL, 503, ERROR("unavailable", "no room")});
    memory_sink_state(f.sink)->open_status = ERR_CLOSED;
    ask(&f, &(struct exchange){"GET", "/-/ready", NULL, 503, "open: closed\n"});
    api_stop(f.api);
    ask(&f, &(struct exchange){"GET", "/-/ready", NULL, 503, "The server is being stopped.\n"});
    ask(&f, &(struct exchange){"GET", "/api/v1/query?query=1", NULL, 503,
                "The server is being stopped; try again later.\n"});
    api_fixture_stop(&f);
}

/* Near the memory limit writes and queries come again later; everything else answers. */
static void test_short_memory(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        unsigned good, is_short;
    } cases[] = {
        {"GET", "/api/v1/query?query=1", 200, 503},
        {"GET", "/api/v1/query_range?query=1&start=0&end=1&step=1", 200, 503},
        {"GET", "/api/v1/labels", 200, 503},
        {"POST", "/api/v1/write", 400, 503},
        {"GET", "/api/v1/status/buildinfo", 200, 200},
        {"GET", "/-/healthy", 200, 200},
        {"GET", "/-/ready", 200, 200},
        {"GET", "/metrics", 200, 200},
    };
    struct api_fixture f;
    api_fixture_start(&f, true);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_short = 0; is_short < 2; is_short++) {
            unsigned status = is_short ? cases[i].is_short : cases[i].good;
            f.memory_is_short = is_short == 1;
            api_fixture_send(&f, cases[i].method, cases[i].path, NULL, "", 0);
            if (f.status != status) {
                fail_msg("%s: %u instead of %u", cases[i].path, f.status, status);
            }
            struct str retry = api_fixture_header(&f, "Retry-After");
            assert_true(status == 503 ? str_eq_c(retry, "1") : retry.len == 0);
        }
    }
    f.memory_is_short = true;
    assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=1"),
        "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"The server is near its "
        "memory limit; try again soon.\"}");
    f.memory_is_short = false;
    assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=1&time=0"),
        "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[0,\"1\"]}}");
    api_fixture_stop(&f);
}

static void test_own_metrics(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    api_fixture_get(&f, "/api/v1/query?query=1");
    const char *text = api_fixture_get(&f, "/metrics");
    assert_true(str_eq_c(
        api_fixture_header(&f, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8"));
    static const char *const wanted[] = {
        "# TYPE sonde_query_duration_seconds histogram\n",
        "sonde_query_duration_seconds_bucket{handler=\"/api/v1/query\",le=\"+Inf\"} ",
        "sonde_query_duration_seconds_count{handler=\"/api/v1/query_range\"} ",
        "sonde_ingest_duration_seconds_count{handler=\"/api/v1/write\"} ",
        "# TYPE sonde_ingested_samples_total counter\n",
        "sonde_refused_samples_total{reason=\"too_old\"} 0\n",
        "sonde_http_requests_total{handler=\"/api/v1/query\",code=\"200\"} ",
        "process_cpu_seconds_total ",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("%s is not in:\n%s", wanted[i], text);
        }
    }
    api_fixture_stop(&f);
}

static void test_admin(void **state)
{
    (void)state;
    static const struct exchange disabled[] = {
        {"POST", "/api/v1/admin/tsdb/delete_series", "match[]=up", 503,
            ERROR("unavailable", "admin APIs disabled")},
        {"POST", "/api/v1/admin/tsdb/clean_tombstones", "", 503,
            ERROR("unavailable", "admin APIs disabled")},
        {"PUT", "/api/v1/admin/tsdb/snapshot", NULL, 503,
            ERROR("unavailable", "admin APIs disabled")},
    };
    static const struct exchange enabled[] = {
        {"POST", "/api/v1/admin/tsdb/delete_series", "", 400,
            ERROR("bad_data", "no match[] parameter provided")},
        {"POST", "/api/v1/admin/tsdb/delete_series", "match[]=up&match[]={a=~\"b.*\"}&start=10",
            204, ""},
        {"PUT", "/api/v1/admin/tsdb/delete_series?match[]=up&start=1&end=2.5", NULL, 204, ""},
        {"PUT", "/api/v1/admin/tsdb/clean_tombstones", NULL, 204, ""},
        {"POST", "/api/v1/admin/tsdb/snapshot?skip_head=maybe", "", 400,
            ERROR("bad_data",
                "invalid parameter \\\"skip_head\\\": expected true or false, not \\\"maybe\\\"")},
    };
    CHECK(disabled);
    fake_admin_api = true;
    struct api_fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof(enabled) / sizeof(enabled[0]); i++) {
        ask(&f, &enabled[i]);
    }
    assert_string_equal(fake_deletes.data, "10000..9223372036854775807 __name__=\"up\"\n"
                                           "10000..9223372036854775807 a=~\"b.*\"\n"
                                           "1000..2500 __name__=\"up\"\nclean\n");
    strbuf_reset(&fake_deletes);
    /* The clock stands at 1 000 000 s. */
    const char *body = api_fixture_post(&f, "/api/v1/admin/tsdb/snapshot", "");
    static const char begins[] = "{\"status\":\"success\",\"data\":{\"name\":\"19700112T134640Z-";
    assert_true(strncmp(body, begins, sizeof(begins) - 1) == 0);
    assert_int_equal(strlen(body), sizeof(begins) - 1 + 16 + 3);
    api_fixture_post(&f, "/api/v1/admin/tsdb/snapshot", "skip_head=true");
    assert_non_null(strstr(fake_deletes.data, "snapshot data/snapshots/19700112T134640Z-"));
    assert_non_null(strstr(fake_deletes.data, "parts data/snapshots/19700112T134640Z-"));
    fake_compact_status = ERR_NO_SPACE;
    api_fixture_post(&f, "/api/v1/admin/tsdb/delete_series", "match[]=up");
    assert_int_equal(f.status, 503);
    api_fixture_stop(&f);
    fake_admin_api = false;
}

static void test_page(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    api_fixture_get(&f, "/");
    assert_int_equal(f.status, 200);
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"), "text/html; charset=utf-8"));
    assert_true(str_starts_with(
        api_fixture_header(&f, "Content-Security-Policy"), STR("default-src 'none'")));
    struct str tag = api_fixture_header(&f, "ETag");
    assert_true(str_starts_with(tag, STR("W/\"")));
    char header[200];
    snprintf(header, sizeof(header), "If-None-Match: \"x\", %.*s\r\n", STR_ARG(tag));
    api_fixture_send(&f, "GET", "/graph", header, "", 0);
    assert_int_equal(f.status, 304);
    assert_int_equal(f.body.size, 0);
    api_fixture_get(&f, "/ui/dashboards/index.json");
    assert_int_equal(f.status, 200);
    assert_null(api_fixture_header(&f, "Content-Security-Policy").ptr);
    api_fixture_get(&f, "/ui/nothing");
    assert_int_equal(f.status, 404);
    api_fixture_stop(&f);
}

/* docs/http-api.md holds the table as the program writes it. */
static void test_reference(void **state)
{
    (void)state;
    struct strbuf reference = STRBUF_INIT;
    char *text;
    size_t size;
    api_write_reference(&reference);
    assert_int_equal(vfs_read_file(vfs_posix(), "docs/http-api.md", 1 << 20, &text, &size), 0);
    if (strstr(text, reference.data) == NULL) {
        puts(reference.data);
        fail_msg("docs/http-api.md does not hold the table above");
    }
    mem_free(text);
    strbuf_release(&reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instant),
        cmocka_unit_test(test_instant_errors),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_series_warnings),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_what_clients_ask_at_start),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_parse_query),
        cmocka_unit_test(test_parse_deep_query),
        cmocka_unit_test(test_cardinality),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_methods_and_paths),
        cmocka_unit_test(test_lifecycle),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_own_metrics),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
