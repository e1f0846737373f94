/* For targets with LuaJIT in them: it keeps its heap where the leak finder does not look for
 * pointers. */
#ifndef MOONGATE_FUZZ_LUAJIT_H
#define MOONGATE_FUZZ_LUAJIT_H

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

#endif
