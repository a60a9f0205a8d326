/* The labels of OTLP's series; private to base/wire. */
#ifndef SONDE_WIRE_OTLP_LABELS_H
#define SONDE_WIRE_OTLP_LABELS_H

#include "wire/otlp_names.h"

/* Attributes of one point, resource or scope that are looked at. */
enum { OTLP_ATTRIBUTES_MAX = 512, OTLP_SET_MAX = 4 * OTLP_ATTRIBUTES_MAX };

/* A set in name order. Names and values are borrowed. */
struct otlp_label_set {
    size_t count;
    struct label items[OTLP_SET_MAX];
};

/* The value of an attribute; empty when it is absent. */
struct str otlp_attribute(const struct otlp_attributes *attributes, struct str name);
/* Adds attributes under their labels' names. Two of one name are joined with ';', in the order of the
 * attributes' own names. Those for which `skip` says so are left out (NULL: none). ERR_INVALID for more
 * than OTLP_ATTRIBUTES_MAX or an empty name; ERR_NOMEM, ERR_LIMIT. */
int otlp_labels_add_attributes(struct otlp_label_set *set, const struct otlp_attributes *attributes,
    enum otlp_naming naming, bool (*skip)(const void *context, struct str name),
    const void *context, struct arena *arena);
/* Sets or replaces; an empty value removes. */
void otlp_labels_set(struct otlp_label_set *set, struct str name, struct str value);
/* Sets unless it is there. */
void otlp_labels_set_default(struct otlp_label_set *set, struct str name, struct str value);
bool otlp_labels_has(const struct otlp_label_set *set, struct str name);
/* service.namespace/service.name as job, service.instance.id as instance. */
int otlp_labels_set_identity(
    struct otlp_label_set *set, const struct otlp_attributes *resource, struct arena *arena);
/* service.name, service.namespace, service.instance.id: what job and instance are made of. */
bool otlp_is_identifying(const void *unused, struct str name);

#endif
