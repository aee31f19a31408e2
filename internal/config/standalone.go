package config

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"
)

// Standalone is what a side needs besides, that runs on its own.
type Standalone struct {
	// TemporalPort is where the Temporal that it runs listens, on the loopback interface.
	TemporalPort int `env:"STANDALONE_TEMPORAL_PORT" envDefault:"7233"`
	// UI is where Temporal's web UI is served: host and port; empty for nowhere.
	UI LocalAddress `env:"STANDALONE_UI_ADDRESS"`
	// Every is the time between two cycles.
	Every time.Duration `env:"RECONCILE_SLEEP_TIME" envDefault:"5m"`
}

// LoadStandalone reads the configuration from environ, which has the shape of os.Environ.
func LoadStandalone(environ []string) (Standalone, error) {
	return load(environ, (*Standalone).complete)
}

func (s *Standalone) complete(variables) (problems []error) {
	if s.TemporalPort < 1 || s.TemporalPort > 65535 {
		problems = append(problems, fmt.Errorf("STANDALONE_TEMPORAL_PORT is %d, not between 1 and 65535", s.TemporalPort))
	}
	if s.Every < time.Second {
		problems = append(problems, fmt.Errorf("RECONCILE_SLEEP_TIME is %s, less than 1s", s.Every))
	}
	return problems
}

// LocalAddress is an IP and a port. A port alone is one of the loopback interface: what is served there asks nobody who
// they are.
type LocalAddress string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *LocalAddress) UnmarshalText(text []byte) error {
	address := string(text)
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	host = cmp.Or(host, "127.0.0.1")
	if err != nil || new(Port).UnmarshalText([]byte(port)) != nil || net.ParseIP(host) == nil {
		return fmt.Errorf("%q is not a port, nor an IP and a port such as 0.0.0.0:8233", text)
	}
	*a = LocalAddress(net.JoinHostPort(host, port))
	return nil
}

// URL is where a browser on this machine finds what is served there.
func (a LocalAddress) URL() string {
	host, port, err := net.SplitHostPort(string(a))
	if err == nil && net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
