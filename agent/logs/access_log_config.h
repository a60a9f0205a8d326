/* Settings of access logs: the list `access_logs` of the agent's file. */
#ifndef SONDE_LOGS_ACCESS_LOG_CONFIG_H
#define SONDE_LOGS_ACCESS_LOG_CONFIG_H

#include "base/config.h"

#define ACCESS_LOG_JOBS_MAX 100
#define ACCESS_LOG_ROUTES_MAX 1000
#define ACCESS_LOG_BUCKETS_MAX 64

struct access_log_route {
    const char *pattern; /* of the whole path */
    const char *route;
};

struct access_log_config {
    const char *job;
    const char *service;
    struct config_strings files;
    const char *format;  /* common, combined, json, logfmt, pattern */
    const char *pattern; /* of format pattern: nginx's log_format */
    struct config_map fields;
    const char *duration_unit; /* s, ms, us, ns */
    struct config_list routes; /* struct access_log_route */
    bool templates;
    bool by_host;
    bool from_beginning;
    struct config_strings buckets;
    struct config_map labels;
    int64_t series_max, routes_max, hosts_max;
    int64_t interval_ms, idle_ms;
};

/* Rows of one entry of the list. */
extern const struct config_field access_log_fields[];

#endif
