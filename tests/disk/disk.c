/* A disk that fails when it is told to: preloaded into the gateway, stands between it and the C
 * library. The file that MOONGATE_TEST_DISK names is read at each call, and has lines
 *
 *     fail ERRNO PART      writing to a file whose path holds PART fails
 *     slow MS PART         syncing it takes so long, or until the file says so no more
 *
 * Where there is no such file, everything is as without. The file that MOONGATE_TEST_SYNCED
 * names gets a line "SIZE BEGAN PATH" for each sync that went well: what a power cut would have
 * left, and when it was that much, in milliseconds since 1970.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAP_MS = 10 };

ssize_t write(int fd, const void *bytes, size_t len);
/* By their names in the library: the headers may make one of the other. */
ssize_t disk_pwrite(int fd, const void *bytes, size_t len, off64_t at) __asm__("pwrite");
ssize_t disk_pwrite64(int fd, const void *bytes, size_t len, off64_t at) __asm__("pwrite64");
int fdatasync(int fd);
int fsync(int fd);

/* The number behind `word` in a line whose part is in the file's path; 0: none. */
static long told(const char *word, int fd)
{
    const char *control = getenv("MOONGATE_TEST_DISK");
    char text[512], link[64], path[512], *line, *rest = text;
    int file = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;

    if (file < 0) return 0;
    ssize_t len = read(file, text, sizeof(text) - 1);
    close(file);
    if (len <= 0) return 0;
    text[len] = '\0';
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0) return 0;
    path[len] = '\0';
    while ((line = strsep(&rest, "\n"))) {
        char name[16] = "", part[256] = "";
        long number = 0;
        if (sscanf(line, "%15s %ld %255s", name, &number, part) == 3 &&
            strcmp(name, word) == 0 && strstr(path, part))
            return number;
    }
    return 0;
}

static bool fails(int fd)
{
    int saved = errno;
    long number = told("fail", fd);

    errno = number ? (int)number : saved;
    return number != 0;
}

static void slow(int fd)
{
    static const struct timespec nap = {.tv_nsec = NAP_MS * 1000000};

    for (long slept = 0; slept < told("slow", fd); slept += NAP_MS)
        nanosleep(&nap, NULL);
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t len)
{
    return fails(fd) ? -1 : syscall(SYS_write, fd, bytes, len);
}

__attribute__((visibility("default"))) ssize_t disk_pwrite64(int fd, const void *bytes,
                                                             size_t len, off64_t at)
{
    return fails(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

__attribute__((visibility("default"))) ssize_t disk_pwrite(int fd, const void *bytes,
                                                           size_t len, off64_t at)
{
    return disk_pwrite64(fd, bytes, len, at);
}

/* The size is from before the sync: what is written meanwhile may not be on disk. */
static void note(int fd, off_t size, const struct timespec *began)
{
    const char *file = getenv("MOONGATE_TEST_SYNCED");
    char link[64], path[512], line[600];
    int out = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

    if (out < 0) return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (len > 0) {
        path[len] = '\0';
        int n = snprintf(line, sizeof(line), "%lld %lld %s\n", (long long)size,
                         (long long)began->tv_sec * 1000 + began->tv_nsec / 1000000, path);
        (void)!syscall(SYS_write, out, line, (size_t)n);
    }
    close(out);
}

static int sync_by(long call, int fd)
{
    struct stat facts = {.st_size = 0};
    struct timespec began = {.tv_sec = 0};

    slow(fd);
    if (fails(fd)) return -1;
    (void)clock_gettime(CLOCK_REALTIME, &began);
    (void)fstat(fd, &facts);
    int status = (int)syscall(call, fd);
    int saved = errno;
    if (status == 0) note(fd, facts.st_size, &began);
    errno = saved;
    return status;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}
