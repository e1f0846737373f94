#include "gate.h"

#include "moment.h"

enum {
    /* A queue that one long turn made goes away by itself: a reload, a machine that paused. One
     * that stays does not (CoDel's insight: what counts is the wait that nobody escapes). */
    PERSISTS_US = 500 * 1000,
    /* Who is let in while others are refused waits for no more than a turn of this, and one
     * before. */
    SHORT_TURN_US = 8 * 1000,
    CALM_US = 1000 * 1000, /* without a refusal: over */
};

void gate_open(struct gate *gate, struct admission *admission, unsigned worker)
{
    const struct admission_options *options = admission_options(admission);

    *gate = (struct gate){
        .admission = admission,
        .worker = worker,
        .most = options->in_flight,
        .queue_us = (int64_t)options->queue_ms * 1000,
    };
}

enum shed gate_enter(struct gate *gate, size_t requests, size_t coming, bool large)
{
    if (admission_pressed(gate->admission)) return SHED_MEMORY;
    if (requests >= gate->most) return SHED_IN_FLIGHT;
    if (!large) return SHED_NONE;
    admission_tell(gate->admission, gate->worker, requests, coming);
    return admission_fits(gate->admission) ? SHED_NONE : SHED_MEMORY;
}

enum shed gate_begin(struct gate *gate)
{
    int64_t now = moment_unhurried_us(), waited = now - gate->turn_us;

    if (!gate->queue_us) return SHED_NONE;
    if (waited >= gate->queue_us) {
        gate->late = true;
        if (!gate->late_us) gate->late_us = now;
        if (now - gate->late_us >= PERSISTS_US) gate->shedding = true;
    }
    if (!gate->shedding || waited < SHORT_TURN_US) return SHED_NONE;
    gate->refused_us = now;
    return SHED_QUEUE;
}

void gate_turn_begins(struct gate *gate)
{
    gate->turn_us = moment_unhurried_us();
    gate->late = false;
}

void gate_turn_ends(struct gate *gate)
{
    if (!gate->late) gate->late_us = 0;
    if (gate->shedding && gate->turn_us - gate->refused_us > CALM_US) gate->shedding = false;
}
