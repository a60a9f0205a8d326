/* A manager of units that exists for a test: what the systemd collector asks, answered from tables over
 * a socket of its own, by a thread. */
#ifndef SONDE_TESTS_FAKE_SYSTEMD_H
#define SONDE_TESTS_FAKE_SYSTEMD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FAKE_UNITS_MAX = 8 };

struct fake_unit {
    const char *name;
    const char *load, *active;
    const char *type; /* NULL: it has no property Type */
    uint64_t last_trigger_us, active_enter_us, tasks_current, tasks_max;
    uint32_t accepted, connections, refused, restarts;
};

struct fake_systemd {
    const char *system_state, *version, *virtualization;
    struct fake_unit units[FAKE_UNITS_MAX];
    int unit_count;
    _Atomic bool mute; /* takes questions and answers none */
    char address[160]; /* for the collector's setting */
    int listener, stop_pipe[2];
    pthread_t thread;
};

/* Listens below `directory` and answers until it is stopped. Fill the tables before. */
void fake_systemd_start(struct fake_systemd *f, const char *directory);
void fake_systemd_stop(struct fake_systemd *f);

#endif
