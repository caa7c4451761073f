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
