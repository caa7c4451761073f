package iam

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/qrcode"
)

// An mfaDevice makes the one-time codes of a user (RFC 6238: six digits, 30 s).
type mfaDevice struct {
	Serial  string    `json:"serial"` // the device's ARN
	Seed    []byte    `json:"seed"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"`
	// UserID is the ID of its user; empty until it is enabled.
	UserID  string    `json:"userID,omitempty"`
	Enabled time.Time `json:"enabled,omitzero"`
	// LastStep is the time step of the last accepted code: a code works once.
	LastStep int64 `json:"lastStep,omitempty"`
	// Drift is by how many steps the device's clock was ahead when it was enabled or
	// last synchronised.
	Drift int64 `json:"drift,omitempty"`

	user *user
}

const (
	maxMFADevices     = maxUsers // of an account, enabled or not
	maxDevicesPerUser = 8
)

func mfaDeviceOperations() map[string]operation {
	made := func(c *call) string {
		return c.ARN("iam", "", "mfa"+orSlash(c.Get("Path"))+c.Get("VirtualMFADeviceName"))
	}
	named := func(c *call) string { return c.Get("SerialNumber") }
	devices := func(c *call) string { return c.ARN("iam", "", "mfa/") }
	operations := map[string]operation{
		"CreateVirtualMFADevice": write(made, createMFADevice,
			"VirtualMFADeviceName", "Path", "Tags.member.N.Key", "Tags.member.N.Value"),
		"EnableMFADevice":        write(userResource, enableMFADevice, "UserName", "SerialNumber", "AuthenticationCode1", "AuthenticationCode2"),
		"ResyncMFADevice":        write(userResource, resyncMFADevice, "UserName", "SerialNumber", "AuthenticationCode1", "AuthenticationCode2"),
		"DeactivateMFADevice":    write(userResource, deactivateMFADevice, "UserName", "SerialNumber"),
		"DeleteVirtualMFADevice": write(named, deleteMFADevice, "SerialNumber"),
		"ListMFADevices":         read(userResource, listMFADevices, "UserName", "MaxItems", "Marker"),
		"ListVirtualMFADevices":  read(devices, listVirtualMFADevices, "AssignmentStatus", "MaxItems", "Marker"),
	}
	maps.Copy(operations, tagOperations("MFADevice", "SerialNumber", named, func(c *call) (*[]tag, error) {
		device, err := c.device()
		if err != nil {
			return nil, err
		}
		return &device.Tags, nil
	}))
	return operations
}

func (c *call) device() (*mfaDevice, error) {
	serial := c.Get("SerialNumber")
	if serial == "" {
		return nil, missing("serialNumber")
	}
	device, ok := c.state.MFADevices[serial]
	if !ok {
		return nil, noSuchEntity("VirtualMFADevice with serial number " + serial + " doesn't exist.")
	}
	return device, nil
}

// deviceOf returns the device that a call names, which must belong to the user.
func (c *call) deviceOf(u *user) (*mfaDevice, error) {
	device, err := c.device()
	if err != nil {
		return nil, err
	}
	if device.user != u {
		return nil, noSuchEntity("MFA Device " + device.Serial + " is not of user " + u.Name + ".")
	}
	return device, nil
}

// devicesOf returns a user's devices by serial number.
func (s *state) devicesOf(u *user) []*mfaDevice {
	var found []*mfaDevice
	for _, serial := range slices.Sorted(maps.Keys(s.MFADevices)) {
		if device := s.MFADevices[serial]; device.user == u {
			found = append(found, device)
		}
	}
	return found
}

