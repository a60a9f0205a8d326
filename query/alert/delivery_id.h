/* Names that nobody else gives: UUIDs of version 4 for silences and messages. */
#ifndef SONDE_QUERY_DELIVERY_ID_H
#define SONDE_QUERY_DELIVERY_ID_H

#include <stddef.h>

#define DELIVERY_ID_SIZE 41 /* "msg_", a UUID, the zero */

/* 36 characters and a zero: "f81d4fae-7dec-4d0a-a765-00a0c91e6bf6". */
void delivery_id_uuid(char text_out[37]);
/* "msg_" and a UUID. */
void delivery_id_new(char text_out[DELIVERY_ID_SIZE]);

#endif
