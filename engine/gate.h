/* A worker's gate: whether one more request is let in, before any script hears of it.
 *
 * Three looks: how many requests the worker holds, whether the process has the memory, and
 * how long those that came have waited for their turn. Each is a few loads and compares where
 * there is room. Knows neither HTTP nor Lua. One a worker, of its thread alone. */
#ifndef MOONGATE_GATE_H
#define MOONGATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission.h"

/* A request's memory is not there when it is let in, but by and by: some turns later. */
enum { GATE_LOOKS = 8 };

struct gate {
    struct admission *admission; /* borrowed */
    unsigned worker;
    unsigned most;                   /* requests in flight */
    unsigned look;                   /* at memory; the last one that was heard of */
    bool looked;                     /* in this turn */
    size_t grown;                    /* requests at which it is too much until the next look */
    unsigned lately;                 /* let in since the last GATE_LOOKS of these, */
    unsigned let_in[GATE_LOOKS], at; /* after each of them */

    int64_t queue_us;  /* how long one may have waited; 0: for ever */
    int64_t turn_us;   /* when this turn's work began */
    int64_t long_us;   /* how long the last turn's was */
    int64_t before_us; /* what the oldest seen of the heads had waited until it was read */
    unsigned heads;    /* read since scripts last ran */
    int64_t first_us;  /* when the first of this turn's began; 0: none did */
    bool late;         /* somebody waited too long in this turn */
    int64_t late_us;   /* since when every turn had such; 0: none */
    bool shedding;     /* turns are kept short, and who would make them long is refused */
    int64_t ended_us;  /* when that ended last; 0: never */
    int64_t window_us, window_idle_us; /* since when it is looked whether there is idle time */
};

void gate_open(struct gate *gate, struct admission *admission, unsigned worker);

/* A head came while the worker held `requests`. `coming`: bytes of the large bodies that are on
 * their way to it; `large`: one of them is this request's. */
enum shed gate_enter(struct gate *gate, size_t requests, size_t coming, bool large);
/* Should be asked how long it lay in the kernel? Of a few where turns are long; then told. */
bool gate_wants_age(const struct gate *gate);
void gate_age(struct gate *gate, int64_t us);
/* It comes to its turn only now. */
enum shed gate_begin(struct gate *gate);

/* Around the work of a turn: before it, when scripts have run, and behind it. `idle_us`: what
 * the worker has waited for something to do, so far.
 */
void gate_turn_begins(struct gate *gate);
void gate_scripts_ran(struct gate *gate);
void gate_turn_ends(struct gate *gate, int64_t idle_us);

#endif
