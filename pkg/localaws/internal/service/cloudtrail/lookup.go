package cloudtrail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

// A lookup is a request for events. Its times are in seconds since 1970.
type lookup struct {
	LookupAttributes []lookupAttribute
	StartTime        *float64
	EndTime          *float64
	EventCategory    string
	MaxResults       *int
	NextToken        string
}

type lookupAttribute struct{ AttributeKey, AttributeValue string }

type lookupResult struct {
	Events    []foundEvent
	NextToken string `json:",omitempty"`
}

// A foundEvent is an event in the response of LookupEvents, with the record
// itself as JSON in a string.
type foundEvent struct {
	EventID         string `json:"EventId"`
	EventName       string
	ReadOnly        string
	AccessKeyID     string `json:"AccessKeyId,omitempty"`
	EventTime       protocol.Timestamp
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []foundResource
	CloudTrailEvent string
}

type foundResource struct{ ResourceType, ResourceName string }

func (s service) lookupEvents(tx *account.Tx, asked lookup) (any, error) {
	matches, err := asked.matcher(tx.Region)
	if err != nil {
		return nil, err
	}
	number, err := asked.position()
	if err != nil {
		return nil, err
	}
	limit := 50
	if asked.MaxResults != nil {
		limit = *asked.MaxResults
	}
	if limit < 1 || limit > 50 {
		return nil, badRequest("InvalidMaxResultsException", "A limit of "+strconv.Itoa(limit)+" is invalid. It must be from 1 to 50.")
	}
	result := &lookupResult{Events: []foundEvent{}}
	events, oldest := s.trail.Before(number)
	for i, event := range events {
		if event.Account != tx.Account.ID || !matches(event) {
			continue
		}
		if len(result.Events) == limit {
			result.NextToken = strconv.FormatUint(oldest+uint64(len(events)-i), 10) + "-" + asked.fingerprint()
			break
		}
		result.Events = append(result.Events, found(event))
	}
	return result, nil
}

// matcher returns a function that reports whether a lookup in a region selects an
// event. Global services have one region, as their signatures do.
func (l lookup) matcher(region string) (func(trail.Record) bool, error) {
	if l.EventCategory != "" {
		return nil, api.Refuse(http.StatusBadRequest, "InvalidEventCategoryException", "localaws records management events only: leave EventCategory out.")
	}
	from, to := math.Inf(-1), math.Inf(1)
	if l.StartTime != nil {
		from = *l.StartTime
	}
	if l.EndTime != nil {
		to = *l.EndTime
	}
	if from > to {
		return nil, badRequest("InvalidTimeRangeException", "The start time occurs after the end time.")
	}
	attribute := func(trail.Record) bool { return true }
	switch len(l.LookupAttributes) {
	case 0:
	case 1:
		value, ok := l.LookupAttributes[0].of()
		if !ok {
			return nil, badRequest("InvalidLookupAttributesException", "The attribute key "+strconv.Quote(l.LookupAttributes[0].AttributeKey)+" is unknown (supported: EventId, EventName, EventSource, ReadOnly, Username, AccessKeyId, ResourceType, ResourceName).")
		}
		attribute = func(r trail.Record) bool { return slices.Contains(value(r), l.LookupAttributes[0].AttributeValue) }
	default:
		return nil, badRequest("InvalidLookupAttributesException", "A lookup takes one attribute.")
	}
	return func(r trail.Record) bool {
		at := float64(r.Time.Unix())
		return r.Region == region && from <= at && at <= to && attribute(r)
	}, nil
}

// of returns a function that returns an event's values of the attribute.
func (a lookupAttribute) of() (func(trail.Record) []string, bool) {
	switch a.AttributeKey {
	case "EventId":
		return func(r trail.Record) []string { return []string{r.ID} }, true
	case "EventName":
		return func(r trail.Record) []string { return []string{r.Name} }, true
	case "EventSource":
		return func(r trail.Record) []string { return []string{r.Source} }, true
	case "ReadOnly":
		return func(r trail.Record) []string { return []string{strconv.FormatBool(r.ReadOnly)} }, true
	case "Username":
		return func(r trail.Record) []string { return []string{r.Caller} }, true
	case "AccessKeyId":
		return func(r trail.Record) []string { return []string{r.AccessKeyID} }, true
	case "ResourceType":
		return func(r trail.Record) []string { return []string{r.Resource.Type} }, true
	case "ResourceName":
		return func(r trail.Record) []string { return []string{r.Resource.Name(), r.Resource.ARN} }, true
	}
	return nil, false
}

// position returns the number of the event that the page ends before. A token is
// valid only for requests with the parameters of the one that returned it.
func (l lookup) position() (uint64, error) {
	if l.NextToken == "" {
		return math.MaxUint64, nil
	}
	text, fingerprint, _ := strings.Cut(l.NextToken, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || fingerprint != l.fingerprint() {
		return 0, badRequest("InvalidNextTokenException", "The token is invalid, or belongs to a request with other parameters.")
	}
	return number, nil
}

// fingerprint returns a hash of all parameters except the token and the page
// size.
func (l lookup) fingerprint() string {
	l.NextToken, l.MaxResults = "", nil
	text, err := json.Marshal(l)
	if err != nil { // cannot happen: these types always encode
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func found(r trail.Record) foundEvent {
	found := foundEvent{
		EventID: r.ID, EventName: r.Name, ReadOnly: strconv.FormatBool(r.ReadOnly), AccessKeyID: r.AccessKeyID,
		EventTime: protocol.Timestamp(r.Time), EventSource: r.Source, Username: r.Caller, Resources: []foundResource{}, CloudTrailEvent: string(r.Text),
	}
	if r.Resource.ARN != "" {
		found.Resources = append(found.Resources, foundResource{r.Resource.Type, r.Resource.Name()})
	}
	return found
}
