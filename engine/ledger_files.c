#include "ledger_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "moment.h"
#include "sql.h"

enum { MAX_LINE = 1 << 20, MAX_BLOB = 64 << 20 };

bool ledger_files_init(struct ledger_files *files, const char *dir)
{
    *files = (struct ledger_files){.dir = strdup(dir)};
    return files->dir != NULL;
}

static void forget(struct ledger_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->list[i]);
    }
    free(files->list);
    files->list = NULL;
    files->count = 0;
    pending_clear(&files->pending);
}

void ledger_files_free(struct ledger_files *files)
{
    forget(files);
    free(files->dir);
    free(files->before);
    files->before = NULL;
    files->dir = NULL;
}

/* 2026-11-22-w0.jsonl and its like. */
static bool is_journal(const char *name)
{
    static const char form[] = "0000-00-00-w";
    size_t len = strlen(name), i = 0;

    if (len >= LEDGER_FILE_NAME || len < sizeof(form) + 6) return false;
    for (; i < sizeof(form) - 1; i++) {
        if (form[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != form[i]) return false;
    }
    i += strspn(name + i, "0123456789");
    return strcmp(name + i, ".jsonl") == 0;
}

static int64_t before_of(const struct ledger_files *files, const char *name)
{
    for (size_t i = 0; i < files->before_count; i++) {
        if (strcmp(files->before[i].name, name) == 0) return files->before[i].bytes;
    }
    return 0;
}

/* The file of that name, made where it is not known. NULL: no memory. */
static struct ledger_file *file_named(struct ledger_files *files, const char *name)
{
    size_t from = 0, to = files->count;

    while (from < to) {
        size_t middle = (from + to) / 2;
        int order = strcmp(files->list[middle]->name, name);
        if (order == 0) return files->list[middle];
        if (order < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    struct ledger_file **list =
        realloc(files->list, (files->count + 1) * sizeof(struct ledger_file *));
    if (!list) return NULL;
    files->list = list;
    struct ledger_file *file = calloc(1, sizeof(*file));
    if (!file) return NULL;
    memcpy(file->name, name, strlen(name) + 1);
    file->before = before_of(files, name);
    memmove(list + from + 1, list + from, (files->count - from) * sizeof(struct ledger_file *));
    list[from] = file;
    files->count++;
    return file;
}

bool ledger_files_look(struct ledger_files *files)
{
    DIR *dir = opendir(files->dir);
    struct dirent *entry;
    bool fine = true;

    if (!dir) return errno == ENOENT;
    while (fine && (entry = readdir(dir))) {
        if (is_journal(entry->d_name)) fine = file_named(files, entry->d_name) != NULL;
    }
    (void)closedir(dir);
    return fine;
}

bool ledger_files_remember(struct ledger_files *files)
{
    struct stat facts;

    free(files->before);
    files->before_count = 0;
    files->before = calloc(files->count + 1, sizeof(*files->before));
    if (!files->before) return false;
    for (size_t i = 0; i < files->count; i++) {
        struct ledger_file *file = files->list[i];
        int fd = ledger_files_open(files, file);
        file->before = fd >= 0 && fstat(fd, &facts) == 0 ? facts.st_size : 0;
        if (fd >= 0) (void)close(fd);
        memcpy(files->before[i].name, file->name, sizeof(file->name));
        files->before[i].bytes = file->before;
    }
    files->before_count = files->count;
    return true;
}

int ledger_files_open(const struct ledger_files *files, const struct ledger_file *file)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", files->dir, file->name) < 0) return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int why = errno;
    free(path);
    errno = why;
    return fd;
}

char *ledger_files_line(const struct ledger_files *files, const struct ledger_file *file,
                        int64_t offset, size_t *len)
{
    int fd = ledger_files_open(files, file);
    char *bytes = NULL, *end = NULL;

    if (fd < 0) return NULL;
    for (size_t room = 4096; !end && room <= MAX_LINE; room *= 4) {
        char *more = realloc(bytes, room);
        if (!more) break;
        bytes = more;
        ssize_t got = pread(fd, bytes, room, offset);
        if (got <= 0) break;
        end = memchr(bytes, '\n', (size_t)got);
        if (!end && (size_t)got < room) break;
    }
    (void)close(fd);
    if (end) {
        *len = (size_t)(end - bytes);
        return bytes;
    }
    free(bytes);
    return NULL;
}

/* ---- the table ----------------------------------------------------------------------------
 */

/* A pending line, read again for its id. What cannot be read any more is let go. */
static bool take_pending(struct ledger_files *files, struct ledger_file *file, int64_t offset,
                         struct ledger_line *line)
{
    size_t len;
    char *bytes = ledger_files_line(files, file, offset, &len);
    bool fine = true;

    if (bytes && ledger_line_read(line, bytes, len) == LEDGER_INTENT) {
        fine = pending_add(&files->pending, line->id, file, offset);
    }
    free(bytes);
    return fine;
}

static bool load_row(struct ledger_files *files, const struct sql_query *query,
                     struct ledger_line *line)
{
    size_t len;
    char name[LEDGER_FILE_NAME];
    const char *bytes = sql_bytes(query, 0, &len);
    int64_t offset;

    if (len >= sizeof(name)) return true;
    memcpy(name, bytes, len);
    name[len] = '\0';
    if (!is_journal(name)) return true;
    struct ledger_file *file = file_named(files, name);
    if (!file) return false;
    file->offset = sql_integer(query, 1);
    bytes = sql_bytes(query, 2, &len);
    for (; len >= sizeof(offset); bytes += sizeof(offset), len -= sizeof(offset)) {
        memcpy(&offset, bytes, sizeof(offset));
        if (!take_pending(files, file, offset, line)) return false;
    }
    return true;
}

bool ledger_files_load(struct ledger_files *files, struct sql *sql)
{
    static const char text[] = "SELECT name, offset, pending FROM journal_files";
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);
    struct ledger_line *line = malloc(sizeof(*line));
    enum sql_code code = SQL_NOMEM;

    forget(files);
    if (query && line) {
        while ((code = sql_step(query)) == SQL_ROW) {
            if (!load_row(files, query, line)) break;
        }
    }
    sql_done(query);
    free(line);
    return code == SQL_OK;
}

/* The offsets of the lines of a file that wait for their end. */
static bool offsets_of(const struct ledger_files *files, const struct ledger_file *file,
                       struct buf *out)
{
    for (struct pending *at = pending_next(&files->pending, NULL); at;
         at = pending_next(&files->pending, at)) {
        if (at->file == file && !buf_append(out, &at->offset, sizeof(at->offset))) return false;
    }
    return true;
}

static bool save_one(const struct ledger_files *files, const struct ledger_file *file,
                     struct sql *sql)
{
    static const char text[] = "INSERT INTO journal_files (name, offset, pending)"
                               " VALUES (?,?,?) ON CONFLICT DO UPDATE SET"
                               " offset=excluded.offset, pending=excluded.pending";
    struct buf offsets;
    bool fine = false;

    buf_init(&offsets, MAX_BLOB);
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);
    if (query && offsets_of(files, file, &offsets)) {
        (void)sql_bind_text(query, 1, file->name, strlen(file->name));
        (void)sql_bind_integer(query, 2, file->offset);
        if (offsets.len) (void)sql_bind_blob(query, 3, offsets.data, offsets.len);
        fine = sql_step(query) == SQL_OK;
    }
    sql_done(query);
    buf_free(&offsets);
    return fine;
}

