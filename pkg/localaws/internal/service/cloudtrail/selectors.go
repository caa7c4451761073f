package cloudtrail

import (
	"slices"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A selector selects events of a trail. Nothing is delivered, so it is kept only.
type selector struct {
	ReadWriteType                 string
	IncludeManagementEvents       *bool
	DataResources                 []dataResource
	ExcludeManagementEventSources []string
}

type dataResource struct {
	Type   string
	Values []string
}

type advancedSelector struct {
	Name           string `json:",omitempty"`
	FieldSelectors []fieldSelector
}

type fieldSelector struct {
	Field         string
	Equals        []string `json:",omitempty"`
	StartsWith    []string `json:",omitempty"`
	EndsWith      []string `json:",omitempty"`
	NotEquals     []string `json:",omitempty"`
	NotStartsWith []string `json:",omitempty"`
	NotEndsWith   []string `json:",omitempty"`
}

// values returns the values of the conditions.
func (f fieldSelector) values() []string {
	return slices.Concat(f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith)
}

type selectorInput struct {
	TrailName              string
	EventSelectors         []selector
	AdvancedEventSelectors []advancedSelector
}

func (i selectorInput) trail() string { return i.TrailName }

type selectorsOf struct{ TrailName string }

func (i selectorsOf) trail() string { return i.TrailName }

const (
	// maxSelectors and the others bound what a trail selects, as on AWS.
	maxSelectors  = 5
	maxResources  = 250
	maxConditions = 500
)

func selectorOperations() []api.Operation {
	return []api.Operation{
		onTrail("PutEventSelectors", withTrail(func(_ *account.Tx, r *record, in selectorInput) (any, error) {
			if err := in.check(); err != nil {
				return nil, err
			}
			r.Selectors, r.Advanced = in.EventSelectors, in.AdvancedEventSelectors
			return r.selected(), nil
		})),
		onTrail("GetEventSelectors", func(tx *account.Tx, in selectorsOf) (any, error) {
			r, err := find(tx, in.TrailName)
			if err != nil {
				return nil, err
			}
			return r.selected(), nil
		}),
	}
}

func invalidSelector(message string) error {
	return badRequest("InvalidEventSelectorsException", message)
}

// check checks the selectors, and completes them.
func (i selectorInput) check() error {
	resources, conditions := 0, 0
	for at, s := range i.EventSelectors {
		switch s.ReadWriteType {
		case "":
			i.EventSelectors[at].ReadWriteType = "All"
		case "All", "ReadOnly", "WriteOnly":
		default:
			return invalidSelector("ReadWriteType " + strconv.Quote(s.ReadWriteType) + " is invalid (supported: ReadOnly, WriteOnly, All).")
		}
		if s.IncludeManagementEvents == nil {
			i.EventSelectors[at].IncludeManagementEvents = new(true)
		}
		for _, d := range s.DataResources {
			resources += max(1, len(d.Values))
			if !slices.Contains([]string{"AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"}, d.Type) {
				return invalidSelector("The data resource type " + strconv.Quote(d.Type) + " is invalid.")
			}
		}
	}
	for _, a := range i.AdvancedEventSelectors {
		if len(a.FieldSelectors) == 0 {
			return invalidSelector("An advanced event selector needs a field selector.")
		}
		for _, f := range a.FieldSelectors {
			if f.Field == "" || len(f.values()) == 0 {
				return invalidSelector("A field selector needs a field and a condition.")
			}
			conditions += len(f.values())
		}
	}
	switch {
	case (i.EventSelectors == nil) == (i.AdvancedEventSelectors == nil):
		return invalidSelector("Expected either EventSelectors or AdvancedEventSelectors.")
	case len(i.EventSelectors) > maxSelectors:
		return invalidSelector("A trail cannot have more than " + strconv.Itoa(maxSelectors) + " event selectors.")
	case resources > maxResources:
		return invalidSelector("A trail cannot have more than " + strconv.Itoa(maxResources) + " data resources.")
	case conditions > maxConditions:
		return invalidSelector("A trail cannot have more than " + strconv.Itoa(maxConditions) + " values in advanced event selectors.")
	}
	return nil
}

// selected returns what the trail selects: all management events by default.
func (r *record) selected() any {
	result := map[string]any{"TrailARN": r.ARN}
	switch {
	case r.Advanced != nil:
		result["AdvancedEventSelectors"] = r.Advanced
	case r.Selectors != nil:
		result["EventSelectors"] = r.Selectors
	default:
		result["EventSelectors"] = []selector{{ReadWriteType: "All", IncludeManagementEvents: new(true), DataResources: []dataResource{}, ExcludeManagementEventSources: []string{}}}
	}
	return result
}
