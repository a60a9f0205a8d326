/* Time zones of the IANA database, read from the system's compiled files (RFC 8536, versions 1 to 4).
 *
 * A zone is immutable and may be shared between threads. Times beyond a file's table follow the rule in
 * its footer, so that future years are right too.
 */
#ifndef SONDE_BASE_ZONE_H
#define SONDE_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/civil.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo"
#define ZONE_NAME_BYTES_MAX 128
#define ZONE_FILE_BYTES_MAX ((size_t)1 << 20)
#define ZONE_ABBREVIATION_BYTES_MAX 32

struct zone;

struct zone_offset {
    int32_t seconds; /* east of Greenwich */
    bool daylight_saving;
    const char *abbreviation; /* "CET"; as long-lived as the zone */
};

/* "UTC" and "" need no file. ERR_INVALID for a name that could leave the directory, ERR_NOT_FOUND with a
 * sentence, ERR_CORRUPT, ERR_IO, ERR_NOMEM. `fs` NULL = vfs_posix(). */
int zone_open(struct vfs *fs, struct str name, struct zone **zone_out, struct err *e);
/* The same of a file's bytes, which are not kept. */
int zone_parse(struct str name, struct str bytes, struct zone **zone_out, struct err *e);
/* Accepts NULL. */
void zone_free(struct zone *z);
const char *zone_name(const struct zone *z);

struct zone_offset zone_at(const struct zone *z, int64_t seconds);
struct civil_time zone_civil(const struct zone *z, int64_t seconds);
/* The moment a clock on the wall shows `t`. Of a time that comes twice the first; of one that is left
 * out, as many seconds after the jump as it is after the jump's beginning. */
int64_t zone_seconds(const struct zone *z, const struct civil_time *t);

#endif
