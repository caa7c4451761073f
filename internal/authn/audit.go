package authn

import (
	"context"
	"log/slog"
	"time"
)

// maxAttributes is the maximum number of attributes of a line.
const maxAttributes = 10

// audit writes one line about a decision: the user, or the reason of a denial. For a
// scrubbed account, it has the outcome but nothing about the identity.
func audit(ctx context.Context, log slog.Handler, now time.Time, d *Decision) {
	level, message := headline(d.Outcome.Verdict())
	if !log.Enabled(ctx, level) {
		return
	}
	attributes := append(make([]slog.Attr, 0, maxAttributes),
		slog.String("outcome", string(d.Outcome)),
		slog.Bool("cached", d.Cached),
		slog.Duration("duration", d.Duration))
	// A username may be the ARN, or contain the session's name or the access key ID.
	if d.Outcome == Mapped && !d.Scrubbed {
		attributes = append(attributes, slog.String("username", d.User.Username), slog.Any("groups", d.User.Groups), slog.String("uid", d.User.UID))
	}
	if principal := d.Identity.Principal(); principal.ARN != "" && !d.Scrubbed {
		attributes = append(attributes, slog.String("arn", principal.ARN), slog.String("accessKeyID", principal.AccessKeyID))
	}
	if d.Rule.Source != "" {
		attributes = append(attributes, slog.GroupAttrs("rule",
			slog.String("source", d.Rule.Source), slog.String("section", d.Rule.Section), slog.Int("line", d.Rule.Line)))
	}
	if d.Err != nil && !d.Scrubbed {
		attributes = append(attributes, slog.String("error", d.Err.Error()))
	}
	// A Logger would look up the source line, which is always this one.
	record := slog.NewRecord(now, level, message, 0)
	record.AddAttrs(attributes...)
	_ = log.Handle(ctx, record) // there is nowhere else to report that it failed
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
