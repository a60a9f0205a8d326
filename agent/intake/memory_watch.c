/* Resident memory against the budget. */
#include "intake/memory_watch.h"

#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

enum { FILE_BYTES_MAX = 65536, LEAVE_POINTS = 5, SHARE_OF_HOST = 10 };

/* Percent of the budget at which each level begins. */
static const unsigned begins_at[INTAKE_FULL + 1] = {0, 70, 85, 95};

/* The number behind `word` (the first of the file when empty), or 0. */
static uint64_t read_number(struct vfs *fs, const char *path, const char *word, size_t skip)
{
    char *text = NULL;
    size_t size = 0;
    uint64_t number = 0;
    if (vfs_read_file(fs, path, FILE_BYTES_MAX, &text, &size) != 0) {
        return 0;
    }
    struct str rest = str_make(text, size);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (!str_starts_with(line, str_of(word))) {
            continue;
        }
        line = str_trim(str_make(line.ptr + str_of(word).len, line.len - str_of(word).len));
        struct str field = str_split(&line, ' ');
        for (size_t i = 0; i < skip; i++) {
            field = str_split(&line, ' ');
        }
        (void)str_to_u64(field, &number); /* "max" is no number: no limit */
        break;
    }
    mem_free(text);
    return number;
}

static uint64_t default_limit(struct vfs *fs)
{
    uint64_t host = read_number(fs, "/proc/meminfo", "MemTotal:", 0) * 1024;
    uint64_t group = read_number(fs, "/sys/fs/cgroup/memory.max", "", 0);
    uint64_t whole = group > 0 && (host == 0 || group < host) ? group : host;
    uint64_t share = whole / SHARE_OF_HOST;
    return share > 0 && share < MEMORY_WATCH_BYTES_MAX_DEFAULT ? share
                                                               : MEMORY_WATCH_BYTES_MAX_DEFAULT;
}

void memory_watch_init(
    struct memory_watch *w, struct vfs *fs, struct clock *clock, uint64_t bytes_max)
{
    *w = (struct memory_watch){
        .vfs = fs,
        .clock = clock,
    };
    memory_watch_set_max(w, bytes_max);
}

void memory_watch_set_max(struct memory_watch *w, uint64_t bytes_max)
{
    w->bytes_max = bytes_max > 0 ? bytes_max : default_limit(w->vfs);
    w->read_ms = clock_monotonic_ms(w->clock) - MEMORY_WATCH_INTERVAL_MS; /* at once */
}

static enum intake_pressure level_of(const struct memory_watch *w)
{
    uint64_t percent = w->bytes * 100 / w->bytes_max;
    enum intake_pressure level = INTAKE_EASY;
    for (int i = INTAKE_TIGHT; i <= INTAKE_FULL; i++) {
        unsigned from = begins_at[i] - ((int)w->level >= i ? LEAVE_POINTS : 0);
        level = percent >= from ? (enum intake_pressure)i : level;
    }
    return level;
}

/* Reads the resident size; what level it makes. */
static void read_level(struct memory_watch *w)
{
    static const char *const names[] = {"easy", "tight", "high", "full"};
    w->asked = 0;
    uint64_t pages = read_number(w->vfs, "/proc/self/statm", "", 1);
    if (pages == 0) {
        return; /* no /proc: the budget is not watched */
    }
    w->bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    enum intake_pressure level = level_of(w);
    if (level != w->level) {
        LOG_WARN("agent: memory use changes level", LOG_S("from", names[w->level]),
            LOG_S("to", names[level]), LOG_I("bytes", w->bytes), LOG_I("limit", w->bytes_max));
    }
    for (int i = (int)w->level + 1; i <= (int)level; i++) {
        w->entered[i]++;
    }
    w->level = level;
}

void memory_watch_step(struct memory_watch *w)
{
    int64_t now = clock_monotonic_ms(w->clock);
    if (now - w->read_ms < MEMORY_WATCH_INTERVAL_MS) {
        return;
    }
    w->read_ms = now;
    read_level(w);
    if (w->level >= INTAKE_TIGHT) {
        mem_give_back();
    }
}

enum intake_pressure memory_watch_ask(struct memory_watch *w)
{
    if (++w->asked >= MEMORY_WATCH_ASKED_MAX) {
        read_level(w);
    }
    return w->level;
}
