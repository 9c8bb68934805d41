package calendar_test

import (
	_ "embed"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
)

// zones names every zone of the IANA database, as listed by
//
//	unzip -Z1 "$(go env GOROOT)/lib/time/zoneinfo.zip" | grep -v '/$' | sort
//
//go:embed testdata/zones.txt
var zones string

func load(t testing.TB, name string) *calendar.Zone {
	t.Helper()
	z, err := calendar.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestLoadRefusesWhatIsNoZone(t *testing.T) {
	check := func(name, want string) {
		t.Helper()
		z, err := calendar.Load(name)
		if err == nil {
			t.Fatalf("Load(%q) = %v, want an error", name, z.Name())
		}
		for _, want := range []string{want, `"` + name + `"`, "Europe/Berlin"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Load(%q): error %q does not say %s", name, err, want)
			}
		}
	}
	check("", "depends on the machine")
	check("Local", "depends on the machine")
	check("Europe/Berlim", "unknown")
	check("Europe", "unknown")
	check("../etc/passwd", "unknown")
	check("+02:00", "unknown")
}

func TestHourOfWeek(t *testing.T) {
	check := func(zone, at string, want int) {
		t.Helper()
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := load(t, zone).HourOfWeek(when.UnixMilli()); got != want {
			t.Errorf("%s in %s: hour of week %d, want %d", at, zone, got, want)
		}
	}
	check("UTC", "1970-01-01T00:00:00Z", 4*24)                   // a Thursday
	check("UTC", "1969-12-31T23:59:59.999Z", 3*24+23)            // before the epoch
	check("UTC", "1900-01-01T12:00:00Z", 1*24+12)                // before the table
	check("UTC", "2100-01-01T00:00:00Z", 5*24)                   // behind the table
	check("Europe/Berlin", "2026-11-22T00:00:00+01:00", 0)       // Sunday, the first hour
	check("Europe/Berlin", "2026-11-21T23:59:59.999+01:00", 167) // Saturday, the last
	check("Europe/Berlin", "2026-03-29T00:59:59.999Z", 1)        // 01:59 CET
	check("Europe/Berlin", "2026-03-29T01:00:00Z", 3)            // 03:00 CEST: hour 2 is skipped
	check("Europe/Berlin", "2026-10-25T00:30:00Z", 2)            // 02:30 CEST
	check("Europe/Berlin", "2026-10-25T01:30:00Z", 2)            // 02:30 CET: hour 2 again
	check("Europe/Berlin", "2150-07-01T12:00:00Z", 3*24+14)      // summer time behind the table
	check("Asia/Kathmandu", "2026-11-23T18:14:59Z", 1*24+23)     // +05:45
	check("Asia/Kathmandu", "2026-11-23T18:15:00Z", 2*24)        //
	check("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 0*24+1) // back by half an hour: 01:30
}

func TestDescribe(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 7, 0, 0, time.UTC).UnixMilli()
	if got, want := load(t, "Europe/Berlin").Describe(at), "Tue 14:07 Europe/Berlin"; got != want {
		t.Errorf("Describe = %q, want %q", got, want)
	}
	if got := load(t, "UTC").Local(at); got.UnixMilli() != at || got.Location().String() != "UTC" {
		t.Errorf("Local = %v", got)
	}
}

// TestEveryZone walks every zone of the world in quarters of an hour and compares with two oracles: package time, and a
// clock that only ever adds elapsed time, and the shift of the offset where there is one.
func TestEveryZone(t *testing.T) {
	const step = 15 * 60 // seconds
	const week = 7 * 24 * 3600
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	to := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	names := strings.Fields(zones)
	if len(names) < 590 {
		t.Fatalf("only %d zones listed", len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := load(t, name)
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Unix(from, 0).In(loc)
			_, offset := at.Zone()
			clock := int(at.Weekday())*24*3600 + at.Hour()*3600 + at.Minute()*60 + at.Second()
			var shifts, shifted int
			for s := from; s < to; s += step {
				at := time.Unix(s, 0).In(loc)
				if _, o := at.Zone(); o != offset {
					clock += o - offset
					shifted += o - offset
					shifts++
					offset = o
				}
				got := z.HourOfWeek(s * 1000)
				if want := int(at.Weekday())*24 + at.Hour(); got != want {
					t.Fatalf("%v: hour of week %d, package time says %d", at, got, want)
				}
				if want := (clock%week + week) % week / 3600; got != want {
					t.Fatalf("%v: hour of week %d, elapsed time and %d shifts say %d", at, got, shifts, want)
				}
				clock += step
			}
			if name == "Europe/Berlin" && (shifts != 32 || shifted != 0) {
				t.Fatalf("saw %d clock changes adding up to %d s, want 32 that cancel", shifts, shifted)
			}
		})
	}
}

// TestTransitionsAreExact finds every change of an offset by bisection, from before the table to behind it, and looks at
// the milliseconds on both of its sides.
func TestTransitionsAreExact(t *testing.T) {
	const day = int64(24 * time.Hour / time.Millisecond)
	check := func(name string, atLeast int) {
		t.Helper()
		z := load(t, name)
		offset := func(ms int64) int64 {
			_, seconds := z.Local(ms).Zone()
			return int64(seconds) * 1000
		}
		changes := 0
		for ms := time.Date(1890, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(); ms < 4102444800000+10*365*day; ms += day {
			if offset(ms) == offset(ms+day) {
				continue
			}
			changes++
			i := sort.Search(int(day), func(i int) bool { return offset(ms+int64(i)) != offset(ms) })
			for _, at := range []int64{ms + int64(i) - 1, ms + int64(i)} {
				local := z.Local(at)
				if got, want := z.HourOfWeek(at), int(local.Weekday())*24+local.Hour(); got != want || z.Offset(at) != offset(at) {
					t.Errorf("%s at %v: hour of week %d, offset %d ms, want %d, %d ms", name, local, got, z.Offset(at), want, offset(at))
				}
			}
		}
		if changes < atLeast {
			t.Errorf("%s: only %d changes seen", name, changes)
		}
	}
	check("Europe/Berlin", 250)
	check("America/New_York", 270)
	check("Australia/Lord_Howe", 200)
	check("Africa/Casablanca", 100)
	check("Africa/Monrovia", 2) // by seconds
	check("Pacific/Apia", 20)   // skipped a whole day
	check("UTC", 0)
}

func TestZoneIsSafeForConcurrentUse(t *testing.T) {
	z := load(t, "America/New_York")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ms := int64(0); ms < 5e12; ms += 1e9 {
				z.HourOfWeek(ms)
			}
		})
	}
	wg.Wait()
}

func TestHourOfWeekDoesNotAllocate(t *testing.T) {
	z := load(t, "Europe/Berlin")
	ms := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC).UnixMilli()
	if n := testing.AllocsPerRun(1000, func() { z.HourOfWeek(ms); ms += 60_000 }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkHourOfWeek(b *testing.B) {
	z := load(b, "Europe/Berlin")
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	minutes := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		z.HourOfWeek(from + minutes*60_000)
		minutes = (minutes + 1) % (366 * 24 * 60)
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := calendar.Load("Europe/Berlin"); err != nil {
			b.Fatal(err)
		}
	}
}
