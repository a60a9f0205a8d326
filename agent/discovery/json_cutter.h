/* Cuts a JSON text into the values it is made of while it comes in, so that of a list of any length one
 * element is in memory at a time.
 *
 *   sequence    v v v …                          each v: a watch's events
 *   otherwise   [ v, v, … ]                      each v
 *               { "key": v, "list": [ v, … ] }   each member's v; of the member `list_key` each element
 *
 * What lies around the values is checked here; a value itself is only balanced, and is read (and perhaps
 * refused) by who takes it. RFC 8259.
 */
#ifndef SONDE_DISCOVERY_JSON_CUTTER_H
#define SONDE_DISCOVERY_JSON_CUTTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

#define JSON_CUTTER_KEY_MAX ((size_t)4096)

struct json_cutter_options {
    bool sequence;
    const char *list_key; /* NULL: none. Its value is handed in whole where it is no list */
    size_t value_max;     /* bytes of one value; a longer one ends it all with ERR_LIMIT */
    /* A value with its member's key ("" where it has none), both borrowed. What is not 0 ends it all. */
    int (*take)(void *context, struct str key, struct str value);
    void *context;
};

struct json_cutter {
    struct json_cutter_options options;
    struct strbuf key, value; /* the value in the making, and the key it belongs to */
    int error;                /* sticks */
    uint8_t state;
    uint8_t level;      /* lists and objects that are open around the values: 0 to 2 */
    char closers[2];    /* of these */
    bool quoted;        /* inside a string */
    bool escaped;       /* after a backslash in one */
    size_t value_depth; /* brackets open inside the value */
};

/* Strings of the options are borrowed for the cutter's life. */
void json_cutter_init(struct json_cutter *c, const struct json_cutter_options *options);
void json_cutter_release(struct json_cutter *c);
/* Ready for another text. */
void json_cutter_reset(struct json_cutter *c);
/* The next bytes. 0, ERR_INVALID, ERR_LIMIT, ERR_NOMEM, or what `take` has said. */
int json_cutter_feed(struct json_cutter *c, struct str bytes);
/* The text ends here: ERR_INVALID when something is missing. */
int json_cutter_end(struct json_cutter *c);

#endif
