package authn_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// TestGroupsAreLoggedAsAList compares the groups in a line with a []string that slog
// logs.
func TestGroupsAreLoggedAsAList(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		for _, groups := range [][]string{nil, {}, {"people"}, {"system:masters", `a "b" c`, "é"}} {
			var line, want bytes.Buffer
			a, err := authn.New(authn.Config{
				ClusterID: "kubedemy", Hosts: hosts(t), Now: signedAt, Verifier: verifies(bob(), nil), Audit: slog.New(format(&line)),
				Mapper: maps(mapper.Match{Username: "bob", Groups: groups}, true, nil),
			})
			if err != nil {
				t.Fatal(err)
			}
			a.Record(a.Authenticate(context.Background(), bearer(1)))
			record := slog.Record{}
			record.AddAttrs(slog.Any("groups", groups))
			if err := format(&want).Handle(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			_, attribute, _ := bytes.Cut(want.Bytes(), []byte("groups"))
			attribute = bytes.TrimRight(attribute, "}\n")
			if len(attribute) == 0 || !bytes.Contains(line.Bytes(), append([]byte("groups"), attribute...)) {
				t.Errorf("%s: %q lacks %q", name, line.String(), attribute)
			}
		}
	}
}
