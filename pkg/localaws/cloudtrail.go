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

// cloudTrailService speaks JSON 1.1: the operation is in a header. It has the
// events of all regions, whichever is asked.
type cloudTrailService struct{}

const (
	cloudTrailContentType = "application/x-amz-json-1.1"
	lookupEvents          = "LookupEvents"
)

func (s *cloudTrailService) actions() []string { return []string{lookupEvents} }

func (s *cloudTrailService) read(c *call) (name string, parameters map[string]any) {
	_ = json.Unmarshal(c.body, &parameters) // serve says what is wrong with it
	// Some clients put the name of a Java package before it.
	target := strings.TrimPrefix(c.request.Header.Get("X-Amz-Target"), "com.amazonaws.cloudtrail.v20131101.")
	return strings.TrimPrefix(target, "CloudTrail_20131101."), jsonParameters(parameters)
}

func (s *cloudTrailService) serve(c *call) (answer, *Error) {
	if c.operation != "cloudtrail:"+lookupEvents {
		return answer{}, newError(http.StatusBadRequest, "UnknownOperationException", "localaws has one operation of CloudTrail, "+lookupEvents+".")
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

// A lookup asks for events. Its times are seconds since 1970.
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

// A foundEvent is an event as LookupEvents answers it: the record itself is a text.
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
		return nil, newError(http.StatusBadRequest, "ValidationException", "localaws cannot do this: "+err.Error())
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

// matcher of the events that are looked for.
func (l lookup) matcher() (func(recorded) bool, *Error) {
	if l.EventCategory != "" {
		return nil, newError(http.StatusBadRequest, "InvalidEventCategoryException", "localaws has management events alone, which are those of no EventCategory.")
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
			return nil, newError(http.StatusBadRequest, "InvalidLookupAttributesException", "The attribute key "+strconv.Quote(l.LookupAttributes[0].AttributeKey)+" is none of those that events are looked up by.")
		}
		attribute = func(r recorded) bool { return slices.Contains(value(r), l.LookupAttributes[0].AttributeValue) }
	default:
		return nil, newError(http.StatusBadRequest, "InvalidLookupAttributesException", "Events are looked up by one attribute at a time.")
	}
	return func(r recorded) bool {
		at := float64(r.time.Unix())
		return from <= at && at <= to && attribute(r)
	}, nil
}

// of an event, the values that the attribute may have.
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

// name of a resource: what stands last in its ARN.
func (r EventResource) name() string { return r.ARN[strings.LastIndex(r.ARN, "/")+1:] }

// position is the number before which events are looked for. A token is good for
// the request that it was answered to, and its like.
func (l lookup) position() (uint64, *Error) {
	if l.NextToken == "" {
		return math.MaxUint64, nil
	}
	text, fingerprint, _ := strings.Cut(l.NextToken, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || fingerprint != l.fingerprint() {
		return 0, newError(http.StatusBadRequest, "InvalidNextTokenException", "The token is invalid, or was answered to a request with other parameters.")
	}
	return number, nil
}

// fingerprint of all but the token and the size of the page.
func (l lookup) fingerprint() string {
	l.NextToken, l.MaxResults = "", nil
	text, err := json.Marshal(l)
	if err != nil { // of types of ours, which always encode
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
