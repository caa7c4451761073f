package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A record is a resource in a region.
type record interface {
	id() string
	tagged() *map[string]string
}

// base is embedded in records.
type base struct {
	ID   string            `json:"id"`
	Tags map[string]string `json:"tags,omitempty"`
}

func (b *base) id() string                 { return b.ID }
func (b *base) tagged() *map[string]string { return &b.Tags }

// A kind is a kind of records.
type kind[T record] struct {
	// noun is the kind in ARNs and tag specifications, prefix what IDs begin with, title
	// the kind in messages.
	noun, prefix, title string
	// malformed and absent are the codes of errors for IDs.
	malformed, absent string
	of                func(*call) map[string]T
	// set is the name of a list of them.
	set     string
	filters func(*call) map[string]field[T]
	xml     func(*call, T) any
}

var hexDigits = pattern.New(`^([0-9a-f]{8}|[0-9a-f]{17})$`)

// find returns the record with an ID.
func (k kind[T]) find(c *call, id string) (T, error) {
	if digits, ok := strings.CutPrefix(id, k.prefix); !ok || !hexDigits.MatchString(digits) {
		var none T
		return none, refuse(k.malformed, "Invalid id: "+strconv.Quote(id)+" (expecting \""+k.prefix+"...\")")
	}
	found, ok := k.of(c)[id]
	if !ok {
		return found, refuse(k.absent, "The "+k.title+" '"+id+"' does not exist")
	}
	return found, nil
}

// authorized returns the record with an ID, if the caller may act on it. Keys are the
// condition keys that do not depend on the record.
func (k kind[T]) authorized(c *call, id string, keys map[string][]string) (T, error) {
	g := grant{c.Operation, c.arn(k.noun, id), keys}
	if found, ok := k.of(c)[id]; ok {
		g.keys = api.Merged(keys, c.keysOf(found))
	}
	if err := c.authorize(g); err != nil {
		var none T
		return none, err
	}
	return k.find(c, id)
}

// taken is authorized for the only resource of a call.
func (k kind[T]) taken(c *call, id string) (T, error) {
	found, err := k.authorized(c, id, nil)
	if err != nil {
		return found, err
	}
	return found, c.permit()
}

// keysOf returns the condition keys of a record.
func (c *call) keysOf(r record) map[string][]string {
	if i, ok := r.(*instance); ok {
		return c.instanceKeys(i)
	}
	keys := api.ResourceTags(*r.tagged())
	for key, value := range *r.tagged() {
		keys["ec2:resourcetag/"+strings.ToLower(key)] = []string{value}
	}
	if in, ok := r.(interface{ vpcID() string }); ok && in.vpcID() != "" {
		keys["ec2:vpc"] = []string{c.arn("vpc", in.vpcID())}
	}
	return keys
}

// create returns a new record, if the caller may create it with these tags. The caller
// stores it.
func (k kind[T]) create(c *call, specification []tagSpecification, keys map[string][]string) (base, error) {
	tags, err := specified(specification, k.noun)
	if err != nil {
		return base{}, err
	}
	own := tags[k.noun]
	return base{account.NewHexID(k.prefix), own}, c.permit(c.creating(k.noun, own, keys)...)
}

// creating returns the permissions to create a resource with tags.
func (c *call) creating(noun string, tags map[string]string, keys map[string][]string) []grant {
	all, requested := c.arn(noun, "*"), api.RequestTags(tags)
	grants := []grant{{c.Operation, all, api.Merged(keys, requested)}}
	if len(tags) > 0 {
		grants = append(grants, grant{"CreateTags", all, api.Merged(requested, map[string][]string{"ec2:createaction": {c.Operation}})})
	}
	return grants
}

// bounded returns an error if there are as many as AWS's quota allows.
func bounded(have, limit int, code, what string) error {
	if have < limit {
		return nil
	}
	return refuse(code, "The maximum number of "+what+" has been reached.")
}

// boundedHere returns an error if there are as many as localaws keeps, which are fewer than
// AWS's quota.
func boundedHere(have, limit int, code, what string) error {
	if have < limit {
		return nil
	}
	return unsupported(code, fmt.Sprintf("localaws keeps %d %s at most.", limit, what))
}

// sorted returns the records in the order of their IDs.
func (k kind[T]) sorted(c *call) []T {
	all := k.of(c)
	list := make([]T, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	return list
}

// list answers an operation that describes records, all or those with IDs.
func (k kind[T]) list(c *call, filters []filter, p paging, ids []string) (any, error) {
	all := k.sorted(c)
	for _, id := range ids {
		if _, err := k.find(c, id); err != nil {
			return nil, err
		}
	}
	if len(ids) > 0 {
		all = slices.DeleteFunc(all, func(item T) bool { return !slices.Contains(ids, item.id()) })
	}
	all, err := filtered(filters, all, k.filters(c), func(item T) map[string]string { return *item.tagged() })
	if err != nil {
		return nil, err
	}
	return page(p, k.set, all, T.id, func(item T) any { return k.xml(c, item) })
}

// A resource is a record of any kind.
type resource struct {
	record
	noun string
}

// resource returns the record of an ID with the kind's prefix.
func (k kind[T]) resource(c *call, id string) (resource, error) {
	found, err := k.find(c, id)
	return resource{found, k.noun}, err
}

func (k kind[T]) resources(c *call) []resource {
	var all []resource
	for _, item := range k.sorted(c) {
		all = append(all, resource{item, k.noun})
	}
	return all
}

func (k kind[T]) begins() string { return k.prefix }

// kinds are all kinds of records that can have tags.
func kinds() []interface {
	begins() string
	resource(*call, string) (resource, error)
	resources(*call) []resource
} {
	return []interface {
		begins() string
		resource(*call, string) (resource, error)
		resources(*call) []resource
	}{
		instanceKind(), vpcKind(), subnetKind(), routeTableKind(), gatewayKind(), natGatewayKind(), addressKind(), aclKind(), groupKind(), ruleKind(),
		templateKind(), volumeKind(), keyKind(),
	}
}

// derivedID returns an ID that follows from the account, the region and a name: what
// every account has from the start is not random, so that nothing has to keep it.
func derivedID(tx *account.Tx, region, prefix, name string) string {
	sum := sha256.Sum256([]byte(tx.Account.ID + region + name))
	return prefix + "0" + hex.EncodeToString(sum[:8])
}

// always returns a field that has the same value for all.
func always[T any](value string) field[T] { return one(func(T) string { return value }) }

// yes returns a field that is true or false.
func yes[T any](of func(T) bool) field[T] {
	return one(func(item T) string { return strconv.FormatBool(of(item)) })
}

// each returns a field with a value for each member of a list.
func each[T, M any](list func(T) []M, value func(M) string) field[T] {
	return func(item T) []string {
		var values []string
		for _, member := range list(item) {
			if v := value(member); v != "" {
				values = append(values, v)
			}
		}
		return values
	}
}
