package localaws

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Instance is an EC2 instance.
type Instance struct {
	// ID is i- and 8 or 17 hex digits.
	ID string
	// PrivateDNSName, such as ip-10-0-1-23.eu-west-2.compute.internal. One that
	// is pending or terminated may have none.
	PrivateDNSName string
	// PrivateIP may be left out.
	PrivateIP netip.Addr
	// State is pending, running, shutting-down, terminated, stopping or stopped.
	// Empty means running.
	State string
	// Region of the instance. Empty means the region of the [AWS].
	Region string
}

var instanceIDPattern = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

func instanceStates() []string {
	return []string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}
}

// checkInstances also fills in the default state.
func checkInstances(instances []Instance) error {
	seen := map[string]bool{}
	for i := range instances {
		instance := &instances[i]
		if instance.State == "" {
			instance.State = "running"
		}
		switch {
		case !instanceIDPattern.MatchString(instance.ID):
			return fmt.Errorf("instance ID %q is not i- and 8 or 17 hex digits", instance.ID)
		case seen[instance.ID]:
			return fmt.Errorf("instance %s is given twice", instance.ID)
		case !slices.Contains(instanceStates(), instance.State):
			return fmt.Errorf("instance %s: state %q is none of %s", instance.ID, instance.State, strings.Join(instanceStates(), ", "))
		}
		seen[instance.ID] = true
	}
	return nil
}

// ec2Service speaks the Query protocol with XML of its own.
type ec2Service struct{ queryService }

func (s *ec2Service) serve(c *call) (answer, *Error) {
	result, action, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	return encodeXML(func(encoder *xml.Encoder) error {
		return encoder.EncodeElement(result, xml.StartElement{
			Name: xml.Name{Local: action + "Response"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: s.namespace}},
		})
	}), nil
}

type ec2Failure struct {
	XMLName xml.Name `xml:"Response"`
	Errors  struct {
		Error struct{ Code, Message string }
	}
	RequestID string `xml:"RequestID"`
}

func (s *ec2Service) failure(c *call, e *Error) answer {
	e = e.ofEC2(c.AWS)
	body := ec2Failure{RequestID: c.requestID}
	body.Errors.Error.Code, body.Errors.Error.Message = e.Code, e.Message
	answer := encodeXML(func(encoder *xml.Encoder) error { return encoder.Encode(body) })
	answer.status = e.Status
	return answer
}

func ec2Operations() map[string]operation {
	return map[string]operation{
		"DescribeInstances": read(func(*parameters) string { return "*" }, describeInstances,
			"InstanceId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"),
	}
}

type xmlInstance struct {
	InstanceID string `xml:"instanceId"`
	State      struct {
		Code int    `xml:"code"`
		Name string `xml:"name"`
	} `xml:"instanceState"`
	PrivateDNSName string `xml:"privateDnsName"`
	PrivateIP      string `xml:"privateIpAddress,omitempty"`
}

// items is EC2's list.
type items[T any] struct {
	Item []T `xml:"item"`
}

type xmlReservation struct {
	ReservationID string             `xml:"reservationId"`
	OwnerID       string             `xml:"ownerId"`
	Instances     items[xmlInstance] `xml:"instancesSet"`
}

type describeInstancesResult struct {
	RequestID    string                `xml:"requestId"`
	Reservations items[xmlReservation] `xml:"reservationSet"`
	NextToken    string                `xml:"nextToken,omitempty"`
}

func describeInstances(c *call, p *parameters) (any, *Error) {
	found, err := c.selectInstances(p)
	if err != nil {
		return nil, err
	}
	result := describeInstancesResult{RequestID: c.requestID}
	found, result.NextToken, err = instancePage(p, found)
	if err != nil {
		return nil, err
	}
	for _, instance := range found {
		x := xmlInstance{InstanceID: instance.ID, PrivateDNSName: instance.PrivateDNSName}
		x.State.Name = instance.State
		x.State.Code = []int{0, 16, 32, 48, 64, 80}[slices.Index(instanceStates(), instance.State)]
		if instance.PrivateIP.IsValid() {
			x.PrivateIP = instance.PrivateIP.String()
		}
		result.Reservations.Item = append(result.Reservations.Item, xmlReservation{
			ReservationID: "r" + strings.TrimPrefix(instance.ID, "i"), OwnerID: c.accountID, Instances: items[xmlInstance]{[]xmlInstance{x}},
		})
	}
	return result, nil
}

// selectInstances by ID and by filter. An ID that there is not is an error; a
// filter that nothing matches is not.
func (c *call) selectInstances(p *parameters) ([]*Instance, *Error) {
	var found []*Instance
	for _, id := range slices.Sorted(maps.Keys(c.Instances)) {
		if instance := c.Instances[id]; instance.Region == c.region {
			found = append(found, instance)
		}
	}
	if ids := p.list("InstanceId", ""); len(ids) > 0 {
		for _, id := range ids {
			if !instanceIDPattern.MatchString(id) {
				return nil, newError(http.StatusBadRequest, "InvalidInstanceID.Malformed", fmt.Sprintf("Invalid id: %q", id))
			}
			if !slices.ContainsFunc(found, func(i *Instance) bool { return i.ID == id }) {
				return nil, newError(http.StatusBadRequest, "InvalidInstanceID.NotFound", "The instance ID '"+id+"' does not exist")
			}
		}
		found = slices.DeleteFunc(found, func(i *Instance) bool { return !slices.Contains(ids, i.ID) })
	}
	for n := 1; p.has("Filter." + strconv.Itoa(n) + ".Name"); n++ {
		prefix := "Filter." + strconv.Itoa(n)
		field, ok := instanceFilter(p.get(prefix + ".Name"))
		if !ok {
			return nil, newError(http.StatusBadRequest, "InvalidParameterValue", "The filter '"+p.get(prefix+".Name")+"' is invalid")
		}
		wanted := p.list(prefix+".Value", "")
		found = slices.DeleteFunc(found, func(i *Instance) bool { return !slices.Contains(wanted, field(i)) })
	}
	return found, nil
}

func instanceFilter(name string) (func(*Instance) string, bool) {
	switch name {
	case "instance-id":
		return func(i *Instance) string { return i.ID }, true
	case "instance-state-name":
		return func(i *Instance) string { return i.State }, true
	case "private-dns-name":
		return func(i *Instance) string { return i.PrivateDNSName }, true
	case "private-ip-address":
		return func(i *Instance) string { return i.PrivateIP.String() }, true
	}
	return nil, false
}

func instancePage(p *parameters, all []*Instance) (found []*Instance, next string, e *Error) {
	start, limit := 0, 1000
	var err error
	if text := p.get("NextToken"); text != "" {
		if start, err = strconv.Atoi(text); err != nil || start < 0 || start > len(all) {
			return nil, "", newError(http.StatusBadRequest, "InvalidNextToken", "The token is invalid.")
		}
	}
	if text := p.get("MaxResults"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 5 || limit > 1000 {
			return nil, "", newError(http.StatusBadRequest, "InvalidParameterValue", "Value ( "+text+" ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.")
		}
	}
	if end := start + limit; end < len(all) {
		return all[start:end], strconv.Itoa(end), nil
	}
	return all[start:], "", nil
}
