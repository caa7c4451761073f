package localaws

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cloudTrailService speaks JSON 1.1: a header names the operation. Every region
// returns the events of all regions.
type cloudTrailService struct{}

const (
	cloudTrailContentType = "application/x-amz-json-1.1"
	lookupEvents          = "LookupEvents"
)

func (s *cloudTrailService) actions() []string { return []string{lookupEvents} }

func (s *cloudTrailService) read(c *call) (name string, parameters map[string]any) {
	_ = json.Unmarshal(c.body, &parameters) // serve reports the error
	// Some clients prefix the name with that of a Java package.
	target := strings.TrimPrefix(c.request.Header.Get("X-Amz-Target"), "com.amazonaws.cloudtrail.v20131101.")
	return strings.TrimPrefix(target, "CloudTrail_20131101."), jsonParameters(parameters)
}

func (s *cloudTrailService) serve(c *call) (answer, *Error) {
	if c.operation != "cloudtrail:"+lookupEvents {
		return answer{}, newError(http.StatusBadRequest, "UnknownOperationException", "localaws supports one operation of CloudTrail: "+lookupEvents+".")
	}
	if err := c.authorize("cloudtrail:"+lookupEvents, "*", nil); err != nil {
		return answer{}, err
	}
	result, err := c.lookupEvents()
	if err != nil {
		return answer{}, err
	}
	answer := encodeJSON(http.StatusOK, result)
	answer.contentType = cloudTrailContentType
	return answer, nil
}

func (s *cloudTrailService) failure(_ *call, e *Error) answer {
	e = e.ofCloudTrail()
	answer := encodeJSON(e.Status, map[string]string{"__type": e.Code, "message": e.Message})
	answer.contentType = cloudTrailContentType
	return answer
}

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
	EventTime       timestamp
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []foundResource
	CloudTrailEvent string
}

type foundResource struct{ ResourceType, ResourceName string }

func (c *call) lookupEvents() (*lookupResult, *Error) {
	var asked lookup
	if err := decodeStrictly(c.body, &asked); err != nil {
		return nil, newError(http.StatusBadRequest, "ValidationException", "localaws does not support this request: "+err.Error())
	}
	matches, err := asked.matcher()
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
		return nil, newError(http.StatusBadRequest, "InvalidMaxResultsException", "A limit of "+strconv.Itoa(limit)+" is invalid. It must be from 1 to 50.")
	}
	result := &lookupResult{Events: []foundEvent{}}
	events, oldest := c.trail.before(number)
	for i, event := range events {
		if !matches(event) {
			continue
		}
		if len(result.Events) == limit {
			result.NextToken = strconv.FormatUint(oldest+uint64(len(events)-i), 10) + "-" + asked.fingerprint()
			break
		}
		result.Events = append(result.Events, event.found())
	}
	return result, nil
}

// matcher returns a function that reports whether a lookup selects an event.
func (l lookup) matcher() (func(recorded) bool, *Error) {
	if l.EventCategory != "" {
		return nil, newError(http.StatusBadRequest, "InvalidEventCategoryException", "localaws records management events only: leave EventCategory out.")
	}
	from, to := math.Inf(-1), math.Inf(1)
	if l.StartTime != nil {
		from = *l.StartTime
	}
	if l.EndTime != nil {
		to = *l.EndTime
	}
	if from > to {
		return nil, newError(http.StatusBadRequest, "InvalidTimeRangeException", "The start time occurs after the end time.")
	}
	attribute := func(recorded) bool { return true }
	switch len(l.LookupAttributes) {
	case 0:
	case 1:
		value, ok := l.LookupAttributes[0].of()
		if !ok {
			return nil, newError(http.StatusBadRequest, "InvalidLookupAttributesException", "The attribute key "+strconv.Quote(l.LookupAttributes[0].AttributeKey)+" is unknown (supported: EventId, EventName, EventSource, ReadOnly, Username, AccessKeyId, ResourceType, ResourceName).")
		}
		attribute = func(r recorded) bool { return slices.Contains(value(r), l.LookupAttributes[0].AttributeValue) }
	default:
		return nil, newError(http.StatusBadRequest, "InvalidLookupAttributesException", "A lookup takes one attribute.")
	}
	return func(r recorded) bool {
		at := float64(r.time.Unix())
		return from <= at && at <= to && attribute(r)
	}, nil
}

// of returns a function that returns an event's values of the attribute.
func (a lookupAttribute) of() (func(recorded) []string, bool) {
	switch a.AttributeKey {
	case "EventId":
		return func(r recorded) []string { return []string{r.id} }, true
	case "EventName":
		return func(r recorded) []string { return []string{r.name} }, true
	case "EventSource":
		return func(r recorded) []string { return []string{r.source} }, true
	case "ReadOnly":
		return func(r recorded) []string { return []string{strconv.FormatBool(r.readOnly)} }, true
	case "Username":
		return func(r recorded) []string { return []string{r.caller} }, true
	case "AccessKeyId":
		return func(r recorded) []string { return []string{r.accessKeyID} }, true
	case "ResourceType":
		return func(r recorded) []string { return []string{r.resource.Type} }, true
	case "ResourceName":
		return func(r recorded) []string { return []string{r.resource.name(), r.resource.ARN} }, true
	}
	return nil, false
}

// name returns the last part of a resource's ARN.
func (r EventResource) name() string { return r.ARN[strings.LastIndex(r.ARN, "/")+1:] }

// position returns the number of the event that the page ends before. A token is
// valid only for requests with the parameters of the one that returned it.
func (l lookup) position() (uint64, *Error) {
	if l.NextToken == "" {
		return math.MaxUint64, nil
	}
	text, fingerprint, _ := strings.Cut(l.NextToken, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || fingerprint != l.fingerprint() {
		return 0, newError(http.StatusBadRequest, "InvalidNextTokenException", "The token is invalid, or belongs to a request with other parameters.")
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

func (r recorded) found() foundEvent {
	found := foundEvent{
		EventID: r.id, EventName: r.name, ReadOnly: strconv.FormatBool(r.readOnly), AccessKeyID: r.accessKeyID,
		EventTime: timestamp(r.time), EventSource: r.source, Username: r.caller, Resources: []foundResource{}, CloudTrailEvent: string(r.text),
	}
	if r.resource.ARN != "" {
		found.Resources = append(found.Resources, foundResource{r.resource.Type, r.resource.name()})
	}
	return found
}
