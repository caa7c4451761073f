package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	strictjson "sigs.k8s.io/json"

	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
)

// Result is the result of a review.
type Result string

// The results. Only Refused stops an edit.
const (
	Allowed    Result = "allowed"
	Refused    Result = "refused"
	Overridden Result = "overridden"
	Failed     Result = "failed" // allowed, since it could not be judged
)

// Results returns all results, for metrics.
func Results() []Result { return []Result{Allowed, Refused, Overridden, Failed} }

// An Answer is what the guard answers to a review.
type Answer struct {
	Result Result
	// Name, Operation and User describe the edit, for a log.
	Name, Operation, User string
	DryRun                bool
	// Hash is that of the edit, and Losses are what it makes worse.
	Hash   string
	Losses []string
	// Err is why the edit could not be judged; nil unless it failed.
	Err error

	review admissionv1.AdmissionReview
}

// errReview means that a request is not an AdmissionReview.
var errReview = errors.New("the request is not the JSON of an admission.k8s.io/v1 AdmissionReview")

// Review judges the edit in an AdmissionReview. An error means that the body is not an
// AdmissionReview. Whatever else fails, the edit is allowed: the guard never blocks a
// cluster.
func (g *Guard) Review(body []byte) (Answer, error) {
	var review admissionv1.AdmissionReview
	repeated, err := strictjson.UnmarshalStrict(body, &review, strictjson.DisallowDuplicateFields)
	switch {
	case err != nil:
		return Answer{}, errReview // without the cause, which can quote the request
	case len(repeated) > 0:
		return Answer{}, fmt.Errorf("%w: a field occurs twice", errReview)
	case review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String():
		return Answer{}, fmt.Errorf("%w: it has another kind or apiVersion", errReview)
	case review.Request == nil || review.Request.UID == "":
		return Answer{}, fmt.Errorf("%w: it has no request with a uid", errReview)
	}
	request := review.Request
	a := Answer{
		Result: Allowed, Name: nameIn(request), Operation: string(request.Operation), User: request.UserInfo.Username,
		DryRun: request.DryRun != nil && *request.DryRun,
	}
	response := &admissionv1.AdmissionResponse{UID: request.UID, Allowed: true}
	a.review = admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response}
	if !guarded(request, a.Name) {
		return a, nil
	}
	var verdict Verdict
	edit, err := editIn(request, a.Name)
	if err == nil {
		verdict, err = g.Judge(edit)
	}
	if err != nil {
		a.Result, a.Err = Failed, err
		response.Warnings = []string{limited("the edit was not checked: "+err.Error(), maxWarning)}
		return a, nil
	}
	a.Losses, a.Hash = verdict.Losses, Hash(edit.Name, edit.Old, edit.New)
	switch {
	case verdict.Refused():
		a.Result, response.Allowed = Refused, false
		response.Result = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: a.refusal()}
		return a, nil
	case verdict.Overridden:
		a.Result = Overridden
		verdict.Warnings = slices.Insert(verdict.Warnings, 0, "made by the annotation "+Annotation+": "+strings.Join(verdict.Losses, "; "))
	}
	for _, warning := range verdict.Warnings[:min(len(verdict.Warnings), maxWarnings)] {
		response.Warnings = append(response.Warnings, limited(warning, maxWarning))
	}
	return a, nil
}

// JSON returns the answer as the JSON of an AdmissionReview.
func (a Answer) JSON() ([]byte, error) {
	text, err := json.Marshal(&a.review)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to an AdmissionReview: %w", err)
	}
	return append(text, '\n'), nil
}

// nameIn returns the name of the object that a request edits. A request of deletecollection
// has none, although there is one for each object.
func nameIn(r *admissionv1.AdmissionRequest) string {
	if r.Name != "" || r.Operation != admissionv1.Delete {
		return r.Name
	}
	var old metav1.PartialObjectMetadata
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(r.OldObject.Raw, &old); err != nil {
		return "" // an unreadable object has no name to judge
	}
	return old.Name
}

// guarded reports whether a request edits one of our ConfigMaps. A webhook that is
// configured for more must not block anything else.
func guarded(r *admissionv1.AdmissionRequest, name string) bool {
	return r.Resource == metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"} && r.SubResource == "" &&
		r.Namespace == metav1.NamespaceSystem && slices.Contains([]string{kube.AWSAuth, kube.AWSAuthLastGood, history.Name}, name) &&
		slices.Contains([]admissionv1.Operation{admissionv1.Create, admissionv1.Update, admissionv1.Delete}, r.Operation)
}

func editIn(r *admissionv1.AdmissionRequest, name string) (edit Edit, err error) {
	edit = Edit{Name: name, Extra: map[string][]string{}}
	for key, values := range r.UserInfo.Extra {
		edit.Extra[key] = values
	}
	if r.Operation != admissionv1.Create {
		if edit.Old, err = configMapIn(r.OldObject); err != nil {
			return edit, fmt.Errorf("reading the old object: %w", err)
		}
	}
	if r.Operation != admissionv1.Delete {
		if edit.New, err = configMapIn(r.Object); err != nil {
			return edit, fmt.Errorf("reading the new object: %w", err)
		}
	}
	return edit, nil
}

// configMapIn returns what matters of a ConfigMap. Everything else is skipped, so that
// JSON of another shape takes no more memory than its text.
func configMapIn(raw runtime.RawExtension) (*unstructured.Unstructured, error) {
	var read struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Data       map[string]string `json:"data"`
		BinaryData map[string]string `json:"binaryData"`
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(raw.Raw, &read); err != nil {
		return nil, err
	}
	if read.Kind != "ConfigMap" {
		return nil, fmt.Errorf("its kind is %q, expected ConfigMap", read.Kind)
	}
	configMap := &unstructured.Unstructured{Object: map[string]any{}}
	configMap.SetAnnotations(read.Metadata.Annotations)
	for field, values := range map[string]map[string]string{"data": read.Data, "binaryData": read.BinaryData} {
		if err := unstructured.SetNestedStringMap(configMap.Object, values, field); err != nil {
			return nil, err
		}
	}
	return configMap, nil
}

const (
	// maxLosses and maxLoss bound the text of a refusal.
	maxLosses = 10
	maxLoss   = 1024
)

// refusal returns what kubectl prints of a refused edit.
func (a Answer) refusal() string {
	var b strings.Builder
	fmt.Fprintf(&b, "this edit by %s makes %s worse:\n", printable(a.User), a.Name)
	for _, loss := range a.Losses[:min(len(a.Losses), maxLosses)] {
		if len(loss) > maxLoss {
			loss = strings.ToValidUTF8(loss[:maxLoss], "") + "..."
		}
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(printable(loss), "\n", "\n  "))
	}
	if more := len(a.Losses) - maxLosses; more > 0 {
		fmt.Fprintf(&b, "- and %d more\n", more)
	}
	if a.Operation == string(admissionv1.Delete) {
		fmt.Fprintf(&b, "To delete it anyway, set this annotation first:\n  %s: \"%s\"\n", Annotation, a.Hash)
	} else {
		fmt.Fprintf(&b, "Correct it, or set this annotation in the same edit to make it anyway:\n  %s: \"%s\"\n", Annotation, a.Hash)
	}
	return b.String()
}

// printable replaces characters that a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
