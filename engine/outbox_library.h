/* libpq, loaded when it is asked for: it brings a dozen libraries along that a gateway without
 * PostgreSQL should not carry.
 *
 * The types are libpq-fe.h's; only the outbox's files see them. */
#ifndef MOONGATE_OUTBOX_LIBRARY_H
#define MOONGATE_OUTBOX_LIBRARY_H

#include <libpq-fe.h>

/* One line for each function that is used. */
#define OUTBOX_LIBRARY_EACH(F) \
    F(PQclear)                 \
    F(PQcmdTuples)             \
    F(PQconnectPoll)           \
    F(PQconnectStartParams)    \
    F(PQconninfoFree)          \
    F(PQconninfoParse)         \
    F(PQconsumeInput)          \
    F(PQerrorMessage)          \
    F(PQfinish)                \
    F(PQflush)                 \
    F(PQfreemem)               \
    F(PQgetResult)             \
    F(PQgetvalue)              \
    F(PQisBusy)                \
    F(PQntuples)               \
    F(PQresultErrorField)      \
    F(PQresultStatus)          \
    F(PQsendQuery)             \
    F(PQsendQueryParams)       \
    F(PQsetNoticeProcessor)    \
    F(PQsetnonblocking)        \
    F(PQsocket)                \
    F(PQstatus)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define OUTBOX_LIBRARY_MEMBER(name) __typeof__(&(name)) name;
struct outbox_library {
    void *handle;
    OUTBOX_LIBRARY_EACH(OUTBOX_LIBRARY_MEMBER)
};
#undef OUTBOX_LIBRARY_MEMBER

/* NULL with *error (free() it): it is not installed. Never unloaded: what it brings along does
 * not bear that. */
struct outbox_library *outbox_library_open(char **error) __attribute__((warn_unused_result));
void outbox_library_free(struct outbox_library *library);

#endif
