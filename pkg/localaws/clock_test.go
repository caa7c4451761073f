package localaws_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestClock(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		steer func(*localaws.Clock)
		want  time.Duration // time since noon, read at 13:00 real time
	}{
		"unchanged":               {func(*localaws.Clock) {}, time.Hour},
		"advanced":                {func(c *localaws.Clock) { c.Advance(time.Minute) }, time.Hour + time.Minute},
		"advanced twice":          {func(c *localaws.Clock) { c.Advance(time.Minute); c.Advance(time.Minute) }, time.Hour + 2*time.Minute},
		"moved back":              {func(c *localaws.Clock) { c.Advance(-time.Minute) }, time.Hour - time.Minute},
		"set":                     {func(c *localaws.Clock) { c.Set(noon.Add(24 * time.Hour)) }, 25 * time.Hour},
		"frozen":                  {func(c *localaws.Clock) { c.Freeze() }, 0},
		"frozen, then advanced":   {func(c *localaws.Clock) { c.Freeze(); c.Advance(time.Minute) }, time.Minute},
		"advanced, then frozen":   {func(c *localaws.Clock) { c.Advance(time.Minute); c.Freeze() }, time.Minute},
		"frozen, then set":        {func(c *localaws.Clock) { c.Freeze(); c.Set(noon.Add(-time.Hour)) }, -time.Hour},
		"frozen twice":            {func(c *localaws.Clock) { c.Freeze(); c.Advance(time.Minute); c.Freeze() }, time.Minute},
		"frozen, then resumed":    {func(c *localaws.Clock) { c.Freeze(); c.Resume() }, time.Hour},
		"changed, then resumed":   {func(c *localaws.Clock) { c.Advance(time.Minute); c.Freeze(); c.Resume() }, time.Hour},
		"resumed, then advanced":  {func(c *localaws.Clock) { c.Freeze(); c.Resume(); c.Advance(time.Minute) }, time.Hour + time.Minute},
		"set to the zero, frozen": {func(c *localaws.Clock) { c.Freeze(); c.Set(noon.Add(-12 * time.Hour)); c.Advance(12 * time.Hour) }, 0},
	} {
		now := noon
		s := start(t, localaws.Config{Now: func() time.Time { return now }})
		test.steer(s.Clock())
		now = noon.Add(time.Hour)
		if got := s.Clock().Now().Sub(noon); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestClockIsAllTheTimeThereIs checks that sessions and creation dates follow the
// clock, and that clients that correct for skew can still call.
func TestClockIsAllTheTimeThereIs(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx := t.Context()
	assumed, err := sts.NewFromConfig(s.SDKAs(s.NewUser(t, "bob", statement("Allow", "sts:*", "*")), "")).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         aws.String(s.NewRole(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`, nil)),
		RoleSessionName: aws.String("session"),
	})
	if err != nil {
		t.Fatal(err)
	}
	session := sts.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken))
	for _, test := range []struct {
		advance time.Duration
		want    string
	}{{59 * time.Minute, ""}, {2 * time.Minute, "ExpiredToken"}, {-2 * time.Minute, ""}} {
		s.Clock().Advance(test.advance)
		if _, err := session.GetCallerIdentity(ctx, nil); code(err) != test.want {
			t.Errorf("advanced by %s: %v, want %q", test.advance, err, test.want)
		}
	}
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Clock().Freeze()
	s.Clock().Set(at)
	made, err := iam.NewFromConfig(s.SDK()).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("late")})
	if err != nil || !made.User.CreateDate.Equal(at) {
		t.Errorf("%+v, %v", made, err)
	}
}
