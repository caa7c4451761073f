package configmap_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
)

// A lastGood is the ConfigMap aws-auth-last-good, in front of API servers that have
// different states of aws-auth, as one has that is behind.
type lastGood struct {
	mu     sync.Mutex
	object *corev1.ConfigMap // nil if it does not exist
	writes []string          // the versions of aws-auth that were written
	status int               // an error for every request; 0 for none
	wrote  chan struct{}
	// block makes reads wait until it is closed; asked has an element for each of them.
	block, asked chan struct{}
}

func newLastGood() *lastGood {
	return &lastGood{wrote: make(chan struct{}, 16), asked: make(chan struct{}, 16), object: &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: kube.AWSAuthLastGood, Namespace: "kube-system", ResourceVersion: "1"},
	}}
}

// before returns the URL of an API server that has the ConfigMap.
func (l *lastGood) before(t *testing.T, behind *apiServer) string {
	t.Helper()
	server := httptest.NewServer(l.handler(behind))
	t.Cleanup(server.Close)
	return server.URL
}

func (l *lastGood) handler(behind *apiServer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/configmaps/"+kube.AWSAuthLastGood) {
			behind.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet && l.block != nil {
			l.asked <- struct{}{}
			select {
			case <-l.block:
			case <-r.Context().Done():
				return
			}
		}
		l.serve(w, r)
	})
}

func (l *lastGood) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	refuse := func(code int, reason metav1.StatusReason) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: reason, Code: int32(code)})
	}
	switch {
	case l.status == http.StatusForbidden:
		refuse(l.status, metav1.StatusReasonForbidden)
	case l.status != 0:
		refuse(l.status, metav1.StatusReasonInternalError)
	case l.object == nil:
		refuse(http.StatusNotFound, metav1.StatusReasonNotFound)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(l.object)
	case r.Method == http.MethodPut:
		var object corev1.ConfigMap
		if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
			refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
		if object.ResourceVersion != l.object.ResourceVersion {
			refuse(http.StatusConflict, metav1.StatusReasonConflict)
			return
		}
		version, _ := strconv.Atoi(object.ResourceVersion)
		object.ResourceVersion = strconv.Itoa(version + 1)
		l.object = &object
		l.writes = append(l.writes, object.Data["resourceVersion"])
		_ = json.NewEncoder(w).Encode(l.object)
		l.wrote <- struct{}{}
	default:
		refuse(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
	}
}

