package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Probes is where a worker serves its probes and metrics.
type Probes struct {
	// HealthAddress is empty for nowhere.
	HealthAddress Address `env:"HEALTH_ADDRESS"`
	// MetricsPort is one of all of the machine's addresses; 0 for none. The predecessor had this variable.
	MetricsPort Port `env:"METRICS_SERVER_PORT"`
}

// LoadProbes reads what is needed to ask a worker whether it is ready.
func LoadProbes(environ []string) (Probes, error) {
	return load(environ, func(p *Probes, _ variables) []error {
		if len(p.Endpoints()) == 0 {
			return []error{errors.New("HEALTH_ADDRESS is not set")}
		}
		return nil
	})
}

// Endpoint is an address, and the variable that it is from.
type Endpoint struct {
	Variable string
	Address  Address
}

// Endpoints are where the same is served. One that two variables name is there once.
func (p Probes) Endpoints() (all []Endpoint) {
	if p.HealthAddress != "" {
		all = append(all, Endpoint{"HEALTH_ADDRESS", p.HealthAddress})
	}
	if everywhere := Address(fmt.Sprintf(":%d", p.MetricsPort)); p.MetricsPort != 0 && everywhere != p.HealthAddress {
		all = append(all, Endpoint{"METRICS_SERVER_PORT", everywhere})
	}
	return all
}

// Address is a host, which may be empty, and a port.
type Address string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	if _, port, err := net.SplitHostPort(string(text)); err != nil || port == "" {
		return fmt.Errorf("%q is not host:port or :port", text)
	}
	*a = Address(text)
	return nil
}

// Port is that of a TCP server.
type Port uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Port) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a port from 1 to 65535", text)
	}
	*p = Port(n)
	return nil
}
