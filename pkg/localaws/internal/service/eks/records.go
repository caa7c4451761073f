package eks

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// A record has what all resources in a cluster have in common. It changes at once: the
// call that creates it returns CREATING, and the call that deletes it DELETING, as on
// AWS, but by the time a client describes it, it is ACTIVE or gone.
type record struct {
	ARN      string            `json:"arn"`
	Created  time.Time         `json:"created"`
	Modified time.Time         `json:"modified"`
	Tags     map[string]string `json:"tags,omitempty"`
	// Token is the client token that makes creation idempotent, Request the digest
	// of its parameters.
	Token   string `json:"clientRequestToken,omitempty"`
	Request string `json:"request,omitempty"`
}

func (r *record) base() *record { return r }

// A held is a record of some kind. Its key is its name within the cluster.
type held interface {
	base() *record
	key() string
}

// A kind is a kind of records in clusters.
type kind[T held] struct {
	// noun is the kind in ARNs, names in a sentence, path the parameter with the key
	// in routes.
	noun, names, path string
	// bare reports that ARNs end in the key. Others end in a UUID.
	bare bool
	// limit bounds the records of a cluster.
	limit int
	of    func(*cluster) *map[string]T
	// missing and exists are the errors for a key that no record has, and that one has.
	missing func(key string) error
	exists  func(*cluster, T) error
}

// A member is a record in its cluster.
type member[T held] struct {
	cluster *cluster
	it      T
}

// named finds the record in the path.
func (k kind[T]) named(tx *account.Tx, input api.Input) (member[T], subject, error) {
	return k.find(tx, input, input.Path[k.path])
}

func (k kind[T]) find(tx *account.Tx, input api.Input, key string) (member[T], subject, error) {
	c, _, err := namedCluster(tx, input)
	if err == nil {
		if found, ok := (*k.of(c))[key]; ok {
			return member[T]{c, found}, subject{found.base().ARN, api.ResourceTags(found.base().Tags)}, nil
		}
		err = k.missing(key)
	}
	return member[T]{}, subject{arn: tx.ARN("eks", tx.Region, k.noun+"/"+clusterName(input)+"/"+key+k.suffix())}, err
}

// suffix ends the ARN of a record that does not exist.
func (k kind[T]) suffix() string {
	if k.bare {
		return ""
	}
	return "/*"
}

// A creation is a request to create a record.
type creation struct {
	// key is that of the record, id ends its ARN; empty means the key and a UUID.
	key, id string
	tags    map[string]string
	token   string
	// input are the parameters.
	input any
}

// create makes a record and returns it, or the one that the same request made before.
func (k kind[T]) create(tx *account.Tx, c *cluster, asked creation, build func(record) T) (T, error) {
	var none T
	if problem := checkTags(asked.tags); problem != "" {
		return none, invalid(problem)
	}
	all, request := k.of(c), digest(asked.input)
	if existing, ok := (*all)[asked.key]; ok {
		if base := existing.base(); asked.token != "" && asked.token == base.Token && request == base.Request {
			return existing, nil
		}
		return none, k.exists(c, existing)
	}
	if len(*all) >= k.limit {
		return none, badRequest("ResourceLimitExceededException", fmt.Sprintf("A cluster cannot have more than %d %s.", k.limit, k.names))
	}
	if *all == nil {
		*all = map[string]T{}
	}
	made := build(record{
		ARN:     tx.ARN("eks", tx.Region, k.noun+"/"+c.Name+"/"+cmp.Or(asked.id, asked.key+"/"+account.NewUUID())),
		Created: tx.Time, Modified: tx.Time, Tags: asked.tags, Token: asked.token, Request: request,
	})
	(*all)[asked.key] = made
	return made, nil
}

func (k kind[T]) remove(m member[T]) { delete(*k.of(m.cluster), m.it.key()) }

// list makes the operation that lists the keys of a cluster's records under a name.
func (k kind[T]) list(route, name, under string) api.Operation {
	return on(namedCluster, route, name, func(_ *account.Tx, c *cluster, in request[none]) (any, error) {
		return listed(in.Input, under, k.keys(c), itself)
	}, "maxResults", "nextToken")
}

// keys returns the keys of a cluster's records, sorted.
func (k kind[T]) keys(c *cluster) []string { return slices.Sorted(maps.Keys(*k.of(c))) }

// all returns a cluster's records by key.
func (k kind[T]) all(c *cluster) []T {
	var all []T
	for _, key := range k.keys(c) {
		all = append(all, (*k.of(c))[key])
	}
	return all
}

// bases returns what a cluster's records have in common.
func (k kind[T]) bases(c *cluster) []*record {
	var all []*record
	for _, held := range k.all(c) {
		all = append(all, held.base())
	}
	return all
}

// check validates records that were read.
func (k kind[T]) check(c *cluster) error {
	var null T
	for key, held := range *k.of(c) {
		if any(held) == any(null) {
			return fmt.Errorf("%s %q is null", k.noun, key)
		}
		if held.key() != key {
			return fmt.Errorf("%s %q is stored under the key %q", k.noun, held.key(), key)
		}
	}
	return nil
}

// described returns the parts of an answer that every record has.
func (r *record) described(c *cluster, arnName, status string) map[string]any {
	return map[string]any{
		arnName: r.ARN, "clusterName": c.Name, "status": status, "tags": orEmpty(r.Tags),
		"createdAt": protocol.Timestamp(r.Created), "modifiedAt": protocol.Timestamp(r.Modified),
	}
}

// with adds the JSON fields of a struct to an answer.
func with(described map[string]any, fields any) map[string]any {
	text, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(text, &described)
	}
	if err != nil { // cannot happen: these structs always encode
		return nil
	}
	return described
}

func orEmpty(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

// digest returns a hash of parameters.
func digest(parameters any) string {
	text, _ := json.Marshal(parameters) // structs of strings always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
