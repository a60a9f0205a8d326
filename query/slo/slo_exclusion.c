/* Exclusions: occurrences on the wall clock, and their bytes in the journal. */
#include "slo_exclusion.h"

#include "base/bytes.h"
#include "base/civil.h"
#include "slo_tier.h"

#define RECORD_VERSION 1
#define DAY_MS (CIVIL_DAY_SECONDS * 1000)

static const char *const repeat_names[] = {
    [SLO_ONCE] = "once", [SLO_DAILY] = "daily", [SLO_WEEKLY] = "weekly"};

const char *slo_repeat_name(enum slo_repeat repeat)
{
    return repeat_names[repeat];
}

bool slo_repeat_find(struct str name, enum slo_repeat *repeat_out)
{
    for (int i = SLO_ONCE; i <= SLO_WEEKLY; i++) {
        if (str_eq_c(name, repeat_names[i])) {
            *repeat_out = (enum slo_repeat)i;
            return true;
        }
    }
    return false;
}

int slo_exclusion_check(const struct slo_exclusion *x, struct err *e)
{
    int64_t most = x->repeat == SLO_DAILY    ? DAY_MS
                   : x->repeat == SLO_WEEKLY ? 7 * DAY_MS
                                             : SLO_PERIOD_MS_MAX;
    if (str_trim(x->reason).len == 0 || str_trim(x->author).len == 0) {
        return err_set(e, ERR_INVALID, -1, "an exclusion has a reason and an author");
    }
    if (x->reason.len > SLO_EXCLUSION_TEXT_MAX || x->author.len > SLO_EXCLUSION_TEXT_MAX) {
        return err_set(e, ERR_INVALID, -1, "reason and author have at most %d bytes each",
            SLO_EXCLUSION_TEXT_MAX);
    }
    if (x->end_ms <= x->start_ms) {
        return err_set(e, ERR_INVALID, -1, "an exclusion ends after it starts");
    }
    if (x->end_ms - x->start_ms > most) {
        return err_set(e, ERR_INVALID, -1, "an exclusion that repeats %s lasts at most %lld hours",
            slo_repeat_name(x->repeat), (long long)(most / 3600000));
    }
    return 0;
}

static bool in_occurrence(const struct slo_exclusion *x, int64_t start_ms, int64_t time_ms)
{
    return start_ms <= x->until_ms && time_ms > start_ms &&
           time_ms <= start_ms + (x->end_ms - x->start_ms);
}

static struct civil_time civil_in(const struct slo_exclusion *x, int64_t seconds)
{
    return x->zone != NULL ? zone_civil(x->zone, seconds) : civil_from_seconds(seconds);
}

bool slo_exclusion_holds(const struct slo_exclusion *x, int64_t time_ms)
{
    if (time_ms <= x->start_ms) {
        return false;
    }
    if (x->repeat == SLO_ONCE) {
        return time_ms <= x->end_ms;
    }
    /* The last occurrences that began before: on this day of the wall clock, or one repetition before. */
    int64_t every = x->repeat == SLO_DAILY ? 1 : 7;
    struct civil_time first = civil_in(x, x->start_ms / 1000);
    struct civil_time now = civil_in(x, time_ms / 1000);
    int64_t first_day = civil_days(first.year, first.month, first.day);
    int64_t days = civil_days(now.year, now.month, now.day) - first_day;
    for (int64_t back = 0; back <= 1; back++) {
        int64_t index = days / every - back;
        struct civil_time day = civil_from_seconds((first_day + index * every) * CIVIL_DAY_SECONDS);
        struct civil_time begin = first;
        begin.year = day.year;
        begin.month = day.month;
        begin.day = day.day;
        int64_t seconds =
            x->zone != NULL ? zone_seconds(x->zone, &begin) : civil_to_seconds(&begin);
        if (index >= 0 && in_occurrence(x, seconds * 1000 + x->start_ms % 1000, time_ms)) {
            return true;
        }
    }
    return false;
}

void slo_exclusion_encode(const struct slo_exclusion *x, struct strbuf *out)
{
    strbuf_add_char(out, RECORD_VERSION);
    strbuf_add_char(out, (char)x->repeat);
    strbuf_add_le64(out, x->id);
    strbuf_add_le64(out, (uint64_t)x->start_ms);
    strbuf_add_le64(out, (uint64_t)x->end_ms);
    strbuf_add_le64(out, (uint64_t)x->until_ms);
    strbuf_add_le64(out, (uint64_t)x->made_ms);
    strbuf_add_sized(out, x->slo);
    strbuf_add_sized(out, x->reason);
    strbuf_add_sized(out, x->author);
    strbuf_add_sized(out, x->zone_name);
}

static struct str keep(struct arena *arena, struct str text, bool *short_of_memory)
{
    char *kept = arena_strndup(arena, text.ptr != NULL ? text.ptr : "", text.len);
    *short_of_memory |= kept == NULL;
    return str_make(kept, text.len);
}

int slo_exclusion_decode(struct arena *arena, struct str record, struct slo_exclusion *x_out)
{
    struct decbuf d = decbuf_of(record.ptr, record.len);
    bool bad = decbuf_u8(&d) != RECORD_VERSION, short_of_memory = false;
    struct slo_exclusion x = {0};
    uint8_t repeat = decbuf_u8(&d);
    x.repeat = (enum slo_repeat)repeat;
    x.id = decbuf_le64(&d);
    x.start_ms = (int64_t)decbuf_le64(&d);
    x.end_ms = (int64_t)decbuf_le64(&d);
    x.until_ms = (int64_t)decbuf_le64(&d);
    x.made_ms = (int64_t)decbuf_le64(&d);
    struct str texts[4];
    for (size_t i = 0; i < 4; i++) {
        texts[i] = decbuf_sized(&d);
    }
    if (bad || d.failed || decbuf_left(&d) > 0 || repeat > SLO_WEEKLY) {
        return ERR_CORRUPT;
    }
    x.slo = keep(arena, texts[0], &short_of_memory);
    x.reason = keep(arena, texts[1], &short_of_memory);
    x.author = keep(arena, texts[2], &short_of_memory);
    x.zone_name = keep(arena, texts[3], &short_of_memory);
    if (short_of_memory) {
        return arena_error(arena);
    }
    *x_out = x;
    return 0;
}
