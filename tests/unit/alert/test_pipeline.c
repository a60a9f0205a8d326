/* The pipeline under a clock that is moved by hand: who is told what, when, and why; over restarts, too. */
#include "alert/pipeline.h"

#include "support/sim_vfs.h"
#include "support/support.h"

#include "base/mem.h"

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define START INT64_C(1800000000000) /* 2027-01-15T08:00:00Z, a Friday */

/* One pipeline and what it told. */
struct bench {
    struct pipeline p;
    struct alerting_config *config;
    struct pipeline_options options;
    int64_t now_ms;
    struct strbuf told; /* "at +30s hooks: first notification firing=1 resolved=0\n" */
    enum delivery_verdict verdict;
    int64_t retry_after_ms;
    bool silent; /* attempts are taken but not answered yet */
};

static void open_bench(struct bench *b, const char *config, struct vfs *fs)
{
    struct err e = ERR_INIT;
    *b = (struct bench){.now_ms = START, .retry_after_ms = -1};
    strbuf_init(&b->told, 1 << 20);
    strbuf_add_c(&b->told, "");
    if (alerting_config_parse("test.yml", str_of(config), &b->config, &e) != 0) {
        fail_msg("%s", e.message);
    }
    b->options = (struct pipeline_options){.fs = fs,
        .journal_path = fs != NULL ? "/alerts.journal" : NULL,
        .external_url = "http://sonde.example",
        .trace_url = "http://traces.example/" MESSAGE_TRACE_ID,
        .seed = test_seed()};
    if (pipeline_open(&b->p, &b->options, b->config, b->now_ms, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void close_bench(struct bench *b)
{
    pipeline_close(&b->p);
    alerting_config_free(b->config);
    strbuf_release(&b->told);
}

static void restart(struct bench *b, int64_t away_ms)
{
    struct err e = ERR_INIT;
    pipeline_close(&b->p);
    b->now_ms += away_ms;
    if (pipeline_open(&b->p, &b->options, b->config, b->now_ms, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

/* "a=b,c=d" */
static const struct labels *parse_labels(const char *text)
{
    struct label pairs[8];
    size_t count = 0;
    struct str rest = str_of(text);
    const struct labels *labels = NULL;
    while (rest.len > 0) {
        struct str value = str_split(&rest, ',');
        pairs[count].name = str_split(&value, '=');
        pairs[count++].value = value;
    }
    assert_int_equal(labels_new(pairs, count, &labels, NULL), 0);
    return labels;
}

static void receive(struct bench *b, const char *labels, int64_t starts_ms, int64_t ends_ms)
{
    struct alert alert = {.labels = parse_labels(labels),
        .starts_at_ms = starts_ms,
        .ends_at_ms = ends_ms,
        .resolved = ends_ms <= b->now_ms,
        .generator_url = STR("http://g")};
    assert_int_equal(pipeline_receive(&b->p, &alert, false, b->now_ms), 0);
    labels_unref(alert.labels);
}

static void fire(struct bench *b, const char *labels)
{
    receive(b, labels, b->now_ms, b->now_ms + 365 * 24 * HOUR);
}

static void resolve(struct bench *b, const char *labels)
{
    receive(b, labels, b->now_ms - SECOND, b->now_ms);
}

static void answer(struct bench *b, struct delivery *d)
{
    struct delivery_outcome outcome = {.verdict = b->verdict,
        .status = b->verdict == DELIVERY_TAKEN ? 200 : 503,
        .retry_after_ms = b->retry_after_ms,
        .may_have_arrived = true};
    strbuf_addf(&b->told, "+%llds %s: %s firing=%zu resolved=%zu%s\n",
        (long long)((b->now_ms - START) / SECOND), d->receiver, notice_reason_text(d->reason),
        d->firing.count, d->resolved.count, b->verdict == DELIVERY_TAKEN ? "" : " failed");
    pipeline_attempted(&b->p, d, &outcome, b->now_ms, b->now_ms);
}

/* Lets time pass, second by second where something is due. */
static void pass(struct bench *b, int64_t by_ms)
{
    int64_t end_ms = b->now_ms + by_ms;
    for (;;) {
        int64_t next_ms = pipeline_advance(&b->p, b->now_ms);
        struct delivery *d;
        while (!b->silent && (d = pipeline_take_due(&b->p, b->now_ms)) != NULL) {
            answer(b, d);
            next_ms = pipeline_advance(&b->p, b->now_ms);
        }
        assert_true(next_ms > b->now_ms || b->silent);
        if (next_ms > end_ms || b->now_ms >= end_ms) {
            break;
        }
        b->now_ms = next_ms > b->now_ms ? next_ms : b->now_ms + SECOND;
    }
    b->now_ms = end_ms;
}

static void check_told(struct bench *b, const char *wanted)
{
    if (!str_eq_c(strbuf_str(&b->told), wanted)) {
        fail_msg("told:\n%swanted:\n%s", b->told.data, wanted);
    }
    strbuf_truncate(&b->told, 0);
}

#define HOOK "webhook_configs: [{url: 'http://hook.example/'}]"
static const char simple[] = "route: {receiver: hooks, group_by: [team], group_wait: 30s, "
                             "group_interval: 5m, repeat_interval: 4h}\n"
                             "receivers: [{name: hooks, " HOOK "}]\n";

/* group_wait, group_interval, repeat_interval and each of the reasons. */
static void test_rhythm(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    pass(&b, 29 * SECOND);
    check_told(&b, "");
    fire(&b, "alertname=b,team=x");
    pass(&b, SECOND);
    check_told(&b, "+30s hooks: first notification firing=2 resolved=0\n");
    fire(&b, "alertname=c,team=x");
    fire(&b, "alertname=a,team=y"); /* a group of its own, with its own wait */
    pass(&b, 5 * MINUTE);
    check_told(&b, "+60s hooks: first notification firing=1 resolved=0\n"
                   "+330s hooks: new alerts added firing=3 resolved=0\n");
    resolve(&b, "alertname=b,team=x");
    pass(&b, 5 * MINUTE);
    check_told(&b, "+630s hooks: some alerts resolved firing=2 resolved=1\n");
    /* The same again after four hours, rounded up to a multiple of the interval. */
    pass(&b, 4 * HOUR + 3 * MINUTE);
    check_told(&b, "+14460s hooks: repeat interval elapsed firing=1 resolved=0\n"
                   "+15030s hooks: repeat interval elapsed firing=2 resolved=0\n");
    resolve(&b, "alertname=a,team=x");
    resolve(&b, "alertname=c,team=x");
    resolve(&b, "alertname=a,team=y");
    pass(&b, 10 * MINUTE);
    check_told(&b, "+15330s hooks: all alerts resolved firing=0 resolved=2\n"
                   "+15360s hooks: all alerts resolved firing=0 resolved=1\n");
    pass(&b, 24 * HOUR);
    check_told(&b, "");
    assert_int_equal(b.p.alerts.count, 0);
    assert_int_equal(b.p.groups.count, 0);
    close_bench(&b);
}

/* An alert that comes late does not wait again; one that was over before anybody knew is no news. */
static void test_late_and_over(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    receive(&b, "alertname=a", START - MINUTE, START + HOUR);
    receive(&b, "alertname=b,team=y", START - MINUTE, START - SECOND);
    pass(&b, SECOND);
    check_told(&b, "+0s hooks: first notification firing=1 resolved=0\n");
    /* Nobody repeats it: it ends by itself. */
    pass(&b, 2 * HOUR);
    check_told(&b, "+3600s hooks: all alerts resolved firing=0 resolved=1\n");
    close_bench(&b);
}

static void add_name(void *context, const struct alerting_route *route)
{
    strbuf_addf(context, "%s ", route->receiver->name);
}

static void test_routes(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b,
        "route:\n"
        "  receiver: all\n"
        "  group_wait: 0s\n"
        "  routes:\n"
        "  - {receiver: log, continue: true}\n"
        "  - {receiver: page, matchers: ['severity=page'], routes: ["
        "      {receiver: db, match_re: {service: 'mysql|pg'}}]}\n"
        "receivers: [{name: all, " HOOK "}, {name: log, " HOOK "}, {name: page, " HOOK
        "}, {name: db, " HOOK "}]\n",
        NULL);
    static const struct {
        const char *labels, *told;
    } rows[] = {{"severity=page", "log page "}, {"severity=page,service=pg", "log db "},
        {"severity=page,service=pgx", "log page "}, {"severity=info", "log "}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf who = STRBUF_INIT;
        const struct labels *labels = parse_labels(rows[i].labels);
        strbuf_add_c(&who, "");
        pipeline_routes(b.config, labels, add_name, &who);
        assert_string_equal(who.data, rows[i].told);
        labels_unref(labels);
        strbuf_release(&who);
    }
    close_bench(&b);
}

/* What is inhibited is not told, neither before nor after a restart, which has to know the source. */
static void test_inhibition(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(test_seed());
    struct bench b;
    open_bench(&b,
        "route: {receiver: hooks, group_by: [...], group_wait: 10s, group_interval: 1m}\n"
        "receivers: [{name: hooks, " HOOK "}]\n"
        "inhibit_rules: [{source_matchers: ['severity=page'], target_matchers: "
        "['severity=~\"page|info\"'], equal: [cluster]}]\n",
        sim_vfs_get(sim));
    fire(&b, "alertname=s,severity=page,cluster=a");
    fire(&b, "alertname=t,severity=info,cluster=a");
    fire(&b, "alertname=u,severity=page,cluster=a"); /* both sides: not by each other */
    pass(&b, MINUTE);
    check_told(&b, "+10s hooks: first notification firing=1 resolved=0\n"
                   "+10s hooks: first notification firing=1 resolved=0\n");
    for (int i = 0; i < 3; i++) {
        restart(&b, 10 * SECOND);
        pass(&b, 5 * MINUTE);
        check_told(&b, "");
    }
    resolve(&b, "alertname=s,severity=page,cluster=a");
    resolve(&b, "alertname=u,severity=page,cluster=a");
    pass(&b, 2 * MINUTE);
    /* The sources have ended, and so the target is told at last. */
    struct str told = strbuf_str(&b.told);
    assert_true(memmem(told.ptr, told.len, "first notification firing=1", 27) != NULL);
    assert_int_equal(b.p.deliveries[b.p.delivery_count - 1]->state, DELIVERY_DELIVERED);
    close_bench(&b);
    sim_vfs_free(sim);
}

static struct silence *new_silence(const char *matchers, int64_t starts_ms, int64_t ends_ms)
{
    struct silence *s = mem_calloc(1, sizeof(*s));
    assert_non_null(s);
    *s = (struct silence){.starts_at_ms = starts_ms,
        .ends_at_ms = ends_ms,
        .created_by = mem_strdup("me"),
        .comment = mem_strdup("because")};
    assert_int_equal(label_matchers_parse(&s->matchers, str_of(matchers), NULL), 0);
    label_matchers_sort(&s->matchers);
    return s;
}

static void test_silences(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(test_seed());
    struct bench b;
    const struct silence *made = NULL;
    struct err e = ERR_INIT;
    open_bench(&b, simple, sim_vfs_get(sim));
    assert_int_equal(
        pipeline_put_silence(&b.p, new_silence("team=x", START, START + HOUR), b.now_ms, &made, &e),
        0);
    char id[SILENCE_ID_SIZE];
    memcpy(id, made->id, sizeof(id));
    fire(&b, "alertname=a,team=x");
    pass(&b, 30 * MINUTE);
    check_told(&b, "");
    restart(&b, MINUTE);
    pass(&b, 10 * MINUTE);
    check_told(&b, "");
    pass(&b, 30 * MINUTE);
    struct str told = strbuf_str(&b.told); /* at the first flush after its end */
    assert_true(str_starts_with(told, STR("+36")) || str_starts_with(told, STR("+38")) ||
                str_starts_with(told, STR("+37")));
    strbuf_truncate(&b.told, 0);
    /* It is over: it can be made anew under another id, not changed, nor expired again. */
    assert_int_equal(pipeline_expire_silence(&b.p, str_of(id), b.now_ms, &e), ERR_INVALID);
    struct silence *again = new_silence("team=x", b.now_ms, b.now_ms + HOUR);
    memcpy(again->id, id, sizeof(id));
    assert_int_equal(pipeline_put_silence(&b.p, again, b.now_ms, &made, &e), 0);
    assert_string_not_equal(made->id, id);
    /* Ended while silenced: nobody is told. */
    resolve(&b, "alertname=a,team=x");
    pass(&b, 2 * HOUR);
    check_told(&b, "");
    assert_int_equal(b.p.alerts.count, 0);
    pass(&b, SILENCE_RETENTION_MS + 2 * HOUR);
    assert_int_equal(b.p.silences.count, 0);
    close_bench(&b);
    sim_vfs_free(sim);
}

static void test_bad_silences(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    static const struct {
        const char *matchers;
        int64_t starts_ms, ends_ms;
        const char *id;
        int status;
    } rows[] = {{"", START, START + HOUR, "", ERR_INVALID},
        {"a=~\".*\"", START, START + HOUR, "", ERR_INVALID},
        {"a!=b", START, START + HOUR, "", ERR_INVALID},
        {"a=b", START + HOUR, START, "", ERR_INVALID}, {"a=b", START, START, "", ERR_INVALID},
        {"a=b", START - HOUR, START - SECOND, "", ERR_INVALID},
        {"a=b", START, START + HOUR, "f81d4fae-7dec-4d0a-a765-00a0c91e6bf6", ERR_NOT_FOUND}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct silence *made = NULL;
        struct err e = ERR_INIT;
        struct silence *s = new_silence(rows[i].matchers, rows[i].starts_ms, rows[i].ends_ms);
        snprintf(s->id, sizeof(s->id), "%s", rows[i].id);
        int status = pipeline_put_silence(&b.p, s, b.now_ms, &made, &e);
        if (status != rows[i].status || e.message[0] == '\0') {
            fail_msg("row %zu: status %d, %s", i, status, e.message);
        }
        silence_free(s);
    }
    close_bench(&b);
}

/* Friday 08:00 UTC is 09:00 in Berlin. */
static void test_mute(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b,
        "route: {receiver: none, group_wait: 0s, group_interval: 10m, routes: ["
        "{receiver: hooks, matchers: [muted=yes], mute_time_intervals: [morning]},"
        "{receiver: hooks, matchers: [muted=no], active_time_intervals: [morning]}]}\n"
        "receivers: [{name: none}, {name: hooks, " HOOK "}]\n"
        "time_intervals: [{name: morning, time_intervals: [{times: [{start_time: '08:30', "
        "end_time: '09:30'}], weekdays: [friday], location: Europe/Berlin}]}]\n",
        NULL);
    fire(&b, "muted=yes");
    fire(&b, "muted=no");
    pass(&b, 20 * MINUTE);
    check_told(&b, "+0s hooks: first notification firing=1 resolved=0\n");
    pass(&b, 20 * MINUTE);
    check_told(&b, "+1800s hooks: first notification firing=1 resolved=0\n");
    resolve(&b, "muted=no"); /* outside of its active time */
    pass(&b, 20 * MINUTE);
    check_told(&b, "");
    close_bench(&b);
}

/* The same message again, at growing pauses; a newer state replaces it and keeps the receiver's pace. */
static void test_retry(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    b.verdict = DELIVERY_RETRY;
    pass(&b, 4 * MINUTE);
    struct delivery *first = b.p.deliveries[0];
    assert_int_equal(b.p.delivery_count, 1);
    assert_int_equal(first->state, DELIVERY_PENDING);
    assert_int_equal(first->attempt_count, first->attempts_kept);
    for (size_t i = 1; i < first->attempts_kept; i++) {
        int64_t pause = first->attempts[i].at_ms - first->attempts[i - 1].at_ms;
        int64_t base = (int64_t)5000 << (i - 1);
        if (pause < base * 8 / 10 || pause > base * 12 / 10) {
            fail_msg("pause %zu: %lld ms, wanted %lld within a fifth", i, (long long)pause,
                (long long)base);
        }
    }
    fire(&b, "alertname=b,team=x");
    pass(&b, 2 * MINUTE);
    assert_int_equal(b.p.delivery_count, 2);
    assert_int_equal(first->state, DELIVERY_SUPERSEDED);
    struct delivery *second = b.p.deliveries[1];
    assert_string_not_equal(first->id, second->id);
    assert_true(second->next_attempt_ms >= first->next_attempt_ms);
    strbuf_truncate(&b.told, 0);
    b.verdict = DELIVERY_TAKEN;
    pass(&b, 10 * MINUTE);
    assert_int_equal(second->state, DELIVERY_DELIVERED);
    assert_int_equal(second->firing.count, 2);
    close_bench(&b);
}

/* Nobody answered, but the message may have come through: its end is told. */
static void test_end_of_what_may_have_arrived(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    b.verdict = DELIVERY_RETRY;
    pass(&b, MINUTE);
    resolve(&b, "alertname=a,team=x");
    b.verdict = DELIVERY_TAKEN;
    b.silent = true;
    pass(&b, 5 * MINUTE);
    b.silent = false;
    strbuf_truncate(&b.told, 0);
    pass(&b, 5 * MINUTE);
    check_told(&b, "+360s hooks: all alerts resolved firing=0 resolved=1\n");
    close_bench(&b);
}

static void test_retry_after(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    b.verdict = DELIVERY_RETRY;
    b.retry_after_ms = 77 * SECOND;
    pass(&b, 31 * SECOND);
    b.verdict = DELIVERY_TAKEN;
    pass(&b, 2 * MINUTE);
    check_told(&b, "+30s hooks: first notification firing=1 resolved=0 failed\n"
                   "+107s hooks: first notification firing=1 resolved=0\n");
    close_bench(&b);
}

/* Refused: dead at once, and asked again with the next flush. Gone: not asked again. */
static void test_dead(void **state)
{
    (void)state;
    struct bench b;
    struct err e = ERR_INIT;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    b.verdict = DELIVERY_REFUSED;
    pass(&b, 6 * MINUTE);
    check_told(&b, "+30s hooks: first notification firing=1 resolved=0 failed\n"
                   "+330s hooks: first notification firing=1 resolved=0 failed\n");
    assert_int_equal(b.p.deliveries[0]->state, DELIVERY_DEAD);
    b.verdict = DELIVERY_GONE;
    pass(&b, 30 * MINUTE);
    check_told(&b, "+630s hooks: first notification firing=1 resolved=0 failed\n");
    assert_int_equal(b.p.deliveries[b.p.delivery_count - 1]->state, DELIVERY_DEAD);
    /* By hand, and after a new configuration, it is asked again. */
    b.verdict = DELIVERY_TAKEN;
    struct delivery *last = b.p.deliveries[b.p.delivery_count - 1];
    assert_int_equal(pipeline_replay(&b.p, str_of(last->id), b.now_ms, &e), 0);
    assert_int_equal(pipeline_replay(&b.p, str_of(last->id), b.now_ms, &e), ERR_BUSY);
    assert_int_equal(pipeline_replay(&b.p, STR("msg_x"), b.now_ms, &e), ERR_NOT_FOUND);
    pass(&b, SECOND);
    assert_int_equal(last->state, DELIVERY_DELIVERED);
    strbuf_truncate(&b.told, 0);
    pass(&b, HOUR);
    check_told(&b, ""); /* the replayed message is what is known now */
    fire(&b, "alertname=b,team=x");
    assert_int_equal(pipeline_reconfigure(&b.p, b.config, b.now_ms), 0);
    pass(&b, MINUTE);
    struct str told = strbuf_str(&b.told);
    assert_true(memmem(told.ptr, told.len, "new alerts added firing=2", 25) != NULL);
    close_bench(&b);
}

/* A change while a message is in the air waits for its end, and is told at once then. */
static void test_change_in_the_air(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, simple, NULL);
    fire(&b, "alertname=a,team=x");
    b.silent = true;
    b.now_ms += 30 * SECOND;
    (void)pipeline_advance(&b.p, b.now_ms);
    struct delivery *d = pipeline_take_due(&b.p, b.now_ms);
    assert_non_null(d);
    assert_null(pipeline_take_due(&b.p, b.now_ms));
    fire(&b, "alertname=b,team=x");
    b.now_ms += 5 * MINUTE;
    (void)pipeline_advance(&b.p, b.now_ms);
    assert_null(pipeline_take_due(&b.p, b.now_ms));
    b.silent = false;
    answer(&b, d);
    pass(&b, SECOND);
    check_told(&b, "+330s hooks: first notification firing=1 resolved=0\n"
                   "+330s hooks: new alerts added firing=2 resolved=0\n");
    close_bench(&b);
}

static void test_send_resolved_off(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b,
        "route: {receiver: hooks, group_wait: 0s, group_interval: 1m}\n"
        "receivers: [{name: hooks, webhook_configs: [{url: 'http://h', send_resolved: false}]}]\n",
        NULL);
    fire(&b, "alertname=a");
    pass(&b, SECOND);
    resolve(&b, "alertname=a");
    pass(&b, 10 * MINUTE);
    fire(&b, "alertname=a");
    pass(&b, MINUTE);
    check_told(&b, "+0s hooks: first notification firing=1 resolved=0\n"
                   "+601s hooks: new alerts added firing=1 resolved=0\n");
    close_bench(&b);
}

static void test_heartbeat(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b,
        "route: {receiver: hooks}\n"
        "receivers: [{name: hooks, " HOOK ", sonde: {heartbeat: 1m}}]\n",
        NULL);
    pass(&b, 150 * SECOND);
    check_told(&b, "+0s hooks: first notification firing=1 resolved=0\n"
                   "+60s hooks: repeat interval elapsed firing=1 resolved=0\n"
                   "+120s hooks: repeat interval elapsed firing=1 resolved=0\n");
    /* One that nobody takes does not make a pile. */
    b.verdict = DELIVERY_RETRY;
    pass(&b, HOUR);
    size_t pending = 0;
    for (size_t i = 0; i < b.p.delivery_count; i++) {
        pending += b.p.deliveries[i]->state == DELIVERY_PENDING;
    }
    assert_int_equal(pending, 1);
    close_bench(&b);
}

/* Down for longer than an alert is believed: it has not ended by that. One that ended before, has. */
static void test_restart_resolves_nothing(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(test_seed());
    struct bench b;
    open_bench(&b, simple, sim_vfs_get(sim));
    receive(&b, "alertname=a,team=x", START, START + 4 * MINUTE);
    pass(&b, 2 * MINUTE);
    check_told(&b, "+30s hooks: first notification firing=1 resolved=0\n");
    restart(&b, 3 * HOUR);
    pass(&b, SECOND);
    receive(&b, "alertname=a,team=x", START, b.now_ms + 4 * MINUTE);
    pass(&b, MINUTE);
    check_told(&b, "");
    pass(&b, 10 * MINUTE);
    struct str told = strbuf_str(&b.told);
    assert_true(memmem(told.ptr, told.len, "all alerts resolved firing=0 resolved=1", 39) != NULL);
    close_bench(&b);
    sim_vfs_free(sim);
}

/* The power fails at random moments while receivers fail at random: no id is lost, none stands twice, and in the
 * end the receiver knows what is true. */
static void test_power_cuts(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct sim_vfs *sim = sim_vfs_new(random);
    struct bench b;
    enum { IDS_MAX = 4096 };
    static char ids[IDS_MAX][DELIVERY_ID_SIZE];
    static bool accepted[IDS_MAX];
    size_t id_count = 0, twice = 0;
    open_bench(&b,
        "route: {receiver: hooks, group_by: [team], group_wait: 1s, group_interval: 10s, "
        "repeat_interval: 1h}\n"
        "receivers: [{name: hooks, " HOOK "}]\n",
        sim_vfs_get(sim));
    for (int round = 0; round < 300; round++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "alertname=a%d,team=t%d", (int)(test_random(&random) % 5),
            (int)(test_random(&random) % 3));
        if (test_random(&random) % 2) {
            fire(&b, labels);
        } else {
            resolve(&b, labels);
        }
        b.now_ms += (int64_t)(test_random(&random) % 20) * SECOND;
        (void)pipeline_advance(&b.p, b.now_ms);
        bool cut = test_random(&random) % 3 == 0;
        struct delivery *d;
        while ((d = pipeline_take_due(&b.p, b.now_ms)) != NULL) {
            size_t i = 0;
            while (i < id_count && strcmp(ids[i], d->id) != 0) {
                i++;
            }
            if (i == id_count) {
                assert_true(id_count < IDS_MAX);
                memcpy(ids[id_count++], d->id, DELIVERY_ID_SIZE);
            }
            b.verdict = test_random(&random) % 3 ? DELIVERY_TAKEN : DELIVERY_RETRY;
            if (b.verdict == DELIVERY_TAKEN) {
                twice += accepted[i]; /* the process died between the answer and its note */
                accepted[i] = true;
            }
            if (cut && test_random(&random) % 2) {
                break; /* in the air when the power fails */
            }
            answer(&b, d);
            (void)pipeline_advance(&b.p, b.now_ms);
        }
        if (cut) {
            pipeline_close(&b.p);
            sim_vfs_power_cut(sim, test_random(&random));
            struct err e = ERR_INIT;
            if (pipeline_open(&b.p, &b.options, b.config, b.now_ms, &e) != 0) {
                fail_msg("%s", e.message);
            }
            /* Every id that ever left is known. */
            for (size_t i = 0; i < id_count; i++) {
                if (pipeline_delivery(&b.p, str_of(ids[i])) == NULL) {
                    fail_msg("round %d: id %s is lost", round, ids[i]);
                }
            }
        }
    }
    b.verdict = DELIVERY_TAKEN;
    pass(&b, 2 * HOUR);
    for (size_t i = 0; i < b.p.delivery_count; i++) {
        assert_int_not_equal(b.p.deliveries[i]->state, DELIVERY_PENDING);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(b.p.deliveries[i]->id, b.p.deliveries[j]->id);
        }
    }
    assert_true(id_count > 100 && twice < id_count);
    close_bench(&b);
    sim_vfs_free(sim);
}

