package edit

// ARNs returns the ARNs that the entries of a section have, as they are written.
func ARNs(d Document, section string) (arns []string) {
	places, err := d.lists()
	if err != nil {
		return nil
	}
	for _, m := range places[section].mappings() {
		if m.ARN != "" {
			arns = append(arns, m.ARN)
		}
	}
	return arns
}
