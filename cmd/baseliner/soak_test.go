//go:build soak

package main

import "time"

func init() { churnWarm, churnFor, growth = 12*time.Minute, 9*time.Minute, 0.08 }
