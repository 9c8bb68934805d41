// Package scrape pulls metrics from targets with Prometheus' own scrape and discovery managers: static, file, HTTP, DNS
// and Kubernetes discovery, relabelling, TLS and authentication, every exposition format, staleness markers. It adds a
// life cycle that can be waited for and a view of the targets; nothing of scraping itself is ours.
package scrape
