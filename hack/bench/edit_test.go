package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
)

// TestAwaitEdit checks that an edit counts as in force at the first answer that has it.
func TestAwaitEdit(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		username := edited(0)
		if asked.Add(1) >= 3 {
			username = edited(1)
		}
		fmt.Fprintf(w, `{"status":{"authenticated":true,"user":{"username":%q}}}`, username)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := load.NewClient(strings.TrimPrefix(server.URL, "https://"))
	t.Cleanup(client.Close)

	b := &bench{ctx: t.Context()}
	if err := b.awaitEdit(client, nil, 1); err != nil || asked.Load() != 3 {
		t.Errorf("the edit is in force after %d reviews, want 3; %v", asked.Load(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.ctx = ctx
	if err := b.awaitEdit(client, nil, 2); err == nil {
		t.Error("an edit that no answer has is in force")
	}
}

// TestAWSAuth checks that an edit changes one username.
func TestAWSAuth(t *testing.T) {
	t.Parallel()
	before, after := awsAuth(100, 1)["mapUsers"], awsAuth(100, 2)["mapUsers"]
	if strings.Count(before, "userarn: ") != 100 || before == after || strings.Replace(before, "edited-1", "edited-2", 1) != after {
		t.Errorf("edit 2 of\n%s\nis\n%s", before, after)
	}
}
