package webhook

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/time/rate"
)

// RequireClient returns a handler that answers 401 to clients that verify refuses, and
// passes others on. The answer does not say why; the log does, once a minute.
func RequireClient(verify func(*tls.ConnectionState) error, refused func(), log *slog.Logger, next http.Handler) http.Handler {
	seldom := rate.Sometimes{First: 1, Interval: time.Minute}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := verify(r.TLS)
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		refused()
		seldom.Do(func() {
			log.Warn("a client is refused (--client-ca-file): the kube-apiserver's kubeconfig must name a client certificate of that CA", "client", r.RemoteAddr, "error", err)
		})
		(&failure{http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "a client certificate is required"}).write(w)
	})
}
