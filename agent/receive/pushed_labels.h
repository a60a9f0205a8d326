/* Labels of protocols that have other alphabets: names get '_' where Prometheus allows nothing else, values
 * that are no UTF-8 are refused. A label that comes twice keeps the last value. One thread. */
#ifndef SONDE_RECEIVE_PUSHED_LABELS_H
#define SONDE_RECEIVE_PUSHED_LABELS_H

#include "intake/intake.h"

#define PUSHED_LABELS_MAX 128

struct pushed_labels {
    struct strbuf *text; /* names and values, one behind the other */
    struct {
        size_t at, name_size, value_size;
    } labels[PUSHED_LABELS_MAX];
    size_t count;
    int error;
};

/* `text` is emptied, used, and borrowed until the labels are encoded; `metric` is copied. */
void pushed_labels_begin(struct pushed_labels *l, struct strbuf *text, struct str metric);
/* Both are copied. ERR_INVALID sticks for a name that is empty or becomes __name__. */
void pushed_labels_add(struct pushed_labels *l, struct str name, struct str value);
/* As the door of samples wants them, with its external labels, into `out`. 0, ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
int pushed_labels_encode(
    const struct pushed_labels *l, const struct intake *intake, struct strbuf *out);

#endif
