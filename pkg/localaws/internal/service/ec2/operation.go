package ec2

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// A call is the transaction of an operation.
type call struct {
	*account.Tx
	state  *state
	region *region
	form   api.Form
	// dry reports that the call only asks whether it is permitted.
	dry bool
	// made is what the call's work made, if it is done; see [once].
	made *any
}

// An input may have checks that need no state.
type checked interface{ check() error }

// dryRun is embedded in the inputs of operations that can only ask for permission.
type dryRun struct{ DryRun bool }

func (d dryRun) isDry() bool { return d.DryRun }

// A request is the input of an operation, and the form that it was read from.
type request[In any] struct {
	form api.Form
	in   In
	made *any
}

// define makes an operation.
func define[In any](name string, run func(*call, In) (any, error)) api.Definition[request[In]] {
	return api.Definition[request[In]]{
		Facts: api.Facts{Name: name, Accepts: accepts(reflect.TypeFor[In](), "")},
		Decode: func(input api.Input) (request[In], error) {
			in, err := decode[In](input.Form)
			if c, ok := any(in).(checked); ok && err == nil {
				err = c.check()
			}
			return request[In]{input.Form, in, new(any)}, err
		},
		Run: func(tx *account.Tx, r request[In]) (any, error) {
			c := &call{Tx: tx, state: account.Get[*state](tx), form: r.form, made: r.made}
			c.region = c.state.region(tx, tx.Region)
			if d, ok := any(r.in).(interface{ isDry() bool }); ok {
				c.dry = d.isDry()
			}
			c.forgetInstances()
			return run(c, r.in)
		},
	}
}

// change makes an operation that asks for its permissions itself, with [call.permit]. What
// succeeds keeps the region.
func change[In any](name string, run func(*call, In) (any, error)) api.Operation {
	return api.Define(define(name, func(c *call, in In) (any, error) {
		if err := c.state.hasRoomFor(c.Region); err != nil {
			return nil, err
		}
		result, err := run(c, in)
		if err == nil {
			c.state.Regions[c.Region] = c.region
		}
		return result, err
	}))
}

// describe makes an operation that lists things. Permission is for all or nothing.
func describe[In any](name string, run func(*call, In) (any, error)) api.Operation {
	d := define(name, func(c *call, in In) (any, error) {
		if err := c.permit(); err != nil {
			return nil, err
		}
		return run(c, in)
	})
	d.ReadOnly, d.Resource = true, api.Anything[request[In]]
	d.ConditionKeys = func(tx *account.Tx, _ request[In]) map[string][]string { return commonKeys(tx) }
	return api.Define(d)
}

// once returns what takes long to make, as [api.Work]: the first time, its error ends the
// transaction.
func once[T any](c *call, build func() (T, error)) (T, error) {
	if made, ok := (*c.made).(T); ok {
		return made, nil
	}
	var none T
	return none, &api.Work{Do: func() error {
		made, err := build()
		*c.made = made
		return err
	}}
}

// A grant is one permission that a call needs. Keys lack those of [commonKeys].
type grant struct {
	action, resource string
	keys             map[string][]string
}

// commonKeys returns the condition keys of every action of EC2.
func commonKeys(tx *account.Tx) map[string][]string {
	return map[string][]string{"ec2:region": {tx.Region}}
}

// authorize checks permissions that a call needs.
func (c *call) authorize(grants ...grant) error {
	for _, g := range grants {
		if err := c.Authorize("ec2:"+g.action, g.resource, api.Merged(g.keys, commonKeys(c.Tx))); err != nil {
			return err
		}
	}
	return nil
}

// permit checks the last permissions that a call needs. It also returns an error if
// the call asks for no more than that.
func (c *call) permit(grants ...grant) error {
	if err := c.authorize(grants...); err != nil {
		return err
	}
	if c.dry {
		return api.NewError(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	return nil
}

// arn returns the ARN of a resource of the region: arn("instance", "*").
func (c *call) arn(noun, id string) string { return c.ARN("ec2", c.Region, noun+"/"+id) }

// digest returns a hash of the parameters of a call.
func (c *call) digest() string {
	asked := url.Values{}
	for name, values := range c.form {
		if !strings.HasPrefix(name, "X-Amz-") && name != "DryRun" {
			asked[name] = values
		}
	}
	sum := sha256.Sum256([]byte(asked.Encode()))
	return hex.EncodeToString(sum[:])
}

type (
	items[T any] = protocol.Items[T]
	fields       = protocol.Fields
	timestamp    = protocol.Timestamp
)

func itemsOf[T any](list []T) items[T] { return protocol.ItemsOf(list) }

func element(name string, value any) protocol.Field { return protocol.Element(name, value) }

// listing is embedded in the inputs of operations that list things.
type listing struct {
	dryRun
	Filter []filter
}

// paging is embedded in the inputs of operations that return lists in pages.
type paging struct {
	MaxResults *int
	NextToken  string

	least, most int // MaxResults can be; zero means 5 to 1000
}

// within returns the paging of an operation with other bounds of MaxResults.
func (p paging) within(least, most int) paging {
	p.least, p.most = least, most
	return p
}

// page returns a page of a list, sorted by key, under a name, with the token of the
// next page.
func page[T, X any](p paging, name string, all []T, key func(T) string, xml func(T) X) (fields, error) {
	some, next, err := pageOf(p, all, key)
	if err != nil {
		return nil, err
	}
	var listed items[X]
	for _, item := range some {
		listed.Item = append(listed.Item, xml(item))
	}
	return withNext(fields{element(name, listed)}, next), nil
}

// pageOf returns a page of a list, sorted by key, and the token of the next page.
func pageOf[T any](p paging, all []T, key func(T) string) (page []T, next string, err error) {
	limit, least, most := 1000, cmp.Or(p.least, 5), cmp.Or(p.most, 1000)
	if p.MaxResults != nil {
		if limit = *p.MaxResults; limit < least || limit > most {
			return nil, "", invalid(fmt.Sprintf("Value ( %d ) for parameter maxResults is invalid. Expecting a value between %d and %d.", limit, least, most))
		}
	}
	page, next, ok := api.PageAfter(all, key, p.NextToken, limit)
	if !ok {
		return nil, "", refuse("InvalidNextToken", "The token is invalid.")
	}
	return page, next, nil
}

// withNext adds the token of the next page, if there is one.
func withNext(response fields, next string) fields {
	if next == "" {
		return response
	}
	return append(response, element("nextToken", next))
}
