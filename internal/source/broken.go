package source

import "time"

// Broken is since when the sections of a place that do not parse have not parsed, by name.
type Broken map[string]time.Time

// Next returns what follows a reading in which the named sections do not parse.
func (b Broken) Next(names []string, now time.Time) Broken {
	next := Broken{}
	for _, name := range names {
		next[name] = b[name]
		if next[name].IsZero() {
			next[name] = now
		}
	}
	return next
}

// Oldest returns since when a section has had content that is not its text; zero if there
// is no such section.
func (b Broken) Oldest(isKept func(section string) bool) (oldest time.Time) {
	for name, since := range b {
		if isKept(name) && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	return oldest
}
