// Command shop is a small target to watch: a web shop whose visitors come and go with the hour, with latencies and
// orders. It exposes /metrics on 127.0.0.1:9781.
package main

import (
	"flag"
	"log"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	listen := flag.String("listen-address", "127.0.0.1:9781", "address of /metrics")
	flag.Parse()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	go visit(reg)
	http.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// visit lets visitors come for as long as the program runs: about twenty a second at the busiest hour, two at night.
func visit(reg prometheus.Registerer) {
	f := promauto.With(reg)
	latency := f.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time a request took.",
		Buckets: []float64{.025, .05, .1, .2, .3, .4, .5, .75, 1, 2, 5},
	}, []string{"route", "code"})
	inFlight := f.NewGauge(prometheus.GaugeOpts{Name: "http_requests_in_flight", Help: "Requests being answered."})
	visits := f.NewCounter(prometheus.CounterOpts{Name: "visits_total", Help: "Visitors."})
	checkouts := f.NewCounter(prometheus.CounterOpts{Name: "checkouts_total", Help: "Visitors who went to the checkout."})
	orders := f.NewCounter(prometheus.CounterOpts{Name: "orders_total", Help: "Visitors who bought something."})
	revenue := f.NewCounter(prometheus.CounterOpts{Name: "revenue_euros_total", Help: "What they paid.", ConstLabels: prometheus.Labels{"currency": "EUR"}})
	answer := func(route string, seconds float64) {
		code := "200"
		if rand.Float64() < 0.002 {
			code = "500"
		}
		latency.WithLabelValues(route, code).Observe(seconds)
	}
	for {
		now := time.Now()
		hour := float64(now.Hour()) + float64(now.Minute())/60
		busy := 11 + 9*math.Sin(2*math.Pi*(hour-9)/24) // visitors a second
		time.Sleep(time.Duration(rand.ExpFloat64() / busy * float64(time.Second)))
		inFlight.Set(math.Round(busy * 0.1 * math.Exp(0.3*rand.NormFloat64())))
		visits.Inc()
		answer("/", 0.05*math.Exp(0.4*rand.NormFloat64()))
		if rand.Float64() > 0.3 {
			continue
		}
		checkouts.Inc()
		answer("/checkout", (0.2+busy/100)*math.Exp(0.3*rand.NormFloat64()))
		if rand.Float64() < 0.6 {
			orders.Inc()
			revenue.Add(20 + 60*rand.Float64())
		}
	}
}
