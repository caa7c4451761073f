package gobuild

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
)

// A plan is what a step has to do.
type plan struct {
	// costs of all packages by import path, including cached ones.
	costs map[string]float64
	// programs has the cost to link each program.
	programs map[string]float64
	// compile is the number of packages that are not in the cache. total is the cost
	// to compile them and to link their programs.
	compile int
	total   float64
}

// A planner plans steps in order. A later step finds in the cache what an earlier
// one compiles.
type planner struct {
	seed    maphash.Seed
	planned map[uint64]bool
}

func newPlanner() *planner {
	return &planner{maphash.MakeSeed(), map[uint64]bool{}}
}

func (p *planner) plan(ctx context.Context, step Step, progress Progress) (plan, error) {
	packages, err := list(ctx, step, progress)
	if err != nil {
		return plan{}, fmt.Errorf("planning the build of %s: %w", strings.Join(step.Packages, ", "), err)
	}
	made := plan{costs: map[string]float64{}, programs: map[string]float64{}}
	graph := newGraph(packages)
	keys := map[string]uint64{}
	for _, listed := range packages { // imports come before what imports them
		cost := graph.cost(listed)
		made.costs[listed.ImportPath] = cost
		key := p.key(listed, keys)
		keys[listed.ImportPath] = key
		if !listed.toCompile() || p.planned[key] {
			continue
		}
		p.planned[key] = true
		made.compile++
		made.total += cost
		if listed.Name == "main" {
			link := linkShare * graph.costOfAll(listed, made.costs)
			made.programs[listed.ImportPath] = link
			made.total += link
		}
	}
	return made, nil
}

// key returns the same for packages that go compiles once: those with the same sources
// and imports.
func (p *planner) key(listed listed, keys map[string]uint64) uint64 {
	var hash maphash.Hash
	hash.SetSeed(p.seed)
	fmt.Fprintln(&hash, listed.ImportPath, listed.Dir)
	for imported := range listed.imports() {
		fmt.Fprintln(&hash, keys[imported])
	}
	return hash.Sum64()
}
