#include "client_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "address.h"
#include "moment.h"

enum {
    LARGE_BODY = 64 * 1024, /* no socket takes more at once, whether anybody reads or not */
    FIXED_LINES = 3,        /* Expect, Accept-Encoding, Content-Type */
    IDLE_SECONDS = 50,
    LIFE_SECONDS = 3600,
    SYSTEM_CONNECT_MS = 300000, /* where nobody set a limit */
};

/* ---- the address ------------------------------------------------------------------------ */

/* A host of plain letters: what curl reads out of it cannot differ from what we read. */
static bool plain_host(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (!isalnum(c) && c != '.' && c != '-' && c != '_') return false;
    }
    return len > 0 && len < RESOLVE_NAME;
}

static bool numeric_host(const char *host)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* curl answers these itself, without asking anybody. */
static bool local_host(const char *host)
{
    size_t len = strlen(host);
    size_t tail = strlen(".localhost");

    return strcasecmp(host, "localhost") == 0 ||
           (len > tail && strcasecmp(host + len - tail, ".localhost") == 0);
}

/* ":port" or nothing. */
static bool read_port(struct upstream *upstream, const char *text, const char *end)
{
    unsigned port = 0;

    if (text == end) return true;
    if (*text != ':' || end - text < 2 || end - text > 6) return false;
    for (const char *at = text + 1; at < end; at++) {
        if (!isdigit((unsigned char)*at)) return false;
        port = port * 10 + (unsigned)(*at - '0');
    }
    upstream->port = port;
    return port > 0 && port <= 65535;
}

/* host[:port] or [v6][:port]; no user, no password. */
static bool read_authority(struct upstream *upstream, const char *at, const char *end)
{
    bool bracket = at < end && *at == '[';
    const char *host = at + bracket;
    const char *stop = memchr(host, bracket ? ']' : ':', (size_t)(end - host));

    if (!stop && bracket) return false;
    if (!stop) stop = end;
    size_t len = (size_t)(stop - host);
    if (len == 0 || len >= RESOLVE_NAME) return false;
    memcpy(upstream->host, host, len);
    upstream->host[len] = '\0';

    bool numeric = numeric_host(upstream->host);
    if (bracket ? !numeric : !plain_host(host, len)) return false;
    if (!numeric && address_ends_in_number(upstream->host)) return false;
    upstream->named = !numeric && !local_host(upstream->host);
    upstream->public = upstream->named && !address_name_is_local(upstream->host);
    return read_port(upstream, stop + bracket, end);
}

static bool read_url(struct upstream *upstream, const char *url)
{
    bool tls = strncasecmp(url, "https://", 8) == 0;

    if (!tls && strncasecmp(url, "http://", 7) != 0) return false;
    for (const char *at = url; *at; at++) {
        if (*at <= ' ' || *at == 0x7F || *at == '#' || *at == '\\') return false;
    }
    const char *authority = url + (tls ? 8 : 7);
    upstream->port = tls ? 443 : 80;
    return read_authority(upstream, authority, authority + strcspn(authority, "/?"));
}

/* A pooled handle mostly meets the URL it had before: then nothing is read or copied. */
static bool set_url(struct upstream *upstream)
{
    const char *url = upstream->request.url;
    size_t size = strlen(url) + 1;

    if (upstream->url.len == size && memcmp(upstream->url.data, url, size) == 0) return true;
    buf_clear(&upstream->url);
    if (!read_url(upstream, url) || !buf_append(&upstream->url, url, size) ||
        curl_easy_setopt(upstream->easy, CURLOPT_URL, url) != CURLE_OK) {
        buf_clear(&upstream->url);
        return false;
    }
    return true;
}

/* ---- headers ---------------------------------------------------------------------------- */

static bool is_token(const char *name)
{
    if (!*name) return false;
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name)) return false;
    }
    return true;
}

static bool is_clean(const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < ' ' && c != '\t') || c == 0x7F) return false;
    }
    return true;
}

