/* What this process is made of, as a metric. */
#ifndef MOONGATE_BUILD_INFO_H
#define MOONGATE_BUILD_INFO_H

struct metrics;

/* moongate_build_info{version,luajit,libmicrohttpd,libcurl,tls} 1 */
void build_info_publish(struct metrics *metrics, unsigned slot);

#endif
