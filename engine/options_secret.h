/* What is told by the environment alone, since a command line is everybody's to read: taken
 * once, then wiped from it, so that no child and no /proc shows it.
 *
 * Start-up only, before any thread. */
#ifndef MOONGATE_OPTIONS_SECRET_H
#define MOONGATE_OPTIONS_SECRET_H

#include <stdbool.h>

#include "moongate.h"

/* MOONGATE_ADMIN_TOKEN (or the file that --admin-token-file names), MOONGATE_REDIS_URL,
 * MOONGATE_POSTGRES_URL, MOONGATE_NODE into the options: copies, until options_drop_secrets().
 * False: something was wrong and was said. */
bool options_take_secrets(struct moongate_options *options, const char *token_file)
    __attribute__((warn_unused_result));
/* Wipe and free the copies. */
void options_drop_secrets(struct moongate_options *options);

#endif
