package gobuild

import (
	"math/big"
	"os"
	"path/filepath"
)

// The cost to compile a package, in bytes of source, as measured on our packages and
// those of Kubernetes. The compiler takes about 2 µs per byte, and some time to start
// and to read each direct or indirect import.
const (
	costOfPackage    = 16 << 10
	costOfDependency = 150
)

// linkShare is the cost to link a program, as a share of the cost to compile its
// packages.
const linkShare = 0.02

// A graph contains the dependencies of each package, as a number with a bit for each
// package.
type graph struct {
	index        map[string]int
	paths        []string
	dependencies map[string]*big.Int
}

// newGraph returns the graph of packages, which must be sorted: imports first.
func newGraph(packages []listed) *graph {
	g := &graph{map[string]int{}, nil, map[string]*big.Int{}}
	for i, listed := range packages {
		g.index[listed.ImportPath] = i
		g.paths = append(g.paths, listed.ImportPath)
		set := new(big.Int)
		for path := range listed.imports() {
			if of, ok := g.dependencies[path]; ok {
				set.Or(set, of)
				set.SetBit(set, g.index[path], 1)
			}
		}
		g.dependencies[listed.ImportPath] = set
	}
	return g
}

// cost returns the cost to compile a package.
func (g *graph) cost(listed listed) float64 {
	var bytes float64
	for _, names := range [][]string{listed.GoFiles, listed.SFiles} {
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(listed.Dir, name)); err == nil {
				bytes += float64(info.Size())
			}
		}
	}
	return bytes + costOfPackage + costOfDependency*float64(len(g.of(listed)))
}

// costOfAll returns the cost to compile a package and its dependencies.
func (g *graph) costOfAll(listed listed, costs map[string]float64) float64 {
	sum := costs[listed.ImportPath]
	for _, path := range g.of(listed) {
		sum += costs[path]
	}
	return sum
}

// of returns the packages that a package depends on.
func (g *graph) of(listed listed) []string {
	set := g.dependencies[listed.ImportPath]
	var paths []string
	for i, path := range g.paths {
		if set.Bit(i) == 1 {
			paths = append(paths, path)
		}
	}
	return paths
}
