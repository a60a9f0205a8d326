/* The notification thread: a loop that owns the pipeline, and the doors for other threads.
 *
 * Alerts come through a bounded queue and wake the loop once, however many they are. Questions (the API)
 * are posted and waited for. A turn takes over the queue, lets the pipeline do what is due, starts the
 * attempts, and sets the timer for the next thing that is due.
 */
#include "alert/notify_private.h"

#include <assert.h>
#include <stdio.h>

#include "alert/alert_relabel.h"
#include "alert/message_templates.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

/* The timer's longest wait: a clock that is set is noticed at last. */
#define TURN_MS_MAX 15000

static struct notify *notify_of(struct alert_sink *sink)
{
    return (struct notify *)sink;
}

/* ---- Configuration ---- */

struct notify_config *notify_config_ref(struct notify_config *c)
{
    c->refs++;
    return c;
}

void notify_config_unref(struct notify_config *c)
{
    if (c != NULL && --c->refs == 0) {
        message_templates_free(c->templates);
        alerting_config_free(c->config);
        mem_free(c);
    }
}

int notify_config_load(const char *path, struct notify_config **config_out, struct err *e)
{
    struct notify_config *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    c->refs = 1;
    int status = path != NULL ? alerting_config_load(path, &c->config, e)
                              : alerting_config_silent(&c->config, e);
    if (status == 0) {
        status = message_templates_new(c->config, &c->templates, e);
    }
    if (status != 0) {
        notify_config_unref(c);
        return status;
    }
    *config_out = c;
    return 0;
}

/* ---- Turns ---- */

static void take_queue(struct notify *n, int64_t now_ms)
{
    lock_take(&n->lock);
    struct alert_item **items = n->queue;
    size_t count = n->queue_count;
    n->queue = NULL;
    n->queue_count = n->queue_cap = 0;
    n->woken = false;
    lock_give(&n->lock);
    for (size_t i = 0; i < count; i++) {
        struct alert_item *item = NULL;
        int status = alert_relabel(n->relabel, items[i], &item);
        if (status > 0) {
            external_set_add(&n->externals, item);
            status = pipeline_receive(&n->pipeline, &item->alert, false, now_ms);
        }
        if (status < 0) {
            LOG_ERROR("alerts: an alert could not be taken over; its next repetition is",
                LOG_S("error", err_text(status)));
        }
        alert_item_unref(item);
        alert_item_unref(items[i]);
    }
    mem_free(items);
}

static void publish(struct notify *n)
{
    struct strbuf text = STRBUF_INIT, old;
    notify_collect_metrics(n, &text);
    lock_take(&n->lock);
    old = n->published;
    n->published = text;
    lock_give(&n->lock);
    strbuf_release(&old);
}

void notify_turn(struct notify *n)
{
    int64_t now_ms = clock_now_ms(n->clock);
    take_queue(n, now_ms);
    if (n->closing) {
        return;
    }
    int64_t next_ms = pipeline_advance(&n->pipeline, now_ms);
    notify_send_due(n, now_ms);
    int64_t external_ms = external_set_advance(&n->externals, n->http, n->clock, now_ms);
    next_ms = external_ms < next_ms ? external_ms : next_ms;
    int64_t wait_ms = next_ms - now_ms;
    wait_ms = wait_ms < 1 ? 1 : wait_ms > TURN_MS_MAX ? TURN_MS_MAX : wait_ms;
    if (n->in_flight >= NOTIFY_IN_FLIGHT_MAX && wait_ms < 100) {
        wait_ms = 100; /* the end of an attempt makes a turn of its own */
    }
    loop_timer_start(n->timer, wait_ms, 0);
    publish(n);
}

static void on_wake(void *context)
{
    notify_turn(context);
}

/* ---- Doors ---- */

