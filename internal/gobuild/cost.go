package gobuild

import (
	"math/big"
	"os"
	"path/filepath"
)

// What a package costs to compile, in bytes of source, as measured on our packages
// and those of Kubernetes: the compiler takes about 2 µs for a byte, starts once, and
// reads something of every package that is imported, directly or not. A byte of a
// huge package, which the EC2 client of the AWS SDK is, costs twice as much.
const (
	costOfPackage    = 16 << 10
	costOfDependency = 150
	hugePackage      = 4e6
)

// linkShare of what its packages cost to compile is what a program costs to link.
const linkShare = 0.02

// A graph knows on which packages a package depends. A set of packages is a number
// with a bit for each.
type graph struct {
	index        map[string]int
	paths        []string
	dependencies map[string]*big.Int
}

// newGraph takes packages of which each one comes after what it imports.
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

// cost of compiling a package.
func (g *graph) cost(listed listed) float64 {
	var bytes float64
	for _, names := range [][]string{listed.GoFiles, listed.SFiles} {
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(listed.Dir, name)); err == nil {
				bytes += float64(info.Size())
			}
		}
	}
	return bytes + max(0, bytes-hugePackage) + costOfPackage + costOfDependency*float64(len(g.of(listed)))
}

// costOfAll is the cost of a package and of all that it depends on.
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
