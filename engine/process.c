#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"

enum { FILE_SIZE = 4096 };

/* A small file as text; false: unreadable. */
static bool read_text(const char *path, char text[FILE_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return false;
    ssize_t n = read(fd, text, FILE_SIZE - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool print(struct buf *out, const char *name, const char *kind, const char *format,
                  double value)
{
    char text[256], number[64];

    (void)snprintf(number, sizeof(number), format, value);
    int len = snprintf(text, sizeof(text), "# TYPE %s %s\n%s %s\n", name, kind, name, number);
    return buf_append(out, text, (size_t)len);
}

static double cpu_seconds(void)
{
    struct timespec used = {0, 0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The second number of statm, in pages. */
static double resident_bytes(void)
{
    char text[FILE_SIZE];
    char *end = text;

    if (!read_text("/proc/self/statm", text)) return -1;
    (void)strtod(text, &end);
    return strtod(end, NULL) * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = -1; /* for the one that reads */

    if (!dir) return -1;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* The boot time of /proc/stat, which is constant, and the start time of /proc/self/stat. */
static double start_seconds(void)
{
    char text[FILE_SIZE], line[256];
    double boot = -1;

    FILE *stat = fopen("/proc/stat", "re");
    while (stat && fgets(line, sizeof(line), stat))
        if (strncmp(line, "btime ", 6) == 0) boot = strtod(line + 6, NULL);
    if (stat) (void)fclose(stat);
    if (boot < 0 || !read_text("/proc/self/stat", text)) return -1;
    const char *at = strrchr(text, ')'); /* the second field, a name, may hold blanks */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? boot + strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK) : -1;
}

bool process_print(struct buf *out)
{
    struct rlimit limit = {0, 0};
    double resident = resident_bytes(), fds = open_fds(), start = start_seconds();

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return print(out, "process_cpu_seconds_total", "counter", "%.3f", cpu_seconds()) &&
           (resident < 0 ||
            print(out, "process_resident_memory_bytes", "gauge", "%.0f", resident)) &&
           (fds < 0 || print(out, "process_open_fds", "gauge", "%.0f", fds)) &&
           print(out, "process_max_fds", "gauge", "%.0f", (double)limit.rlim_cur) &&
           (start < 0 || print(out, "process_start_time_seconds", "gauge", "%.2f", start));
}
