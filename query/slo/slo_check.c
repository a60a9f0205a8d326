/* What a file of objectives would do, for people: objectives, tiers, what was repaired, warnings. */
#include <math.h>

#include "model/duration.h"
#include "slo_manager.h"

static void write_tier(const struct slo_parameters *p, const struct slo_tier *t, struct strbuf *out)
{
    int64_t period = slo_window_period_ms(&p->window);
    double outage = slo_tier_detection_seconds(t, period, p->budget_billionths, 1);
    strbuf_addf(out, "    %-12s %-6s ", t->name, t->page ? "page" : "ticket");
    duration_write(t->long_ms, out);
    strbuf_add_char(out, '/');
    duration_write(t->short_ms, out);
    strbuf_addf(out, " factor %.6g, above %.6g %% errors, %.6g %% of the budget; ",
        slo_tier_factor(t, period), slo_tier_threshold(t, period, p->budget_billionths) * 100,
        (double)t->share_millionths * 100 / (double)SLO_MILLION);
    if (isfinite(outage)) {
        strbuf_addf(out, "sees a total outage after %.6g s\n", outage);
    } else {
        strbuf_add_c(out, "never fires\n");
    }
}

static void write_definition(const struct slo_definition *d, struct strbuf *out)
{
    const struct slo_parameters *p = &d->parameters;
    strbuf_addf(out, "  %.*s: %.9g over ", STR_ARG(d->name),
        1 - (double)p->budget_billionths / (double)SLO_BILLION);
    slo_window_write(&p->window, out);
    strbuf_addf(out, "%s\n", p->window.calendar ? " of the calendar" : "");
    for (size_t i = 0; i < p->tier_count; i++) {
        write_tier(p, &p->tiers[i], out);
    }
    for (size_t i = 0; i < d->note_count; i++) {
        strbuf_addf(out, "    note: %.*s\n", STR_ARG(d->notes[i]));
    }
}

int slo_check_file(
    struct vfs *fs, struct str name, struct str text, struct strbuf *report, struct err *e)
{
    struct slo_file file;
    int status = slo_file_parse(fs, name, text, &file, e);
    if (status != 0) {
        return status;
    }
    strbuf_addf(report, "%.*s: %zu SLOs\n", STR_ARG(name), file.count);
    for (size_t i = 0; i < file.count; i++) {
        write_definition(&file.definitions[i], report);
    }
    if (file.warnings.size > 0) {
        strbuf_add_c(report, "  warning: ");
        strbuf_add_str(report, strbuf_str(&file.warnings));
    }
    slo_file_release(&file);
    return strbuf_error(report);
}
