package mountedfile_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestConformance(t *testing.T) {
	var text strings.Builder
	for name, section := range mappertest.Data() {
		text.WriteString(name + ":" + strings.ReplaceAll("\n"+section, "\n", "\n  ") + "\n")
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text.String()), &document); err != nil {
		t.Fatal(err)
	}
	file := mountedfile.New("MountedFile", awsauth.ParseNode(document.Content[0], nil, awsauth.Options{Source: "MountedFile", Partition: "aws"}))
	if file.Name() != "MountedFile" {
		t.Errorf("its name is %q", file.Name())
	}
	mappertest.Run(t, "MountedFile", func() *mapper.Table { return file.Current().Table })
}
