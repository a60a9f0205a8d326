/* Any bytes as JSON to be cut: what is cut, put together again, is what a parser of the whole text reads; and
 * where the text comes in two pieces does not matter. The first byte chooses that place. */
#include <assert.h>
#include <jansson.h>

#include "base/err.h"
#include "discovery/json_cutter.h"

enum { VALUE_MAX = 1 << 16 };

struct cut {
    json_t *members, *elements; /* what has come, by key and without one */
    size_t bad;                 /* values that are no JSON */
};

static int take(void *context, struct str key, struct str value)
{
    struct cut *c = context;
    json_t *json = json_loadb(value.ptr, value.len, JSON_DECODE_ANY, NULL);
    if (json == NULL) {
        c->bad++;
    } else if (key.len > 0 && memchr(key.ptr, '\0', key.len) == NULL) {
        char name[JSON_CUTTER_KEY_MAX + 1];
        memcpy(name, key.ptr, key.len);
        name[key.len] = '\0';
        json_object_set(c->members, name, json);
    } else {
        json_array_append(c->elements, json);
    }
    json_decref(json);
    return 0;
}

static int cut_at(struct str text, size_t split, struct cut *out)
{
    struct json_cutter cutter;
    const struct json_cutter_options options = {
        .value_max = VALUE_MAX, .take = take, .context = out};
    *out = (struct cut){json_object(), json_array(), 0};
    json_cutter_init(&cutter, &options);
    int status = json_cutter_feed(&cutter, str_make(text.ptr, split));
    status = status == 0 ? json_cutter_feed(&cutter, str_skip(text, split)) : status;
    status = status == 0 ? json_cutter_end(&cutter) : status;
    json_cutter_release(&cutter);
    return status;
}

static void cut_release(struct cut *c)
{
    json_decref(c->members);
    json_decref(c->elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct str text = str_make((const char *)data + 1, size - 1);
    struct cut whole, halves;
    int status = cut_at(text, text.len, &whole);
    int second = cut_at(text, data[0] % (text.len + 1), &halves);
    assert(status == second && whole.bad == halves.bad);
    assert(
        json_equal(whole.members, halves.members) && json_equal(whole.elements, halves.elements));
    json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
    if (root != NULL && status != ERR_LIMIT) {
        assert(status == 0 && whole.bad == 0);
        assert(json_is_array(root)                 ? json_equal(root, whole.elements)
               : json_object_get(root, "") == NULL ? json_equal(root, whole.members)
                                                   : 1);
    }
    if (status == 0 && whole.bad == 0 && root == NULL) {
        /* The parts are good, so the whole is, but for what only a parser of the whole can see: depth. */
        assert(text.len > JSON_PARSER_MAX_DEPTH);
    }
    json_decref(root);
    cut_release(&whole);
    cut_release(&halves);
    return 0;
}
