package limit

// HostStatus is the state of one host.
type HostStatus struct {
	Host string
	// Region is the host's region. It is empty until a token names the host.
	Region string
	// CircuitOpen means that the host does not answer, and that only probes and known
	// keys call it.
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
