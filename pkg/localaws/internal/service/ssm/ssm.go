// Package ssm is Systems Manager's parameter store, with the public parameters that
// name machine images. There are no others.
package ssm

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// state is the service's section. It keeps nothing: no operation makes a parameter.
type state struct{}

// Check accepts every state.
func (*state) Check() error { return nil }

// Parameter returns the value of a parameter in a region.
func (*state) Parameter(region, name string) (value string, ok bool) {
	p, ok := image.Named(region, name)
	return p.Value, ok
}

// New returns Systems Manager.
func New() api.Service {
	return api.Service{
		Name: "ssm", Title: "SSM", Protocol: protocol.JSON11{Target: "AmazonSSM", Title: "SSM"}, Translate: api.TranslateJSON11,
		State: account.Part{New: func() account.Section { return &state{} }},
		Operations: []api.Operation{
			api.Define(api.Definition[getParameter]{
				Facts: api.Facts{Name: "GetParameter", ReadOnly: true}, Decode: decode[getParameter],
				Resource: func(tx *account.Tx, in getParameter) string { return parse(tx, in.Name).arn(tx) }, Run: getOne,
			}),
			api.Define(api.Definition[getParameters]{
				Facts: api.Facts{Name: "GetParameters", ReadOnly: true}, Decode: decode[getParameters], Run: getSome,
			}),
			api.Define(api.Definition[getParametersByPath]{
				Facts: api.Facts{Name: "GetParametersByPath", ReadOnly: true}, Decode: decode[getParametersByPath],
				Resource: func(tx *account.Tx, in getParametersByPath) string { return reference{name: in.Path}.arn(tx) }, Run: getByPath,
			}),
		},
	}
}

type getParameter struct {
	Name string
	// WithDecryption has an effect on secrets only, and there are none.
	WithDecryption bool
}

func (in getParameter) check() error { return checkNames([]string{in.Name}, "name") }

type getParameters struct {
	Names          []string
	WithDecryption bool
}

func (in getParameters) check() error {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return invalid("names", strings.Join(in.Names, ", "), "Member must have length between 1 and 10")
	}
	return checkNames(in.Names, "names")
}

type getParametersByPath struct {
	Path           string
	Recursive      bool
	MaxResults     *int
	NextToken      string
	WithDecryption bool
}

func (in getParametersByPath) check() error {
	if !strings.HasPrefix(in.Path, "/") {
		return badRequest("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore).")
	}
	if in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 10) {
		return invalid("maxResults", strconv.Itoa(*in.MaxResults), "Member must have value between 1 and 10")
	}
	return checkNames([]string{in.Path}, "path")
}

// maxName bounds names, paths and ARNs.
const maxName = 2048

func checkNames(names []string, member string) error {
	for _, name := range names {
		if name == "" || len(name) > maxName {
			return invalid(member, name[:min(len(name), 64)], "Member must have length between 1 and "+strconv.Itoa(maxName))
		}
	}
	return nil
}

func decode[In interface{ check() error }](input api.Input) (in In, err error) {
	if in, err = protocol.DecodeJSON[In](input, "ValidationException"); err != nil {
		return in, err
	}
	return in, in.check()
}

func badRequest(code, message string) error {
	return api.NewError(http.StatusBadRequest, code, message)
}

func invalid(member, value, constraint string) error {
	return badRequest("ValidationException", "1 validation error detected: Value '"+value+"' at '"+member+"' failed to satisfy constraint: "+constraint)
}

// A reference is what a client names a parameter by: its name or its ARN, with a
// selector.
type reference struct{ name, selector string }

// parse parses a reference: /a/b, /a/b:1, or arn:aws:ssm:eu-west-2::parameter/a/b.
func parse(tx *account.Tx, text string) reference {
	for _, owner := range []string{"", tx.Account.ID} {
		if name, ok := strings.CutPrefix(text, "arn:"+tx.Account.Partition+":ssm:"+tx.Region+":"+owner+":parameter/"); ok {
			text = "/" + name
		}
	}
	name, selector, selects := strings.Cut(text, ":")
	if selects {
		selector = ":" + selector
	}
	return reference{name, selector}
}

