package main

import (
	"context"
	"log/slog"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

const denyFlag = "deny-file"

// denied returns the deny file; nil if there is none.
func (o *mappingOptions) denied(ctx context.Context, log *slog.Logger) (*deny.File, error) {
	if o.denyPath == "" {
		return nil, nil
	}
	denied, err := deny.New(ctx, deny.Config{Path: o.denyPath, Log: log})
	if err != nil {
		return nil, cli.Usagef("--deny-file: %w", err)
	}
	return denied, nil
}

// denies returns the principals that a deny file denies; nil if there is no file.
func denies(denied *deny.File) mapper.Denies {
	if denied == nil {
		return nil
	}
	return denied.Denies
}
