package assembly

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
)

// TestStoppedWhileAFileIsMissing stops a cluster while it reads its file: that is no error
// of the file.
func TestStoppedWhileAFileIsMissing(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	making := Sources{
		General: &settings.General{File: &config.File{}}, Mapping: &settings.Mapping{AWSAuthFile: "none.yaml", RolePaths: "ignore"}, Partition: "aws",
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	missing := source.NewMissing(settings.SourceAWSAuthFile, errors.New("no such file"))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	making.create(missing)(ctx, nil)
	if got := missing.Current().Problems[0].Message; got != "no such file" || log.Len() > 0 {
		t.Errorf("the problem is %q; logged: %s", got, log.String())
	}
}
