package localaws_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// codeOf returns a device's code at a time, computed as authenticator apps do.
func codeOf(t testing.TB, seed []byte, at time.Time) *string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(string(seed))
	if err != nil {
		t.Fatalf("the seed %q: %v", seed, err)
	}
	mac := hmac.New(sha1.New, key)
	if err := binary.Write(mac, binary.BigEndian, at.Unix()/30); err != nil {
		t.Fatal(err)
	}
	sum := mac.Sum(nil)
	return aws.String(fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])<<1>>1%1000000))
}

func TestMFADevices(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	for _, name := range []string{"bob", "carol"} {
		must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})))
	}
	made, err := client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{
		VirtualMFADeviceName: aws.String("phone"), Path: aws.String("/team/"), Tags: []iamtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	device := made.VirtualMFADevice
	if *device.SerialNumber != arn("mfa/team/phone") || len(device.Base32StringSeed) != 64 || *device.Tags[0].Value != "me" {
		t.Errorf("%+v", device)
	}
	serial := device.SerialNumber
	at := func(offset time.Duration) *string { return codeOf(t, device.Base32StringSeed, now.Add(offset)) }
	enable := func(user string, first, second *string) error {
		return errorOf(client.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{UserName: &user, SerialNumber: serial, AuthenticationCode1: first, AuthenticationCode2: second}))
	}
	resync := func(user string, first, second *string) error {
		return errorOf(client.ResyncMFADevice(ctx, &iam.ResyncMFADeviceInput{UserName: &user, SerialNumber: serial, AuthenticationCode1: first, AuthenticationCode2: second}))
	}
	deactivate := func(user string) error {
		return errorOf(client.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: &user, SerialNumber: serial}))
	}
	remove := func() error {
		return errorOf(client.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: serial}))
	}
	listed := func(status iamtypes.AssignmentStatusType) string {
		t.Helper()
		list, err := client.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{AssignmentStatus: status})
		if err != nil {
			t.Fatal(err)
		}
		var text string
		for _, d := range list.VirtualMFADevices {
			text += *d.SerialNumber
			if d.User != nil {
				text += " of " + *d.User.UserName
			}
			if d.Base32StringSeed != nil {
				t.Error("the list contains the seed")
			}
		}
		return text
	}
	ofBob := func() int {
		t.Helper()
		list, err := client.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: aws.String("bob")})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.MFADevices {
			if *d.UserName != "bob" || *d.SerialNumber != *serial || !d.EnableDate.Equal(now.Truncate(time.Second)) {
				t.Errorf("%+v", d)
			}
		}
		return len(list.MFADevices)
	}

	expect(t,
		attempt{"the same device", errorOf(client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone"), Path: aws.String("/team/")})), "EntityAlreadyExists"},
		attempt{"a name with a space", errorOf(client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("a b")})), "ValidationError"},
		attempt{"a path that is none", errorOf(client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("a"), Path: aws.String("x")})), "ValidationError"},
		attempt{"enable for an unknown user", enable("nobody", at(-30*time.Second), at(0)), "NoSuchEntity"},
		attempt{"enable with one code twice", enable("bob", at(0), at(0)), "InvalidAuthenticationCode"},
		attempt{"enable with codes of another time", enable("bob", at(-72*time.Hour), at(-72*time.Hour+30*time.Second)), "InvalidAuthenticationCode"},
		attempt{"enable with nonsense", enable("bob", aws.String("abcdef"), aws.String("abcdef")), "InvalidAuthenticationCode"},
		attempt{"deactivate before", deactivate("bob"), "NoSuchEntity"},
		attempt{"resync before", resync("bob", at(-30*time.Second), at(0)), "NoSuchEntity"},
	)
	if got := listed("Unassigned"); got != *serial || listed("Assigned") != "" || listed("Any") != got || ofBob() != 0 {
		t.Errorf("before: %q", got)
	}
	expect(t,
		attempt{"enable", enable("bob", at(-30*time.Second), at(0)), ""},
		attempt{"enable twice", enable("bob", at(-30*time.Second), at(0)), "EntityAlreadyExists"},
		attempt{"enable for another", enable("carol", at(-30*time.Second), at(0)), "EntityAlreadyExists"},
		attempt{"resync", resync("bob", at(time.Hour), at(time.Hour+30*time.Second)), ""},
		attempt{"resync of another's", resync("carol", at(time.Hour), at(time.Hour+30*time.Second)), "NoSuchEntity"},
		attempt{"resync with nonsense", resync("bob", at(0), at(0)), "InvalidAuthenticationCode"},
		attempt{"delete in use", remove(), "DeleteConflict"},
		attempt{"delete its user", errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("bob")})), "DeleteConflict"},
		attempt{"deactivate another's", deactivate("carol"), "NoSuchEntity"},
	)
	if got := listed("Assigned"); got != *serial+" of bob" || listed("Unassigned") != "" || listed("") != got || ofBob() != 1 {
		t.Errorf("after: %q", got)
	}
	expect(t,
		attempt{"deactivate", deactivate("bob"), ""},
		attempt{"delete", remove(), ""},
		attempt{"delete twice", remove(), "NoSuchEntity"},
		attempt{"enable none", enable("bob", at(0), at(0)), "NoSuchEntity"},
		attempt{"devices of an unknown user", errorOf(client.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: aws.String("nobody")})), "NoSuchEntity"},
		attempt{"a status that is none", errorOf(client.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{AssignmentStatus: "Lost"})), "ValidationError"},
	)
	if got := listed("Any"); got != "" {
		t.Errorf("deleted: %q", got)
	}
}

func TestUsersHaveEightDevices(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	// The permissions of a user on its own devices only.
	self := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iam:CreateVirtualMFADevice","Resource":"` + arn("mfa/bob-*") + `"},
		{"Effect":"Allow","Action":["iam:EnableMFADevice","iam:ListMFADevices"],"Resource":"` + strings.Replace(arn("user/${aws:username}"), account, "*", 1) + `"}]}`
	bob := iam.NewFromConfig(newUser(t, s, "bob", self))
	newUser(t, s, "carol", "")
	add := func(name, user string) error {
		made, err := bob.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name})
		if err != nil {
			return err
		}
		return errorOf(bob.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
			UserName: &user, SerialNumber: made.VirtualMFADevice.SerialNumber,
			AuthenticationCode1: codeOf(t, made.VirtualMFADevice.Base32StringSeed, now), AuthenticationCode2: codeOf(t, made.VirtualMFADevice.Base32StringSeed, now.Add(30*time.Second)),
		}))
	}
	for i := range 8 {
		expect(t, attempt{"device " + strconv.Itoa(i+1), add("bob-"+strconv.Itoa(i), "bob"), ""})
	}
	expect(t,
		attempt{"device 9", add("bob-8", "bob"), "LimitExceeded"},
		attempt{"for another", add("bob-9", "carol"), "AccessDenied"},
		attempt{"another's name", add("carol", "bob"), "AccessDenied"},
	)
	list, err := bob.ListMFADevices(ctx, &iam.ListMFADevicesInput{MaxItems: aws.Int32(5)})
	if err != nil || len(list.MFADevices) != 5 || !list.IsTruncated {
		t.Errorf("%+v, %v", list, err)
	}
	all, err := client.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{})
	if err != nil || len(all.VirtualMFADevices) != 10 {
		t.Errorf("%d devices, %v", len(all.VirtualMFADevices), err)
	}
}
