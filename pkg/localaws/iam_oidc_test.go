package localaws_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestIdentityProviders(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	thumbprint := strings.Repeat("0aF9", 10)
	made, err := client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.eks.eu-west-2.amazonaws.com/id/ABC"), ClientIDList: []string{"sts.amazonaws.com", "sts.amazonaws.com"},
		ThumbprintList: []string{thumbprint}, Tags: []iamtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *made.OpenIDConnectProviderArn != arn("oidc-provider/oidc.eks.eu-west-2.amazonaws.com/id/ABC") || *made.Tags[0].Value != "me" {
		t.Errorf("%+v", made)
	}
	local, err := client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("http://127.0.0.1:8080/issuer")})
	if err != nil || *local.OpenIDConnectProviderArn != arn("oidc-provider/127.0.0.1:8080/issuer") {
		t.Errorf("%+v, %v", local, err)
	}
	id := made.OpenIDConnectProviderArn
	get := func() *iam.GetOpenIDConnectProviderOutput {
		t.Helper()
		got, err := client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if p := get(); *p.Url != "oidc.eks.eu-west-2.amazonaws.com/id/ABC" || !slices.Equal(p.ClientIDList, []string{"sts.amazonaws.com"}) ||
		!slices.Equal(p.ThumbprintList, []string{thumbprint}) || *p.Tags[0].Key != "owner" || p.CreateDate == nil {
		t.Errorf("%+v", p)
	}
	add := func(audience string) error {
		return errorOf(client.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: &audience}))
	}
	remove := func(audience string) error {
		return errorOf(client.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: &audience}))
	}
	expect(t,
		attempt{"add a client", add("kubernetes"), ""},
		attempt{"add it twice", add("kubernetes"), ""},
		attempt{"remove a client", remove("sts.amazonaws.com"), ""},
		attempt{"remove it twice", remove("sts.amazonaws.com"), ""},
		attempt{"change the thumbprints", errorOf(client.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: id, ThumbprintList: []string{strings.Repeat("1", 40)}})), ""},
	)
	if p := get(); !slices.Equal(p.ClientIDList, []string{"kubernetes"}) || !slices.Equal(p.ThumbprintList, []string{strings.Repeat("1", 40)}) {
		t.Errorf("%+v", p)
	}
	for i := range 99 {
		expect(t, attempt{"another client", add(strconv.Itoa(i)), ""})
	}
	expect(t, attempt{"client 101", add("x"), "LimitExceeded"})

	listed, err := client.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil || len(listed.OpenIDConnectProviderList) != 2 || *listed.OpenIDConnectProviderList[1].Arn != *id {
		t.Errorf("%+v, %v", listed, err)
	}
	gone := &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: id}
	expect(t,
		attempt{"delete", errorOf(client.DeleteOpenIDConnectProvider(ctx, gone)), ""},
		attempt{"it is gone", errorOf(client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id})), "NoSuchEntity"},
		attempt{"delete it twice", errorOf(client.DeleteOpenIDConnectProvider(ctx, gone)), ""},
		attempt{"a client of none", add("x"), "NoSuchEntity"},
		attempt{"no client of none", remove("x"), "NoSuchEntity"},
		attempt{"thumbprints of none", errorOf(client.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: id, ThumbprintList: []string{}})), "NoSuchEntity"},
	)
}

func TestIdentityProvidersAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	create := func(url string, clients, thumbprints []string) error {
		return errorOf(client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &url, ClientIDList: clients, ThumbprintList: thumbprints}))
	}
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, "client"+strconv.Itoa(i))
		}
		return list
	}
	print40 := strings.Repeat("a", 40)
	expect(t,
		attempt{"https", create("https://issuer.example.com", nil, nil), ""},
		attempt{"the same", create("https://issuer.example.com", nil, nil), "EntityAlreadyExists"},
		attempt{"loopback, version 6", create("http://[::1]:1/x", nil, nil), ""},
		attempt{"loopback, by name", create("http://localhost:1", nil, nil), ""},
		attempt{"http elsewhere", create("http://issuer.example.com", nil, nil), "ValidationError"},
		attempt{"http on a name that looks like loopback", create("http://127.0.0.1.example.com", nil, nil), "ValidationError"},
		attempt{"http on another address", create("http://10.0.0.1", nil, nil), "ValidationError"},
		attempt{"no scheme", create("issuer.example.com", nil, nil), "ValidationError"},
		attempt{"no host", create("https://", nil, nil), "ValidationError"},
		attempt{"no URL", create("https://a b", nil, nil), "ValidationError"},
		attempt{"a query", create("https://issuer.example.com/?a=b", nil, nil), "ValidationError"},
		attempt{"a fragment", create("https://issuer.example.com/#a", nil, nil), "ValidationError"},
		attempt{"a user", create("https://me@issuer.example.com/", nil, nil), "ValidationError"},
		attempt{"too long", create("https://issuer.example.com/"+strings.Repeat("x", 255), nil, nil), "ValidationError"},
		attempt{"100 clients", create("https://a.example.com", many(100), nil), ""},
		attempt{"101 clients", create("https://b.example.com", many(101), nil), "LimitExceeded"},
		attempt{"a client of 256 characters", create("https://b.example.com", []string{strings.Repeat("x", 256)}, nil), "ValidationError"},
		attempt{"5 thumbprints", create("https://c.example.com", nil, []string{print40, print40, print40, print40, print40}), ""},
		attempt{"6 thumbprints", create("https://d.example.com", nil, []string{print40, print40, print40, print40, print40, print40}), "InvalidInput"},
		attempt{"a thumbprint of 39 digits", create("https://d.example.com", nil, []string{print40[1:]}), "ValidationError"},
		attempt{"a thumbprint that is not hex", create("https://d.example.com", nil, []string{strings.Repeat("g", 40)}), "ValidationError"},
		attempt{"thumbprints changed to none", errorOf(client.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{
			OpenIDConnectProviderArn: aws.String(arn("oidc-provider/a.example.com")), ThumbprintList: []string{"x"},
		})), "ValidationError"},
	)
	for i := range 95 { // in addition to the five above
		expect(t, attempt{"another", create("https://issuer.example.com/"+strconv.Itoa(i), nil, nil), ""})
	}
	expect(t, attempt{"provider 101", create("https://last.example.com", nil, nil), "LimitExceeded"})
}

// TestProviderWithTheDefaultPort does what eksctl utils associate-iam-oidc-provider
// does twice: it creates the provider with the port, and looks for it without.
func TestProviderWithTheDefaultPort(t *testing.T) {
	client, ctx := iam.NewFromConfig(start(t, localaws.Config{}).SDK()), t.Context()
	create := &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.eks.eu-west-2.amazonaws.com:443/id/ABC"), ClientIDList: []string{"sts.amazonaws.com"}}
	made, err := client.CreateOpenIDConnectProvider(ctx, create)
	must(t, err)
	want := arn("oidc-provider/oidc.eks.eu-west-2.amazonaws.com/id/ABC")
	if *made.OpenIDConnectProviderArn != want {
		t.Errorf("got %s, want %s", *made.OpenIDConnectProviderArn, want)
	}
	must(t, errorOf(client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &want})))
	wantCode(t, "EntityAlreadyExists", errorOf(client.CreateOpenIDConnectProvider(ctx, create)))
}
