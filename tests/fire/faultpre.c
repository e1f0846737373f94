/* Preloaded into a gateway: a machine that is out of sorts. What goes wrong is read from a file
 * of 64 bytes that FAULTPRE names, so that a test can change it while the gateway runs:
 *
 *     countdown of allocations until one fails (0: none does) | how many failed
 *     per mille of reads and writes that are cut short | that end with EINTR
 *     per mille of new descriptors refused with EMFILE | of sends refused with ENOBUFS
 *     the pid that this is about, 0 for all | allocations counted
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "sanitized.h"

#define EXPORT __attribute__((visibility("default")))

struct faults {
    _Atomic int64_t countdown;
    _Atomic int64_t failed;
    _Atomic int64_t shortened;
    _Atomic int64_t interrupted;
    _Atomic int64_t no_descriptor;
    _Atomic int64_t no_buffer;
    _Atomic int64_t pid;
    _Atomic int64_t allocations;
};

static struct faults none;
static struct faults *faults = &none;
static atomic_uint dice = 12345;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTPRE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0) return;
    void *at = mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED) faults = at;
}

static bool is_meant(void)
{
    int64_t pid = atomic_load(&faults->pid);

    return pid == 0 || pid == getpid();
}

static unsigned throw(void)
{
    unsigned x = atomic_fetch_add(&dice, 0x9e3779b9u);

    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

static bool strikes(_Atomic int64_t *rate)
{
    int64_t per_mille = atomic_load_explicit(rate, memory_order_relaxed);

    return per_mille > 0 && is_meant() && throw() % 1000 < per_mille;
}

static bool is_called_by(const void *caller, const char *library)
{
    Dl_info found;

    return dladdr(caller, &found) && found.dli_fname && strstr(found.dli_fname, library);
}

#if SANITIZED

struct walk {
    const void *from; /* a place in the sanitizer's function of the same name */
    const void *caller;
    bool passed;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    const void *here = (const void *)_Unwind_GetIP(context); /* NOLINT: it is a number there */

    if (walk->passed) {
        walk->caller = here;
        return _URC_NORMAL_STOP;
    }
    walk->passed = here == walk->from;
    return _URC_NO_REASON;
}

/* Who called what called us: the sanitizer stands between a library and what is preloaded. */
static const void *beyond(const void *caller)
{
    struct walk walk = {.from = caller};

    (void)_Unwind_Backtrace(step, &walk);
    return walk.caller ? walk.caller : caller;
}

#else

static const void *beyond(const void *caller)
{
    return caller;
}

#endif

/* Whoever waits for the edges of a socket relies on the kernel there: that a short read has
 * read all there was. Of those that ask by level anything can be withheld. */
static bool waits_for_edges(const void *caller)
{
    return is_called_by(beyond(caller), "microhttpd");
}

static size_t cut(size_t len, const void *caller)
{
    if (len <= 1 || !strikes(&faults->shortened) || waits_for_edges(caller)) return len;
    return 1 + throw() % (len - 1);
}

static bool fails(_Atomic int64_t *rate, int error)
{
    if (!strikes(rate)) return false;
    errno = error;
    return true;
}

static bool interrupted(const void *caller)
{
    return strikes(&faults->interrupted) && !waits_for_edges(caller) && (errno = EINTR);
}

#define REAL(name)                             \
    static __typeof__(name) *real;             \
    if (!real) {                               \
        void *found = dlsym(RTLD_NEXT, #name); \
        memcpy(&real, &found, sizeof(real));   \
    }

/* ---- reads and writes ---- */

EXPORT ssize_t read(int fd, void *bytes, size_t len)
{
    REAL(read)
    if (interrupted(__builtin_return_address(0))) return -1;
    return real(fd, bytes, cut(len, __builtin_return_address(0)));
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    REAL(write)
    if (interrupted(__builtin_return_address(0))) return -1;
    return real(fd, bytes, cut(len, __builtin_return_address(0)));
}

EXPORT ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    REAL(recv)
    if (interrupted(__builtin_return_address(0))) return -1;
    return real(fd, bytes, cut(len, __builtin_return_address(0)), flags);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    REAL(send)
    if (interrupted(__builtin_return_address(0)) || fails(&faults->no_buffer, ENOBUFS))
        return -1;
    return real(fd, bytes, cut(len, __builtin_return_address(0)), flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg)
    if (interrupted(__builtin_return_address(0)) || fails(&faults->no_buffer, ENOBUFS))
        return -1;
    return real(fd, message, flags);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev)
    if (interrupted(__builtin_return_address(0))) return -1;
    if (count > 1 && strikes(&faults->shortened)) count = 1;
    return real(fd, parts, count);
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    REAL(epoll_wait)
    if (interrupted(__builtin_return_address(0))) return -1;
    return real(fd, events, count, timeout);
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    REAL(poll)
    if (interrupted(__builtin_return_address(0))) return -1;
    return real(fds, count, timeout);
}

/* ---- descriptors ---- */

EXPORT int accept4(int fd, __SOCKADDR_ARG name, socklen_t *restrict len, int flags)
{
    REAL(accept4)
    if (interrupted(__builtin_return_address(0)) || fails(&faults->no_descriptor, EMFILE))
        return -1;
    return real(fd, name, len, flags);
}

EXPORT int socket(int domain, int type, int protocol)
{
    REAL(socket)
    if (fails(&faults->no_descriptor, EMFILE)) return -1;
    return real(domain, type, protocol);
}

/* ---- memory ---- */

/* libgcc does not look at what it was given when LuaJIT registers a trace's frame with it, and
 * libcurl 7.88 divides by the size of a table that it could not make (SIGFPE in its socket
 * table): their allocations are left alone. */
static bool trusts_malloc(const void *caller)
{
    return is_called_by(caller, "libgcc") || is_called_by(caller, "libcurl");
}

static bool starves(const void *caller)
{
    if (faults == &none || !is_meant()) return false;
    atomic_fetch_add(&faults->allocations, 1);
    if (atomic_load_explicit(&faults->countdown, memory_order_relaxed) <= 0) return false;
    if (atomic_fetch_sub(&faults->countdown, 1) != 1) return false;
    if (trusts_malloc(caller)) {
        atomic_store(&faults->countdown, 1); /* the next one instead */
        return false;
    }
    atomic_fetch_add(&faults->failed, 1);
    errno = ENOMEM;
    return true;
}

/* Of a sanitized gateway (starved.c). */
bool faultpre_starves(const void *caller);

EXPORT bool faultpre_starves(const void *caller)
{
    return starves(caller);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

EXPORT void *malloc(size_t size)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}
