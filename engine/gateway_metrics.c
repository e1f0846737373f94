#include "gateway_metrics.h"

#include "client.h"
#include "embedded.h"
#include "gateway.h"
#include "lua_vm.h"
#include "metrics.h"
#include "server.h"

void gateway_metrics_build(struct metrics *metrics, unsigned slot)
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

static void set_gauge(struct metrics *metrics, unsigned slot, const char *name, double value)
{
    metrics_set(metrics, slot, metrics_series(metrics, name, METRIC_GAUGE, NULL, 0), value);
}

void gateway_metrics_reload(struct metrics *metrics, unsigned slot,
                            const struct gateway_status *status)
{
    bool fine = status->last_reload_ok;
    struct metric_label result = {"result", fine ? "ok" : "refused"};

    metrics_add(
        metrics, slot,
        metrics_series(metrics, "moongate_config_reloads_total", METRIC_COUNTER, &result, 1),
        1);
    set_gauge(metrics, slot, "moongate_config_last_reload_successful", fine ? 1 : 0);
    set_gauge(metrics, slot, "moongate_config_generation", (double)status->generation);
    if (!fine) return;
    set_gauge(metrics, slot, "moongate_config_last_reload_success_timestamp_seconds",
              (double)status->last_reload_s);
}
