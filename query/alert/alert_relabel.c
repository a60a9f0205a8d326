/* Alerts are immutable: one with other labels is another one. */
#include "alert/alert_relabel.h"

#include "base/arena.h"

static int with_labels(
    const struct alert_item *item, const struct labels *labels, struct alert_item **item_out)
{
    struct alert changed = item->alert;
    changed.labels = labels;
    int status = alert_item_new(&changed, item->updated_at_ms, item->guessed_end, item_out);
    return status == 0 ? 1 : status;
}

int alert_relabel(const struct relabel *r, struct alert_item *item, struct alert_item **item_out)
{
    if (relabel_count(r) == 0) {
        *item_out = alert_item_ref(item);
        return 1;
    }
    struct labels_builder b;
    struct arena arena;
    const struct labels *labels = NULL;
    arena_init(&arena, 0);
    labels_builder_init_from(&b, item->alert.labels);
    int kept = relabel_apply(r, &b, &arena);
    int status = kept > 0 ? labels_builder_finish(&b, &labels) : kept;
    labels_builder_release(&b);
    arena_release(&arena);
    if (kept <= 0 || status != 0) {
        return status;
    }
    status = labels_count(labels) > 0 ? with_labels(item, labels, item_out) : 0;
    labels_unref(labels);
    return status;
}
