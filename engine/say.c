#include "say.h"

#include <stdarg.h>
#include <stdio.h>

/* Nobody is left to tell when a terminal takes no words. */
void say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void)vfprintf(stdout, format, list);
    va_end(list);
}

void say_error(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
}
