/* The gate: who is let in, by what is held, by memory, and by how long they waited; and where
 * the ceiling comes from (L-20). */
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admission.h"
#include "check.h"
#include "gate.h"
#include "log.h"
#include "metrics.h"
#include "moment.h"

static struct metrics *metrics;
static struct log *test_log;

enum { IN_FLIGHT = 5000 };

static struct admission *of(unsigned workers, size_t memory, unsigned queue_ms)
{
    struct admission_options options = {
        .workers = workers,
        .in_flight = IN_FLIGHT,
        .memory = memory,
        .queue_ms = queue_ms,
        .metrics = metrics,
        .log = test_log,
    };
    struct admission *admission = admission_new(&options);

    if (!CHECK(admission)) exit(check_report());
    return admission;
}

static void test_in_flight(void)
{
    struct admission *admission = of(2, 0, 200);
    struct gate gate;

    gate_open(&gate, admission, 0);
    CHECK(gate_enter(&gate, IN_FLIGHT - 1, 0, false) == SHED_NONE);
    CHECK(gate_enter(&gate, IN_FLIGHT, 0, false) == SHED_IN_FLIGHT);
    CHECK(admission_room_elsewhere(admission, 0));
    admission_tell(admission, 1, IN_FLIGHT, 0);
    CHECK(!admission_room_elsewhere(admission, 0));
    admission_free(admission);
}

static void test_memory(void)
{
    size_t much = (size_t)1 << 40;
    struct admission *small = of(1, 1 << 20, 200), *large = of(2, much, 200);
    struct gate gate;

    gate_open(&gate, small, 0);
    CHECK(gate_enter(&gate, 0, 0, false) == SHED_NONE); /* nobody has looked yet */
    admission_look(small, 1000);
    CHECK(gate_enter(&gate, 0, 0, false) == SHED_MEMORY);
    gate_open(&gate, large, 0);
    admission_look(large, 1000);
    CHECK(gate_enter(&gate, 0, 0, false) == SHED_NONE);
    /* A body counts three times, and with those that are on their way to others. */
    CHECK(gate_enter(&gate, 0, much / 4, true) == SHED_NONE);
    CHECK(gate_enter(&gate, 0, much / 3, true) == SHED_MEMORY);
    admission_tell(large, 1, 1, much / 4);
    CHECK(gate_enter(&gate, 0, much / 4, true) == SHED_MEMORY);
    CHECK(gate_enter(&gate, 0, much / 4, false) == SHED_NONE);
    admission_free(small);
    admission_free(large);
}