static int push_items(struct notify *n, struct alert_item **items, size_t count)
{
    bool wake = false;
    lock_take(&n->lock);
    int status = n->queue_count + count <= NOTIFY_QUEUE_MAX ? 0 : ERR_BUSY;
    if (status == 0) {
        status = mem_array_grow((void **)&n->queue, &n->queue_cap, n->queue_count + count,
            sizeof(struct alert_item *), NOTIFY_QUEUE_MAX);
    }
    if (status == 0) {
        memcpy(n->queue + n->queue_count, items, count * sizeof(struct alert_item *));
        n->queue_count += count;
        wake = !n->woken;
        n->woken = true;
    } else {
        n->refused += count;
    }
    lock_give(&n->lock);
    if (wake && loop_post(n->loop, on_wake, n) != 0) {
        lock_take(&n->lock);
        n->woken = false; /* the timer comes soon; the next one wakes again */
        lock_give(&n->lock);
    }
    return status;
}

static int sink_send(struct alert_sink *self, const struct alert *alerts, size_t count)
{
    struct notify *n = notify_of(self);
    if (count == 0) {
        return 0;
    }
    struct alert_item **items = mem_calloc(count, sizeof(struct alert_item *));
    int64_t now_ms = clock_now_ms(n->clock);
    int status = items != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = alert_item_new(&alerts[i], now_ms, false, &items[i]);
    }
    if (status == 0) {
        status = push_items(n, items, count);
    }
    for (size_t i = 0; status != 0 && items != NULL && i < count; i++) {
        alert_item_unref(items[i]);
    }
    mem_free(items);
    return status;
}

/* A question, and the wait for its answer. */
struct question {
    struct notify *n;
    void (*work)(struct notify *n, void *context);
    void *context;
    struct lock lock; /* guards answered */
    struct lock_condition condition;
    bool answered;
};

static void answer(void *context)
{
    struct question *q = context;
    q->work(q->n, q->context);
    notify_turn(q->n);
    lock_take(&q->lock);
    q->answered = true;
    lock_condition_signal(&q->condition);
    lock_give(&q->lock); /* from here on the question may be gone */
}

int notify_run(struct notify *n, void (*work)(struct notify *n, void *context), void *context)
{
    struct question q = {.n = n, .work = work, .context = context};
    lock_init(&q.lock, LOCK_RANK_LEAF);
    lock_condition_init(&q.condition);
    int status = loop_post(n->loop, answer, &q);
    if (status == 0) {
        lock_take(&q.lock);
        while (!q.answered) {
            lock_condition_wait(&q.condition, &q.lock);
        }
        lock_give(&q.lock);
    }
    lock_condition_release(&q.condition);
    lock_release(&q.lock);
    return status;
}

/* ---- Life ---- */

static void *run_loop(void *context)
{
    struct notify *n = context;
    loop_run(n->loop);
    return NULL;
}

static void begin(struct notify *n, void *context)
{
    (void)n, (void)context; /* the turn after it is the first one */
}

static void wake_soon(void *context)
{
    struct notify *n = context;
    loop_timer_start(n->timer, 0, 0);
}

static int open_parts(struct notify *n, const struct notify_options *o, struct err *e)
{
    struct strbuf path = STRBUF_INIT;
    int status = notify_config_load(o->config_path, &n->config, e);
    if (status != 0) {
        return status;
    }
    if (o->data_path != NULL) {
        strbuf_addf(&path, "%s/alerts.journal", o->data_path);
    }
    struct pipeline_options options = {.fs = n->fs,
        .journal_path = path.data,
        .external_url = n->external_url,
        .trace_url = n->trace_url,
        .seed = hash_seed_random()};
    status = strbuf_error(&path);
    if (status == 0) {
        status =
            pipeline_open(&n->pipeline, &options, n->config->config, clock_now_ms(n->clock), e);
    }
    n->pipeline.options.journal_path = NULL; /* was only needed to open */
    n->pipeline.templates = n->config->templates;
    strbuf_release(&path);
    if (status != 0) {
        return status;
    }
    if ((status = external_set_open(
             &n->externals, o->alertmanagers, o->alertmanager_count, wake_soon, n)) != 0 ||
        (status = loop_new(&n->loop)) != 0 ||
        (status = loop_timer_new(n->loop, on_wake, n, &n->timer)) != 0 ||
        (status = http_client_open(n->loop, NULL, &n->http)) != 0) {
        return err_set(e, status, -1, "cannot start notification: %s", err_text(status));
    }
    return 0;
}

