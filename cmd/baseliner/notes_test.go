package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestAnnotationsSurviveAKill tells a running instance of a deploy, with and without the token, and kills it.
func TestAnnotationsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "token", "s3cret\n")
	write(t, dir, "days.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nSUMMARY:Fair\nDTSTART;VALUE=DATE:20261210\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n")
	cfg := write(t, dir, "baseliner.yml", `
ingest: {annotations: {enabled: true, token_file: token}}
signals:
  - {name: sessions, layer: business, expr: sum(shop_sessions)}
calendar: {holidays: [{country: DE}, {file: days.ics}, {date: 2026-11-27, name: Black Friday}], cycles: [month_end]}
`)
	in := runInstanceOf(t, cfg, dir+"/data")
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	body := fmt.Sprintf(`{"id":"v2","type":"deploy","time":%d,"text":"v2","labels":{"signal":"sessions"}}`, at.Unix())
	tell := func(in *running, token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.url+"/api/baseliner/v1/annotations", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return in.read(resp)
	}
	status, answer := tell(in, "guess")
	wantStatus(t, "a wrong token", status, http.StatusUnauthorized, answer)
	status, answer = tell(in, "s3cret")
	wantStatus(t, "the token", status, http.StatusCreated, answer)
	in.kill()

	in = runInstanceOf(t, cfg, dir+"/data")
	var list []web.AnnotationView
	in.data(&list, "/api/baseliner/v1/annotations", "signal", "sessions", "type", "deploy")
	if len(list) != 1 || list[0].ID != "v2" || !list[0].Start.Equal(at) || list[0].Text != "v2" {
		t.Errorf("after a kill there are %+v", list)
	}
	status, answer = tell(in, "s3cret")
	wantStatus(t, "the same once more", status, http.StatusOK, answer)
	if v, ok := in.metric("baseliner_annotations"); !ok || v != 1 {
		t.Errorf("baseliner_annotations is %g, %t", v, ok)
	}
	write(t, dir, "token", "other\n") // rotated: no reload is needed
	status, answer = tell(in, "s3cret")
	wantStatus(t, "the old token", status, http.StatusUnauthorized, answer)

	// A changed calendar file is a changed configuration; a broken one changes nothing, and is told with its place.
	write(t, dir, "days.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n")
	eventually(t, "the new days are taken over", 20*time.Second, func() error {
		if n := strings.Count(in.stderr.String(), "configuration was taken over"); n != 1 {
			return fmt.Errorf("taken over %d times", n)
		}
		return nil
	})
	write(t, dir, "days.ics", "BEGIN:VCALENDAR\n")
	eventually(t, "the broken file is noticed", 20*time.Second, func() error {
		if !strings.Contains(in.stderr.String(), "calendar.holidays[1].file: days.ics: is not an iCalendar file") {
			return fmt.Errorf("the log does not say so")
		}
		return nil
	})
	in.stop()
}
