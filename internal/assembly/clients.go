package assembly

import (
	"context"
	"crypto/tls"
	"log/slog"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/cluster"
)

// NewClients returns what verifies clients with a file of CAs; nil if no file is named.
func NewClients(ctx context.Context, path string, log *slog.Logger) (*certificate.Clients, error) {
	if path == "" {
		return nil, nil
	}
	return certificate.NewClients(ctx, path, nil, log)
}

// newOwnClients returns what verifies the clients of one cluster with CAs of its own; nil if
// it has none.
func (a Shared) newOwnClients(ctx context.Context, path string) (*certificate.Clients, error) {
	clients, err := NewClients(ctx, path, a.Log)
	if a.Patient {
		return clients, nil // it accepts no client until the file can be used
	}
	return clients, err
}

// clientsReady fits [cluster.Config].ClientsReady.
func clientsReady(clients *certificate.Clients) func() error {
	if clients == nil {
		return nil
	}
	return clients.Ready
}

// verifyClient fits [cluster.Config].VerifyClient.
func verifyClient(clients *certificate.Clients) func(*tls.ConnectionState) error {
	if clients == nil {
		return nil
	}
	return clients.Verify
}

// followClients fits [cluster.Config].Follow.
func followClients(clients *certificate.Clients) []func(context.Context, *cluster.Cluster) {
	if clients == nil {
		return nil
	}
	return []func(context.Context, *cluster.Cluster){func(ctx context.Context, _ *cluster.Cluster) { clients.Run(ctx) }}
}