/* Our own page, when nothing is said. NULL when memory is short. */
static char *make_trace_url(const struct notify_options *o)
{
    if (o->trace_url != NULL) {
        return mem_strdup(o->trace_url);
    }
    struct strbuf url = STRBUF_INIT;
    size_t length = strlen(o->external_url);
    while (length > 0 && o->external_url[length - 1] == '/') {
        length--;
    }
    strbuf_addf(&url, "%.*s/traces?trace=" MESSAGE_TRACE_ID, (int)length, o->external_url);
    return strbuf_take(&url, NULL);
}

int notify_open(const struct notify_options *o, struct notify **notify_out, struct err *e)
{
    struct notify *n = mem_calloc(1, sizeof(*n));
    if (n == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    n->sink.send = sink_send;
    n->fs = o->fs != NULL ? o->fs : vfs_posix();
    n->clock = o->clock != NULL ? o->clock : clock_real();
    n->external_url = mem_strdup(o->external_url);
    n->trace_url = make_trace_url(o);
    n->started_ms = clock_now_ms(n->clock);
    n->has_file = o->config_path != NULL;
    n->relabel = relabel_ref(o->alert_relabel);
    lock_init(&n->lock, LOCK_RANK_LEAF);
    int status = n->external_url != NULL && n->trace_url != NULL ? open_parts(n, o, e) : ERR_NOMEM;
    if (status == 0 && pthread_create(&n->thread, NULL, run_loop, n) != 0) {
        status = err_set(e, ERR_LIMIT, -1, "cannot start the notification thread");
    }
    if (status != 0) {
        notify_close(n);
        return status;
    }
    n->has_thread = true;
    *notify_out = n;
    return notify_run(n, begin, NULL);
}

static void end(struct notify *n, void *context)
{
    (void)context;
    n->closing = true;
    loop_timer_stop(n->timer);
    n->http->close(n->http); /* attempts end as canceled and stay pending */
    n->http = NULL;
    (void)pipeline_commit(&n->pipeline, clock_now_ms(n->clock), NULL); /* logged by it */
    loop_stop(n->loop);
}

void notify_close(struct notify *n)
{
    if (n == NULL) {
        return;
    }
    if (n->has_thread) {
        (void)notify_run(n, end, NULL); /* posts are only refused when the queue of posts is full */
        (void)pthread_join(n->thread, NULL);
    } else if (n->http != NULL) {
        n->http->close(n->http);
    }
    loop_timer_free(n->timer);
    loop_free(n->loop);
    external_set_close(&n->externals);
    pipeline_close(&n->pipeline);
    notify_config_unref(n->config);
    for (size_t i = 0; i < n->queue_count; i++) {
        alert_item_unref(n->queue[i]);
    }
    mem_free(n->queue);
    strbuf_release(&n->published);
    lock_release(&n->lock);
    relabel_unref(n->relabel);
    mem_free(n->external_url);
    mem_free(n->trace_url);
    mem_free(n);
}

struct alert_sink *notify_sink(struct notify *n)
{
    return &n->sink;
}

const char *notify_external_url(const struct notify *n)
{
    return n->external_url;
}

bool notify_tells_anybody(const struct notify *n)
{
    return n->has_file || n->externals.count > 0;
}

struct reload {
    struct notify_config *config;
    bool has_file;
    int status;
};

static void take_config(struct notify *n, void *context)
{
    struct reload *r = context;
    struct notify_config *old = n->config;
    r->status = pipeline_reconfigure(&n->pipeline, r->config->config, clock_now_ms(n->clock));
    n->pipeline.templates = r->config->templates;
    n->config = r->config;
    n->has_file = r->has_file;
    notify_config_unref(old);
}

int notify_reload(struct notify *n, const char *config_path, struct err *e)
{
    struct reload r = {.has_file = config_path != NULL};
    int status = notify_config_load(config_path, &r.config, e);
    if (status == 0) {
        status = notify_run(n, take_config, &r);
        if (status != 0) {
            notify_config_unref(r.config);
        }
        status = status != 0 ? status : r.status;
        if (status != 0) {
            err_set(e, status, -1, "alerting: %s", err_text(status));
        }
    }
    return status;
}

void notify_write_metrics(void *notify, struct strbuf *out)
{
    struct notify *n = notify;
    lock_take(&n->lock);
    strbuf_add_str(out, strbuf_str(&n->published));
    lock_give(&n->lock);
}