// arn returns the ARN of the parameter. AWS owns the public ones.
func (r reference) arn(tx *account.Tx) string {
	resource := "parameter/" + strings.TrimPrefix(r.name, "/")
	if strings.HasPrefix(r.name, "/aws/") {
		return "arn:" + tx.Account.Partition + ":ssm:" + tx.Region + "::" + resource
	}
	return tx.ARN("ssm", tx.Region, resource)
}

// version is that of all parameters: they never change.
const version = 1

type parameter struct {
	Name, Type, Value string
	Version           int
	Selector          string `json:",omitempty"`
	LastModifiedDate  protocol.Timestamp
	ARN, DataType     string
}

// find returns the parameter.
func (r reference) find(tx *account.Tx) (parameter, error) {
	found, ok := image.Named(tx.Region, r.name)
	switch {
	case !ok && strings.HasPrefix(r.name, "/aws/"):
		return parameter{}, api.Refuse(http.StatusBadRequest, "ParameterNotFound", "localaws does not have the public parameter "+r.name+" (it has those under "+strings.Join(paths(), ", ")+").")
	case !ok:
		return parameter{}, badRequest("ParameterNotFound", "Parameter "+r.name+" not found.")
	case r.selector != "" && r.selector != ":"+strconv.Itoa(version):
		return parameter{}, badRequest("ParameterVersionNotFound", "Systems Manager could not find version "+r.selector[1:]+" of "+r.name+". Verify the version and try again.")
	}
	return parameter{
		Name: r.name, Type: "String", Value: found.Value, Version: version, Selector: r.selector,
		LastModifiedDate: protocol.Timestamp(found.Modified), ARN: r.arn(tx), DataType: "text",
	}, nil
}

// paths are those of the public parameters that localaws has.
func paths() []string {
	return []string{"/aws/service/eks/optimized-ami/", "/aws/service/bottlerocket/", "/aws/service/ami-amazon-linux-latest/"}
}

func getOne(tx *account.Tx, in getParameter) (any, error) {
	found, err := parse(tx, in.Name).find(tx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Parameter": found}, nil
}

// getSome returns the parameters that exist, and the names of those that do not. A public
// one that localaws lacks is an error, because it exists on AWS.
func getSome(tx *account.Tx, in getParameters) (any, error) {
	for _, name := range in.Names {
		if err := tx.Authorize(tx.Action(), parse(tx, name).arn(tx), nil); err != nil {
			return nil, err
		}
	}
	found, invalid := []parameter{}, []string{}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			continue
		}
		p, err := parse(tx, name).find(tx)
		failed, _ := errors.AsType[*api.Error](err)
		switch {
		case err == nil:
			found = append(found, p)
		case failed != nil && failed.Refused:
			return nil, err
		default:
			invalid = append(invalid, name)
		}
	}
	return map[string]any{"Parameters": found, "InvalidParameters": invalid}, nil
}

// getByPath returns a page of the parameters under a path.
func getByPath(tx *account.Tx, in getParametersByPath) (any, error) {
	var names []string
	// The path / is that of the account's own parameters.
	if strings.HasPrefix(in.Path, "/aws") {
		names = image.Under(in.Path)
	}
	path := strings.TrimSuffix(in.Path, "/") + "/"
	has := func(public string) bool { return strings.HasPrefix(public, path) || strings.HasPrefix(path, public) }
	if strings.HasPrefix(path, "/aws/") && !slices.ContainsFunc(paths(), has) {
		return nil, api.Refuse(http.StatusBadRequest, "ValidationException", "localaws does not have the public parameters under "+in.Path+" (it has those under "+strings.Join(paths(), ", ")+").")
	}
	if !in.Recursive {
		names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name[len(path):], "/") })
	}
	limit := 10
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	page, next, ok := api.PageAfter(names, func(name string) string { return name }, in.NextToken, limit)
	if !ok {
		return nil, badRequest("InvalidNextToken", "The specified token is not valid.")
	}
	found := []parameter{}
	for _, name := range page {
		p, err := reference{name: name}.find(tx)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	result := map[string]any{"Parameters": found}
	if next != "" {
		result["NextToken"] = next
	}
	return result, nil
}
