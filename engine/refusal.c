#include "refusal.h"

#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "server.h"

struct row {
    char *path, *method, *header, *body; /* owned; NULL as in struct refusal_row */
    size_t path_len;                     /* without the star */
    size_t body_len;
    bool whole; /* the path ends there */
    int status;
};

struct refusals {
    struct row *rows; /* owned */
    size_t count;
    struct digest *digest; /* owned; makes ids */
};

struct refusals *refusals_new(void)
{
    struct refusals *refusals = calloc(1, sizeof(*refusals));

    if (!refusals) return NULL;
    refusals->digest = digest_new();
    if (refusals->digest) return refusals;
    free(refusals);
    return NULL;
}

static void row_free(struct row *row)
{
    free(row->path);
    free(row->method);
    free(row->header);
    free(row->body);
}

void refusals_clear(struct refusals *refusals)
{
    for (size_t i = 0; i < refusals->count; i++)
        row_free(&refusals->rows[i]);
    free(refusals->rows);
    refusals->rows = NULL;
    refusals->count = 0;
}

void refusals_free(struct refusals *refusals)
{
    if (!refusals) return;
    refusals_clear(refusals);
    digest_free(refusals->digest);
    free(refusals);
}

/* False: no memory. */
static bool copy(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

bool refusals_add(struct refusals *refusals, const struct refusal_row *given)
{
    struct row *rows = realloc(refusals->rows, (refusals->count + 1) * sizeof(*rows));

    if (!rows) return false;
    refusals->rows = rows;
    struct row *row = &rows[refusals->count];
    *row = (struct row){.status = given->status};
    if (!copy(&row->path, given->path) || !copy(&row->method, given->method) ||
        !copy(&row->header, given->header) || !copy(&row->body, given->body)) {
        row_free(row);
        return false;
    }
    row->body_len = row->body ? strlen(row->body) : 0;
    row->path_len = row->path ? strlen(row->path) : 0;
    row->whole = row->path_len == 0 || row->path[row->path_len - 1] != '*';
    if (!row->whole) row->path_len--;
    refusals->count++;
    return true;
}

static bool fits(const struct row *row, const struct request *request)
{
    const char *path = request_path(request);

    if (row->path && strncmp(path, row->path, row->path_len) != 0) return false;
    if (row->path && row->whole && path[row->path_len]) return false;
    if (row->method && strcmp(row->method, request_method(request)) != 0) return false;
    return !row->header || request_header(request, row->header);
}

static const struct row *row_of(const struct refusals *refusals, const struct request *request)
{
    for (size_t i = 0; i < refusals->count; i++) {
        if (fits(&refusals->rows[i], request)) return &refusals->rows[i];
    }
    return NULL;
}

bool refusals_spare(const struct refusals *refusals, const struct request *request)
{
    const struct row *row = row_of(refusals, request);

    return row && row->status == 0;
}

void refusals_refuse(struct refusals *refusals, struct request *request, bool leave)
{
    const struct row *row = row_of(refusals, request);
    char id[DIGEST_UUID_SIZE];
    struct request_refusal refusal = {.status = 503, .leave = leave, .id = ""};

    if (row && row->status) {
        refusal.status = row->status;
        refusal.body = row->body;
        refusal.len = row->body_len;
    }
    if (digest_uuid7(refusals->digest, id)) refusal.id = id;
    request_refuse(request, &refusal);
}
