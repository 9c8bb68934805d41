package main

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/config"
)

// ircServer speaks the few lines that a relay needs to come in and talk.
type ircServer struct {
	l    net.Listener
	mu   sync.Mutex
	said []string // to channels
	in   []string // channels that were joined
}

func newIRCServer(t *testing.T) *ircServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &ircServer{l: l}
	var wg sync.WaitGroup
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			conns = append(conns, c)
			s.mu.Unlock()
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // ends the loop
		s.mu.Lock()
		for _, c := range conns {
			_ = c.Close() // ends its server
		}
		s.mu.Unlock()
		wg.Wait()
	})
	return s
}

func (s *ircServer) serve(c net.Conn) {
	nick := "nobody"
	say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
	for lines := bufio.NewScanner(c); lines.Scan(); {
		command, rest, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "NICK":
			nick = strings.TrimPrefix(rest, ":")
		case "USER":
			say(":irc 001 %s :Welcome", nick)
		case "PING":
			say(":irc PONG irc %s", rest)
		case "JOIN":
			channel, _, _ := strings.Cut(rest, " ")
			say(":%s!u@localhost JOIN %s", nick, channel)
			say(":irc 366 %s %s :End of /NAMES list", nick, channel)
			s.mu.Lock()
			s.in = append(s.in, channel)
			s.mu.Unlock()
		case "PRIVMSG", "NOTICE":
			s.mu.Lock()
			s.said = append(s.said, rest)
			s.mu.Unlock()
		}
	}
}

func (s *ircServer) heard() (joined int, said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.in), strings.Join(s.said, "\n")
}

// A consumer of others, alertmanager-irc-relay, takes what we post for what an Alertmanager posts, and says it on IRC.
func TestRealIRCRelay(t *testing.T) {
	t.Parallel()
	relay := peer(t, "apt-get install alertmanager-irc-relay", "alertmanager-irc-relay")
	irc := newIRCServer(t)
	address, dir := freeAddress(t), t.TempDir()
	_, port, _ := net.SplitHostPort(address)
	spawn(t, exec.Command(relay, "--config="+write(t, dir, "relay.yml", fmt.Sprintf(`
http_host: 127.0.0.1
http_port: %s
irc_host: 127.0.0.1
irc_port: %d
irc_nickname: baseliner
irc_realname: baseliner
irc_use_ssl: no
irc_verify_ssl: no
irc_channels: [{name: "#alerts"}]
use_privmsg: yes
msg_once_per_alert_group: no
msg_template: 'Alert {{ .Labels.alertname }} on {{ .Labels.pod }} is {{ .Status }}: {{ .Annotations.summary }}'
`, port, irc.l.Addr().(*net.TCPAddr).Port))))
	eventually(t, "the relay is in its channel", 30*time.Second, func() error {
		if joined, _ := irc.heard(); joined == 0 {
			return fmt.Errorf("nobody is there")
		}
		return nil
	})
	cfg, err := config.LoadBytes("x.yml", []byte("alerting:\n  route: {receiver: irc}\n  receivers: [{name: irc, webhook_configs: [{url: 'http://"+address+"/alerts'}]}]\n"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	es, err := endpoints(cfg, "http://baseliner.example")
	if err != nil {
		t.Fatal(err)
	}
	post := func(reason string, as ...alert.Episode) {
		t.Helper()
		body, ok, err := es[0].Encode(&alert.Notification{
			Receiver: "irc", GroupKey: `{}:{alertname="Slow"}`, Reason: reason, GroupLabels: map[string]string{"alertname": "Slow"}, Alerts: as,
		})
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		if err := es[0].Send(t.Context(), "msg_1", body); err != nil {
			t.Fatalf("%v for %s", err, body)
		}
	}
	slow := alert.Transition{
		Firing: true, StartsAt: 1_795_420_800_000, Labels: map[string]string{"alertname": "Slow", "pod": "a"}, GeneratorURL: "http://baseliner.example/signal",
		Annotations: map[string]string{"summary": `2 s; normal is 1 s "{{ .Status }}"`},
	}
	post(alert.ReasonFirst, alert.Episode{Transition: slow, Fingerprint: alert.Fingerprint(slow.Labels)})
	slow.Firing, slow.EndsAt = false, slow.StartsAt+60_000
	post(alert.ReasonAllResolved, alert.Episode{Transition: slow, Fingerprint: alert.Fingerprint(slow.Labels)})
	eventually(t, "both are said", 20*time.Second, func() error {
		_, said := irc.heard()
		for _, state := range []string{"firing", "resolved"} {
			if line := `#alerts :Alert Slow on a is ` + state + `: 2 s; normal is 1 s "{{ .Status }}"`; !strings.Contains(said, line) {
				return fmt.Errorf("no %q in %q", line, said)
			}
		}
		return nil
	})
}
