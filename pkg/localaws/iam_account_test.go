package localaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestAccountAlias(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	create := func(alias string) error {
		return errorOf(client.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: &alias}))
	}
	remove := func(alias string) error {
		return errorOf(client.DeleteAccountAlias(ctx, &iam.DeleteAccountAliasInput{AccountAlias: &alias}))
	}
	aliases := func() string {
		t.Helper()
		list, err := client.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list.AccountAliases, " ")
	}
	expect(t,
		attempt{"delete none", remove("kubedemy"), "NoSuchEntity"},
		attempt{"too short", create("ab"), "ValidationError"},
		attempt{"too long", create(strings.Repeat("a", 64)), "ValidationError"},
		attempt{"upper case", create("Kubedemy"), "ValidationError"},
		attempt{"a dash at the end", create("kubedemy-"), "ValidationError"},
		attempt{"two dashes", create("kube--demy"), "ValidationError"},
		attempt{"an account ID", create("111122223333"), "InvalidInput"},
	)
	if got := aliases(); got != "" {
		t.Errorf("at first: %q", got)
	}
	expect(t, attempt{"create", create("kubedemy"), ""}, attempt{"create twice", create("kubedemy"), "EntityAlreadyExists"}, attempt{"replace", create("kube-demy-2"), ""})
	if got := aliases(); got != "kube-demy-2" {
		t.Errorf("replaced: %q", got)
	}
	expect(t, attempt{"delete the old", remove("kubedemy"), "NoSuchEntity"}, attempt{"delete", remove("kube-demy-2"), ""})
	if got := aliases(); got != "" {
		t.Errorf("deleted: %q", got)
	}
}
