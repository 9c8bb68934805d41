package remotewrite_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	promclient "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	promremote "github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
)

// The sender of the newest Prometheus, its queue manager behind a real write-ahead log, speaks both protocols to us.
func TestPrometheusSender(t *testing.T) {
	for _, kind := range []remote.WriteMessageType{remote.WriteV1MessageType, remote.WriteV2MessageType} {
		t.Run(string(kind), func(t *testing.T) { sendWith(t, kind) })
	}
}

func sendWith(t *testing.T, kind remote.WriteMessageType) {
	s := newStation(t)
	s.handler = remotewrite.NewHandler(remotewrite.Options{Door: ingest.NewGuard(s.db, ingest.GuardOptions{}), Memory: s.memory})
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)

	dir := t.TempDir()
	source, err := promtsdb.Open(dir, promslog.NewNopLogger(), nil, promtsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	reg := prometheus.NewRegistry()
	sender := promremote.NewWriteStorage(promslog.NewNopLogger(), reg, dir, time.Second, nil, false)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	rw := config.DefaultRemoteWriteConfig
	rw.URL, rw.ProtobufMessage, rw.SendNativeHistograms = &promclient.URL{URL: u}, kind, true
	rw.QueueConfig.BatchSendDeadline = model.Duration(100 * time.Millisecond)
	if err := sender.ApplyConfig(&config.Config{GlobalConfig: config.DefaultGlobalConfig, RemoteWriteConfigs: []*config.RemoteWriteConfig{&rw}}); err != nil {
		t.Fatal(err)
	}

	source.SetWriteNotified(sender)

	begin := time.Now().Add(time.Second).Truncate(time.Second) // the sender skips what is older than itself
	h := &histogram.Histogram{Schema: 3, ZeroThreshold: 1e-128, Count: 5, Sum: 12, PositiveSpans: []histogram.Span{{Length: 2}}, PositiveBuckets: []int64{2, 1}}
	const series, rounds = 50, 20
	for r := range rounds {
		app := source.AppenderV2(context.Background())
		ts := begin.Add(time.Duration(r) * time.Second).UnixMilli()
		for i := range series {
			if _, err := app.Append(0, labels.FromStrings("__name__", "sent_total", "i", fmt.Sprint(i)), 0, ts, float64(r*i), nil, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := app.Append(0, labels.FromStrings("__name__", "native"), 0, ts, 0, h, nil, storage.AppendV2Options{}); err != nil {
			t.Fatal(err)
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	sum := func() (samples int, total float64, native int) {
		for name, list := range s.read() {
			for _, one := range list {
				if name == `{__name__="native"}` {
					native++
					continue
				}
				samples++
				total += one.v
			}
		}
		return samples, total, native
	}
	const wantTotal = (series - 1) * series / 2 * (rounds - 1) * rounds / 2
	deadline := time.Now().Add(20 * time.Second)
	for {
		samples, total, native := sum()
		if samples == series*rounds && total == wantTotal && native == rounds {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d samples with sum %v and %d histograms arrived, want %d, %v and %d", samples, total, native, series*rounds, wantTotal, rounds)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := sender.Close(); err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "prometheus_remote_storage_samples_failed_total", "prometheus_remote_storage_histograms_failed_total", "prometheus_remote_storage_samples_retried_total":
			for _, m := range f.GetMetric() {
				if m.GetCounter().GetValue() != 0 {
					t.Errorf("the sender counts %s %v", f.GetName(), m.GetCounter().GetValue())
				}
			}
		}
	}
}
