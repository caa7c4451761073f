package organizations

import (
	"maps"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

const (
	// maxDepth bounds the levels of units, as on AWS.
	maxDepth = 5
	// maxUnits bounds the units of an organization, as on AWS.
	maxUnits = 2000
	// maxName bounds the names of units and policies.
	maxName = 128
)

type unitInput struct {
	ParentID string `json:"ParentId"`
	Name     string
}

type unitUpdate struct {
	ID   string `json:"OrganizationalUnitId"`
	Name *string
}

type unitNamed struct {
	ID string `json:"OrganizationalUnitId"`
}

type childrenOf struct {
	ParentID string `json:"ParentId"`
	paging
}

type childrenOfKind struct {
	ParentID  string `json:"ParentId"`
	ChildType string
	paging
}

type parentsOf struct {
	ChildID string `json:"ChildId"`
	paging
}

func unitOperations() []api.Operation {
	return []api.Operation{
		on("CreateOrganizationalUnit", idOf(func(in unitInput) string { return in.ParentID }), createUnit),
		on("UpdateOrganizationalUnit", idOf(func(in unitUpdate) string { return in.ID }), updateUnit),
		on("DeleteOrganizationalUnit", idOf(func(in unitNamed) string { return in.ID }), deleteUnit),
		on("DescribeOrganizationalUnit", idOf(func(in unitNamed) string { return in.ID }), func(tx *account.Tx, o *organization, in unitNamed) (any, error) {
			u, err := o.unit(in.ID)
			if err != nil {
				return nil, err
			}
			return map[string]any{"OrganizationalUnit": u.described(tx, o)}, nil
		}),
		on("ListOrganizationalUnitsForParent", idOf(func(in childrenOf) string { return in.ParentID }), func(tx *account.Tx, o *organization, in childrenOf) (any, error) {
			if err := o.checkParent(in.ParentID); err != nil {
				return nil, err
			}
			var all []describedUnit
			for _, u := range o.units(in.ParentID) {
				all = append(all, u.described(tx, o))
			}
			return listed(in.paging, "OrganizationalUnits", all, func(u describedUnit) string { return u.ID })
		}),
		on("ListChildren", idOf(func(in childrenOfKind) string { return in.ParentID }), listChildren),
		on("ListParents", idOf(func(in parentsOf) string { return in.ChildID }), func(tx *account.Tx, o *organization, in parentsOf) (any, error) {
			if !o.exists(tx, in.ChildID) || in.ChildID == o.Root {
				return nil, badRequest("ChildNotFoundException", "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.")
			}
			parent := o.parent(in.ChildID)
			return listed(in.paging, "Parents", []described{{parent, kindOf(parent)}}, func(d described) string { return d.ID })
		}),
	}
}

// A described child or parent.
type described struct {
	ID   string `json:"Id"`
	Type string
}

type describedUnit struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string
}

func (u *unit) described(tx *account.Tx, o *organization) describedUnit {
	return describedUnit{u.ID, o.arn(tx, u.ID), u.Name}
}

// kindOf returns the type of what has an ID.
func kindOf(id string) string {
	switch {
	case strings.HasPrefix(id, "r-"):
		return "ROOT"
	case strings.HasPrefix(id, "ou-"):
		return "ORGANIZATIONAL_UNIT"
	}
	return "ACCOUNT"
}

// exists reports whether a root, a unit or an account has an ID.
func (o *organization) exists(tx *account.Tx, id string) bool {
	_, served := tx.In(id)
	return served || o.checkParent(id) == nil
}

func (o *organization) checkParent(id string) error {
	if _, ok := o.Units[id]; ok || id == o.Root {
		return nil
	}
	return badRequest("ParentNotFoundException", "We can't find a root or OU with the ParentId that you specified.")
}

func (o *organization) unit(id string) (*unit, error) {
	if u, ok := o.Units[id]; ok {
		return u, nil
	}
	return nil, badRequest("OrganizationalUnitNotFoundException", "We can't find an OU with the OrganizationalUnitId that you specified.")
}

func checkName(name string) error {
	if name == "" || len([]rune(name)) > maxName {
		return invalid("You specified an invalid value for Name: expected 1 to " + strconv.Itoa(maxName) + " characters.")
	}
	return nil
}

// checkSibling checks that no other unit of a parent has a name.
func (o *organization) checkSibling(parent, name, but string) error {
	for _, u := range o.units(parent) {
		if u.Name == name && u.ID != but {
			return badRequest("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")
		}
	}
	return nil
}

func createUnit(tx *account.Tx, o *organization, in unitInput) (any, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if err := o.checkParent(in.ParentID); err != nil {
		return nil, err
	}
	if err := o.checkSibling(in.ParentID, in.Name, ""); err != nil {
		return nil, err
	}
	switch {
	case len(o.path(in.ParentID)) > maxDepth:
		return nil, exceeded("You've exceeded the maximum OU depth of " + strconv.Itoa(maxDepth) + ".")
	case len(o.Units) >= maxUnits:
		return nil, exceeded("You've exceeded the number of OUs that you can have in an organization.")
	}
	u := &unit{ID: account.NewName("ou-"+strings.TrimPrefix(o.Root, "r-")+"-", 8), Name: in.Name, Parent: in.ParentID}
	o.Units[u.ID] = u
	return map[string]any{"OrganizationalUnit": u.described(tx, o)}, nil
}

