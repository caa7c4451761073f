package imds

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

const (
	// Credentials last for credentialsFor. New ones replace them when
	// credentialsLeft remains.
	credentialsFor  = 6 * time.Hour
	credentialsLeft = time.Hour
)

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

func metadataOf(tx *account.Tx, i account.Instance) metadata {
	all := metadata{"latest/dynamic/instance-identity/document": func() string { return identityDocument(tx, i) }}
	for path, text := range map[string]string{
		"ami-id": i.Image, "ami-launch-index": strconv.Itoa(i.LaunchIndex), "hostname": i.PrivateDNSName, "instance-id": i.ID,
		"instance-type": i.Type, "local-hostname": i.PrivateDNSName, "local-ipv4": addressOf(i), "mac": macOf(i),
		"placement/availability-zone": i.Zone, "placement/region": i.Region, "reservation-id": i.Reservation,
		"services/domain": tx.Account.Domain(), "services/partition": tx.Account.Partition,
	} {
		if text != "" {
			all["latest/meta-data/"+path] = func() string { return text }
		}
	}
	if i.UserData != "" {
		all["latest/user-data"] = func() string { return i.UserData }
	}
	if i.Metadata.Tags == "enabled" {
		for key, value := range i.Tags {
			all["latest/meta-data/tags/instance/"+key] = func() string { return value }
		}
	}
	if i.Profile == "" {
		return all
	}
	profile, ok := tx.Identities().Profile(i.Profile)
	all["latest/meta-data/iam/info"] = func() string { return profileInfo(tx, i, profile, ok) }
	if ok && profile.Role != nil {
		all["latest/meta-data/iam/security-credentials/"+profile.Role.Name] = func() string { return credentials(tx, i, *profile.Role) }
	}
	return all
}

func addressOf(i account.Instance) string {
	if !i.PrivateIP.IsValid() {
		return ""
	}
	return i.PrivateIP.String()
}

// macOf returns the hardware address, unique by the instance's ID.
func macOf(i account.Instance) string {
	sum := sha256.Sum256([]byte(i.ID))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// identityDocument is unsigned: no client could verify the signature.
func identityDocument(tx *account.Tx, i account.Instance) string {
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
	}{tx.Account.ID, i.Architecture, i.Zone, i.Image, i.ID, i.Type, i.Launched.UTC().Truncate(time.Second), addressOf(i), i.Region, "2017-09-30"})
}

func indented(value any) string {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// A failure is an error that is returned in place of credentials, with status 200.
type failure struct {
	Code        string
	Message     string
	LastUpdated time.Time
}

func failed(tx *account.Tx, code, message string) string {
	return indented(failure{
		code, message + " Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.",
		tx.Time.Truncate(time.Second),
	})
}

func profileInfo(tx *account.Tx, i account.Instance, profile account.Profile, exists bool) string {
	if !exists {
		return failed(tx, "InstanceProfileNotFound", "Instance Profile "+i.Profile+" cannot be found.")
	}
	return indented(struct {
		Code               string
		LastUpdated        time.Time
		InstanceProfileArn string
		InstanceProfileID  string `json:"InstanceProfileId"`
	}{"Success", tx.Time.Truncate(time.Second), profile.ARN, profile.ID})
}

// credentials returns credentials of a session of a role, named after the instance.
func credentials(tx *account.Tx, i account.Instance, r account.Role) string {
	identities := tx.Identities()
	s, ok := identities.Session(i.Session)
	if !ok || s.RoleID != r.ID || s.Expires.Sub(tx.Time) <= credentialsLeft {
		if !tx.Account.Trusts(r, "ec2") {
			return failed(tx, "AssumeRoleUnauthorizedAccess", "EC2 cannot assume the role "+r.Name+".")
		}
		s = &account.Session{RoleID: r.ID, Name: i.ID}
		identities.OpenSession(tx, s, credentialsFor)
		tx.Instances().SetSession(i.ID, s.AccessKeyID)
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
