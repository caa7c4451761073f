package authn

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
)

// maxAttributes is the maximum number of attributes of a line.
const maxAttributes = 10

// audit writes the decisions to the log.
type audit struct {
	log   slog.Handler
	quota *quota
}

func newAudit(config Config) *audit {
	return &audit{config.Audit.Handler(), newQuota(config.Audit, config.Suppressed)}
}

// write writes one line about a decision: the user, or the reason of a denial. For a
// scrubbed account, it has the outcome but nothing about the identity. A decision
// beyond the quota has no line.
func (a *audit) write(d *Decision) {
	ctx := context.Background()
	level, message := headline(d.Outcome.Verdict())
	if !a.log.Enabled(ctx, level) || !a.quota.allow(d) {
		return
	}
	attributes := append(make([]slog.Attr, 0, maxAttributes),
		slog.String("outcome", string(d.Outcome)),
		slog.Bool("cached", d.Cached),
		slog.Duration("duration", d.Duration))
	if d.ID != "" {
		attributes = append(attributes, slog.String("id", d.ID))
	}
	// A username may be the ARN, or contain the session's name or the access key ID.
	if d.Outcome == Mapped && !d.Scrubbed {
		attributes = append(attributes, slog.String("username", d.User.Username), slog.Any("groups", groups(d.User.Groups)), slog.String("uid", d.User.UID))
	}
	if principal := d.Identity.Principal(); principal.ARN != "" && !d.Scrubbed {
		attributes = append(attributes, slog.String("arn", principal.ARN), slog.String("accessKeyID", principal.AccessKeyID))
	}
	if d.Claim != nil {
		attributes = append(attributes, slog.GroupAttrs("unverified",
			slog.String("accessKeyID", d.Claim.AccessKeyID), slog.String("region", d.Claim.Region), slog.String("host", d.Claim.Host)))
	}
	if d.Rule.Source != "" {
		attributes = append(attributes, slog.GroupAttrs("rule",
			slog.String("source", d.Rule.Source), slog.String("section", d.Rule.Section), slog.Int("line", d.Rule.Line)))
	}
	if d.Err != nil && !d.Scrubbed {
		attributes = append(attributes, slog.String("error", d.Err.Error()))
	}
	// A Logger would look up the source line, which is always this one.
	record := slog.NewRecord(d.Time, level, message, 0)
	record.AddAttrs(attributes...)
	_ = a.log.Handle(ctx, record) // there is nowhere else to report that it failed
}

func headline(verdict Verdict) (slog.Level, string) {
	switch verdict {
	case Yes:
		return slog.LevelInfo, "access granted"
	case No:
		return slog.LevelWarn, "access denied"
	default:
		return slog.LevelError, "access undecided"
	}
}

// groups are logged as a []string is. For that, slog's text handler calls fmt, which
// takes a third of the time of a whole line.
type groups []string

// MarshalText implements [encoding.TextMarshaler], for slog's text handler.
func (g groups) MarshalText() ([]byte, error) {
	return []byte("[" + strings.Join(g, " ") + "]"), nil
}

// MarshalJSON implements [json.Marshaler], for slog's JSON handler, which would use
// MarshalText.
func (g groups) MarshalJSON() ([]byte, error) { return json.Marshal([]string(g)) }
