/* What the gateway says of itself in the metrics. Thread-safe. */
#ifndef MOONGATE_GATEWAY_METRICS_H
#define MOONGATE_GATEWAY_METRICS_H

#include <stdbool.h>

struct gateway_status;
struct metrics;

/* moongate_build_info{version,luajit,libmicrohttpd,libcurl,tls} 1 */
void gateway_metrics_build(struct metrics *metrics, unsigned slot);

/* A load or reload ended: moongate_config_…, as the status says now. */
void gateway_metrics_reload(struct metrics *metrics, unsigned slot,
                            const struct gateway_status *status);

#endif
