package protocol_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

func request(method, target, contentType, body string, header ...string) *api.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return &api.Request{Request: r, ID: "id-1", Content: []byte(body)}
}

const form = "application/x-www-form-urlencoded"

func operations() []api.Operation {
	return []api.Operation{
		{Facts: api.Facts{Name: "GetThing", Route: "GET /things/{name}", Accepts: []string{"Name", "Tag.N.Key", "Tag.N.Value", "Ids.member.N", "limit", "keys.N"}}},
		{Facts: api.Facts{Name: "PutThing", Route: "PUT /things/{name}/tags/{key}"}},
	}
}

// TestQueryReads checks what a Query service takes, and in whose words it refuses the
// rest.
func TestQueryReads(t *testing.T) {
	query := protocol.Query{Version: "2020-02-02"}
	const operation = "Action=GetThing&Version=2020-02-02"
	for name, test := range map[string]struct {
		url, body string
		want      string // operation, or code and message
		refused   bool
	}{
		"in the body":           {"/", operation + "&Name=a", "GetThing", false},
		"in the URL":            {"/?" + operation + "&Name=a", "", "GetThing", false},
		"in both":               {"/?Action=GetThing", "Version=2020-02-02", "GetThing", false},
		"a list":                {"/", operation + "&Tag.1.Key=a&Tag.1.Value=b&Tag.2.Key=c", "GetThing", false},
		"an empty list":         {"/", operation + "&Ids=", "GetThing", false},
		"a presigned URL":       {"/?" + operation + "&X-Amz-Signature=0", "", "GetThing", false},
		"a gap":                 {"/", operation + "&Tag.2.Key=a", "ValidationError: 1 validation error detected: Value at 'Tag.2.Key' follows a gap", false},
		"twice":                 {"/?Name=a", operation + "&Name=b", "ValidationError: 1 validation error detected: Value at 'Name' is in the request twice", false},
		"an unknown parameter":  {"/", operation + "&Size=1", "ValidationError: 1 validation error detected: Value at 'Size' is not supported by localaws for GetThing", true},
		"no action":             {"/", "Version=2020-02-02", "MissingAction", false},
		"an unknown operation":  {"/", "Action=DeleteThing&Version=2020-02-02", "InvalidAction: localaws does not support the operation DeleteThing.", true},
		"no operation of AWS":   {"/", "Action=delete-thing&Version=2020-02-02", "InvalidAction: Could not find operation delete-thing for version 2020-02-02", false},
		"not in letters":        {"/", "Action=%C3%9Cbung&Version=2020-02-02", "InvalidAction: Could not find operation Übung", false},
		"the longest operation": {"/", "Action=" + strings.Repeat("A", 128) + "&Version=2020-02-02", "InvalidAction: localaws does not support", true},
		"a longer operation":    {"/", "Action=" + strings.Repeat("A", 129) + "&Version=2020-02-02", "InvalidAction: Could not find operation", false},
		"another version":       {"/", "Action=GetThing&Version=1999-01-01", "InvalidAction: Could not find operation GetThing for version 1999-01-01", false},
		"a bad escape":          {"/", operation + "&Name=%zz", "MalformedQueryString", false},
		"a bad escape, in URL":  {"/?Name=%zz", operation, "MalformedQueryString", false},
		"a semicolon, in URL":   {"/?Name=a;Tag.1.Key=b", operation, "MalformedQueryString", false},
	} {
		input, found, err := query.Read(request(http.MethodPost, test.url, form, test.body), operations())
		got := input.Operation
		if err != nil {
			got = err.Error()
		} else if found == nil || found.Name != input.Operation {
			t.Errorf("%s: no operation", name)
		}
		if !strings.HasPrefix(got, test.want) || err != nil && err.Refused != test.refused {
			t.Errorf("%s: %s, %+v; want %s", name, got, err, test.want)
		}
	}
}

