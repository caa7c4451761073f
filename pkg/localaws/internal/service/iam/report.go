package iam

import (
	"encoding/base64"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func reportOperations() map[string]operation {
	return map[string]operation{
		"GenerateCredentialReport": write(anything, generateReport),
		"GetCredentialReport":      read(anything, getReport),
	}
}

// A credentialReport lists the users and their credentials at a time.
type credentialReport struct {
	Generated time.Time `json:"generated"`
	Text      string    `json:"text"`
}

// reportFresh is how long AWS returns the same report.
const reportFresh = 4 * time.Hour

// generateReport makes a report at once, unless there is a fresh one.
func generateReport(c *call) (any, error) {
	if r := c.state.Report; r != nil && c.Time.Sub(r.Generated) < reportFresh {
		return fields{element("State", "COMPLETE")}, nil
	}
	c.state.Report = &credentialReport{c.Time, c.report()}
	return fields{element("State", "STARTED"), element("Description", "No report exists. Starting a new report generation task")}, nil
}

func getReport(c *call) (any, error) {
	r := c.state.Report
	switch {
	case r == nil:
		return nil, newError(http.StatusGone, "ReportNotPresent", "No report was found. Please generate a report before trying to retrieve one.")
	case c.Time.Sub(r.Generated) >= reportFresh:
		return nil, newError(http.StatusGone, "ReportExpired", "The most recent report has expired. Please generate a new report.")
	}
	return fields{
		element("Content", base64.StdEncoding.EncodeToString([]byte(r.Text))), element("ReportFormat", "text/csv"), element("GeneratedTime", timestamp(r.Generated)),
	}, nil
}

// notSupported is the value of what the root user cannot have here, na that of what is
// not there, and noInformation that of what was never used.
const (
	notSupported  = "not_supported"
	na            = "N/A"
	noInformation = "no_information"
)

// report returns the report as CSV. The root user has no credentials here.
func (c *call) report() string {
	rows := [][]string{{
		"user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active",
		"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
		"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
		"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
	}, {
		"<root_account>", c.ARN("iam", "", "root"), na, notSupported, noInformation, notSupported, notSupported, "false",
		"false", na, na, na, na, "false", na, na, na, na, "false", na, "false", na,
	}}
	for _, name := range slices.Sorted(maps.Keys(c.state.Users)) {
		rows = append(rows, c.row(c.state.Users[name]))
	}
	var b strings.Builder
	writer := csv.NewWriter(&b)
	_ = writer.WriteAll(rows) // writing to memory never fails
	return b.String()
}

// row returns the row of a user.
func (c *call) row(u *user) []string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return na
		}
		return t.UTC().Format("2006-01-02T15:04:05-07:00")
	}
	row := []string{u.Name, u.ARN, at(u.Created)}
	if u.Login == nil {
		row = append(row, "false", na, na, na)
	} else {
		next := na
		if age := c.state.passwordPolicy().MaxAge; age > 0 {
			next = at(u.Login.Changed.AddDate(0, 0, age))
		}
		row = append(row, "true", noInformation, at(u.Login.Changed), next)
	}
	row = append(row, strconv.FormatBool(len(c.state.devicesOf(u)) > 0))
	for i := range maxKeys {
		if i >= len(u.Keys) {
			row = append(row, "false", na, na, na, na)
			continue
		}
		k := u.Keys[i]
		row = append(row, strconv.FormatBool(k.Active), at(k.Created))
		if k.LastUse.Time.IsZero() {
			row = append(row, na, na, na)
		} else {
			row = append(row, at(k.LastUse.Time), k.LastUse.Region, k.LastUse.Service)
		}
	}
	for i := range maxSigningCertificates {
		if i >= len(u.Certificates) {
			row = append(row, "false", na)
			continue
		}
		row = append(row, strconv.FormatBool(u.Certificates[i].Active), at(u.Certificates[i].Uploaded))
	}
	return row
}
