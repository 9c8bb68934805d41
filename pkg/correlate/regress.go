package correlate

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// lagged is x as it was k rows before; rows before the first are missing. k may be negative.
func lagged(x []float64, k int) []float64 {
	out := make([]float64, len(x))
	for t := range out {
		out[t] = math.NaN()
		if s := t - k; s >= 0 && s < len(x) {
			out[t] = x[s]
		}
	}
	return out
}

// fit is a least-squares fit over the rows where nothing is missing.
type fit struct {
	coef     []float64
	variance float64   // of what is left
	inverse  []float64 // diagonal of (X'X)⁻¹
	n        int
}

// se is the standard error of a coefficient.
func (f *fit) se(i int) float64 { return math.Sqrt(f.variance * f.inverse[i]) }

// ols regresses y on the columns. use says which rows take part; nil is all. ok is false when there are too few rows for the
// columns, or these are not independent.
func ols(y []float64, columns [][]float64, use func(t int) bool) (f fit, ok bool) {
	k := len(columns)
	xx := make([]float64, k*k)
	xy := make([]float64, k)
	row := make([]float64, k)
	yy := 0.0
rows:
	for t, v := range y {
		if v != v || use != nil && !use(t) {
			continue
		}
		for j, c := range columns {
			row[j] = c[t]
			if row[j] != row[j] {
				continue rows
			}
		}
		f.n++
		yy += v * v
		for i, a := range row {
			xy[i] += a * v
			for j := i; j < k; j++ {
				xx[i*k+j] += a * row[j]
			}
		}
	}
	if f.n <= k+1 {
		return f, false
	}
	// Columns are scaled to length 1, so that units do not decide what counts as dependent.
	scale := make([]float64, k)
	for i := range scale {
		if scale[i] = math.Sqrt(xx[i*k+i]); !(scale[i] > 0) {
			return f, false
		}
	}
	for i := range k {
		xy[i] /= scale[i]
		for j := i; j < k; j++ {
			xx[i*k+j] /= scale[i] * scale[j]
		}
	}
	var c mat.Cholesky
	if !c.Factorize(mat.NewSymDense(k, xx)) || c.Cond() > 1e10 { //nolint:misspell // as gonum spells it
		return f, false
	}
	solved := mat.NewVecDense(k, nil)
	if c.SolveVecTo(solved, mat.NewVecDense(k, xy)) != nil {
		return f, false
	}
	var inverse mat.SymDense
	if c.InverseTo(&inverse) != nil {
		return f, false
	}
	left := yy
	for i := range k {
		left -= solved.AtVec(i) * xy[i]
		f.coef = append(f.coef, solved.AtVec(i)/scale[i])
		f.inverse = append(f.inverse, inverse.At(i, i)/scale[i]/scale[i])
	}
	f.variance = max(left, 0) / float64(f.n-k)
	return f, true
}

// rest is what the fit leaves of y: NaN where a column is missing.
func (f *fit) rest(y []float64, columns [][]float64) []float64 {
	out := append([]float64(nil), y...)
	for j, c := range columns {
		for t := range out {
			out[t] -= f.coef[j] * c[t]
		}
	}
	return out
}

// ones is the column of an intercept.
func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
