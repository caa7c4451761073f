package authn

import (
	"context"
	"log/slog"
)

// audit writes one line about a decision: who was let in, or why not. Of a
// scrubbed account it gives the outcome and nothing of the identity.
func audit(ctx context.Context, log *slog.Logger, d Decision) {
	attributes := []slog.Attr{
		slog.String("outcome", string(d.Outcome)),
		slog.Bool("cached", d.Cached),
		slog.Duration("duration", d.Duration),
	}
	// A username may be the ARN, or hold the session's name or the access key.
	if d.Outcome == Mapped && !d.Scrubbed {
		attributes = append(attributes, slog.String("username", d.User.Username), slog.Any("groups", d.User.Groups), slog.String("uid", d.User.UID))
	}
	if d.Identity.ARN != "" && !d.Scrubbed {
		attributes = append(attributes, slog.String("arn", d.Identity.ARN), slog.String("accessKeyID", d.Identity.AccessKeyID))
	}
	if d.Rule.Source != "" {
		attributes = append(attributes, slog.Group("rule",
			slog.String("source", d.Rule.Source), slog.String("section", d.Rule.Section), slog.Int("line", d.Rule.Line)))
	}
	if d.Err != nil && !d.Scrubbed {
		attributes = append(attributes, slog.String("error", d.Err.Error()))
	}
	log.LogAttrs(ctx, level(d.Outcome), message(d.Outcome), attributes...)
}

func level(outcome Outcome) slog.Level {
	switch outcome {
	case Mapped:
		return slog.LevelInfo
	case Throttled, Unreachable, Saturated, MappingUnknown:
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

func message(outcome Outcome) string {
	switch level(outcome) {
	case slog.LevelInfo:
		return "access granted"
	case slog.LevelError:
		return "access undecided"
	default:
		return "access denied"
	}
}