/* Framing and the connection are ours: a header that meddles could smuggle. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "accept-encoding", "connection", "content-length",    "expect",
        "keep-alive",      "te",         "transfer-encoding", "upgrade",
    };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcasecmp(name, ours[i]) == 0) return true;
    }
    return false;
}

/* curl's syntax: "Name: value", "Name;" for an empty value, "Name:" for none of curl's own. */
static bool add_line(struct upstream *upstream, const char *name, const char *value)
{
    struct buf *lines = &upstream->lines;
    size_t len = strlen(value);

    if (!buf_append(lines, name, strlen(name))) return false;
    if (len == 0) return buf_append(lines, ";", 2);
    return buf_append(lines, ": ", 2) && buf_append(lines, value, len + 1);
}

/* The nodes come last: `lines` may move while it grows. */
static bool link_lines(struct upstream *upstream, size_t count)
{
    if (count > upstream->node_room) {
        struct curl_slist *nodes = realloc(upstream->nodes, count * sizeof(*nodes));
        if (!nodes) return false;
        upstream->nodes = nodes;
        upstream->node_room = count;
    }
    char *at = upstream->lines.data;
    for (size_t i = 0; i < count; i++) {
        upstream->nodes[i].data = at;
        upstream->nodes[i].next = i + 1 < count ? &upstream->nodes[i + 1] : NULL;
        at += strlen(at) + 1;
    }
    return true;
}

static bool add_fixed_lines(struct upstream *upstream, bool typed, size_t *count)
{
    static const char expect[] = "Expect:"; /* K11: no second's wait for a 100 */
    static const char encoding[] = "Accept-Encoding: identity";
    static const char type[] = "Content-Type:"; /* not curl's form type */
    struct buf *lines = &upstream->lines;

    *count += typed ? FIXED_LINES - 1 : FIXED_LINES;
    return buf_append(lines, expect, sizeof(expect)) &&
           buf_append(lines, encoding, sizeof(encoding)) &&
           (typed || buf_append(lines, type, sizeof(type)));
}

static bool set_headers(struct upstream *upstream)
{
    const struct client_request *request = &upstream->request;
    size_t count = request->header_count;
    bool typed = false;

    buf_clear(&upstream->lines);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_token(header->name) || !is_clean(header->value) || is_ours(header->name) ||
            !add_line(upstream, header->name, header->value)) {
            return false;
        }
        typed = typed || strcasecmp(header->name, "content-type") == 0;
    }
    return add_fixed_lines(upstream, typed, &count) && link_lines(upstream, count) &&
           curl_easy_setopt(upstream->easy, CURLOPT_HTTPHEADER, upstream->nodes) == CURLE_OK;
}

/* ---- the handle ------------------------------------------------------------------------- */

/* Runs before each send. curl would send again by itself on another connection when a reused
 * one dies without a word; a provider would bill twice (K1). */
static int before_send(void *owner, char *peer, char *local, int peer_port, int local_port)
{
    struct upstream *upstream = owner;

    (void)local, (void)peer_port;
    if (upstream->sends++) return CURL_PREREQFUNC_ABORT;
    if (upstream->sockets > 1) client_prefer(upstream, peer);
    upstream->local_port = local_port;
    int64_t now_ms = loop_now_ms(upstream->client->loop);
    if (now_ms < upstream->opened_ms) now_ms = upstream->opened_ms;
    upstream->sent_ms = upstream->last_byte_ms = now_ms;
    if (upstream->request.body_len > LARGE_BODY) {
        upstream->write_check_ms = upstream->sent_ms + WRITE_STALL_MS;
    }
    client_rearm(upstream);
    return CURL_PREREQFUNC_OK;
}

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_callbacks(CURL *easy, struct upstream *upstream)
{
    return SET(CURLOPT_PRIVATE, upstream) && SET(CURLOPT_ERRORBUFFER, upstream->error) &&
           SET(CURLOPT_HEADERFUNCTION, client_take_header) &&
           SET(CURLOPT_HEADERDATA, upstream) && SET(CURLOPT_WRITEFUNCTION, client_take_body) &&
           SET(CURLOPT_WRITEDATA, upstream) && SET(CURLOPT_PREREQFUNCTION, before_send) &&
           SET(CURLOPT_PREREQDATA, upstream) &&
           SET(CURLOPT_OPENSOCKETFUNCTION, client_open_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, upstream) &&
           SET(CURLOPT_CLOSESOCKETFUNCTION, client_close_socket) &&
           SET(CURLOPT_CLOSESOCKETDATA, upstream->client);
}

