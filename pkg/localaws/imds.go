package localaws

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

const (
	architecture = "x86_64"

	// Credentials from the metadata service last for credentialsFor. New ones
	// replace them when credentialsLeft remains.
	credentialsFor  = 6 * time.Hour
	credentialsLeft = time.Hour

	maxTokenTTL = 21600 // seconds

	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

type metadataOptions = account.MetadataOptions

func defaultMetadataOptions() metadataOptions {
	return metadataOptions{Tokens: "required", Endpoint: "enabled", Tags: "disabled"}
}

// metadataOptions returns the options in a call.
func (p *parameters) metadataOptions() (metadataOptions, *Error) {
	options := defaultMetadataOptions()
	for _, option := range []struct {
		name   string
		values []string
		field  *string
	}{
		{"HttpTokens", []string{"optional", "required"}, &options.Tokens},
		{"HttpEndpoint", []string{"disabled", "enabled"}, &options.Endpoint},
		{"InstanceMetadataTags", []string{"disabled", "enabled"}, &options.Tags},
	} {
		name := "MetadataOptions." + option.name
		if !p.has(name) {
			continue
		}
		if !slices.Contains(option.values, p.get(name)) {
			return options, invalidEC2("Value (" + p.get(name) + ") for parameter " + option.name + " is invalid. Supported: " + strings.Join(option.values, ", ") + ".")
		}
		*option.field = p.get(name)
	}
	return options, nil
}

type xmlMetadataOptions struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	HopLimit int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	IPv6     string `xml:"httpProtocolIpv6"`
	Tags     string `xml:"instanceMetadataTags"`
}

func xmlOf(m metadataOptions) xmlMetadataOptions {
	return xmlMetadataOptions{"applied", m.Tokens, 1, m.Endpoint, "disabled", m.Tags}
}

// IMDS returns the metadata service of an instance, as at 169.254.169.254. It hands
// out credentials of the role in the instance's profile to every client, so its
// listener must be reachable by the instance only.
func (a *AWS) IMDS(instanceID string) (http.Handler, error) {
	var ok bool
	a.account.View(func(*account.Tx) { _, ok = a.state.Instances[instanceID] })
	if !ok {
		return nil, fmt.Errorf("instance %s does not exist", instanceID)
	}
	return a.newMetadataService(instanceID), nil
}

// A metadataService answers for one instance.
type metadataService struct {
	aws *AWS
	id  string
	// key signs the tokens, so that none has to be stored.
	key []byte
}

func (a *AWS) newMetadataService(instanceID string) *metadataService {
	m := &metadataService{aws: a, id: instanceID, key: make([]byte, sha256.Size)}
	_, _ = rand.Read(m.key) // never returns an error: the program crashes instead
	return m
}

func (m *metadataService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, text, change := m.answer(w.Header(), r)
	if change != 0 {
		if err := m.aws.account.Save(change); err != nil {
			m.aws.log.Error("saving the state failed", "error", err)
			status = http.StatusInternalServerError
		}
	}
	m.aws.log.Info("answered", "service", "imds", "instance", m.id, "method", r.Method, "path", r.URL.Path, "status", status)
	if status != http.StatusOK {
		text = strconv.Itoa(status) + " - " + http.StatusText(status)
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// answer answers a request and may set headers. Text is for status 200 only. Change
// numbers the state change if credentials were created.
func (m *metadataService) answer(header http.Header, r *http.Request) (status int, text string, change uint64) {
	change, _ = m.aws.account.Do(account.Call{}, func(tx *account.Tx) error {
		status, text = m.ask(tx, header, r)
		return nil
	})
	return status, text, change
}

// ask answers a request in a transaction.
func (m *metadataService) ask(tx *account.Tx, header http.Header, r *http.Request) (status int, text string) {
	now := tx.Time
	path := strings.Trim(r.URL.Path, "/")
	i, ok := m.aws.state.Instances[m.id]
	switch {
	case !ok || !i.hasMetadata():
		return http.StatusNotFound, ""
	case i.Metadata.Endpoint == "disabled":
		return http.StatusForbidden, ""
	case r.Method == http.MethodPut && path == "latest/api/token":
		return m.grant(header, r, now)
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, ""
	}
	token := r.Header.Get(tokenHeader)
	if token != "" || i.Metadata.Tokens == "required" {
		left, ok := m.check(token, now)
		if !ok {
			return http.StatusUnauthorized, ""
		}
		header.Set(ttlHeader, strconv.Itoa(int(left/time.Second)))
	}
	if text, ok := m.aws.metadata(tx, i).read(path); ok {
		return http.StatusOK, text
	}
	return http.StatusNotFound, ""
}

// hasMetadata reports whether the instance's state lets its metadata answer.
func (i *instance) hasMetadata() bool { return i.State == "pending" || i.State == "running" }

// grant returns a token. A request through a proxy gets none: as on AWS, this keeps
// tokens from clients of an open proxy.
func (m *metadataService) grant(header http.Header, r *http.Request, now time.Time) (status int, text string) {
	if r.Header.Get("X-Forwarded-For") != "" {
		return http.StatusForbidden, ""
	}
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || seconds < 1 || seconds > maxTokenTTL {
		return http.StatusBadRequest, ""
	}
	header.Set(ttlHeader, strconv.Itoa(seconds))
	return http.StatusOK, m.token(now.Add(time.Duration(seconds) * time.Second))
}

// token returns a token: its expiry and a signature.
func (m *metadataService) token(ends time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(ends.UnixNano()))
	return base64.URLEncoding.EncodeToString(m.sign(text))
}

// sign appends the signature of a text to the text.
func (m *metadataService) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, m.key)
	mac.Write(text)
	return mac.Sum(text)
}

