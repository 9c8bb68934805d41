// Package alert decides who hears what and when: episodes of alerts, grouped by Alertmanager's own route tree, become
// notifications after group_wait, group_interval and repeat_interval. It is a pure machine: time comes in as a value,
// nothing runs by itself, and the same state, transitions and instants give the same notifications.
//
// Unlike Alertmanager it forgets nothing: an episode that began and ended before anybody was told gives one
// notification, resolved, with its true times.
package alert
