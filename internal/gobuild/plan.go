package gobuild

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
)

// A plan is what a step has to do.
type plan struct {
	// costs are those of all packages, by import path, cached ones too.
	costs map[string]float64
	// programs are what it costs to link each program.
	programs map[string]float64
	// compile is how many packages are not in the cache, and total the cost of those
	// and of linking their programs.
	compile int
	total   float64
}

// A planner plans steps one after the other. What an earlier step compiles is in
// the cache when a later one comes.
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

// key is the same for packages that are compiled once: those with the same sources
// that import the same packages.
func (p *planner) key(listed listed, keys map[string]uint64) uint64 {
	var hash maphash.Hash
	hash.SetSeed(p.seed)
	fmt.Fprintln(&hash, listed.ImportPath, listed.Dir)
	for imported := range listed.imports() {
		fmt.Fprintln(&hash, keys[imported])
	}
	return hash.Sum64()
}
