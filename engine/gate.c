#include "gate.h"

#include "moment.h"

enum {
    /* A queue that one long turn made goes away by itself: a reload, a machine that paused. One
     * that stays does not (CoDel's insight: what counts is the wait that nobody escapes). */
    PERSISTS_US = 1000 * 1000,
    /* Who was overloaded a moment ago is so again sooner. */
    LATELY_US = 10 * 1000 * 1000,
    PERSISTS_AGAIN_US = 100 * 1000,
    QUEUE_AGAIN_US = 50 * 1000,
    /* While others are refused, those are served that come to their turn this soon after the
     * first. Their answers are work for the next turn; so it is twice that, and what the
     * refusals cost. */
    SHORT_TURN_US = 4 * 1000,
    /* It is over when a worker finds time to wait: an eighth of this long. */
    WINDOW_US = 200 * 1000,
    /* Turns so long are worth a system call that tells what lies in the kernel, and one for
     * each so many heads. */
    LONG_TURN_US = 5 * 1000,
    HEADS_A_SAMPLE = 32,
};

void gate_open(struct gate *gate, struct admission *admission, unsigned worker)
{
    const struct admission_options *options = admission_options(admission);

    *gate = (struct gate){
        .admission = admission,
        .worker = worker,
        .most = options->in_flight,
        .grown = SIZE_MAX,
        .queue_us = (int64_t)options->queue_ms * 1000,
    };
}

/* Whoever was let in lately, and is still here, takes of the room that is found now: what they
 * will hold could not be seen yet. So one look serves a whole turn, however long it is: its
 * requests have taken nothing before its scripts run. */
static void look_for_room(struct gate *gate, size_t requests)
{
    unsigned look, room = admission_room(gate->admission, &look);

    if (gate->looked || look == gate->look) return;
    gate->look = look;
    gate->looked = true;
    gate->at = (gate->at + 1) % GATE_LOOKS;
    gate->lately -= gate->let_in[gate->at];
    gate->let_in[gate->at] = 0;
    size_t unseen = gate->lately < requests ? gate->lately : requests;
    gate->grown = requests + (room > unseen ? room - unseen : 0);
}

enum shed gate_enter(struct gate *gate, size_t requests, size_t coming, bool large)
{
    gate->heads++;
    look_for_room(gate, requests);
    if (admission_pressed(gate->admission) || requests >= gate->grown) return SHED_MEMORY;
    if (requests >= gate->most) return SHED_IN_FLIGHT;
    if (large) {
        admission_tell(gate->admission, gate->worker, requests, coming);
        if (!admission_fits(gate->admission)) return SHED_MEMORY;
    }
    gate->let_in[gate->at]++;
    gate->lately++;
    return SHED_NONE;
}

bool gate_wants_age(const struct gate *gate)
{
    return gate->long_us >= LONG_TURN_US && gate->heads % HEADS_A_SAMPLE == 1;
}

void gate_age(struct gate *gate, int64_t us)
{
    if (us > gate->before_us) gate->before_us = us;
}

/* It waited for too long, and so do all. */
static bool persists(struct gate *gate, int64_t now)
{
    bool again = gate->ended_us && now - gate->ended_us < LATELY_US;
    int64_t most = again && gate->queue_us > QUEUE_AGAIN_US ? QUEUE_AGAIN_US : gate->queue_us;

    if (now - gate->turn_us + gate->before_us < most) return false;
    gate->late = true;
    if (!gate->late_us) gate->late_us = now;
    return now - gate->late_us >= (again ? PERSISTS_AGAIN_US : PERSISTS_US);
}

enum shed gate_begin(struct gate *gate)
{
    if (!gate->queue_us) return SHED_NONE;
    int64_t now = moment_unhurried_us();
    if (!gate->shedding && persists(gate, now)) {
        gate->shedding = true;
        gate->window_us = 0;
    }
    if (!gate->first_us) gate->first_us = now;
    return gate->shedding && now - gate->first_us >= SHORT_TURN_US ? SHED_QUEUE : SHED_NONE;
}

void gate_turn_begins(struct gate *gate)
{
    gate->turn_us = moment_unhurried_us();
    gate->looked = false;
    gate->first_us = 0;
    gate->late = false;
}

void gate_scripts_ran(struct gate *gate)
{
    if (gate->first_us && !gate->late) gate->late_us = 0;
    gate->heads = 0;
    gate->before_us = 0;
}

/* Is there time left over? */
static void look_for_idleness(struct gate *gate, int64_t now, int64_t idle_us)
{
    int64_t passed = now - gate->window_us;

    if (gate->window_us && passed < WINDOW_US) return;
    if (gate->window_us && moment_unhurried(idle_us - gate->window_idle_us) >= passed / 8) {
        gate->shedding = false;
        gate->ended_us = now;
    }
    gate->window_us = now;
    gate->window_idle_us = idle_us;
}

void gate_turn_ends(struct gate *gate, int64_t idle_us)
{
    int64_t now = moment_unhurried_us();

    gate->long_us = now - gate->turn_us;
    if (gate->shedding) look_for_idleness(gate, now, idle_us);
}
