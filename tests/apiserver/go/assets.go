//go:build assets

package main

// embedded returns nil: this build has no servers of its own, KUBEBUILDER_ASSETS names them.
func embedded(string) func(arguments []string) int { return nil }
