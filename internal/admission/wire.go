package admission

import (
	"bytes"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	strictjson "sigs.k8s.io/json"
)

// The wire form of an AdmissionReview. It has only what the guard reads, and the parts
// whose size a client chooses stay text until they are needed: whatever the body, it takes
// little more memory than its text. The types of k8s.io/api would also register themselves
// in each start of the program.

const (
	reviewKind    = "AdmissionReview"
	reviewVersion = "admission.k8s.io/v1"

	opCreate = "CREATE"
	opUpdate = "UPDATE"
	opDelete = "DELETE"
)

type request struct {
	UID         string   `json:"uid"`
	Resource    resource `json:"resource"`
	SubResource string   `json:"subResource"`
	Name        string   `json:"name"`
	Namespace   string   `json:"namespace"`
	Operation   string   `json:"operation"`
	DryRun      bool     `json:"dryRun"`
	UserInfo    text     `json:"userInfo"`
	Object      text     `json:"object"`
	OldObject   text     `json:"oldObject"`
}

type resource struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"`
}

// A text is JSON that is not decoded yet. It is part of the body, not a copy.
type text []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(part []byte) error {
	*t = part
	return nil
}

// decode reads an AdmissionReview.
func decode(body []byte) (request, error) {
	var review struct {
		Kind       string   `json:"kind"`
		APIVersion string   `json:"apiVersion"`
		Request    *request `json:"request"`
	}
	repeated, err := strictjson.UnmarshalStrict(body, &review, strictjson.DisallowDuplicateFields)
	switch {
	case err != nil:
		return request{}, errReview // without the cause, which can quote the request
	case len(repeated) > 0:
		return request{}, fmt.Errorf("%w: a field occurs twice", errReview)
	case review.Kind != reviewKind || review.APIVersion != reviewVersion:
		return request{}, fmt.Errorf("%w: it has another kind or apiVersion", errReview)
	case review.Request == nil || review.Request.UID == "":
		return request{}, fmt.Errorf("%w: it has no request with a uid", errReview)
	}
	return *review.Request, nil
}

// name returns the name of the object that a request edits. A request of deletecollection
// has none, although there is one for each object.
func (r request) name() string {
	if r.Name != "" || r.Operation != opDelete {
		return r.Name
	}
	var old struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(r.OldObject, &old); err != nil {
		return "" // an unreadable object has no name to judge
	}
	return old.Metadata.Name
}

// edit returns the edit of an object.
func (r request) edit(name string, read func(text) (*unstructured.Unstructured, error)) (edit Edit, err error) {
	edit.Name = name
	if err := r.readUser(&edit); err != nil {
		return edit, err
	}
	if r.Operation != opCreate {
		if edit.Old, err = read(r.OldObject); err != nil {
			return edit, fmt.Errorf("reading the old object: %w", err)
		}
	}
	if r.Operation != opDelete {
		if edit.New, err = read(r.Object); err != nil {
			return edit, fmt.Errorf("reading the new object: %w", err)
		}
	}
	return edit, nil
}

// maxUser is the maximum length of the text of a user. A kube-apiserver accepts about as
// much from a webhook or in the headers of a proxy.
const maxUser = 1 << 20

func (r request) readUser(edit *Edit) error {
	if len(r.UserInfo) > maxUser {
		return fmt.Errorf("reading the user: it is longer than %d KiB", maxUser>>10)
	}
	var user struct {
		Username string              `json:"username"`
		Extra    map[string][]string `json:"extra"`
	}
	if len(r.UserInfo) > 0 {
		if err := strictjson.UnmarshalCaseSensitivePreserveInts(r.UserInfo, &user); err != nil {
			return errors.New("reading the user: it is not that of an AdmissionReview")
		}
	}
	edit.user, edit.Extra = user.Username, user.Extra
	return nil
}

// readConfigMap returns what matters of a ConfigMap.
func readConfigMap(object text) (*unstructured.Unstructured, error) {
	var read struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Annotations values `json:"annotations"`
		} `json:"metadata"`
		Data       values `json:"data"`
		BinaryData values `json:"binaryData"`
	}
	if len(object) == 0 {
		return nil, errors.New("it is missing")
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(object, &read); err != nil {
		return nil, err
	}
	if read.Kind != "ConfigMap" {
		return nil, fmt.Errorf("its kind is %q, expected ConfigMap", limited(read.Kind, 63))
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"annotations": map[string]any(read.Metadata.Annotations)},
		"data":     map[string]any(read.Data), "binaryData": map[string]any(read.BinaryData),
	}}, nil
}

const (
	// maxValues is the maximum number of values in one field of an object. etcd holds fewer
	// in an object: of each it also holds its key, and who manages it.
	maxValues = 100_000
	// maxTexts is the maximum length of the texts in one field, with their names. etcd
	// holds no longer object.
	maxTexts = 1536 << 10
)

// values are texts by name. They are as unstructured objects have them, so that they need
// not be copied.
type values map[string]any

// UnmarshalJSON implements [json.Unmarshaler]. It decodes one text after the other, so that
// an object beyond a limit takes next to no memory.
func (v *values) UnmarshalJSON(object []byte) error {
	if string(object) == "null" {
		return nil
	}
	if object[0] != '{' {
		return errors.New("expected texts by name")
	}
	*v = values{}
	left := maxTexts
	for rest := after(object, 1); rest[0] != '}'; {
		var name, value string
		var err error
		if name, rest, err = cutText(rest, &left); err != nil {
			return err
		}
		switch rest[0] {
		case '"':
			value, rest, err = cutText(rest, &left)
		case 'n':
			rest = after(rest, len("null"))
		default:
			err = fmt.Errorf("the value of %q is not text", limited(name, 63))
		}
		if err != nil {
			return err
		}
		if (*v)[name] = value; len(*v) > maxValues {
			return fmt.Errorf("it has more than %d values", maxValues)
		}
	}
	return nil
}

// cutText decodes the text at the start of valid JSON, and returns what follows it.
func cutText(json []byte, left *int) (decoded string, rest []byte, err error) {
	end := 1
	for json[end] != '"' {
		if json[end] == '\\' {
			end++
		}
		end++
	}
	const escaped = 6 // bytes for one, such as \u003c
	if end/escaped <= *left {
		err = strictjson.UnmarshalCaseSensitivePreserveInts(json[:end+1], &decoded)
	}
	if *left -= max(len(decoded), end/escaped); *left < 0 {
		return "", nil, fmt.Errorf("its texts are longer than %d KiB", maxTexts>>10)
	}
	return decoded, after(json, end+1), err
}

// after returns valid JSON from a position, without the punctuation that precedes the next
// name or value.
func after(json []byte, position int) []byte { return bytes.TrimLeft(json[position:], ",: \t\r\n") }

// A reviewAnswer is the AdmissionReview that answers one.
type reviewAnswer struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Response   response `json:"response"`
}

type response struct {
	UID      string   `json:"uid"`
	Allowed  bool     `json:"allowed"`
	Status   *status  `json:"status,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

type status struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}
