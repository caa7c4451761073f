package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// TestInterruptedEditIsRecorded checks that an edit is in the history although Ctrl-C came
// right after it.
func TestInterruptedEditIsRecorded(t *testing.T) {
	t.Parallel()
	api := &mapServer{objects: map[string]map[string]any{}, review: `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":"ann"}}}`}
	api.put(kube.AWSAuth, mapedit.NewAWSAuth(map[string]string{"mapUsers": "[]"}).Object)
	past := mapedit.NewAWSAuth(nil)
	past.SetName(history.Name)
	api.put(history.Name, past.Object)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // who edited, which is asked after the edit
			interrupt()
		}
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := kube.NewClient(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	target := &mapedit.Cluster{Client: client, Err: io.Discard}
	if _, err := target.Read(ctx); err != nil {
		t.Fatal(err)
	}
	if err := target.Write(ctx, edit.Data{"mapUsers": "[] # edited"}, false); err != nil {
		t.Fatal(err)
	}
	entries, _, err := history.List(t.Context(), client)
	if err != nil || len(entries) != 2 || entries[1].Who != "ann" {
		t.Errorf("the history has %v, %v", entries, err)
	}
}

// TestSignalIsTheError checks that an interrupted command says so, whatever it waited for.
func TestSignalIsTheError(t *testing.T) {
	t.Parallel()
	interrupted := errors.New("interrupt signal received")
	for _, err := range []error{interrupted, context.Canceled, fmt.Errorf("getting aws-auth: %w", context.Canceled)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		root := &cobra.Command{Use: "authenticator", RunE: func(*cobra.Command, []string) error {
			cancel(interrupted)
			return err
		}}
		if got := execute(ctx, root, nil, cli.Streams{Out: io.Discard, Err: io.Discard}); !errors.Is(got, interrupted) {
			t.Errorf("%v ends the command with %v", err, got)
		}
	}
}
