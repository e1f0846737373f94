#include "build_info.h"

#include "client.h"
#include "embedded.h"
#include "lua_vm.h"
#include "metrics.h"
#include "server.h"

void build_info_publish(struct metrics *metrics, unsigned slot)
{
    struct metric_label labels[] = {
        {"version", embedded_version},       {"luajit", vm_version()},
        {"libmicrohttpd", server_library()}, {"libcurl", client_library()},
        {"tls", client_tls_library()},
    };
    unsigned id = metrics_series(metrics, "moongate_build_info", METRIC_GAUGE, labels,
                                 sizeof(labels) / sizeof(*labels));

    metrics_set(metrics, slot, id, 1);
}
