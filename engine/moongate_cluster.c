#include "moongate_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster.h"
#include "ledger.h"
#include "outbox.h"

/* What a gateway is called where several are looked at together. */
static const char *node_of(const struct moongate *gateway, char host[64])
{
    if (gateway->options.node && *gateway->options.node) return gateway->options.node;
    if (gethostname(host, 64) != 0) host[0] = '\0';
    host[63] = '\0';
    return *host ? host : "moongate";
}

static bool share_limits(struct moongate *gateway, char **error)
{
    if (!gateway->options.redis_url) return true;
    gateway->cluster = cluster_start(
        &(struct cluster_options){
            .url = gateway->options.redis_url,
            .data_dir = gateway->options.data_dir,
            .accounts = gateway->accounts,
            .resolver = gateway->resolver,
            .metrics = gateway->metrics,
            .slot = gateway->worker_count,
            .log = gateway->log,
        },
        error);
    return gateway->cluster != NULL;
}

static bool share_usage(struct moongate *gateway, char **error)
{
    char host[64];

    if (!gateway->options.postgres_url) return true;
    gateway->outbox =
        outbox_start(&(struct outbox_options){.url = gateway->options.postgres_url,
                                              .node = node_of(gateway, host),
                                              .data_dir = gateway->options.data_dir,
                                              .ledger = gateway->ledger,
                                              .exported = ledger_exported,
                                              .resolver = gateway->resolver,
                                              .metrics = gateway->metrics,
                                              .slot = gateway->worker_count,
                                              .log = gateway->log},
                     error);
    return gateway->outbox != NULL;
}

bool moongate_join(struct moongate *gateway, char **error)
{
    return share_limits(gateway, error) && share_usage(gateway, error);
}

void moongate_leave(struct moongate *gateway)
{
    cluster_stop(gateway->cluster);
    outbox_stop(gateway->outbox);
    gateway->cluster = NULL;
    gateway->outbox = NULL;
}
