/* What a sender goes by: a copy of its options that owns every text, and the maker of its requests. So a
 * configuration may go while a request that was made under it is on its way. Private to agent/ship.
 */
#ifndef SONDE_SHIP_SENDER_SETTINGS_H
#define SONDE_SHIP_SENDER_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "ship/sender.h"

struct sender_settings {
    struct arena arena;
    struct sender_options options; /* texts in the arena; what is 0 by default is filled in */
    struct http_profile profile;
    struct request_maker *maker;
};

/* Makes the same requests of the same batches. */
bool sender_settings_same_requests(
    const struct sender_settings *a, const struct sender_settings *b);
/* Sends them to the same receiver as the same sender: what that has answered still holds. */
bool sender_settings_same_receiver(
    const struct sender_settings *a, const struct sender_settings *b);

#endif