/* curl keeps the certificates it has read only where they come from a file alone: with its
 * default directory beside the file it reads them all again, 16 ms, for every connection. */
static bool set_authorities(CURL *easy, const char *ca_file)
{
    char *file = NULL;

    if (ca_file) return SET(CURLOPT_CAINFO, ca_file) && SET(CURLOPT_CAPATH, NULL);
    if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &file) != CURLE_OK || !file) return true;
    return access(file, R_OK) != 0 || SET(CURLOPT_CAPATH, NULL);
}

static bool set_trust(CURL *easy, const char *ca_file)
{
    return SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           set_authorities(easy, ca_file);
}

bool client_set_constants(struct upstream *upstream)
{
    CURL *easy = upstream->easy;

    return set_callbacks(easy, upstream) && set_trust(easy, upstream->client->ca_file) &&
           SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
           SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_PROXY, "") &&
           SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_HTTP09_ALLOWED, 0L) && SET(CURLOPT_PATH_AS_IS, 1L) &&
           SET(CURLOPT_TCP_NODELAY, 1L) && SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
           SET(CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS) &&
           SET(CURLOPT_MAXLIFETIME_CONN, (long)LIFE_SECONDS) &&
           SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
}

/* POSTFIELDS keeps head and body in one send. */
static bool set_body(struct upstream *upstream)
{
    const struct client_request *request = &upstream->request;
    CURL *easy = upstream->easy;

    if (!request->body && strcmp(request->method, "POST") != 0) return true;
    return SET(CURLOPT_POSTFIELDS, request->body ? request->body : "") &&
           SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
}

static const char *known_method(const char *method)
{
    static const char *const known[] = {"POST", "GET", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(method, known[i]) == 0) return known[i];
    }
    return NULL;
}

static bool set_method(struct upstream *upstream)
{
    CURL *easy = upstream->easy;
    const char *method = known_method(upstream->request.method);
    bool post = method && strcmp(method, "POST") == 0;
    bool body = post || upstream->request.body;

    if (!method) return false;
    if (!body && !SET(CURLOPT_HTTPGET, 1L)) return false;
    if (!set_body(upstream)) return false;
    if (upstream->method == method) return true;
    if (!SET(CURLOPT_CUSTOMREQUEST, post ? NULL : method)) return false;
    upstream->method = method;
    return true;
}

/* curl divides it between a host's addresses; the deadline itself is our own timer's. */
static bool set_connect_limit(struct upstream *upstream)
{
    CURL *easy = upstream->easy;
    int64_t want = upstream->request.timeouts.connect_ms;
    long limit = want > 0 && want < SYSTEM_CONNECT_MS ? (long)want : SYSTEM_CONNECT_MS;

    if (upstream->connect_ms == limit) return true;
    upstream->connect_ms = limit;
    return SET(CURLOPT_CONNECTTIMEOUT_MS, (long)moment_unhurried(limit));
}

/* A connection is worth keeping once an answer began on it. curl would also keep one that was
 * reset before its first byte left, and its descriptor until somebody asks for another (U-10).
 */
static bool set_unproven(struct upstream *upstream)
{
    CURL *easy = upstream->easy;

    return SET(CURLOPT_FORBID_REUSE, 1L);
}

bool client_set_request(struct upstream *upstream)
{
    return set_unproven(upstream) && set_url(upstream) && set_method(upstream) &&
           set_headers(upstream) && set_connect_limit(upstream);
}

bool client_set_addresses(struct upstream *upstream, const char *addresses)
{
    CURL *easy = upstream->easy;

    if (!addresses && !upstream->resolving) return true;
    upstream->resolving = addresses != NULL;
    if (!addresses) return SET(CURLOPT_RESOLVE, NULL);

    int n = snprintf(upstream->resolved, sizeof(upstream->resolved), "%s:%u:%s", upstream->host,
                     upstream->port, addresses);
    if (n < 0 || (size_t)n >= sizeof(upstream->resolved)) return false;
    upstream->resolve = (struct curl_slist){.data = upstream->resolved};
    return SET(CURLOPT_RESOLVE, &upstream->resolve);
}
