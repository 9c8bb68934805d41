//go:build soak

package main

import "time"

func init() { churnFor = 10 * time.Minute }
