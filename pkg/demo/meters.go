package demo

import (
	"strconv"
	"time"
)

const (
	cpus       = 4
	memory     = 16 << 30
	disk       = 200 << 30
	collection = 0.55 // share of the disk that is used when the history begins
)

// modes of a CPU; the first one is what is left.
var modes = [...]string{"idle", "user", "system", "iowait"}

const (
	idle = iota
	user
	system
	iowait
)

// meters are the values that are not in a histogram or a query.
type meters struct {
	visits, checkouts, orders, revenue, inFlight *float64

	cpu                                   [cpus][len(modes)]*float64
	available, load, free                 *float64
	diskTime, read, written               *float64
	reads, writes, readTime, writeTime    *float64
	received, sent, connections, switches *float64
	containerCPU, containerMemory         map[string]*float64

	commits, rollbacks, hits, misses *float64
	backends, active, size           *float64
}

var latencyBounds = []float64{.025, .05, .1, .15, .2, .3, .4, .6, 1, 2, 4, 8}

func (s *Shop) buildPages() {
	m := &s.m
	m.visits = s.Service.family("counter", "visits_total", "Visits.").with()
	m.checkouts = s.Service.family("counter", "checkouts_total", "Visitors who went to the checkout.").with()
	m.orders = s.Service.family("counter", "orders_total", "Orders.").with()
	m.revenue = s.Service.family("counter", "revenue_euros_total", "What was sold.").with("currency", "EUR")
	m.inFlight = s.Service.family("gauge", "http_requests_in_flight", "Requests being answered.").with()
	latency := s.Service.family("histogram", "http_request_duration_seconds", "Time a request took.")
	for _, r := range s.routes {
		r.latency = latency.histogram(latencyBounds, "route", r.name)
	}
	requests := s.Service.family("counter", "http_requests_total", "Requests by status.")
	for _, r := range s.routes {
		r.ok, r.bad = requests.with("route", r.name, "code", "200"), requests.with("route", r.name, "code", "500")
	}

	pg := func(kind, name, help string, pairs ...string) *float64 {
		return s.Database.family(kind, name, help).with(append([]string{"datname", "shop"}, pairs...)...)
	}
	m.commits = pg("counter", "pg_stat_database_xact_commit", "Transactions committed.")
	m.rollbacks = pg("counter", "pg_stat_database_xact_rollback", "Transactions rolled back.")
	m.hits = pg("counter", "pg_stat_database_blks_hit", "Blocks found in the buffers.")
	m.misses = pg("counter", "pg_stat_database_blks_read", "Blocks read from disk.")
	m.backends = pg("gauge", "pg_stat_database_numbackends", "Connections.")
	m.active = pg("gauge", "pg_stat_activity_count", "Connections by state.", "state", "active")
	m.size = pg("gauge", "pg_database_size_bytes", "Size.")
	calls := s.Database.family("counter", "pg_stat_statements_calls_total", "Calls of a statement.")
	seconds := s.Database.family("counter", "pg_stat_statements_seconds_total", "Time spent in a statement.")
	rows := s.Database.family("counter", "pg_stat_statements_rows_total", "Rows of a statement.")
	for _, q := range s.queries {
		at := []string{"datname", "shop", "queryid", q.id}
		q.calls, q.seconds, q.rows = calls.with(at...), seconds.with(at...), rows.with(at...)
	}
	s.buildNode()
}

