/* Words for people at a terminal. Start-up and the command line only: it may block. */
#ifndef MOONGATE_SAY_H
#define MOONGATE_SAY_H

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));       /* stdout */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* stderr */

#endif
