/* Texts inside URLs: percent-encoding (RFC 3986, section 2) and query parameters. */
#ifndef SONDE_DISCOVERY_URL_TEXT_H
#define SONDE_DISCOVERY_URL_TEXT_H

#include "base/strbuf.h"

/* Everything but unreserved characters as %XX. */
void url_add_encoded(struct strbuf *url, struct str text);
/* ?name=value, or &name=value when there is a query already; both encoded. */
void url_add_parameter(struct strbuf *url, struct str name, struct str value);

#endif
