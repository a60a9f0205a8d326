/* Group commit.
 *
 * The first thread to arrive leads: it takes the commits that wait, places their cells in the tables
 * under a new LSN that nobody sees yet, writes them as one frame of the WAL, and makes them visible by
 * storing the LSN (INV-1). The others sleep until it is done. So the tables have one writer at a time
 * without a thread of their own, a lone sender never changes threads, and the disk sees one append for
 * all who wait.
 *
 * Placing comes before the log because it needs memory and tells repeats from news: what is stored
 * already is not logged. When the log fails, everything placed is taken back, newest first.
 */
#include <assert.h>

#include "base/mem.h"
#include "head/head_private.h"

/* Commits and cells of one group: bounds the frame and the wait of who comes late. */
enum { GROUP_COMMITS_MAX = 64, GROUP_CELLS_MAX = 1 << 20 };

/* A failed frame is written once more, to a new segment. */
enum { WRITE_ATTEMPTS = 2 };

struct group {
    struct head *h;
    uint64_t lsn, horizon;
    struct commit *commits[GROUP_COMMITS_MAX];
    size_t count;
};

/* ---- Placing ---- */

static void undo_commit(struct head *h, struct commit *c)
{
    for (size_t i = c->histogram_count; i > 0; i--) {
        struct commit_histogram *cell = &c->histograms[i - 1];
        if (cell->placed) {
            table_undo(head_table(h, cell->table), &cell->undo);
            cell->placed = false;
        }
    }
    for (size_t i = c->run_count; i > 0; i--) {
        struct commit_run *run = &c->runs[i - 1];
        if (run->placed) {
            table_undo(head_table(h, run->table), &run->undo);
            run->placed = false;
        }
    }
}

static int place_run(struct group *g, struct commit *c, struct commit_run *run)
{
    struct table *t = head_table(g->h, run->table);
    run->kept = run->count;
    if (run->count == 0) {
        return 0; // its first sample found no memory
    }
    if (t == NULL) {
        return ERR_BUSY;
    }
    int status = table_place(t, g->lsn, g->horizon, run->t_ms, c->columns + run->first,
        c->values + run->first, &run->kept, &run->undo);
    run->placed = status == 0;
    c->repeated += run->count - run->kept;
    return status;
}

static int place_histogram(struct group *g, struct commit_histogram *cell)
{
    struct table *t = head_table(g->h, cell->table);
    if (t == NULL) {
        return ERR_BUSY;
    }
    int status = table_place_histogram(
        t, g->lsn, g->horizon, cell->t_ms, cell->column, cell->bytes, &cell->undo);
    cell->placed = status == 0;
    return status;
}

static int place_commit(struct group *g, struct commit *c)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < c->run_count; i++) {
        status = place_run(g, c, &c->runs[i]);
    }
    for (size_t i = 0; status == 0 && i < c->histogram_count; i++) {
        status = place_histogram(g, &c->histograms[i]);
    }
    for (size_t i = 0; status == 0 && i < c->exemplar_count; i++) {
        status = head_table(g->h, c->exemplars[i].ref.target) != NULL ? 0 : ERR_BUSY;
    }
    if (status == 0) {
        return 0;
    }
    undo_commit(g->h, c);
    return status == ERR_BUSY
               ? err_set(c->e, status, -1,
                     "a series that was silent for long was let go while the transaction was open: "
                     "send it again")
               : err_set(
                     c->e, status, -1, "the commit does not fit in memory: %s", err_text(status));
}

/* ---- Logging ---- */

static bool log_commit(struct wal *w, const struct commit *c)
{
    bool any = c->histogram_count > 0 || c->metadata_count > 0 || c->exemplar_count > 0;
    for (size_t i = 0; i < c->run_count; i++) {
        const struct commit_run *run = &c->runs[i];
        if (run->kept > 0) {
            any = true;
            wal_add_row(w, run->table, run->t_ms, c->columns + run->first, c->values + run->first,
                run->kept);
        }
    }
    for (size_t i = 0; i < c->histogram_count; i++) {
        const struct commit_histogram *cell = &c->histograms[i];
        wal_add_histogram(w, cell->table, cell->t_ms, cell->column, cell->bytes);
    }
    for (size_t i = 0; i < c->metadata_count; i++) {
        const struct commit_metadata *m = &c->metadata[i];
        wal_add_metadata(w, m->metric, m->type, m->help, m->unit);
    }
    for (size_t i = 0; i < c->exemplar_count; i++) {
        const struct commit_exemplar *x = &c->exemplars[i];
        wal_add_exemplar(
            w, x->ref.target, x->ref.column, x->t_ms, x->value, x->labels, x->label_count);
    }
    return any;
}

static int write_frame(struct group *g, bool synced, struct err *e)
{
    struct wal *w = g->h->wal;
    int status = wal_begin(w, g->lsn, e);
    if (status != 0) {
        return status;
    }
    bool any = false;
    for (size_t i = 0; i < g->count; i++) {
        if (g->commits[i]->status == 0) {
            any = log_commit(w, g->commits[i]) || any;
        }
    }
    if (any) {
        return wal_write(w, synced, e);
    }
    wal_cancel(w);
    /* Nothing new, but what it repeats may have been acknowledged without a sync. */
    return synced ? wal_sync(w, e) : 0;
}

static int log_group(struct group *g, struct err *e)
{
    bool synced = false, any = false;
    for (size_t i = 0; i < g->count; i++) {
        synced = synced || (g->commits[i]->synced && g->commits[i]->status == 0);
        any = any || g->commits[i]->status == 0;
    }
    int status = any ? ERR_CLOSED : 0;
    if (any && g->h->wal == NULL) {
        return err_set(e, ERR_CLOSED, -1, "the store is open for reading only");
    }
    for (int attempt = 0; any && attempt < WRITE_ATTEMPTS && status != 0; attempt++) {
        status = write_frame(g, synced, e);
        if (status == ERR_LIMIT || status == ERR_NOMEM) {
            break;
        }
    }
    return status;
}