/* A message that was in the air when the process died is the one that goes on: the restart makes no other. */
static void test_restart_in_the_air(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(test_seed());
    struct bench b;
    open_bench(&b, simple, sim_vfs_get(sim));
    fire(&b, "alertname=a,team=x");
    b.now_ms += 30 * SECOND;
    (void)pipeline_advance(&b.p, b.now_ms);
    struct delivery *d = pipeline_take_due(&b.p, b.now_ms);
    char id[DELIVERY_ID_SIZE];
    memcpy(id, d->id, sizeof(id));
    restart(&b, SECOND);
    pass(&b, HOUR);
    check_told(&b, "+31s hooks: first notification firing=1 resolved=0\n");
    assert_int_equal(b.p.delivery_count, 1);
    assert_string_equal(b.p.deliveries[0]->id, id);
    close_bench(&b);
    sim_vfs_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rhythm),
        cmocka_unit_test(test_late_and_over),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_inhibition),
        cmocka_unit_test(test_silences),
        cmocka_unit_test(test_bad_silences),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_end_of_what_may_have_arrived),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_change_in_the_air),
        cmocka_unit_test(test_send_resolved_off),
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_restart_resolves_nothing),
        cmocka_unit_test(test_restart_in_the_air),
        cmocka_unit_test(test_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