// createMFADevice returns the seed as the Base64 of its Base32, and as a QR code for
// apps. No other call does.
func createMFADevice(c *call) (any, error) {
	// A serial number has at most 256 characters.
	if err := checkName("virtualMFADeviceName", c.Get("VirtualMFADeviceName"), 226); err != nil {
		return nil, err
	}
	path, err := checkPath(c.Get("Path"))
	if err != nil {
		return nil, err
	}
	device := &mfaDevice{Serial: c.ARN("iam", "", "mfa"+path+c.Get("VirtualMFADeviceName")), Seed: make([]byte, 40), Created: c.Time}
	if device.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	if _, ok := c.state.MFADevices[device.Serial]; ok {
		return nil, alreadyExists("MFADevice entity at the same path and name already exists.")
	}
	if len(c.state.MFADevices) >= maxMFADevices {
		return nil, limitExceeded("Cannot exceed quota for MFADevicesPerAccount: " + strconv.Itoa(maxMFADevices))
	}
	_, _ = rand.Read(device.Seed) // never returns an error: the program crashes instead
	seed := base32.StdEncoding.EncodeToString(device.Seed)
	label := url.PathEscape(c.Get("VirtualMFADeviceName") + "@" + cmp.Or(c.state.Alias, c.Account.ID))
	code, err := qrcode.PNG("otpauth://totp/Amazon%20Web%20Services:" + label + "?secret=" + seed + "&issuer=Amazon%20Web%20Services")
	if err != nil {
		return nil, err
	}
	c.state.MFADevices[device.Serial] = device
	made := fields{
		element("SerialNumber", device.Serial), element("Base32StringSeed", base64.StdEncoding.EncodeToString([]byte(seed))),
		element("QRCodePNG", base64.StdEncoding.EncodeToString(code)),
	}
	if len(device.Tags) > 0 {
		made = append(made, element("Tags", membersOf(device.Tags)))
	}
	return fields{element("VirtualMFADevice", made)}, nil
}

func enableMFADevice(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	device, err := c.device()
	if err != nil {
		return nil, err
	}
	if device.user != nil {
		return nil, alreadyExists("MFA Device " + device.Serial + " is already in use.")
	}
	if len(c.state.devicesOf(u)) >= maxDevicesPerUser {
		return nil, limitExceeded("Cannot exceed quota for MFADevicesPerUser: " + strconv.Itoa(maxDevicesPerUser))
	}
	if err := c.synchronise(device); err != nil {
		return nil, err
	}
	device.UserID, device.user, device.Enabled = u.ID, u, c.Time
	return nil, nil
}

func resyncMFADevice(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	device, err := c.deviceOf(u)
	if err != nil {
		return nil, err
	}
	return nil, c.synchronise(device)
}

// synchronise synchronises a device with two consecutive codes.
func (c *call) synchronise(device *mfaDevice) error {
	if !device.synchronise(c.Get("AuthenticationCode1"), c.Get("AuthenticationCode2"), c.Time) {
		return newError(http.StatusForbidden, "InvalidAuthenticationCode", "Authentication code for device is not valid: expected two consecutive codes of six digits")
	}
	return nil
}

func deactivateMFADevice(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	device, err := c.deviceOf(u)
	if err != nil {
		return nil, err
	}
	device.UserID, device.user, device.Enabled = "", nil, time.Time{}
	return nil, nil
}

func deleteMFADevice(c *call) (any, error) {
	device, err := c.device()
	if err != nil {
		return nil, err
	}
	if device.user != nil {
		return nil, newError(http.StatusConflict, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	}
	delete(c.state.MFADevices, device.Serial)
	return nil, nil
}

func listMFADevices(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	var all []fields
	for _, device := range c.state.devicesOf(u) {
		all = append(all, fields{element("UserName", u.Name), element("SerialNumber", device.Serial), element("EnableDate", timestamp(device.Enabled))})
	}
	return paged(c, "MFADevices", all)
}

func listVirtualMFADevices(c *call) (any, error) {
	status, err := c.word("AssignmentStatus", "Assigned", "Unassigned", "Any")
	if err != nil {
		return nil, err
	}
	var all []fields
	for _, serial := range slices.Sorted(maps.Keys(c.state.MFADevices)) {
		device := c.state.MFADevices[serial]
		x := fields{element("SerialNumber", serial)}
		switch {
		case device.user == nil && status == "Assigned", device.user != nil && status == "Unassigned":
			continue
		case device.user != nil:
			x = append(x, element("User", device.user.xml(false)), element("EnableDate", timestamp(device.Enabled)))
		}
		all = append(all, x)
	}
	return paged(c, "VirtualMFADevices", all)
}
