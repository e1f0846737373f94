/* What time it is, and how it is written.
 *
 * Knows the kernel's clocks alone. Any thread. */
#ifndef MOONGATE_MOMENT_H
#define MOONGATE_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOMENT_ISO_SIZE = 32 }; /* bytes moment_iso() needs, the NUL included */

int64_t moment_wall_us(void);      /* since 1970, UTC */
int64_t moment_monotonic_us(void); /* since some start; never goes back */

/* A test's knob (MOONGATE_TIME_SCALE): from now on moment_monotonic_us(), and with it every
 * deadline, runs so many times as fast, 1 to 1000. Before any thread and any deadline. What
 * measures the processor, or waits in a system call, goes by the other two. */
void moment_hurry(unsigned times);
int64_t moment_unhurried_us(void);          /* monotonic, as the kernel has it */
int64_t moment_unhurried(int64_t how_long); /* that much time in the world, rounded up */

/* A C test's clock: from now on moment_monotonic_us() says this, until it is told another time.
 * In one thread; what waits in the kernel still does so by the kernel's clock. */
void moment_stand(int64_t us);

/* "2026-11-22T08:00:00.123Z" of milliseconds since 1970, years 0 to 9999; what lies outside is
 * written as the nearest such moment. */
void moment_iso(int64_t wall_ms, char out[MOMENT_ISO_SIZE]);
/* And back: of that form alone. False: it is not. */
bool moment_of_iso(const char *text, size_t len, int64_t *wall_ms)
    __attribute__((warn_unused_result));

#endif
