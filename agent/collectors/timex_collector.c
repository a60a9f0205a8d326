/* State of the clock's discipline, adjtimex(2): how far the clock is off, and whether anybody steers
 * it. Asking needs no privilege; sandboxes that forbid the call leave the collector without data. */
#include <errno.h>
#include <sys/timex.h>

#include "collectors/rows.h"

/* Frequencies are ppm with a 16-bit fraction. */
#define PPM_16 (65536.0 * 1000000.0)
#define MICROSECOND 1e6
#define NANOSECOND 1e9

static int timex_collect(struct collect *c, void *state)
{
    (void)state;
    struct timex t = {.modes = 0};
    int clock_state = adjtimex(&t);
    if (clock_state < 0) {
        return errno == EPERM || errno == ENOSYS ? ERR_NOT_FOUND : ERR_IO;
    }
    double divisor = (t.status & STA_NANO) != 0 ? NANOSECOND : MICROSECOND;
    const struct {
        const char *name;
        enum metric_type type;
        double value;
        const char *help;
    } rows[] = {
        {"node_timex_estimated_error_seconds", METRIC_TYPE_GAUGE, (double)t.esterror / MICROSECOND,
            "Error of the clock as estimated."},
        {"node_timex_frequency_adjustment_ratio", METRIC_TYPE_GAUGE, 1 + (double)t.freq / PPM_16,
            "How fast the clock is made to run."},
        {"node_timex_loop_time_constant", METRIC_TYPE_GAUGE, (double)t.constant,
            "Time constant of the phase-locked loop."},
        {"node_timex_maxerror_seconds", METRIC_TYPE_GAUGE, (double)t.maxerror / MICROSECOND,
            "Largest error the clock can have."},
        {"node_timex_offset_seconds", METRIC_TYPE_GAUGE, (double)t.offset / divisor,
            "How far the clock is from its reference."},
        {"node_timex_pps_calibration_total", METRIC_TYPE_COUNTER, (double)t.calcnt,
            "Calibrations by pulse per second."},
        {"node_timex_pps_error_total", METRIC_TYPE_COUNTER, (double)t.errcnt,
            "Failed calibrations by pulse per second."},
        {"node_timex_pps_frequency_hertz", METRIC_TYPE_GAUGE, (double)t.ppsfreq / PPM_16,
            "Frequency of the pulse per second."},
        {"node_timex_pps_jitter_seconds", METRIC_TYPE_GAUGE, (double)t.jitter / divisor,
            "Jitter of the pulse per second."},
        {"node_timex_pps_jitter_total", METRIC_TYPE_COUNTER, (double)t.jitcnt,
            "Pulses with too much jitter."},
        {"node_timex_pps_shift_seconds", METRIC_TYPE_GAUGE, (double)t.shift,
            "Length of the calibration interval."},
        {"node_timex_pps_stability_exceeded_total", METRIC_TYPE_COUNTER, (double)t.stbcnt,
            "Calibrations with too much wander."},
        {"node_timex_pps_stability_hertz", METRIC_TYPE_GAUGE, (double)t.stabil / PPM_16,
            "Wander of the pulse per second."},
        {"node_timex_status", METRIC_TYPE_GAUGE, t.status, "Status bits of the clock."},
        {"node_timex_sync_status", METRIC_TYPE_GAUGE, clock_state != TIME_ERROR,
            "1 while the clock follows a reference."},
        {"node_timex_tai_offset_seconds", METRIC_TYPE_GAUGE, t.tai,
            "How far International Atomic Time is ahead of UTC."},
        {"node_timex_tick_seconds", METRIC_TYPE_GAUGE, (double)t.tick / MICROSECOND,
            "Time the clock moves on at each tick."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        metric_single(c->sink, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    }
    return 0;
}

const struct collector timex_collector = {
    .name = "timex",
    .help = "State of the clock's discipline (adjtimex)",
    .default_enabled = true,
    .state_size = 0,
    .collect = timex_collect,
};