/* ---- Publishing ---- */

static void publish_commit(struct head *h, struct commit *c)
{
    uint64_t cells = c->histogram_count;
    for (size_t i = 0; i < c->run_count; i++) {
        cells += c->runs[i].count;
    }
    atomic_fetch_add_explicit(&h->samples_appended, cells, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->samples_repeated, c->repeated, memory_order_relaxed);
    for (size_t i = 0; i < c->metadata_count; i++) {
        const struct commit_metadata *m = &c->metadata[i];
        /* In the log already; when memory is short it is missing until the next restart. */
        (void)metadata_set(&h->metadata, m->metric, m->type, m->help, m->unit);
    }
}

/* The smallest time at which the group changed anything; INT64_MAX when nothing. */
static int64_t first_change(const struct group *g)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < g->count; i++) {
        const struct commit *c = g->commits[i];
        for (size_t k = 0; c->status == 0 && k < c->run_count; k++) {
            bool earlier = c->runs[k].kept > 0 && c->runs[k].t_ms < first;
            first = earlier ? c->runs[k].t_ms : first;
        }
        for (size_t k = 0; c->status == 0 && k < c->histogram_count; k++) {
            first = c->histograms[k].t_ms < first ? c->histograms[k].t_ms : first;
        }
    }
    return first;
}

/* In the log already; what is refused now was overtaken by a commit of the same group. */
static void publish_exemplars(struct head *h, const struct commit *c, uint64_t lsn)
{
    for (size_t i = 0; i < c->exemplar_count; i++) {
        const struct commit_exemplar *x = &c->exemplars[i];
        struct exemplar_item item = {x->t_ms, x->value, x->encoded};
        (void)exemplar_store_add(h->options.exemplars, lsn, x->key, &item);
    }
}

static void lead(struct group *g)
{
    struct head *h = g->h;
    g->lsn = h->last_lsn + 1;
    g->horizon = head_horizon(h);
    for (size_t i = 0; i < g->count; i++) {
        g->commits[i]->status = place_commit(g, g->commits[i]);
    }
    struct err e = ERR_INIT;
    int status = log_group(g, &e);
    /* An LSN that may have reached the disk is never used again. */
    h->last_lsn = g->lsn;
    for (size_t i = g->count; i > 0; i--) {
        struct commit *c = g->commits[i - 1];
        if (c->status == 0 && status != 0) {
            undo_commit(h, c);
            c->status = err_set(c->e, status, -1, "%s", e.message);
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        if (g->commits[i]->status == 0) {
            publish_commit(h, g->commits[i]);
            publish_exemplars(h, g->commits[i], g->lsn);
        }
    }
    int64_t first = first_change(g);
    atomic_store_explicit(&h->visible_lsn, g->lsn, memory_order_release);
    if (first != INT64_MAX) {
        change_log_note(&h->changes, first);
    }
}

/* ---- The queue ---- */

static void enqueue(struct head *h, struct commit *c)
{
    c->next = NULL;
    if (h->queue_last != NULL) {
        h->queue_last->next = c;
    } else {
        h->queue_first = c;
    }
    h->queue_last = c;
}

static size_t commit_cells(const struct commit *c)
{
    size_t cells = c->histogram_count;
    for (size_t i = 0; i < c->run_count; i++) {
        cells += c->runs[i].count;
    }
    return cells;
}

/* The first commit always, further ones while they fit. */
static void take_group(struct head *h, struct group *g)
{
    size_t cells = 0;
    while (h->queue_first != NULL && g->count < GROUP_COMMITS_MAX) {
        struct commit *c = h->queue_first;
        size_t more = commit_cells(c);
        if (g->count > 0 && cells + more > GROUP_CELLS_MAX) {
            break;
        }
        cells += more;
        g->commits[g->count++] = c;
        h->queue_first = c->next;
    }
    if (h->queue_first == NULL) {
        h->queue_last = NULL;
    }
}

void head_refuse_writes(struct head *h, bool refuse)
{
    atomic_store_explicit(&h->refuses_writes, refuse, memory_order_relaxed);
}

int head_commit(struct head *h, struct commit *c)
{
    if (atomic_load_explicit(&h->refuses_writes, memory_order_relaxed)) {
        return err_set(c->e, ERR_NO_SPACE, -1,
            "the disk of the store is full: nothing is written until some of it is free");
    }
    lock_take(&h->commit_lock);
    enqueue(h, c);
    while (!c->done) {
        if (h->led) {
            lock_condition_wait(&h->commit_done, &h->commit_lock);
            continue;
        }
        struct group g = {.h = h};
        h->led = true;
        take_group(h, &g);
        lock_give(&h->commit_lock);
        lead(&g);
        lock_take(&h->commit_lock);
        for (size_t i = 0; i < g.count; i++) {
            g.commits[i]->done = true;
        }
        h->led = false;
        lock_condition_broadcast(&h->commit_done);
    }
    lock_give(&h->commit_lock);
    return c->status;
}

void head_hold_writes(struct head *h)
{
    lock_take(&h->commit_lock);
    while (h->led) {
        lock_condition_wait(&h->commit_done, &h->commit_lock);
    }
    h->led = true;
    lock_give(&h->commit_lock);
}

void head_release_writes(struct head *h)
{
    lock_take(&h->commit_lock);
    h->led = false;
    lock_condition_broadcast(&h->commit_done);
    lock_give(&h->commit_lock);
}
