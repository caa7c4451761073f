package lab

// KindConfig is for the provider kind alone.
type KindConfig struct{}

func newKind(*Lab) (provider, error) { return nil, nil }
