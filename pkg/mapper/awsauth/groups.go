package awsauth

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// readGroups reads an entry's groups. It drops only an invalid group: a mistake in an
// edit must not take away what the entry still grants.
func (r *reading) readGroups(name string, f fields) []mapper.Template {
	if isNone(f.groups) {
		return nil
	}
	if f.groups.Kind != yaml.SequenceNode {
		r.groupsNotList(name, f.groups)
		return nil
	}
	if groups, ok := r.anchored[f.groups]; ok {
		return groups
	}
	// Most entries of a cluster have the same few groups, so equal lists are shared to
	// save memory.
	r.buffer = r.buffer[:0]
	for _, item := range f.groups.Content {
		item = resolve(item)
		r.buffer = append(append(append(r.buffer, item.Tag...), item.Value...), 0)
	}
	if groups, ok := r.groupLists[string(r.buffer)]; ok {
		return groups
	}
	before := len(r.problems) + r.unlisted
	groups := make([]mapper.Template, 0, len(f.groups.Content))
	for _, item := range f.groups.Content {
		if group, ok := r.readGroup(name, f, resolve(item)); ok {
			groups = append(groups, group)
		}
	}
	if len(r.problems)+r.unlisted == before {
		r.groupLists[string(r.buffer)] = groups
	} else if f.groups.Anchor != "" {
		r.anchored[f.groups] = groups
	}
	return groups
}

func (r *reading) groupsNotList(name string, groups *yaml.Node) {
	if groups.Kind == yaml.ScalarNode && groups.Value == "" {
		return
	}
	fix := `write each group on a line of its own after "- "`
	var names []string
	for word := range strings.FieldsFuncSeq(groups.Value, func(c rune) bool { return strings.ContainsRune("[], \n", c) }) {
		if group := strings.TrimPrefix(word, "-"); group != "" {
			names = append(names, group)
		}
	}
	switch {
	case isText(groups):
		fix = fmt.Sprintf("write groups: [%s]", shortened(strings.Join(names, ", ")))
	case groups.Kind == yaml.ScalarNode:
		fix = fmt.Sprintf("write groups: [%q]", shortened(groups.Value))
	}
	r.report(mapper.GroupsNotList, mapper.Error, name, groups, "groups is not a list but "+described(groups), "the entry applies without groups", fix)
	if isText(groups) && len(names) == 1 && groups.Value == names[0] {
		r.suggest(groups, mapper.Edit{Kind: mapper.List, Old: groups.Value, New: groups.Value})
	}
}

func (r *reading) dropGroup(code mapper.Code, name string, at *yaml.Node, message, fix string) {
	r.report(code, mapper.Error, name, at, message, "the group is ignored; the entry applies without it", fix)
}

const emptyGroup = "the entry has an empty group instead"

func (r *reading) readGroup(name string, f fields, item *yaml.Node) (mapper.Template, bool) {
	switch {
	case item.Kind == yaml.MappingNode && isEntry(item):
		above, _ := r.text.origin.place(f.at.Line, 0)
		outer := r.principal
		r.principal = arnOf(item)
		r.report(mapper.EntryInGroups, mapper.Error, name, item,
			fmt.Sprintf("this entry is indented into the groups of the entry in line %d", above), "it is ignored; the other entry applies", fmt.Sprintf("indent it as far as the entry in line %d", above))
		r.principal = outer
		r.showLines(item)
	case isNone(item) || isText(item) && item.Value == "":
		r.dropGroup(mapper.GroupEmpty, name, item, "a group is empty", "write the group or remove the line")
		r.suggest(item, mapper.Edit{Kind: mapper.Remove})
		r.onEKS(item, emptyGroup)
	case !isText(item):
		r.dropGroup(mapper.GroupNotText, name, item, "a group is not text but "+described(item), fixType(item))
		r.suggestText(item, item.Value)
		if isZeroOnEKS(item) {
			r.onEKS(item, emptyGroup)
		}
	case len(item.Value) > maxName:
		r.dropGroup(mapper.GroupTooLong, name, item, fmt.Sprintf("a group has %d bytes (at most %d)", len(item.Value), maxName), "write a shorter one")
		r.onEKS(item, "the group is not ignored: there is no such limit")
	default:
		return r.readGroupName(name, item)
	}
	return mapper.Template{}, false
}

func (r *reading) readGroupName(name string, item *yaml.Node) (mapper.Template, bool) {
	if group, ok := r.groups[item.Value]; ok {
		return group, true
	}
	group, err := mapper.ParseTemplate(item.Value)
	if err != nil {
		r.dropGroup(mapper.GroupTemplate, name, item, err.Error(), fixTemplate(item.Value))
		r.suggestText(item, correctTemplate(item.Value))
		r.onEKS(item, "the group is not ignored, and what is not a known placeholder stays in it as text")
		return group, false
	}
	r.warnOfName(name, "group", item, item.Value)
	r.warnOfSystemGroup(name, item)
	r.groups[item.Value] = group
	return group, true
}

// isEntry reports whether a mapping is an entry of mapRoles or mapUsers.
func isEntry(item *yaml.Node) bool {
	for key := range pairs(item) {
		switch strings.ToLower(key.Value) {
		case "rolearn", "userarn", "sso", "username":
			return true
		}
	}
	return false
}

// warnOfSystemGroup reports a group with Kubernetes' own prefix that does not exist in
// Kubernetes.
func (r *reading) warnOfSystemGroup(name string, item *yaml.Node) {
	group := item.Value
	if !strings.HasPrefix(group, "system:") || isSystemGroup(group) {
		return
	}
	fix := "write a group without system:, and bind it"
	if known := spelling.Within(maxTypos, group, systemGroups()); known != "" {
		fix = "write " + known
	}
	if strings.Contains(group, ",") {
		fix = `write each group on a line of its own after "- "`
	}
	message := quoted(group) + " is not a group of Kubernetes"
	if slices.Contains(systemRoles(), group) {
		message = quoted(group) + " is a ClusterRole of Kubernetes, not a group"
		if !strings.HasPrefix(fix, "write system:") {
			fix = "write a group of your own, and bind it to the ClusterRole"
		}
	}
	r.warn(mapper.SystemGroup, name, item, message, fix)
}

// systemGroups returns the groups of Kubernetes itself.
func systemGroups() []string {
	return []string{
		"system:masters", "system:nodes", "system:bootstrappers", "system:authenticated", "system:unauthenticated",
		"system:serviceaccounts", "system:monitoring", "system:node-proxier",
	}
}

func isSystemGroup(group string) bool {
	// The prefixes are those of bootstrap tokens, including kubeadm's, and of the
	// ServiceAccounts in a namespace.
	return slices.Contains(systemGroups(), group) || strings.HasPrefix(group, "system:bootstrappers:") ||
		strings.HasPrefix(group, "system:serviceaccounts:") || strings.Contains(group, "{{")
}

// systemRoles returns ClusterRoles that are easily mistaken for groups.
func systemRoles() []string {
	return []string{
		"system:basic-user", "system:discovery", "system:public-info-viewer", "system:node", "system:node-bootstrapper", "system:node-problem-detector",
		"system:aggregate-to-admin", "system:aggregate-to-edit", "system:aggregate-to-view", "system:auth-delegator", "system:heapster",
		"system:kube-controller-manager", "system:kube-dns", "system:kube-scheduler", "system:kubelet-api-admin", "system:persistent-volume-provisioner",
	}
}