bool ledger_files_save(struct ledger_files *files, struct sql *sql)
{
    for (size_t i = 0; i < files->count; i++) {
        struct ledger_file *file = files->list[i];
        if (file->dirty && !save_one(files, file, sql)) return false;
        file->dirty = false;
    }
    return true;
}

/* ---- old files ----------------------------------------------------------------------------
 */

static bool has_pending(const struct ledger_files *files, const struct ledger_file *file)
{
    for (struct pending *at = pending_next(&files->pending, NULL); at;
         at = pending_next(&files->pending, at)) {
        if (at->file == file) return true;
    }
    return false;
}

/* Everything in it is in the tables. What is gone counts as read. */
static bool is_read(const struct ledger_files *files, const struct ledger_file *file,
                    const char *path)
{
    struct stat facts;

    if (file->dirty || has_pending(files, file)) return false;
    return stat(path, &facts) != 0 || facts.st_size <= file->offset;
}

static bool delete_row(const struct ledger_file *file, struct sql *sql)
{
    static const char text[] = "DELETE FROM journal_files WHERE name=?";
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);

    if (!query) return false;
    (void)sql_bind_text(query, 1, file->name, strlen(file->name));
    bool fine = sql_step(query) == SQL_OK;
    sql_done(query);
    return fine;
}

/* The file first: a row without its file is harmless, a file without its row is read again. */
static bool prune_one(struct ledger_files *files, struct sql *sql, size_t i)
{
    struct ledger_file *file = files->list[i];
    char *path = NULL;

    if (asprintf(&path, "%s/%s", files->dir, file->name) < 0) return true;
    bool gone = is_read(files, file, path) && (unlink(path) == 0 || errno == ENOENT);
    free(path);
    if (!gone) return true;
    if (!delete_row(file, sql)) return false;
    free(file);
    files->count--;
    memmove(files->list + i, files->list + i + 1,
            (files->count - i) * sizeof(struct ledger_file *));
    return true;
}

bool ledger_files_prune(struct ledger_files *files, struct sql *sql, int64_t day)
{
    char first[MOMENT_ISO_SIZE];

    moment_iso(day * 86400000, first);
    for (size_t i = files->count; i > 0; i--) {
        if (strncmp(files->list[i - 1]->name, first, 10) >= 0) continue;
        if (!prune_one(files, sql, i - 1)) return false;
    }
    return true;
}
