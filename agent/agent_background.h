/* One thread beside the loop, for what waits on a disk: syncs of the queue. One job at a time. */
#ifndef SONDE_AGENT_AGENT_BACKGROUND_H
#define SONDE_AGENT_AGENT_BACKGROUND_H

#include "base/loop.h"
#include "base/workpool.h"
#include "ship/shipper.h"

struct agent_background {
    struct shipper_background interface; /* first: hand out &background.interface */
    struct loop *loop;
    struct workpool *pool;
    bool busy; /* the job is under way, until the loop was told */
    void (*work)(void *argument);
    void (*done)(void *argument);
    void *argument;
};

int agent_background_open(struct agent_background *b, struct loop *loop);
/* Waits for what runs. What is done and not yet told to the loop is not told any more. */
void agent_background_close(struct agent_background *b);

#endif
