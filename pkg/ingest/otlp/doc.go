// Package otlp receives OpenTelemetry metrics, over gRPC and over HTTP in protobuf or JSON. OTel's own library decodes
// them and Prometheus' own library translates them: names with units and _total, resource and scope attributes as labels,
// exponential histograms as native ones. Points that are increments (delta temporality) are added up to counters.
//
// A request is one transaction. Points that cannot be taken are left out, counted, and told to the sender as a partial
// success, which it does not repeat; when nothing was kept the answer asks for a repetition, with the codes that the
// specification has for it. https://opentelemetry.io/docs/specs/otlp/
package otlp
