// Package web is the HTTP side of a running instance: pages, Prometheus' query API, our own API, probes and metrics.
//
// It reads what others know through Options and changes nothing by itself. Every answer is safe to show: values that
// come from outside are escaped by html/template, encoding/json or the exposition format, never pasted. Ingestion and
// whatever changes state is mounted from outside as a Route, behind the same guards against foreign pages and hosts.
package web
