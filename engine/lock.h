/* A lock for critical sections of a few dozen instructions: one word, atomics and a futex.
 *
 * Knows nothing. Any thread; never held across a system call that may wait, never taken twice.
 */
#ifndef MOONGATE_LOCK_H
#define MOONGATE_LOCK_H

#include <stdatomic.h>

/* Zeroed before first use. */
struct lock {
    _Atomic int state; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);

#endif
