package main

import "slices"

// benjaminiHochberg returns the largest p that is a discovery at a false discovery rate; below 0 when none is.
func benjaminiHochberg(ps []float64, rate float64) float64 {
	sorted := slices.Sorted(slices.Values(ps))
	for k, s := range slices.Backward(sorted) {
		if s <= rate*float64(k+1)/float64(len(sorted)) {
			return s
		}
	}
	return -1
}
