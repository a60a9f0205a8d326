/* Three members, one way to write each. */
#include "alert/alert_json.h"

#include "alert/rfc3339.h"

void alert_json_time(struct json_writer *w, const char *key, int64_t time_ms)
{
    struct strbuf text = STRBUF_INIT;
    rfc3339_write(&text, time_ms);
    json_key(w, key);
    json_string(w, strbuf_str(&text));
    strbuf_release(&text);
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
