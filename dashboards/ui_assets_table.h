/* The table that embed.cmake generates, sorted by path. */
#ifndef SONDE_DASHBOARDS_UI_ASSETS_TABLE_H
#define SONDE_DASHBOARDS_UI_ASSETS_TABLE_H

#include "query/ui_assets.h"

extern const struct ui_asset ui_assets_table[];
extern const size_t ui_assets_count;

#endif
