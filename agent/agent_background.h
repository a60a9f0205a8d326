/* One thread beside the loop, for what waits on a disk: syncs of the queues, one after the other. */
#ifndef SONDE_AGENT_AGENT_BACKGROUND_H
#define SONDE_AGENT_AGENT_BACKGROUND_H

#include "base/loop.h"
#include "base/workpool.h"
#include "ship/outbox.h"

/* Under way at a time: one for each queue. */
#define AGENT_BACKGROUND_JOBS_MAX 2

struct agent_background_job {
    struct agent_background *background;
    bool busy; /* until the loop was told */
    void (*work)(void *argument);
    void (*done)(void *argument);
    void *argument;
};

struct agent_background {
    struct shipper_background interface; /* first: hand out &background.interface */
    struct loop *loop;
    struct workpool *pool;
    struct agent_background_job jobs[AGENT_BACKGROUND_JOBS_MAX];
};

int agent_background_open(struct agent_background *b, struct loop *loop);
/* Waits for what runs. What is done and not yet told to the loop is not told any more. */
void agent_background_close(struct agent_background *b);

#endif