func (s *Shop) buildNode() {
	m := &s.m
	cpu := s.Node.family("counter", "node_cpu_seconds_total", "Time of CPUs by mode.")
	for i := range m.cpu {
		for k, mode := range modes {
			m.cpu[i][k] = cpu.with("cpu", strconv.Itoa(i), "mode", mode)
		}
	}
	gauge := func(name, help string, pairs ...string) *float64 {
		return s.Node.family("gauge", name, help).with(pairs...)
	}
	counter := func(name, help string, pairs ...string) *float64 {
		return s.Node.family("counter", name, help).with(pairs...)
	}
	*gauge("node_memory_MemTotal_bytes", "Memory.") = memory
	m.available = gauge("node_memory_MemAvailable_bytes", "Memory that can be had.")
	m.load = gauge("node_load1", "Processes that run or wait for disks.")
	at := []string{"device", "/dev/sda1", "fstype", "ext4", "mountpoint", "/"}
	*gauge("node_filesystem_size_bytes", "Size of the disk.", at...) = disk
	m.free = gauge("node_filesystem_avail_bytes", "Free space.", at...)
	m.diskTime = counter("node_disk_io_time_seconds_total", "Time the disk was busy.", "device", "sda")
	m.read = counter("node_disk_read_bytes_total", "Bytes read.", "device", "sda")
	m.written = counter("node_disk_written_bytes_total", "Bytes written.", "device", "sda")
	m.reads = counter("node_disk_reads_completed_total", "Reads.", "device", "sda")
	m.writes = counter("node_disk_writes_completed_total", "Writes.", "device", "sda")
	m.readTime = counter("node_disk_read_time_seconds_total", "Time of reads.", "device", "sda")
	m.writeTime = counter("node_disk_write_time_seconds_total", "Time of writes.", "device", "sda")
	m.received = counter("node_network_receive_bytes_total", "Bytes received.", "device", "eth0")
	m.sent = counter("node_network_transmit_bytes_total", "Bytes sent.", "device", "eth0")
	m.connections = gauge("node_netstat_Tcp_CurrEstab", "Connections.")
	m.switches = counter("node_context_switches_total", "Context switches.")
	m.containerCPU, m.containerMemory = map[string]*float64{}, map[string]*float64{}
	used := s.Node.family("counter", "container_cpu_usage_seconds_total", "CPU time of a container.")
	held := s.Node.family("gauge", "container_memory_working_set_bytes", "Working set of a container.")
	for _, c := range []string{"shop", "postgres"} {
		of := []string{"namespace", "shop", "container", c, "pod", c + "-0"}
		m.containerCPU[c], m.containerMemory[c] = used.with(of...), held.with(of...)
	}
}

// stepDatabase takes what n queries came to: total seconds of work in sec seconds.
func (s *Shop) stepDatabase(sec, n, total, ill float64) {
	m := &s.m
	*m.commits += n * 0.995
	*m.rollbacks += poisson(s.rng, n*0.005)
	misses := poisson(s.rng, n*0.3*(1+9*ill))
	*m.misses += misses
	*m.hits += poisson(s.rng, n*120)
	*m.active = poisson(s.rng, total/sec)
	*m.backends = 20 + *m.active
	age := s.now.Sub(s.began).Hours() / 24
	*m.size = 30e9 + 6e7*age + 1e6*s.rng.NormFloat64()

	busy := min((0.0004*misses+0.15*ill*sec)/sec, 1)
	*m.diskTime += busy * sec
	*m.reads += misses
	*m.readTime += misses * 0.0004 * (1 + 2*ill) * s.machine.step(s.rng, sec)
	*m.read += misses * 8192
	writes := poisson(s.rng, (40+n/sec/4)*sec)
	*m.writes += writes
	*m.writeTime += writes * 0.0003 * (1 + ill)
	*m.written += writes * 12e3
	*m.containerCPU["postgres"] += (0.05 + 0.12*total/sec*(1-0.9*ill)) * sec
	*m.containerMemory["postgres"] = 3.2e9 * (1 + 0.004*s.rng.NormFloat64())
	s.cpu(iowait, (0.006+0.08*ill)*cpus*sec*s.machine.step(s.rng, 0))
}

// stepMachine takes the requests that were answered.
func (s *Shop) stepMachine(sec, requests, busy, ill float64, released bool) {
	m := &s.m
	work := (0.06 + 0.0018*requests/sec) * sec * s.machine.step(s.rng, sec)
	held := 620e6 + 90e6*busy
	if released {
		held *= 1.15
	}
	*m.containerCPU["shop"] += work
	*m.containerMemory["shop"] = held * (1 + 0.01*s.rng.NormFloat64())
	s.cpu(user, work*1.3)
	s.cpu(system, work*0.4)
	for i := range m.cpu {
		left := s.now.Sub(s.began).Seconds() + 3600
		for _, v := range m.cpu[i][1:] {
			left -= *v
		}
		*m.cpu[i][idle] = max(left, *m.cpu[i][idle])
	}
	*m.available = memory - 3.2e9 - held - 2.1e9*(1+0.01*s.rng.NormFloat64())
	*m.load = max(work*1.7/sec+1.5*ill+0.15*s.rng.NormFloat64(), 0)
	used := disk * (collection + 0.002*s.now.Sub(s.began).Hours()/24)
	*m.free = disk - used - 2e8*s.rng.Float64()
	*m.received += requests * 350
	*m.sent += requests * 5e3
	*m.connections = 30 + poisson(s.rng, 60*busy)
	*m.switches += poisson(s.rng, (900+4*requests/sec)*sec)
}

// cpu adds time of a mode, spread over the CPUs.
func (s *Shop) cpu(mode int, seconds float64) {
	for i := range s.m.cpu {
		*s.m.cpu[i][mode] += seconds / cpus
	}
}

// Steps of the simulation: in its past, and near and after the present.
const (
	PastStep = 30 * time.Second
	Step     = 5 * time.Second
)
