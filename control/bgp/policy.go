package bgp

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
)

// The two policies. gobgp asks the one for what comes in about our own routes
// as well.
const (
	importPolicy = "import"
	exportPolicy = "export"
)

// policies refuse whatever is not our own, in both directions, and give what
// goes to a peer that peer's attributes. A route that is leaving keeps the
// preference that it leaves with.
func policies(asn uint32, peers []peer, leaving bool) *api.SetPoliciesRequest {
	own := func(name string) *api.Statement {
		return &api.Statement{
			Name:       name + " own",
			Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
			Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
		}
	}
	export := &api.Policy{Name: exportPolicy}
	req := &api.SetPoliciesRequest{}
	for _, p := range peers {
		set := &api.DefinedSet{
			DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR, Name: p.Address.String(),
			List: []string{netip.PrefixFrom(p.Address, p.Address.BitLen()).String()},
		}
		req.DefinedSets = append(req.DefinedSets, set)
		export.Statements = append(export.Statements, p.statements(asn, set.Name, leaving)...)
	}
	export.Statements = append(export.Statements, own(exportPolicy))
	req.Policies = []*api.Policy{{Name: importPolicy, Statements: []*api.Statement{own(importPolicy)}}, export}
	return req
}

// statements change routes on their way to the peer and decide nothing.
func (p peer) statements(asn uint32, set string, leaving bool) (list []*api.Statement) {
	add := func(what string, a *api.Actions, families ...*api.Family) {
		list = append(list, &api.Statement{
			Name: fmt.Sprintf("%s %s", set, what),
			Conditions: &api.Conditions{
				NeighborSet: &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: set}, AfiSafiIn: families,
			},
			Actions: a,
		})
	}
	all := &api.Actions{}
	if p.MED != nil {
		all.Med = &api.MedAction{Type: api.MedAction_TYPE_REPLACE, Value: int64(*p.MED)}
	}
	if p.LocalPref != nil && !leaving && p.inside {
		all.LocalPref = &api.LocalPrefAction{Value: *p.LocalPref}
	}
	if p.Prepend > 0 {
		all.AsPrepend = &api.AsPrependAction{Asn: asn, Repeat: uint32(p.Prepend)}
	}
	for _, c := range canonical(p.Communities) {
		to := &all.Community
		if c.Large {
			to = &all.LargeCommunity
		}
		if *to == nil {
			*to = &api.CommunityAction{Type: api.CommunityAction_TYPE_ADD}
		}
		(*to).Communities = append((*to).Communities, c.String())
	}
	add("attributes", all)
	for _, f := range p.families() {
		hop, what := p.NextHop4, "IPv4 next hop"
		if f.Afi == api.Family_AFI_IP6 {
			hop, what = p.NextHop6, "IPv6 next hop"
		}
		if hop.IsValid() {
			add(what, &api.Actions{Nexthop: &api.NexthopAction{Address: hop.String()}}, f)
		}
	}
	return list
}

// assignments put the policies into force. What none of them takes is refused.
func assignments() []*api.SetPolicyAssignmentRequest {
	assign := func(dir api.PolicyDirection, name string) *api.SetPolicyAssignmentRequest {
		return &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: "global", Direction: dir, Policies: []*api.Policy{{Name: name}}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
		}}
	}
	return []*api.SetPolicyAssignmentRequest{
		assign(api.PolicyDirection_POLICY_DIRECTION_IMPORT, importPolicy),
		assign(api.PolicyDirection_POLICY_DIRECTION_EXPORT, exportPolicy),
	}
}
