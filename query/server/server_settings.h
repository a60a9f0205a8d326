/* What reading, comparing and writing of the configuration know of its table besides the rows. */
#ifndef SONDE_SERVER_SETTINGS_H
#define SONDE_SERVER_SETTINGS_H

#include "server/server_config.h"

/* Does a running server take a change of this setting over? The others wait for a restart. */
bool server_setting_is_live(const struct config_field *f);
/* The word of the file that stands for the value of a setting of kind CONFIG_CUSTOM. */
const char *server_setting_word(const struct config_field *f, const void *member);

#endif
