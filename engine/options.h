/* The words after `moongate VERB`: flags, their values, and the nearest right word.
 *
 * Knows the command line alone. Start-up only. */
#ifndef MOONGATE_OPTIONS_H
#define MOONGATE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "moongate.h"

/* OPERATOR.md 1.4 */
enum exit_code {
    EXIT_FINE = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_BIND = 4,
    EXIT_UNREACHABLE = 5,
    EXIT_REFUSED = 6,
};

/* The flags of `serve`, argv[0] being the verb; they borrow argv's strings. False: something
 * was wrong and was said. */
bool options_read(int argc, char **argv, struct moongate_options *options)
    __attribute__((warn_unused_result));

/* Other machines need a token. False: they would not, and it was said. */
bool options_check_admin(const struct moongate_options *options);

/* Could this be listened on: HOST:PORT or unix:PATH? */
bool options_address(const char *text);

/* The word of a NULL-terminated list that `word` was probably meant to be; NULL: none. */
const char *options_nearest(const char *word, const char *const *words);

#endif
