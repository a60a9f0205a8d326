/* CRC-32C (Castagnoli; RFC 3720, appendix B.4): the checksum of every file in a Prometheus block. Our
 * own files use XXH3 (base/hash.h). */
#ifndef SONDE_TSDB_CRC32C_H
#define SONDE_TSDB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes that follow bytes whose checksum is `crc`; 0 to begin with. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