// check verifies a token and returns its remaining lifetime.
func (m *metadataService) check(token string, now time.Time) (left time.Duration, ok bool) {
	signed, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(signed) != 8+sha256.Size || !hmac.Equal(signed, m.sign(signed[:8:8])) {
		return 0, false
	}
	left = time.Unix(0, int64(binary.BigEndian.Uint64(signed))).Sub(now)
	return left, left > 0
}

// metadata is the tree of metadata, by path; a directory lists its entries.
// Credentials are created on request.
type metadata map[string]func() string

// read returns the value at a path, or the list of a directory.
func (m metadata) read(path string) (string, bool) {
	if tell, ok := m[path]; ok {
		return tell(), true
	}
	if path != "" {
		path += "/"
	}
	names := map[string]bool{}
	for full := range m {
		if rest, ok := strings.CutPrefix(full, path); ok {
			name, _, deeper := strings.Cut(rest, "/")
			if deeper {
				name += "/"
			}
			names[name] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n"), len(names) > 0
}

func (a *AWS) metadata(tx *account.Tx, i *instance) metadata {
	all := metadata{"latest/dynamic/instance-identity/document": func() string { return a.identityDocument(i) }}
	domain := "amazonaws.com"
	if a.partition == "aws-cn" {
		domain += ".cn"
	}
	for path, text := range map[string]string{
		"ami-id": i.Image, "ami-launch-index": strconv.Itoa(i.LaunchIndex), "hostname": i.PrivateDNSName, "instance-id": i.ID,
		"instance-type": i.Type, "local-hostname": i.PrivateDNSName, "local-ipv4": i.address(), "mac": i.mac(),
		"placement/availability-zone": i.zone(), "placement/region": i.Region, "reservation-id": i.Reservation,
		"services/domain": domain, "services/partition": a.partition,
	} {
		if text != "" {
			all["latest/meta-data/"+path] = func() string { return text }
		}
	}
	if i.Metadata.Tags == "enabled" {
		for key, value := range i.Tags {
			all["latest/meta-data/tags/instance/"+key] = func() string { return value }
		}
	}
	if i.InstanceProfile != "" {
		all["latest/meta-data/iam/info"] = func() string { return profileInfo(tx, i) }
	}
	if profile, ok := tx.Identities().Profile(i.InstanceProfile); ok && profile.Role != nil {
		all["latest/meta-data/iam/security-credentials/"+profile.Role.Name] = func() string { return a.instanceCredentials(tx, i, *profile.Role) }
	}
	return all
}

func (i *instance) address() string {
	if !i.PrivateIP.IsValid() {
		return ""
	}
	return i.PrivateIP.String()
}

// mac returns the hardware address, unique by the instance's ID.
func (i *instance) mac() string {
	sum := sha256.Sum256([]byte(i.ID))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// identityDocument is unsigned: no client could verify the signature.
func (a *AWS) identityDocument(i *instance) string {
	return indented(struct {
		AccountID        string    `json:"accountId"`
		Architecture     string    `json:"architecture"`
		AvailabilityZone string    `json:"availabilityZone"`
		ImageID          string    `json:"imageId"`
		InstanceID       string    `json:"instanceId"`
		InstanceType     string    `json:"instanceType"`
		PendingTime      time.Time `json:"pendingTime"`
		PrivateIP        string    `json:"privateIp"`
		Region           string    `json:"region"`
		Version          string    `json:"version"`
	}{a.accountID, architecture, i.zone(), i.Image, i.ID, i.Type, i.Launched.UTC().Truncate(time.Second), i.address(), i.Region, "2017-09-30"})
}

func indented(value any) string {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// A metadataFailure is an error that the metadata service returns in place of
// credentials, with status 200.
type metadataFailure struct {
	Code        string
	Message     string
	LastUpdated time.Time
}

func profileInfo(tx *account.Tx, i *instance) string {
	now := tx.Time
	profile, ok := tx.Identities().Profile(i.InstanceProfile)
	if !ok {
		return indented(metadataFailure{
			"InstanceProfileNotFound",
			"Instance Profile " + i.InstanceProfile + " cannot be found. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.",
			now.Truncate(time.Second),
		})
	}
	return indented(struct {
		Code               string
		LastUpdated        time.Time
		InstanceProfileArn string
		InstanceProfileID  string `json:"InstanceProfileId"`
	}{"Success", now.Truncate(time.Second), profile.ARN, profile.ID})
}

// instanceCredentials returns credentials of a session of the role, named after the
// instance.
func (a *AWS) instanceCredentials(tx *account.Tx, i *instance, r account.Role) string {
	now := tx.Time
	s, ok := tx.Identities().Session(i.Session)
	if !ok || s.RoleID != r.ID || s.Expires.Sub(now) <= credentialsLeft {
		if !a.account.Trusts(r, "ec2") {
			return indented(metadataFailure{
				"AssumeRoleUnauthorizedAccess",
				"EC2 cannot assume the role " + r.Name + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.",
				now.Truncate(time.Second),
			})
		}
		s = &account.Session{RoleID: r.ID, Name: i.ID}
		tx.Identities().OpenSession(tx, s, credentialsFor)
		i.Session = s.AccessKeyID
	}
	return indented(struct {
		Code            string
		LastUpdated     time.Time
		Type            string
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
	}{"Success", s.Issued.Truncate(time.Second), "AWS-HMAC", s.AccessKeyID, s.Secret, s.Token, s.Expires.Truncate(time.Second)})
}