static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    if (CHECK(file)) {
        CHECK(fscanf(file, "%*u %zu", &pages) == 1);
        (void)fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* How many are let in, of so many, while nothing is seen yet of what they will hold; each turn
 * is so long that the process is looked at after every tenth. */
static size_t let_in(struct gate *gate, struct admission *admission, size_t asked,
                     size_t each_turn)
{
    static int64_t now_ms = 100000;
    size_t n = 0;

    for (size_t i = 0; i < asked; i++) {
        if (i % each_turn == 0) gate_turn_begins(gate);
        if (i % 10 == 0) admission_look(admission, now_ms += 100);
        if (gate_enter(gate, n, 0, false) == SHED_NONE) n++;
    }
    return n;
}

/* L-06: what was let in takes of the room before it takes memory. */
static void test_unseen(void)
{
    size_t room = 256, memory = (resident() + room * 128 * 1024) / 9 * 10;
    struct admission *admission = of(1, memory, 200);
    struct gate gate;

    gate_open(&gate, admission, 0);
    gate_turn_begins(&gate);
    size_t all = let_in(&gate, admission, 4000, 4000); /* in one turn */
    CHECK(all > room / 2 && all <= room + 32);
    gate_open(&gate, admission, 0);
    all = let_in(&gate, admission, 1000, 200); /* in five */
    CHECK(all > room / 2 && all <= room + 32);
    gate_open(&gate, admission, 0);
    gate_turn_begins(&gate);
    for (int i = 0; i < 5000; i++) { /* who has gone takes nothing */
        if (i % 1000 == 0) gate_turn_begins(&gate);
        if (i % 10 == 0) admission_look(admission, 2000000 + i * 10);
        if (!CHECK(gate_enter(&gate, 3, 0, false) == SHED_NONE)) break;
    }
    admission_free(admission);
}

/* Time goes by as if a turn had begun earlier. */
static enum shed begin_after(struct gate *gate, int64_t waited_us)
{
    gate->turn_us = gate->first_us = moment_unhurried_us() - waited_us;
    return gate_begin(gate);
}

static void turn(struct gate *gate, int64_t idle_us)
{
    gate_scripts_ran(gate);
    gate_turn_ends(gate, idle_us);
    gate_turn_begins(gate);
}

static void test_queue(void)
{
    struct admission *admission = of(1, 0, 200);
    struct gate gate;

    gate_open(&gate, admission, 0);
    gate_turn_begins(&gate);
    CHECK(begin_after(&gate, 150000) == SHED_NONE);
    CHECK(begin_after(&gate, 900000) == SHED_NONE); /* one long turn is no queue */
    turn(&gate, 0);
    CHECK(begin_after(&gate, 0) == SHED_NONE); /* … and is forgotten */
    turn(&gate, 0);
    CHECK(!gate.late_us);

    CHECK(begin_after(&gate, 250000) == SHED_NONE);
    gate.late_us -= 1100000; /* it has gone on for so long */
    CHECK(begin_after(&gate, 250000) == SHED_QUEUE);
    turn(&gate, 0);
    CHECK(begin_after(&gate, 1000) == SHED_NONE); /* the first of a turn are served */
    CHECK(begin_after(&gate, 20000) == SHED_QUEUE);
    gate.window_us -= 300000;
    turn(&gate, 10000); /* there was hardly time to wait */
    CHECK(begin_after(&gate, 20000) == SHED_QUEUE);
    gate.window_us -= 300000;
    turn(&gate, 200000); /* there was: over */
    CHECK(begin_after(&gate, 20000) == SHED_NONE);

    CHECK(begin_after(&gate, 60000) == SHED_NONE); /* again, and sooner */
    gate.late_us -= 150000;
    CHECK(begin_after(&gate, 60000) == SHED_QUEUE);
    admission_free(admission);
}

/* What lies in the kernel has waited as well. */
static void test_age(void)
{
    struct admission *admission = of(1, 0, 200);
    struct gate gate;

    gate_open(&gate, admission, 0);
    gate_turn_begins(&gate);
    (void)gate_enter(&gate, 0, 0, false);
    CHECK(!gate_wants_age(&gate)); /* the last turn was short */
    gate.turn_us -= 20000;
    turn(&gate, 0);
    (void)gate_enter(&gate, 0, 0, false);
    CHECK(gate_wants_age(&gate));
    gate_age(&gate, 250000);
    (void)gate_enter(&gate, 0, 0, false);
    CHECK(!gate_wants_age(&gate)); /* a few are enough */
    CHECK(gate_begin(&gate) == SHED_NONE);
    CHECK(gate.late_us);
    gate.late_us -= 1100000;
    CHECK(gate_begin(&gate) == SHED_NONE && gate.shedding); /* it is among the first */
    CHECK(begin_after(&gate, 5000) == SHED_QUEUE);
    admission_free(admission);

    admission = of(1, 0, 0);
    gate_open(&gate, admission, 0);
    gate.shedding = true;
    CHECK(begin_after(&gate, 5000000) == SHED_NONE); /* switched off */
    admission_free(admission);
}

/* ---- where the ceiling comes from ---------------------------------------------------------
 */

static void put(const char *root, const char *name, const char *text)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "we");
    if (!CHECK(file)) return;
    (void)fputs(text, file);
    (void)fclose(file);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)about, (void)kind, (void)ftw;
    return remove(path);
}

static void test_groups(void)
{
    char root[] = "/tmp/mg-admission-XXXXXX";
    size_t most = admission_usual_memory("/nowhere");

    if (!CHECK(mkdtemp(root))) return;
    CHECK(most == (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 4 * 3);
    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    CHECK(admission_usual_memory(root) == most);
    put(root, "sys/fs/cgroup/a/memory.max", "268435456\n");
    CHECK(admission_usual_memory(root) == 268435456 / 4 * 3);
    put(root, "sys/fs/cgroup/a/b/memory.max", "134217728\n");
    CHECK(admission_usual_memory(root) == 134217728 / 4 * 3);
    put(root, "proc/self/cgroup", "7:cpu:/x\n4:memory:/of/the/host\n0::/\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
    CHECK(admission_usual_memory(root) == 67108864 / 4 * 3);
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(admission_usual_memory(root) == most);
    CHECK(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

int main(void)
{
    metrics = metrics_new(2);
    test_log = log_new(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
    test_in_flight();
    test_memory();
    test_unseen();
    test_queue();
    test_age();
    test_groups();
    log_free(test_log);
    metrics_free(metrics);
    return check_report();
}
