package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	// Losses are what the edit makes worse, and Hash is that of an edit with losses.
	Hash   string
	Losses []string
	// Err is why the edit could not be judged; nil unless it failed.
	Err error

	answer reviewAnswer
}

// errReview means that a request is not an AdmissionReview.
var errReview = errors.New("the request is not the JSON of an admission.k8s.io/v1 AdmissionReview")

// Review judges the edit in an AdmissionReview. An error means that the body is not an
// AdmissionReview. Whatever else fails, the edit is allowed: the guard never blocks a
// cluster.
func (g *Guard) Review(body []byte) (Answer, error) {
	request, err := decode(body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Result: Allowed, Name: request.name(), Operation: request.Operation, DryRun: request.DryRun}
	a.answer.Kind, a.answer.APIVersion = reviewKind, reviewVersion
	response := &a.answer.Response
	response.UID, response.Allowed = request.UID, true
	read := readConfigMap
	switch {
	case isMapping(request):
		a.Name, read = mappingPrefix+a.Name, readMapping
	case !isGuarded(request, a.Name):
		return a, nil
	}
	var verdict Verdict
	edit, err := request.edit(a.Name, read)
	if err == nil {
		a.User = edit.user
		verdict, err = g.Judge(edit)
	}
	if err != nil {
		a.Result, a.Err = Failed, err
		response.Warnings = []string{limited("the edit was not checked: "+err.Error(), maxWarning)}
		return a, nil
	}
	a.Losses, a.Hash = verdict.Losses, verdict.Hash
	switch {
	case verdict.Refused():
		a.Result, response.Allowed = Refused, false
		response.Status = &status{Status: "Failure", Message: a.refusal(), Reason: "Forbidden", Code: http.StatusForbidden}
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
	text, err := json.Marshal(a.answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to an AdmissionReview: %w", err)
	}
	return append(text, '\n'), nil
}

// isGuarded reports whether a request edits one of our ConfigMaps. A webhook that is
// configured for more must not block anything else.
func isGuarded(r request, name string) bool {
	return r.edits(resource{Version: "v1", Resource: "configmaps"}) && r.Namespace == metav1.NamespaceSystem &&
		slices.Contains([]string{kube.AWSAuth, kube.AWSAuthLastGood, history.Name}, name)
}

// isMapping reports whether a request edits an IAMIdentityMapping.
func isMapping(r request) bool {
	return r.edits(resource{Group: "iamauthenticator.k8s.aws", Version: "v1alpha1", Resource: "iamidentitymappings"})
}

func (r request) edits(kind resource) bool {
	return r.Resource == kind && r.SubResource == "" && slices.Contains([]string{opCreate, opUpdate, opDelete}, r.Operation)
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
	if a.Operation == opDelete {
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
