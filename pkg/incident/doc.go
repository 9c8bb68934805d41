// Package incident says which anomalies are one story, who started it, and what it came to. It decides on values it is
// given and knows neither clock, store nor configuration.
//
// Ranking causes (rank.go) orders whatever moved by how far it moved and how closely it went along with the outcome. It is
// no proof of a cause: it says where to look first, and says so when nothing explains the outcome.
package incident
