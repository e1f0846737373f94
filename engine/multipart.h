/* The parts of a multipart/form-data body (RFC 7578), as every server would read them.
 *
 * Strict on purpose: what two parsers may read differently (bare line ends, folded lines, a
 * boundary that stands in a part, names in two notations, text around the parts) is refused,
 * so that what is checked here is what the provider acts on. Walks each byte once, allocates
 * nothing, and knows nothing. Any thread. */
#ifndef MOONGATE_MULTIPART_H
#define MOONGATE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MULTIPART_BOUNDARY = 70, /* bytes: RFC 2046, 5.1.1 */
    MULTIPART_PARTS = 128,
    MULTIPART_HEAD = 4096, /* bytes of a part's own headers */
    MULTIPART_NAME = 128,  /* bytes of a part's name */
};

/* Bytes of the body; borrowed, NULL where nothing was said. */
struct multipart_text {
    const char *at;
    size_t len;
};

struct multipart_part {
    struct multipart_text name;     /* never empty; no control bytes, no backslash */
    struct multipart_text filename; /* as it stands; `at` NULL: the part is a plain field */
    struct multipart_text type;     /* its content-type */
    struct multipart_text content;
};

enum multipart_result {
    MULTIPART_PART,
    MULTIPART_END, /* all parts were read, and nothing follows them */
    MULTIPART_BAD, /* `problem` says why */
};

struct multipart {
    const char *bytes; /* borrowed */
    size_t len;
    size_t at;
    unsigned parts;
    bool ended;
    size_t mark_len;
    char mark[MULTIPART_BOUNDARY + 4]; /* CRLF, two hyphens, the boundary */
    const char *problem;               /* static */
};

/* The boundary that a content-type names, with a NUL behind it. False: it is no
 * multipart/form-data, or its boundary is none. */
bool multipart_boundary(const char *type, char boundary[MULTIPART_BOUNDARY + 1])
    __attribute__((warn_unused_result));

/* Read `bytes`, which stay the caller's and where they are. */
void multipart_init(struct multipart *form, const char *boundary, const char *bytes,
                    size_t len);

/* The next part. */
enum multipart_result multipart_next(struct multipart *form, struct multipart_part *part)
    __attribute__((warn_unused_result));

#endif
