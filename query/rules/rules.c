/* The manager: which groups there are, when they are due, and who evaluates them.
 *
 * One scheduler thread looks at the groups and hands those that are due to a small pool of their own; a
 * group is with one thread at a time, which sets the next time when it is done. A reload takes the groups
 * it changes out of turn, waits for the evaluations under way, and hands alerts and series over.
 */
#include "rules/rules_manager.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "rules/rules_loading.h"

/* A scheduler without anything to do looks again after this: somebody may have set the clock. */
#define LOOK_AGAIN_MS 1000
/* After the pool's queue was full. */
#define TRY_AGAIN_MS 50

/* ---- One group's turn ---- */

/* The times that are to be evaluated now: from `*first_out`, each interval, up to the returned one. */
static int64_t due_times(
    const struct rules *r, const struct rule_group *g, int64_t now_ms, int64_t *first_out)
{
    int64_t late = (now_ms - g->due_ms) / g->interval_ms;
    int64_t last = g->due_ms + late * g->interval_ms, first = last;
    if (r->catch_up_ms > 0 && late > 0) {
        int64_t made_up = r->catch_up_ms / g->interval_ms;
        first = last - (made_up < late ? made_up : late) * g->interval_ms;
    }
    *first_out = first;
    return last;
}

/* Evaluates what is due; the group is busy, so its members are this thread's. */
static void take_turn(struct rules *r, struct rule_group *g, int64_t now_ms)
{
    int64_t first, last = due_times(r, g, now_ms, &first);
    uint64_t missed = (uint64_t)((first - g->due_ms) / g->interval_ms);
    if (missed > 0) {
        lock_take(&g->lock);
        g->missed += missed;
        g->iterations += missed;
        lock_give(&g->lock);
    }
    for (int64_t t = first; t <= last && !atomic_load(&r->canceled); t += g->interval_ms) {
        rule_group_evaluate(g, &r->env, t);
    }
    lock_take(&r->lock);
    g->due_ms = last + g->interval_ms;
    g->busy = false;
    lock_condition_broadcast(&r->changed);
    lock_give(&r->lock);
}

static void take_turn_in_pool(void *context)
{
    struct rule_group *g = context;
    take_turn(g->owner, g, clock_now_ms(g->owner->env.clock));
}

static struct rule_group *next_due(struct rules *r, int64_t now_ms)
{
    for (size_t i = 0; i < r->group_count; i++) {
        struct rule_group *g = r->groups[i];
        if (!g->busy && !g->leaving && g->due_ms <= now_ms) {
            g->busy = true;
            return g;
        }
    }
    return NULL;
}

size_t rules_run_due(struct rules *r, int64_t now_ms)
{
    size_t count = 0;
    for (;;) {
        lock_take(&r->lock);
        struct rule_group *g = next_due(r, now_ms);
        lock_give(&r->lock);
        if (g == NULL) {
            break;
        }
        take_turn(r, g, now_ms);
        count++;
    }
    rules_end_retired(r, now_ms);
    return count;
}

/* ---- The scheduler ---- */

/* Hands out what is due; how long nothing will be. Under the lock. */
static int64_t start_due(struct rules *r, int64_t now_ms)
{
    int64_t wait_ms = LOOK_AGAIN_MS;
    for (size_t i = 0; i < r->group_count; i++) {
        struct rule_group *g = r->groups[i];
        if (g->busy || g->leaving) {
            continue;
        }
        if (g->due_ms > now_ms) {
            wait_ms = g->due_ms - now_ms < wait_ms ? g->due_ms - now_ms : wait_ms;
            continue;
        }
        g->busy = workpool_submit(r->pool, take_turn_in_pool, g) == 0;
        wait_ms = g->busy || wait_ms < TRY_AGAIN_MS ? wait_ms : TRY_AGAIN_MS;
    }
    return wait_ms;
}

static void *schedule(void *context)
{
    struct rules *r = context;
    while (!atomic_load(&r->canceled)) {
        int64_t now_ms = clock_now_ms(r->env.clock);
        rules_end_retired(r, now_ms);
        lock_take(&r->lock);
        int64_t wait_ms = start_due(r, now_ms);
        if (!atomic_load(&r->canceled)) {
            (void)lock_condition_wait_ms(&r->changed, &r->lock, wait_ms);
        }
        lock_give(&r->lock);
    }
    return NULL;
}