// run runs a source until stop is called.
func run(t *testing.T, c configmap.Config, timeout time.Duration) (s *configmap.ConfigMap, stop func()) {
	t.Helper()
	s, err := configmap.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.SetRestoreTimeout(timeout)
	s.SetRetryDelay(20 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return s, stop
}

const (
	brokenUsers = "- userarn: [\n"
	alice       = "- rolearn: arn:aws:iam::231144931069:role/alice\n  username: alice:{{SessionName}}\n"
	timeout     = time.Minute
)

// TestRestartWithBrokenSection checks that whoever was mapped before a section broke is
// mapped by a server that starts later.
func TestRestartWithBrokenSection(t *testing.T) {
	store := newLastGood()
	now := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	start := func(list ...corev1.ConfigMap) (*apiServer, *configmap.ConfigMap, <-chan struct{}, func()) {
		t.Helper()
		s := newAPIServer(t, list...)
		log, read := logReadings(slog.DiscardHandler)
		c := config(store.before(t, s), log)
		at := now
		c.Now = func() time.Time { return at }
		followed, stop := run(t, c, timeout)
		<-read
		return s, followed, read, stop
	}
	expect := func(s *configmap.ConfigMap, bob, alice string, since time.Time) {
		t.Helper()
		if got := sourcetest.Username(t, s, "bob"); got != bob {
			t.Errorf("bob is %q, want %q", got, bob)
		}
		if got := sourcetest.Username(t, s, "alice"); got != alice {
			t.Errorf("alice is %q, want %q", got, alice)
		}
		if got := s.Current().KeptSince; !got.Equal(since) {
			t.Errorf("content is kept since %s, want %s", got, since)
		}
	}
	_, source, _, stop := start(awsAuth("1", "a", bobIs("bob")))
	<-store.wrote
	expect(source, "bob", "", time.Time{})
	stop()

	// The section broke while no server ran.
	broken := map[string]string{"mapUsers": brokenUsers, "mapRoles": alice}
	_, source, _, stop = start(awsAuth("2", "a", broken))
	expect(source, "bob", "alice:session", now)
	<-store.wrote
	stop()

	// Another restart: it is known since when. An edit elsewhere changes nothing.
	since := now
	now = now.Add(time.Hour)
	s, source, read, stop := start(awsAuth("2", "a", broken))
	expect(source, "bob", "alice:session", since)
	problems := source.Current().Problems
	if len(problems) != 1 || problems[0].Effect != "it has its content from before 2026-11-28T08:00:00Z, which ConfigMap aws-auth-last-good kept, until it is fixed" {
		t.Errorf("problems %+v", problems)
	}
	<-s.wrote // the Event
	s.mu.Lock()
	if event := s.posted[0]; event.Reason != "SectionSyntax" || !strings.Contains(event.Message, "which ConfigMap aws-auth-last-good kept") {
		t.Errorf("the Event is %+v", event)
	}
	s.mu.Unlock()
	s.send(t, "MODIFIED", awsAuth("3", "a", map[string]string{"mapUsers": brokenUsers + "# still\n"}))
	<-read
	expect(source, "bob", "", since)
	<-store.wrote
	s.send(t, "MODIFIED", awsAuth("4", "a", bobIs("mended")))
	<-read
	expect(source, "mended", "", time.Time{})
	<-store.wrote
	// A section that is removed is revoked, and stays so when it breaks later.
	s.send(t, "MODIFIED", awsAuth("5", "a", map[string]string{"mapRoles": alice}))
	<-read
	<-store.wrote
	stop()
	_, source, _, stop = start(awsAuth("6", "a", broken))
	expect(source, "", "alice:session", time.Time{})
	<-store.wrote
	stop()

	// An aws-auth that was created again inherits nothing.
	_, source, _, _ = start(awsAuth("9", "b", map[string]string{"mapUsers": bobIs("x")["mapUsers"], "mapRoles": "- rolearn: ["}))
	expect(source, "x", "", time.Time{})
}

// TestLastGoodNeverHinders checks that whatever is wrong with aws-auth-last-good, the
// server maps whom the good sections map.
func TestLastGoodNeverHinders(t *testing.T) {
	saved := func(uid, sections string) *lastGood {
		l := newLastGood()
		l.object.Data = map[string]string{"uid": uid, "resourceVersion": "1"}
		l.object.BinaryData = map[string][]byte{"sections": []byte(sections)}
		return l
	}
	hanging := newLastGood()
	hanging.block = make(chan struct{})
	other := newLastGood()
	{ // what a server saves of another aws-auth
		s := newAPIServer(t, awsAuth("1", "other", bobIs("bob")))
		_, stop := run(t, config(other.before(t, s), nil), timeout)
		<-other.wrote
		stop()
	}
	const soon = 300 * time.Millisecond // for those that are waited for
	for name, test := range map[string]struct {
		store   *lastGood
		timeout time.Duration
		warns   string
	}{
		"missing":          {&lastGood{}, timeout, "it does not exist (apply the manifest that creates it)"},
		"forbidden":        {&lastGood{status: http.StatusForbidden}, timeout, "no usable content"},
		"failing":          {&lastGood{status: http.StatusInternalServerError}, soon, "reading ConfigMap kube-system/aws-auth-last-good"},
		"hanging":          {hanging, soon, "deadline exceeded"},
		"empty":            {newLastGood(), timeout, "it is empty"},
		"corrupt":          {saved("a", "junk"), timeout, "no usable content"},
		"another aws-auth": {other, timeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer(t, awsAuth("2", "a", map[string]string{"mapUsers": brokenUsers, "mapRoles": alice}))
			warnings := make(lines, 64)
			log, read := logReadings(slog.NewTextHandler(warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
			source, _ := run(t, config(test.store.before(t, s), log), test.timeout)
			<-read
			if got := sourcetest.Username(t, source, "alice"); got != "alice:session" {
				t.Errorf("alice is %q", got)
			}
			if got := sourcetest.Username(t, source, "bob"); got != "" {
				t.Errorf("bob is %q", got)
			}
			if problems := source.Current().Problems; len(problems) != 1 || problems[0].Effect != "nothing in it applies until it is fixed" {
				t.Errorf("problems %+v", problems)
			}
			line := <-warnings
			if found := strings.Contains(line, "the last good content of aws-auth cannot be used"); found != (test.warns != "") || !strings.Contains(line, test.warns) {
				t.Errorf("the first warning is %s", line)
			}
		})
	}
}

// TestRestoringIsRetried checks that last good content that cannot be read at the start
// is in force once it can be, but not for a section that was taken away meanwhile.
func TestRestoringIsRetried(t *testing.T) {
	store := newLastGood()
	first := newAPIServer(t, awsAuth("1", "a", map[string]string{"mapUsers": bobIs("bob")["mapUsers"], "mapRoles": alice}))
	_, stop := run(t, config(store.before(t, first), nil), timeout)
	<-store.wrote
	stop()
	set := func(status int) {
		store.mu.Lock()
		defer store.mu.Unlock()
		store.status = status
	}
	set(http.StatusInternalServerError)
	log, read := logReadings(slog.DiscardHandler)
	second := newAPIServer(t, awsAuth("2", "a", map[string]string{"mapUsers": brokenUsers, "mapRoles": "- ["}))
	source, _ := run(t, config(store.before(t, second), log), 300*time.Millisecond)
	<-read
	second.send(t, "MODIFIED", awsAuth("3", "a", map[string]string{"mapUsers": brokenUsers}))
	<-read
	second.send(t, "MODIFIED", awsAuth("4", "a", map[string]string{"mapUsers": brokenUsers, "mapRoles": "- ["}))
	<-read
	if got := sourcetest.Username(t, source, "bob"); got != "" {
		t.Errorf("before, bob is %q", got)
	}
	set(0)
	<-read
	if got := sourcetest.Username(t, source, "bob"); got != "bob" {
		t.Errorf("bob is %q", got)
	}
	if got := sourcetest.Username(t, source, "alice"); got != "" {
		t.Errorf("alice, whose mapping was removed, is %q", got)
	}
	if source.Current().KeptSince.IsZero() {
		t.Error("the content counts as current")
	}
}

// TestNotReadyWhileRestoring checks that nobody is denied before the last good content
// is read: until then the source is not synced.
func TestNotReadyWhileRestoring(t *testing.T) {
	store := newLastGood()
	first := newAPIServer(t, awsAuth("1", "a", bobIs("bob")))
	_, stop := run(t, config(store.before(t, first), nil), timeout)
	<-store.wrote
	stop()
	store.block = make(chan struct{})
	log, read := logReadings(slog.DiscardHandler)
	second := newAPIServer(t, awsAuth("2", "a", map[string]string{"mapUsers": brokenUsers}))
	source, _ := run(t, config(store.before(t, second), log), timeout)
	<-store.asked
	if source.Current().Table != nil {
		t.Error("a table is in force before the last good content is read")
	}
	close(store.block)
	<-read
	if got := sourcetest.Username(t, source, "bob"); got != "bob" {
		t.Errorf("bob is %q", got)
	}
}

// TestServersWriteOneEntry checks that two servers that read the same edits write each
// once.
func TestServersWriteOneEntry(t *testing.T) {
	store := newLastGood()
	var servers []*apiServer
	var readings []<-chan struct{}
	for range 2 {
		s := newAPIServer(t, awsAuth("1", "a", bobIs("1")))
		log, read := sourcetest.Log(slog.DiscardHandler, "read aws-auth")
		run(t, config(store.before(t, s), log), timeout)
		<-read
		servers, readings = append(servers, s), append(readings, read)
	}
	<-store.wrote
	for _, version := range []string{"2", "3", "4"} {
		for _, s := range servers {
			s.send(t, "MODIFIED", awsAuth(version, "a", bobIs(version)))
		}
		<-store.wrote
		for _, read := range readings {
			<-read
		}
	}
	// A server that starts later has nothing to write.
	handler, asked := store.handler(newAPIServer(t, awsAuth("4", "a", bobIs("4")))), make(chan struct{}, 16)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/configmaps/"+kube.AWSAuthLastGood) {
			asked <- struct{}{}
		}
	}))
	t.Cleanup(late.Close)
	_, stop := run(t, config(late.URL, nil), timeout)
	<-asked
	stop()
	store.mu.Lock()
	defer store.mu.Unlock()
	if got := strings.Join(store.writes, " "); got != "1 2 3 4" {
		t.Errorf("written are the versions %s, want each once", got)
	}
}

