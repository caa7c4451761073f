package httpserver

// A Status is what the listener of an endpoint does.
type Status struct {
	// Listener is the name of the endpoint.
	Listener string
	// Open is the number of open connections.
	Open int
	// ClosedQuiet and ClosedSlow count the connections that were closed to make room
	// for others: those that were quiet for too long while others waited, and those
	// with the most requests that wait for their clients.
	ClosedQuiet, ClosedSlow int64
}

// Status returns what each listener does.
func (s *Server) Status() []Status {
	var all []Status
	for i, l := range s.listeners {
		l.mu.Lock()
		open := len(l.open)
		l.mu.Unlock()
		all = append(all, Status{s.endpoints[i].Name, open, l.closedQuiet.Load(), l.closedSlow.Load()})
	}
	return all
}
