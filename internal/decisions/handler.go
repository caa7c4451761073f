package decisions

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// writeTimeout is how long a watcher may take to read what was sent to it.
const writeTimeout = 10 * time.Second

// A list is the response to a query.
type list struct {
	Decisions List `json:"decisions"`
}

// An event is a line of the response to a watch: a decision, or how many were lost
// before the next one because the watcher was slow.
type event struct {
	Decision *Entry `json:"decision,omitempty"`
	Lost     int    `json:"lost,omitempty"`
}

// NewHandler returns the handler of the decisions of a recorder.
//
//	GET /decisions?id=&arn=&cluster=&outcome=&limit=             {"decisions": […]}, the latest last
//	GET /decisions?id=&arn=&cluster=&outcome=&limit=&watch=true  one JSON object per line, without end
//
// The outcome can be repeated. Every parameter is optional.
func NewHandler(recorder *Recorder) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /decisions", func(w http.ResponseWriter, r *http.Request) {
		query, watch, err := parseQuery(r.URL.Query())
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		case watch:
			serveWatch(w, r, recorder, query)
		default:
			w.Header().Set("Content-Type", "application/json")
			// An error means that the client has closed the connection.
			_ = json.NewEncoder(w).Encode(list{recorder.Find(query)})
		}
	})
	return mux
}

// serveWatch sends decisions until the client or the server ends.
func serveWatch(w http.ResponseWriter, r *http.Request, recorder *Recorder, query Query) {
	past, watcher, err := recorder.Watch(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer watcher.Stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	stream := stream{http.NewResponseController(w), json.NewEncoder(w)}
	if stream.start() != nil {
		return
	}
	for i := range past {
		if stream.send(event{Decision: &past[i]}) != nil {
			return
		}
	}
	for {
		select {
		case entry := <-watcher.Entries():
			if lost := watcher.Lost(); lost > 0 && stream.send(event{Lost: lost}) != nil {
				return
			}
			if stream.send(event{Decision: &entry}) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// A stream sends lines as long as the client reads them.
type stream struct {
	control *http.ResponseController
	encoder *json.Encoder
}

// start lifts the time limit of a request, and sends the headers.
func (s stream) start() error {
	if err := s.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return s.control.Flush()
}

func (s stream) send(e event) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := s.encoder.Encode(e); err != nil {
		return err
	}
	return s.control.Flush()
}