func updateUnit(tx *account.Tx, o *organization, in unitUpdate) (any, error) {
	u, err := o.unit(in.ID)
	if err != nil {
		return nil, err
	}
	if in.Name != nil {
		if err := checkName(*in.Name); err != nil {
			return nil, err
		}
		if err := o.checkSibling(u.Parent, *in.Name, u.ID); err != nil {
			return nil, err
		}
		u.Name = *in.Name
	}
	return map[string]any{"OrganizationalUnit": u.described(tx, o)}, nil
}

func deleteUnit(tx *account.Tx, o *organization, in unitNamed) (any, error) {
	u, err := o.unit(in.ID)
	if err != nil {
		return nil, err
	}
	if len(o.units(u.ID)) > 0 || len(o.accounts(tx, u.ID)) > 0 {
		return nil, badRequest("OrganizationalUnitNotEmptyException", "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.")
	}
	delete(o.Units, u.ID)
	delete(o.Attached, u.ID)
	// Accounts that are no longer served may have been in it.
	maps.DeleteFunc(o.Places, func(_, parent string) bool { return parent == u.ID })
	return none{}, nil
}

func listChildren(tx *account.Tx, o *organization, in childrenOfKind) (any, error) {
	if err := o.checkParent(in.ParentID); err != nil {
		return nil, err
	}
	var all []described
	switch in.ChildType {
	case "ORGANIZATIONAL_UNIT":
		for _, u := range o.units(in.ParentID) {
			all = append(all, described{u.ID, in.ChildType})
		}
	case "ACCOUNT":
		for _, id := range o.accounts(tx, in.ParentID) {
			all = append(all, described{id, in.ChildType})
		}
	default:
		return nil, invalid("You specified an invalid value " + strconv.Quote(in.ChildType) + " for ChildType.")
	}
	return listed(in.paging, "Children", all, func(d described) string { return d.ID })
}

type accountNamed struct {
	ID string `json:"AccountId"`
}

type move struct {
	ID   string `json:"AccountId"`
	From string `json:"SourceParentId"`
	To   string `json:"DestinationParentId"`
}

func accountOperations() []api.Operation {
	return []api.Operation{
		on("ListAccounts", nil, func(tx *account.Tx, o *organization, in paging) (any, error) {
			return listAccounts(tx, o, in, accountIDs(tx))
		}),
		on("ListAccountsForParent", idOf(func(in childrenOf) string { return in.ParentID }), func(tx *account.Tx, o *organization, in childrenOf) (any, error) {
			if err := o.checkParent(in.ParentID); err != nil {
				return nil, err
			}
			return listAccounts(tx, o, in.paging, o.accounts(tx, in.ParentID))
		}),
		on("DescribeAccount", idOf(func(in accountNamed) string { return in.ID }), func(tx *account.Tx, o *organization, in accountNamed) (any, error) {
			if _, served := tx.In(in.ID); !served {
				return nil, accountNotFound()
			}
			return map[string]any{"Account": describeAccount(tx, o, in.ID)}, nil
		}),
		on("MoveAccount", func(in move) []string { return []string{in.ID, in.From, in.To} }, moveAccount),
	}
}

func accountNotFound() error {
	return badRequest("AccountNotFoundException", "We can't find an AWS account with the AccountId that you specified, or the account whose credentials you used to make this request isn't a member of an organization.")
}

type describedAccount struct {
	ID              string `json:"Id"`
	ARN             string `json:"Arn"`
	Email           string
	Name            string
	Status, State   string
	JoinedMethod    string
	JoinedTimestamp protocol.Timestamp
}

func describeAccount(tx *account.Tx, o *organization, id string) describedAccount {
	method := "CREATED"
	if id == manager(tx) {
		method = "INVITED"
	}
	return describedAccount{id, o.arn(tx, id), email(id), "account-" + id, "ACTIVE", "ACTIVE", method, protocol.Timestamp(o.Created)}
}

// email returns the address of the root user of an account, which does not exist.
func email(id string) string { return id + "@localaws.invalid" }

func listAccounts(tx *account.Tx, o *organization, in paging, ids []string) (any, error) {
	var all []describedAccount
	for _, id := range ids {
		all = append(all, describeAccount(tx, o, id))
	}
	return listed(in, "Accounts", all, func(a describedAccount) string { return a.ID })
}

func moveAccount(tx *account.Tx, o *organization, in move) (any, error) {
	if _, served := tx.In(in.ID); !served {
		return nil, accountNotFound()
	}
	switch {
	case o.parent(in.ID) != in.From:
		return nil, badRequest("SourceParentNotFoundException", "We can't find a source root or OU with the ParentId that you specified.")
	case o.checkParent(in.To) != nil:
		return nil, badRequest("DestinationParentNotFoundException", "We can't find the destination container (a root or OU) with the ParentId that you specified.")
	case in.From == in.To:
		return nil, badRequest("DuplicateAccountException", "That account is already present in the specified destination.")
	}
	o.Places[in.ID] = in.To
	return none{}, nil
}