int rules_start(struct rules *r, struct err *e)
{
    struct workpool_options lane = {"rules", r->threads, RULES_QUEUE_MAX};
    int status = workpool_open(&lane, &r->pool);
    if (status == 0 && pthread_create(&r->scheduler, NULL, schedule, r) != 0) {
        status = ERR_LIMIT;
    }
    r->started = status == 0;
    return status != 0
               ? err_set(e, status, -1, "cannot start the rules' threads: %s", err_text(status))
               : 0;
}

/* ---- Life ---- */

static char *copy_text(const char *text)
{
    return mem_strdup(text != NULL ? text : "");
}

struct str rules_url_path(struct str url)
{
    for (size_t i = 0; i + 2 < url.len; i++) {
        if (memcmp(url.ptr + i, "://", 3) == 0) {
            struct str rest = str_skip(url, i + 3);
            ptrdiff_t slash = str_find(rest, '/');
            return slash < 0 ? STR("") : str_skip(rest, (size_t)slash);
        }
    }
    return STR("");
}

static int open_journal(struct rules *r, const char *data_path, struct err *e)
{
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s/rules.journal", data_path);
    int status = strbuf_error(&path);
    if (status != 0) {
        err_set(e, status, -1, "%s", err_text(status));
    } else if ((status = vfs_mkdir_all(r->env.fs, data_path)) != 0) {
        err_set(e, status, -1, "%s: %s", data_path, err_text(status));
    } else {
        status = rules_journal_open(r->env.fs, path.data, &r->env.journal, e);
    }
    strbuf_release(&path);
    return status;
}

int rules_open(const struct rules_options *options, struct rules **rules_out, struct err *e)
{
    struct rules *r = mem_calloc(1, sizeof(*r));
    if (r == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    lock_init(&r->lock, LOCK_RANK_RULES);
    lock_condition_init(&r->changed);
    r->external_url = copy_text(options->external_url);
    r->data_path = options->data_path != NULL ? copy_text(options->data_path) : NULL;
    r->features = options->features;
    r->catch_up_ms = options->catch_up_ms;
    r->threads = options->threads != 0 ? options->threads : RULES_THREADS_DEFAULT;
    r->env = (struct rules_environment){.engine = options->engine,
        .reads = options->reads,
        .writes = options->writes,
        .clock = options->clock != NULL ? options->clock : clock_real(),
        .fs = options->fs != NULL ? options->fs : vfs_posix(),
        .sink = options->sink,
        .external_labels = options->external_labels != NULL ? labels_ref(options->external_labels)
                                                            : labels_ref(labels_empty()),
        .interval_ms = options->interval_ms != 0 ? options->interval_ms : RULES_INTERVAL_MS_DEFAULT,
        .query_offset_ms = options->query_offset_ms,
        .query = options->query};
    r->env.query.canceled = &r->canceled;
    int status = 0;
    if (r->external_url == NULL || (options->data_path != NULL && r->data_path == NULL)) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    } else if (r->data_path != NULL) {
        status = open_journal(r, r->data_path, e);
    }
    if (status != 0) {
        rules_close(r);
        return status;
    }
    r->env.external_url = str_of(r->external_url);
    while (str_ends_with(r->env.external_url, STR("/"))) {
        r->env.external_url.len--;
    }
    r->env.path_prefix = rules_url_path(r->env.external_url);
    *rules_out = r;
    return 0;
}

void rules_close(struct rules *r)
{
    if (r == NULL) {
        return;
    }
    atomic_store(&r->canceled, true);
    if (r->started) {
        lock_take(&r->lock);
        lock_condition_broadcast(&r->changed);
        lock_give(&r->lock);
        (void)pthread_join(r->scheduler, NULL); /* it runs: it was started */
    }
    workpool_close(r->pool);
    rules_release_loaded(r);
    rules_journal_close(r->env.journal);
    labels_unref(r->env.external_labels);
    lock_condition_release(&r->changed);
    lock_release(&r->lock);
    mem_free(r->external_url);
    mem_free(r->data_path);
    mem_free(r);
}
