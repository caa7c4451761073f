package localaws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

const recommended = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended"

func TestGetParameter(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ssm.NewFromConfig(s.SDK())
	const linux = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
	for name, test := range map[string]struct{ value, code, message string }{
		recommended + "/release_version":           {value: "1.36.0-20260615"},
		recommended + "/release_version:1":         {value: "1.36.0-20260615"},
		recommended + "/image_id":                  {value: "ami-0"},
		recommended:                                {value: `{"schema_version":"2","image_id":"ami-0`},
		linux:                                      {value: "ami-0"},
		"arn:aws:ssm:eu-west-2::parameter" + linux: {value: "ami-0"},
		"arn:aws:ssm:us-east-1::parameter" + linux: {code: "ParameterNotFound"},
		linux + ":2":                               {code: "ParameterVersionNotFound", message: "version 2 of " + linux},
		"/aws/service/eks/optimized-ami/1.20/amazon-linux-2/recommended/image_id": {code: "ParameterNotFound", message: "localaws does not have"},
		"/mine":                   {code: "ParameterNotFound", message: "Parameter /mine not found."},
		"mine":                    {code: "ParameterNotFound"},
		strings.Repeat("a", 2048): {code: "ParameterNotFound"},
		strings.Repeat("a", 2049): {code: "ValidationException"},
	} {
		got, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
		if code(err) != test.code || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%.100s: %v, want %s %s", name, err, test.code, test.message)
		}
		if err != nil || test.code != "" {
			continue
		}
		p := got.Parameter
		if !strings.HasPrefix(*p.Value, test.value) || p.Type != "String" || p.Version != 1 || *p.DataType != "text" || p.LastModifiedDate.IsZero() || !strings.HasPrefix(*p.ARN, "arn:aws:ssm:eu-west-2::parameter/aws/service/") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestGetParameters(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ssm.NewFromConfig(s.SDK())
	got, err := client.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"b", recommended + "/image_id", "a", recommended + "/image_id"}})
	if err != nil || len(got.Parameters) != 1 || *got.Parameters[0].Name != recommended+"/image_id" || !slices.Equal(got.InvalidParameters, []string{"b", "a"}) {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = client.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{recommended, "/aws/service/global-infrastructure/regions"}})
	wantMessage(t, "ParameterNotFound", "localaws does not have the public parameter /aws/service/global", err)
	for _, n := range []int{0, 11} {
		if _, err := client.GetParameters(t.Context(), &ssm.GetParametersInput{Names: make([]string, n)}); code(err) != "ValidationException" {
			t.Errorf("%d names: %v", n, err)
		}
	}
}

func TestGetParametersByPath(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ssm.NewFromConfig(s.SDK())
	for name, test := range map[string]struct {
		path      string
		recursive bool
		want      int
	}{
		"children":                 {recommended, false, 3},
		"with a slash":             {recommended + "/", false, 3},
		"no children":              {"/aws/service/eks", false, 0},
		"all below":                {"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard", true, 8},
		"several pages":            {"/aws/service/eks/optimized-ami/1.31/amazon-linux-2023", true, 40},
		"the account's parameters": {"/", true, 0},
		"above all":                {"/aws/service", false, 0},
		"one's own":                {"/awsome", true, 0},
	} {
		pages, n := ssm.NewGetParametersByPathPaginator(client, &ssm.GetParametersByPathInput{Path: &test.path, Recursive: &test.recursive}), 0
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n += len(page.Parameters)
		}
		if n != test.want {
			t.Errorf("%s: %d parameters, want %d", name, n, test.want)
		}
	}
	for name, test := range map[string]struct {
		input ssm.GetParametersByPathInput
		code  string
	}{
		"not a path":          {ssm.GetParametersByPathInput{Path: aws.String("aws")}, "ValidationException"},
		"none":                {ssm.GetParametersByPathInput{Path: aws.String("/aws"), MaxResults: aws.Int32(0)}, "ValidationException"},
		"too many":            {ssm.GetParametersByPathInput{Path: aws.String("/aws"), MaxResults: aws.Int32(11)}, "ValidationException"},
		"what localaws lacks": {ssm.GetParametersByPathInput{Path: aws.String("/aws/service/ami-windows-latest")}, "ValidationException"},
		"from nowhere":        {ssm.GetParametersByPathInput{Path: aws.String("/aws"), NextToken: aws.String("!")}, "InvalidNextToken"},
	} {
		if _, err := client.GetParametersByPath(t.Context(), &test.input); code(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}

// TestParametersNeedPermission checks the resources of parameters. AWS owns the public
// ones.
func TestParametersNeedPermission(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, path := t.Context(), "/aws/service/eks/optimized-ami/1.36"
	public := ssm.NewFromConfig(s.SDKAs(s.NewUser(t, "public", statement("Allow", "ssm:GetParameter*", "arn:aws:ssm:*::parameter/aws/service/*")), ""))
	own := ssm.NewFromConfig(s.SDKAs(s.NewUser(t, "own", statement("Allow", "ssm:GetParameter*", "arn:aws:ssm:*:"+account+":parameter/*")), ""))
	for name, test := range map[string]struct {
		call     func(*ssm.Client) error
		public   bool
		resource string
	}{
		"GetParameter": {func(c *ssm.Client) error {
			_, err := c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(recommended)})
			return err
		}, true, "arn:aws:ssm:eu-west-2::parameter" + recommended},
		"GetParameters": {func(c *ssm.Client) error {
			_, err := c.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{recommended}})
			return err
		}, true, "arn:aws:ssm:eu-west-2::parameter" + recommended},
		"GetParametersByPath": {func(c *ssm.Client) error {
			_, err := c.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: &path})
			return err
		}, true, "arn:aws:ssm:eu-west-2::parameter" + path},
		"GetParameters of the account": {func(c *ssm.Client) error {
			_, err := c.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"mine", "/mine"}})
			return err
		}, false, "arn:aws:ssm:eu-west-2:" + account + ":parameter/mine"},
	} {
		may, mayNot := public, own
		if !test.public {
			may, mayNot = own, public
		}
		if err := test.call(may); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := test.call(mayNot); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "on resource: "+test.resource+" because") {
			t.Errorf("%s: %v, want it denied on %s", name, err, test.resource)
		}
	}
}

// TestParameterStoreIsNotMore checks that localaws refuses, in its name, what would
// have no effect.
func TestParameterStoreIsNotMore(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ssm.NewFromConfig(s.SDK())
	_, put := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("a"), Value: aws.String("b")})
	_, filtered := client.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/aws"), ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Type")}}})
	for _, err := range []error{put, filtered} {
		if err == nil || !strings.Contains(err.Error(), "localaws does not support") {
			t.Errorf("%v", err)
		}
	}
}
