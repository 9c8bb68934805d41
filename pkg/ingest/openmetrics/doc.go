// Package openmetrics reads samples from files in the text formats of Prometheus and OpenMetrics, as exporters and
// `promtool tsdb dump-openmetrics` write them, in constant memory. Every sample must carry its timestamp. Lines are
// parsed by Prometheus' own parser; whatever is wrong is told as file:line: cause, and ends the reading.
package openmetrics
