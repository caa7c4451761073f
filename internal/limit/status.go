package limit

// HostStatus is what goes on with one host.
type HostStatus struct {
	Host string
	// Region of the host; empty until a token names it.
	Region string
	// CircuitOpen: the host has not answered, and only probes ask it.
	CircuitOpen bool
	// Running and Waiting count requests.
	Running, Waiting int
}

// Status returns the state of the hosts, for metrics.
func (l *Limiter) Status() []HostStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []HostStatus
	for _, h := range l.hosts.byName {
		all = append(all, HostStatus{h.name, h.region, h.breaker.isOpen(), h.running, h.waiting})
	}
	return all
}
