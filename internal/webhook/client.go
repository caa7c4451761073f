package webhook

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/time/rate"
)

// Clients refuses clients that may not send reviews for a cluster. Nil refuses none. The
// fields must be set.
type Clients struct {
	// Verify returns why the client of a connection may not send reviews for a cluster.
	Verify func(clusterID string, connection *tls.ConnectionState) error
	// Refused is called for every refusal.
	Refused func(clusterID string)
	// Log gets a warning for each cluster, once a minute.
	Log *slog.Logger

	// seldom has a [rate.Sometimes] for each cluster that refused a client.
	seldom sync.Map
}

// check returns the answer to a request whose client is refused; nil if it is not. The
// answer does not say why; the log does.
func (c *Clients) check(r *http.Request, clusterID string) *failure {
	if c == nil {
		return nil
	}
	err := c.Verify(clusterID, r.TLS)
	if err == nil {
		return nil
	}
	c.Refused(clusterID)
	seldom, _ := c.seldom.LoadOrStore(clusterID, &rate.Sometimes{First: 1, Interval: time.Minute})
	seldom.(*rate.Sometimes).Do(func() {
		c.Log.Warn("a client is refused: the kube-apiserver's kubeconfig must name a client certificate of these CAs", "cluster", clusterID, "client", r.RemoteAddr, "error", err)
	})
	return &failure{http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "a client certificate is required"}
}

// refusesClient reports whether the failure is that of [Clients].
func (f *failure) refusesClient() bool { return f.status == http.StatusUnauthorized }