// TestLosses checks that an edit that takes away what the cluster needs is loud at once:
// as an error, as an Event and as a metric.
func TestLosses(t *testing.T) {
	const (
		node    = "- rolearn: arn:aws:iam::231144931069:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
		windows = "- rolearn: arn:aws:iam::231144931069:role/Windows\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n"
		admin   = "- rolearn: arn:aws:iam::231144931069:role/Admin\n  username: admin:{{SessionName}}\n  groups: [system:masters]\n"
		second  = "- rolearn: arn:aws:iam::231144931069:role/Second\n  username: second:{{SessionName}}\n  groups: [system:masters]\n"
	)
	roles := func(text string) map[string]string { return map[string]string{"mapRoles": text} }
	s := newAPIServer(t, awsAuth("1", "a", roles(node+windows+admin+second)))
	logged := make(lines, 64)
	log, read := sourcetest.Log(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelError}), "read aws-auth", "aws-auth was deleted")
	edits := make(chan []string, 16)
	c := config(newLastGood().before(t, s), log)
	c.OnEdit = func(lost []string) { edits <- lost }
	run(t, c, timeout)
	<-read
	expect := func(groups string, events ...string) {
		t.Helper()
		if got := strings.Join(<-edits, " "); got != groups {
			t.Errorf("lost are %q, want %q", got, groups)
		}
		for _, want := range events {
			<-s.wrote
			s.mu.Lock()
			event := s.posted[len(s.posted)-1]
			s.mu.Unlock()
			if got := event.Reason + ": " + event.Message; !strings.HasPrefix(got, want) || !strings.Contains(got, "authenticator map rollback") || event.InvolvedObject.UID != "a" {
				t.Errorf("the Event is %q about %q, want %q", got, event.InvolvedObject.UID, want)
			}
			if line := <-logged; !strings.Contains(line, "level=ERROR") {
				t.Error(line)
			}
		}
	}
	version := 1
	edit := func(data map[string]string) {
		t.Helper()
		version++
		s.send(t, "MODIFIED", awsAuth(strconv.Itoa(version), "a", data))
		<-read
	}
	edit(roles(windows + node + admin)) // another order, and an administrator of two
	expect("")
	edit(roles(windows + admin))
	expect("system:nodes", "NodesLost: mapRoles: no longer in system:nodes: role Node of account 231144931069; nodes that sign in that way lose the cluster within 3 minutes (")
	edit(roles(windows + strings.ReplaceAll(admin, "system:masters", "viewers")))
	expect("system:masters", "AdminsLost: mapRoles: no longer in system:masters: role Admin of account 231144931069; aws-auth maps nobody to that group any more")
	edit(roles("- ["))
	if line := <-logged; !strings.Contains(line, "SectionSyntax") {
		t.Error(line)
	}
	expect("")
	<-s.wrote
	s.send(t, "DELETED", awsAuth("99", "a", nil))
	<-read
	if line := <-logged; !strings.Contains(line, "aws-auth was deleted: this source no longer maps anybody") {
		t.Error(line)
	}
	<-s.wrote
	expect("system:nodes", "NodesLost: ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if event := s.posted[len(s.posted)-2]; event.Reason != "Deleted" || event.InvolvedObject.UID != "a" || event.InvolvedObject.Name != "aws-auth" || !strings.HasPrefix(event.Message, "aws-auth: it was deleted; nobody whom it mapped can sign in (create it again") {
		t.Errorf("the Event is %+v", event)
	}
}