func TestRESTReads(t *testing.T) {
	rest := protocol.REST{Title: "Things"}
	for name, test := range map[string]struct {
		method, url string
		want        string
		refused     bool
	}{
		"a route":              {http.MethodGet, "/things/a", "GetThing map[name:a]", false},
		"an encoded slash":     {http.MethodGet, "/things/a%2Fb", "GetThing map[name:a/b]", false},
		"a query":              {http.MethodGet, "/things/a?limit=3", "GetThing map[name:a]", false},
		"another route":        {http.MethodPut, "/things/a/tags/b", "PutThing map[key:b name:a]", false},
		"an unknown parameter": {http.MethodGet, "/things/a?size=3", "InvalidParameterException: localaws does not support the parameter size of GetThing.", true},
		"a list":               {http.MethodGet, "/things/a?keys=1&keys=2", "GetThing map[name:a]", false},
		"a query, twice":       {http.MethodGet, "/things/a?limit=3&limit=4", "InvalidParameterException: The parameter limit appears more than once.", false},
		"a bad escape":         {http.MethodGet, "/things/a?limit=%zz", `InvalidParameterException: The query string does not parse: invalid URL escape "%zz".`, false},
		"another method":       {http.MethodDelete, "/things/a", "NotFoundException: localaws has no Things operation DELETE /things/a", true},
		"another path":         {http.MethodGet, "/things", "NotFoundException: localaws has no Things operation GET /things", true},
	} {
		input, _, err := rest.Read(request(test.method, test.url, "application/json", ""), operations())
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = input.Operation + " " + sorted(input.Path)
		}
		if got != test.want || err != nil && err.Refused != test.refused {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func sorted(values map[string]string) string {
	text, _ := json.Marshal(values) // sorts the keys
	return "map[" + strings.NewReplacer(`"`, "", "{", "", "}", "", ",", " ").Replace(string(text)) + "]"
}

// TestAddresses checks which requests name their service, whatever their host.
func TestAddresses(t *testing.T) {
	query, json11 := protocol.Query{Version: "2011-06-15"}, protocol.JSON11{Target: "Trail_1"}
	for name, test := range map[string]struct {
		protocol api.Protocol
		request  *api.Request
		want     bool
	}{
		"a form":             {query, request(http.MethodPost, "/", form, "Action=A&Version=2011-06-15"), true},
		"a URL":              {query, request(http.MethodGet, "/?Action=A&Version=2011-06-15", "", ""), true},
		"no action":          {query, request(http.MethodPost, "/", form, "Version=2011-06-15"), false},
		"another version":    {query, request(http.MethodPost, "/", form, "Action=A&Version=2011-06-16"), false},
		"a text":             {query, request(http.MethodPost, "/", "text/plain", "Action=A&Version=2011-06-15"), false},
		"EC2":                {protocol.EC2{Version: "2016-11-15"}, request(http.MethodPost, "/", form, "Action=A&Version=2016-11-15"), true},
		"a target":           {json11, request(http.MethodPost, "/", "", "{}", "X-Amz-Target", "Trail_1.Look"), true},
		"a target in Java":   {json11, request(http.MethodPost, "/", "", "{}", "X-Amz-Target", "com.amazonaws.Trail_1.Look"), true},
		"another target":     {json11, request(http.MethodPost, "/", "", "{}", "X-Amz-Target", "Trail_12.Look"), false},
		"an operation alone": {json11, request(http.MethodPost, "/", "", "{}", "X-Amz-Target", "Look"), false},
		"a path":             {protocol.REST{}, request(http.MethodGet, "/things/a", "", ""), false},
	} {
		if got := test.protocol.Addresses(test.request); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestErrorsOfUnknownServices checks that clients of services that are not served can
// read why.
func TestErrorsOfUnknownServices(t *testing.T) {
	const json10, json11 = "application/x-amz-json-1.0", "application/x-amz-json-1.1"
	for name, test := range map[string]struct {
		service         string
		request         *api.Request
		contentType     string
		body, errorType string
	}{
		"JSON 1.0":        {"dynamodb", request(http.MethodPost, "/", json10, "{}", "X-Amz-Target", "DynamoDB_20120810.ListTables"), json10, `{"__type":"Unknown","message":"why"}`, ""},
		"JSON 1.1":        {"kms", request(http.MethodPost, "/", json11, "{}"), json11, `{"__type":"Unknown","message":"why"}`, ""},
		"Query":           {"sns", request(http.MethodPost, "/", form, "Action=Publish&Version=2010-03-31"), "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>Unknown</Code><Message>why</Message></Error><RequestId>id-1</RequestId></ErrorResponse>", ""},
		"REST, JSON":      {"lambda", request(http.MethodGet, "/2015-03-31/functions", "", ""), "application/json", `{"message":"why"}`, "Unknown"},
		"S3":              {"s3", request(http.MethodGet, "/bucket", "", ""), "application/xml", "<Error><Code>Unknown</Code><Message>why</Message><RequestId>id-1</RequestId></Error>", ""},
		"S3, by its host": {"", request(http.MethodGet, "https://bucket.s3.eu-west-2.amazonaws.com/key", "", ""), "application/xml", "<Error><Code>Unknown</Code>", ""},
		"Route 53":        {"route53", request(http.MethodGet, "/2013-04-01/hostedzone", "", ""), "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>Unknown</Code>", ""},
		"CBOR":            {"monitoring", request(http.MethodPost, "/", "application/cbor", "", "Smithy-Protocol", "rpc-v2-cbor"), "application/cbor", "\xa2\x79\x00\x06__type\x79\x00\x07Unknown\x79\x00\x07message\x79\x00\x03why", ""},
	} {
		answer := protocol.Of(test.request, test.service).Failure(test.request, api.NewError(http.StatusBadRequest, "Unknown", "why"))
		if answer.Status != http.StatusBadRequest || answer.ContentType != test.contentType || !strings.Contains(string(answer.Body), test.body) || answer.Header["X-Amzn-Errortype"] != test.errorType {
			t.Errorf("%s: %d %s %v\n%s", name, answer.Status, answer.ContentType, answer.Header, answer.Body)
		}
	}
}

// TestResults checks how each protocol encodes a result.
func TestResults(t *testing.T) {
	type result struct {
		At protocol.Timestamp
	}
	value := result{protocol.Timestamp(time.Date(2026, 11, 23, 8, 0, 0, 500, time.UTC))}
	plain := request(http.MethodPost, "/", form, "")
	for name, test := range map[string]struct {
		protocol api.Protocol
		request  *api.Request
		result   any
		want     string
	}{
		"Query":          {protocol.Query{Namespace: "ns"}, plain, value, xml.Header + `<GetResponse xmlns="ns"><GetResult><At>2026-11-23T08:00:00Z</At></GetResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetResponse>`},
		"Query, empty":   {protocol.Query{Namespace: "ns"}, plain, nil, xml.Header + `<GetResponse xmlns="ns"><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetResponse>`},
		"Query, in JSON": {protocol.Query{JSON: true}, request(http.MethodPost, "/", form, "", "Accept", "application/json"), value, `{"GetResponse":{"GetResult":{"At":1795420800},"ResponseMetadata":{"RequestId":"id-1"}}}`},
		"EC2":            {protocol.EC2{Namespace: "ns"}, plain, protocol.Fields{protocol.Element("things", protocol.ItemsOf([]int{1, 2}))}, xml.Header + `<GetResponse xmlns="ns"><requestId>id-1</requestId><things><item>1</item><item>2</item></things></GetResponse>`},
		"EC2, empty":     {protocol.EC2{Namespace: "ns"}, plain, nil, xml.Header + `<GetResponse xmlns="ns"><requestId>id-1</requestId><return>true</return></GetResponse>`},
		"JSON 1.1":       {protocol.JSON11{}, plain, value, `{"At":1795420800}`},
		"REST":           {protocol.REST{}, plain, value, `{"At":1795420800}`},
	} {
		answer := test.protocol.Result(api.Input{Request: test.request, Operation: "Get"}, test.result)
		if answer.Status != http.StatusOK || string(answer.Body) != test.want {
			t.Errorf("%s: %d %s\nwant %s", name, answer.Status, answer.Body, test.want)
		}
	}
	if answer := (protocol.REST{}).Result(api.Input{}, func() {}); answer.Status != http.StatusInternalServerError {
		t.Errorf("a result that does not encode: %d", answer.Status)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("Action=GetThing&Version=2020-02-02&Tag.1.Key=a", "Name=b")
	f.Add("", "Action=&Ids.member.2=1&.=&a.b.c.d.e.f.g.h.i=1")
	query := protocol.Query{Version: "2020-02-02"}
	f.Fuzz(func(t *testing.T, query1, body string) {
		r := request(http.MethodPost, "/", form, body)
		r.URL.RawQuery = query1
		input, found, err := query.Read(r, operations())
		if (found == nil || input.Operation != found.Name) && err == nil {
			t.Errorf("%q is no operation, and no error", input.Operation)
		}
	})
}

func FuzzREST(f *testing.F) {
	f.Add("/things/a%2Fb", "limit=3", "{}")
	f.Fuzz(func(t *testing.T, path, query, body string) {
		r := request(http.MethodGet, "/", "", body)
		r.URL.Path, r.URL.RawQuery = path, query
		if _, found, err := (protocol.REST{}).Read(r, operations()); found == nil && err == nil {
			t.Error("no operation, and no error")
		}
	})
}
