package lockout_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// TestManyLosses checks that a report names a few of many.
func TestManyLosses(t *testing.T) {
	var entries []mapper.Entry
	nodes, err := mapper.ParseTemplate(mapper.NodesGroup)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		entries = append(entries, mapper.Entry{ARN: "arn:aws:iam::231144931069:role/node-" + strconv.Itoa(1000+i), Groups: []mapper.Template{nodes}})
	}
	losses := lockout.Losses(mapper.NewTable(entries, nil, 0), nil, "aws-auth", "fix it")
	if len(losses) != 1 || len(losses[0].Problem.Message) > 400 || !strings.HasSuffix(losses[0].Problem.Message, "role node-1004 of account 231144931069; and 995 more") {
		t.Errorf("%+v", losses)
	}
}
