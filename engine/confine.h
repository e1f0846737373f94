/* What a gateway's processes give up for good before they serve. Linux only; before any thread
 * exists. MATRICES' rows S-40 and S-44 in the tests. */
#ifndef MOONGATE_CONFINE_H
#define MOONGATE_CONFINE_H

#include <stdbool.h>

/* Leave no core file and let nobody of the same user look inside: keys and prompts are there.
 */
void confine_memory(void);

/* Refuse (EPERM) what only an intruder would ask of the kernel: other programs, other
 * processes' memory, mounts, modules, namespaces. False: this kernel cannot (errno). */
bool confine_calls(void);

#endif
