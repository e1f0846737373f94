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

struct gate {
    struct admission *admission; /* borrowed */
    unsigned worker;
    unsigned most;      /* requests in flight */
    int64_t queue_us;   /* how long one may have waited; 0: for ever */
    int64_t turn_us;    /* when this turn's work began */
    int64_t late_us;    /* since when every turn had somebody who waited too long; 0: none */
    int64_t refused_us; /* when it last refused for that */
    bool late;          /* somebody did in this turn */
    bool shedding;      /* turns are kept short, and who would make them long is refused */
};

void gate_open(struct gate *gate, struct admission *admission, unsigned worker);

/* A head came while the worker held `requests`. `coming`: bytes of the large bodies that are on
 * their way to it; `large`: one of them is this request's. */
enum shed gate_enter(struct gate *gate, size_t requests, size_t coming, bool large);
/* It comes to its turn only now. */
enum shed gate_begin(struct gate *gate);

/* Around the work of a turn. */
void gate_turn_begins(struct gate *gate);
void gate_turn_ends(struct gate *gate);

#endif
