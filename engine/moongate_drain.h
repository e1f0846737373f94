/* The first half of a stop, for a main loop that goes on listening to signals meanwhile.
 * moongate_stop() has to follow. */
#ifndef MOONGATE_DRAIN_H
#define MOONGATE_DRAIN_H

#include <stdbool.h>

struct moongate;

/* Accept no more; what runs may finish for drain_ms from now. Does not wait. Once more, with
 * less: what runs is cut that much earlier. */
void moongate_drain(struct moongate *gateway, int drain_ms);
/* Whether nothing runs any more. */
bool moongate_drained(const struct moongate *gateway);

#endif
