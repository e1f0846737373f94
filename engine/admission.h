/* How much a process takes on: what all workers look at before they let a request in.
 *
 * The watchdog's thread measures (admission_look()); workers read what it found and tell what
 * they hold. No lock. Knows no HTTP and no Lua. */
#ifndef MOONGATE_ADMISSION_H
#define MOONGATE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission;
struct log;
struct metrics;

enum shed { SHED_NONE, SHED_IN_FLIGHT, SHED_MEMORY, SHED_QUEUE, SHED_REASONS };

struct admission_options {
    unsigned workers;
    unsigned in_flight;      /* requests of one worker at once */
    size_t memory;           /* bytes the process should not pass; 0: no ceiling */
    unsigned queue_ms;       /* how long a request may have waited for its turn; 0: for ever */
    struct metrics *metrics; /* borrowed, as is the log */
    struct log *log;
};

struct admission *admission_new(const struct admission_options *options)
    __attribute__((warn_unused_result));
void admission_free(struct admission *admission);

/* Three quarters of what this machine, or the control group that the process is in, may use.
 * `root`: where /proc and /sys are; "" but in tests. */
size_t admission_usual_memory(const char *root);

/* Measure, tell metrics and log. The watchdog's thread, every ADMISSION_LOOK_MS. */
enum { ADMISSION_LOOK_MS = 100 };
void admission_look(struct admission *admission, int64_t now_ms);

/* ---- for workers ---- */

const struct admission_options *admission_options(const struct admission *admission);
/* This worker holds so many requests, and bodies of so many bytes are on their way to it. */
void admission_tell(struct admission *admission, unsigned worker, size_t requests,
                    size_t coming);
/* Has another worker room for a request? */
bool admission_room_elsewhere(const struct admission *admission, unsigned worker);
/* The process is so large that nothing new may begin. */
bool admission_pressed(const struct admission *admission);
/* By how many requests a worker may grow until the next look, and which look this was. */
unsigned admission_room(const struct admission *admission, unsigned *look);
/* Is there room for all bodies that are on their way, and for what is made of them? */
bool admission_fits(const struct admission *admission);
/* A request was refused. */
void admission_count(struct admission *admission, unsigned worker, enum shed why);

#endif
