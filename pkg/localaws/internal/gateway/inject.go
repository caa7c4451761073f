package gateway

import (
	"net/http"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/httpserver"
)

// injectFault applies the faults to a call. It returns the error to answer in place of
// the service, if any.
func (g *Gateway) injectFault(w http.ResponseWriter, c call) *api.Error {
	if c.refused != nil {
		return nil
	}
	wait, fault := g.faults.strike(c.Action(), c.Region, c.signature.key())
	if wait > 0 && !waited(w, c.request.Request, wait) {
		return api.NewError(statusNone, "ConnectionClosed", "The client left before it was answered.")
	}
	if fault == nil {
		return nil
	}
	switch fault.Kind {
	case FaultThrottle:
		return api.NewError(http.StatusBadRequest, api.CodeThrottled, "Rate exceeded")
	case FaultDrop:
		return api.NewError(statusNone, "ConnectionDropped", "A fault of localaws dropped the connection.")
	case FaultSignature:
		return signatureMismatch()
	}
	if fault.Status == http.StatusServiceUnavailable {
		return api.NewError(fault.Status, api.CodeUnavailable, "A fault of localaws made the service unavailable.")
	}
	return api.NewError(max(fault.Status, http.StatusInternalServerError), api.CodeServiceFailure, "A fault of localaws made the service fail.")
}

// waited waits in real time and reports whether the client is still there.
func waited(w http.ResponseWriter, r *http.Request, wait time.Duration) bool {
	ExtendDeadlines(w, wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// ExtendDeadlines extends the deadlines of a request whose answer takes a while;
// zero means no limit.
func ExtendDeadlines(w http.ResponseWriter, by time.Duration) {
	var deadline time.Time
	if by > 0 {
		deadline = time.Now().Add(by + httpserver.RequestTimeout)
	}
	controller := http.NewResponseController(w)
	// Some writers, as in tests, have no deadlines.
	_ = controller.SetReadDeadline(deadline)
	_ = controller.SetWriteDeadline(deadline)
}

// statusNone is the status of a call that gets no response.
const statusNone = 0

// drop closes the connection instead of answering.
func (g *Gateway) drop(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // so it cannot answer either
		g.log.Error("dropping a connection failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = connection.Close()
}
