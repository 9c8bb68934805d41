// Package series holds the words every other package uses: labels, points, layers, directions. It imports nothing but
// the standard library and decides nothing.
package series
