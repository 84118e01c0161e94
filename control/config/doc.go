// Package config turns the file that a person typed into the settings that
// the rest of the process trusts.
//
// There are two types. A [File] is the TOML document as typed: every key and
// value with its line and column, nothing judged. A [Config] is what comes out
// when everything in it has been judged: complete (defaults filled in),
// consistent (every reference resolves, every family has an outer source) and
// never changed afterwards. Nobody outside this package sees a File's inside.
//
// The way from one to the other:
//
//	bytes -> File          toml.go, tree.go    syntax, duplicate keys
//	File  -> drafts        section.go and one file per section: node.go,
//	                       dpdk.go, port.go ... types, ranges, unknown keys
//	drafts -> Config       link.go, resolve.go, overlap.go, own.go,
//	                       sourcepool.go, fleet.go
//	                       what one section says about another
//	Config -> Warnings     warn.go, warnport.go, mtu.go
//	                       what loads but will hurt
//
// Faults are collected, never returned early: one run names everything that
// has to be mended. The one exception is a syntax error, after which the rest
// of the file has no certain meaning, so it is reported alone.
package config
