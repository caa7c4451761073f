// Package imds is the metadata service of EC2 instances: an HTTP server for each
// instance, as at 169.254.169.254.
package imds

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

const (
	maxTokenTTL = 21600 // seconds

	tokenPath   = "latest/api/token"
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

// A Service is the metadata of all instances of all accounts.
type Service struct {
	account   *account.Account // any
	log       *slog.Logger
	listeners listeners
}

// New returns the service of an account and those beside it.
func New(of *account.Account, log *slog.Logger) *Service { return &Service{account: of, log: log} }

// Handler returns the metadata service of an instance. It hands out credentials of the
// role in the instance's profile to every client, so its listener must be reachable by
// the instance only.
func (s *Service) Handler(instanceID string) (http.Handler, error) {
	var ok bool
	s.account.View(func(tx *account.Tx) { _, _, ok = find(tx, instanceID) })
	if !ok {
		return nil, fmt.Errorf("instance %s does not exist", instanceID)
	}
	return s.handler(instanceID), nil
}

// find returns an instance, with the transaction in its account.
func find(tx *account.Tx, id string) (in *account.Tx, i account.Instance, ok bool) {
	for _, a := range tx.Accounts() {
		in, _ := tx.In(a.ID)
		if i, ok := in.Instances().Instance(id); ok {
			return in, i, true
		}
	}
	return tx, account.Instance{}, false
}

// A handler answers for one instance.
type handler struct {
	*Service
	id string
	// key signs the tokens, so that none has to be stored.
	key []byte
}

func (s *Service) handler(instanceID string) *handler {
	h := &handler{Service: s, id: instanceID, key: make([]byte, sha256.Size)}
	_, _ = rand.Read(h.key) // never returns an error: the program crashes instead
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, text, change := h.answer(w.Header(), r)
	if change != 0 {
		if err := h.account.Save(change); err != nil {
			h.log.Error("saving the state failed", "error", err)
			status = http.StatusInternalServerError
		}
	}
	h.log.Info("answered", "service", "imds", "instance", h.id, "method", r.Method, "path", r.URL.Path, "status", status)
	if status != http.StatusOK {
		text = strconv.Itoa(status) + " - " + http.StatusText(status)
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// answer answers a request and may set headers. Text is for status 200 only. Change
// numbers the state change if credentials were created.
func (h *handler) answer(header http.Header, r *http.Request) (status int, text string, change uint64) {
	change, _ = h.account.Do(account.Call{}, func(tx *account.Tx) error {
		status, text = h.ask(tx, header, r)
		return nil
	})
	return status, text, change
}

// ask answers a request in a transaction.
func (h *handler) ask(tx *account.Tx, header http.Header, r *http.Request) (status int, text string) {
	path := strings.Trim(r.URL.Path, "/")
	tx, i, ok := find(tx, h.id)
	switch {
	case !ok || !i.HasMetadata():
		return http.StatusNotFound, ""
	case i.Metadata.Endpoint == "disabled":
		return http.StatusForbidden, ""
	case path == tokenPath && r.Method == http.MethodPut:
		return h.grant(header, r, tx.Time)
	case path == tokenPath:
		header.Set("Allow", http.MethodPut)
		return http.StatusMethodNotAllowed, ""
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		return http.StatusMethodNotAllowed, ""
	}
	token := r.Header.Get(tokenHeader)
	if token != "" || i.Metadata.Tokens == "required" {
		left, ok := h.check(token, tx.Time)
		if !ok {
			return http.StatusUnauthorized, ""
		}
		header.Set(ttlHeader, strconv.Itoa(int(left/time.Second)))
	}
	if text, ok := metadataOf(tx, i).read(path); ok {
		return http.StatusOK, text
	}
	return http.StatusNotFound, ""
}

// grant returns a token. A request through a proxy gets none: as on AWS, this keeps
// tokens from clients of an open proxy.
func (h *handler) grant(header http.Header, r *http.Request, now time.Time) (status int, text string) {
	if r.Header.Get("X-Forwarded-For") != "" {
		return http.StatusForbidden, ""
	}
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || seconds < 1 || seconds > maxTokenTTL {
		return http.StatusBadRequest, ""
	}
	header.Set(ttlHeader, strconv.Itoa(seconds))
	return http.StatusOK, h.token(now.Add(time.Duration(seconds) * time.Second))
}

// token returns a token: its expiry and a signature.
func (h *handler) token(ends time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(ends.UnixNano()))
	return base64.URLEncoding.EncodeToString(h.sign(text))
}

// sign appends the signature of a text to the text.
func (h *handler) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, h.key)
	mac.Write(text)
	return mac.Sum(text)
}

// check verifies a token and returns its remaining lifetime.
func (h *handler) check(token string, now time.Time) (left time.Duration, ok bool) {
	signed, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(signed) != 8+sha256.Size || !hmac.Equal(signed, h.sign(signed[:8:8])) {
		return 0, false
	}
	left = time.Unix(0, int64(binary.BigEndian.Uint64(signed))).Sub(now)
	return left, left > 0
}
