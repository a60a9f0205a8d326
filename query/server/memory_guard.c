/* Levels with hysteresis, over a reading that is handed in. */
#include "server/memory_guard.h"

#include <stdatomic.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"

/* Percent of the limit at which a level begins, and below which it ends. */
static const struct {
    const char *name;
    uint64_t from, until;
} levels[] = {
    [MEMORY_GOOD] = {"good", 0, 0},
    [MEMORY_SOFT] = {"soft", 85, 80},
    [MEMORY_HARD] = {"hard", 95, 93},
};

struct memory_guard {
    struct memory_guard_options options;
    struct lock lock; /* rank LEAF; guards what is no atomic */
    int64_t read_ms;  /* monotonic; of the last reading */
    bool read_once;
    int64_t relieved_ms;
    bool relieved_once;
    uint64_t used;
    enum memory_level level;
    _Atomic uint64_t turned_away, reliefs;
};

int memory_guard_new(const struct memory_guard_options *options, struct memory_guard **guard_out)
{
    struct memory_guard *g = mem_calloc(1, sizeof(*g));
    if (g == NULL) {
        return ERR_NOMEM;
    }
    g->options = *options;
    g->options.clock = options->clock != NULL ? options->clock : clock_real();
    lock_init(&g->lock, LOCK_RANK_LEAF);
    *guard_out = g;
    return 0;
}

void memory_guard_free(struct memory_guard *g)
{
    if (g != NULL) {
        lock_release(&g->lock);
        mem_free(g);
    }
}

static bool reaches(const struct memory_guard *g, uint64_t used, uint64_t percent)
{
    /* Rounded up, so that 85 % of 101 bytes is 86. */
    return used >= (g->options.limit_bytes / 100) * percent +
                       ((g->options.limit_bytes % 100) * percent + 99) / 100;
}

static enum memory_level judge(const struct memory_guard *g, uint64_t used)
{
    enum memory_level level = MEMORY_GOOD;
    for (enum memory_level l = MEMORY_SOFT; l <= MEMORY_HARD; l++) {
        if (reaches(g, used, g->level >= l ? levels[l].until : levels[l].from)) {
            level = l;
        }
    }
    return level;
}

/* Under the lock. */
static bool due(struct memory_guard *g, int64_t now_ms)
{
    if (g->read_once && now_ms - g->read_ms < MEMORY_READ_EACH_MS) {
        return false;
    }
    g->read_once = true;
    g->read_ms = now_ms;
    return true;
}

enum memory_level memory_guard_level(struct memory_guard *g)
{
    int64_t now_ms = clock_monotonic_ms(g->options.clock);
    lock_take(&g->lock);
    bool reads = due(g, now_ms);
    enum memory_level before = g->level;
    lock_give(&g->lock);
    uint64_t used = 0;
    if (!reads || g->options.read(g->options.context, &used) != 0) {
        return before;
    }
    lock_take(&g->lock);
    before = g->level;
    g->used = used;
    g->level = judge(g, used);
    enum memory_level level = g->level;
    lock_give(&g->lock);
    if (level != before) {
        LOG_AT(level > before ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "memory: level changed",
            LOG_S("level", levels[level].name), LOG_S("before", levels[before].name),
            LOG_I("used_bytes", used), LOG_I("limit_bytes", g->options.limit_bytes));
        if (g->options.changed != NULL) {
            g->options.changed(g->options.context, level);
        }
    }
    return level;
}

bool memory_guard_admit(struct memory_guard *g)
{
    bool admitted = memory_guard_level(g) < MEMORY_HARD;
    if (!admitted) {
        atomic_fetch_add_explicit(&g->turned_away, 1, memory_order_relaxed);
    }
    return admitted;
}

bool memory_guard_wants_relief(struct memory_guard *g)
{
    if (memory_guard_level(g) == MEMORY_GOOD) {
        return false;
    }
    int64_t now_ms = clock_monotonic_ms(g->options.clock);
    lock_take(&g->lock);
    bool wants = !g->relieved_once || now_ms - g->relieved_ms >= MEMORY_RELIEF_EACH_MS;
    if (wants) {
        g->relieved_once = true;
        g->relieved_ms = now_ms;
        atomic_fetch_add_explicit(&g->reliefs, 1, memory_order_relaxed);
    }
    lock_give(&g->lock);
    return wants;
}

void memory_guard_statistics(struct memory_guard *g, struct memory_guard_statistics *out)
{
    lock_take(&g->lock);
    *out = (struct memory_guard_statistics){
        .limit_bytes = g->options.limit_bytes,
        .used_bytes = g->used,
        .level = g->level,
        .turned_away = atomic_load_explicit(&g->turned_away, memory_order_relaxed),
        .reliefs = atomic_load_explicit(&g->reliefs, memory_order_relaxed),
    };
    lock_give(&g->lock);
}
