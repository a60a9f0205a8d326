/* Answers of name servers, RFC 1035 section 4 and RFC 2782 (SRV), as far as they name targets.
 *
 *   header    id, flags (the low four bits: 0 good, 3 no such name), number of questions, of answers, of
 *             two more kinds of records: six 16-bit numbers, most significant byte first
 *   question  name, type, class
 *   record    name, type 16, class 16, time to live 32, length 16, that many bytes:
 *               A 4 bytes, AAAA 16, NS a name, MX preference 16 and a name,
 *               SRV priority 16, weight 16, port 16 and a name
 *   name      labels of one byte of length (at most 63) and text, ended by a length of 0, or going on at
 *             an earlier place: two bytes, the upper two bits set, the others the place
 */
#ifndef SONDE_DISCOVERY_DNS_MESSAGE_H
#define SONDE_DISCOVERY_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_MX = 15, DNS_AAAA = 28, DNS_SRV = 33 };

#define DNS_MESSAGE_MAX 65535
/* A name as text, final dot and terminating zero included; longer ones are corrupt. */
#define DNS_NAME_MAX 1025

struct dns_record {
    enum dns_type type;
    uint16_t port;             /* of SRV */
    char target[DNS_NAME_MAX]; /* an address as text, or a name with its final dot */
};

/* Calls `visit` for each answer of the wanted type, until it returns non-zero, which is handed back. A
 * message that says there is no such name has none. ERR_CORRUPT; ERR_IO when the server refuses. */
int dns_message_read(const uint8_t *message, size_t size, enum dns_type wanted,
    int (*visit)(void *context, const struct dns_record *record), void *context);

#endif
