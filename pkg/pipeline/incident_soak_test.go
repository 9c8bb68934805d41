//go:build soak

package pipeline

func init() { cascades = 20 }
