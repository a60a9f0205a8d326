/* Three members, one way to write each; and times to be read. */
#include "alert/alert_json.h"

#include "base/rfc3339.h"

/* Programs in other zones than UTC write their zero time a little after Go's. */
#define ABSENT_MS_MAX (RFC3339_GO_ZERO_MS + INT64_C(366) * 86400000)

int alert_json_parse_time(struct str text, int64_t *time_ms_out)
{
    int status = rfc3339_parse(text, time_ms_out);
    if (status == 0 && *time_ms_out < ABSENT_MS_MAX) {
        *time_ms_out = 0;
    }
    return status;
}

void alert_json_time(struct json_writer *w, const char *key, int64_t time_ms)
{
    json_key(w, key);
    rfc3339_json(w, time_ms != 0 ? time_ms : RFC3339_GO_ZERO_MS);
}

void alert_json_pairs(
    struct json_writer *w, const char *key, const struct label *pairs, size_t count)
{
    json_key(w, key);
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(w, pairs[i].name);
        json_string(w, pairs[i].value);
    }
    json_end(w);
}

void alert_json_text(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_cstring(w, value);
}
