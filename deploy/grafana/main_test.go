package main

import (
	"bytes"
	"os"
	"testing"
)

// TestWritten: guideway.json is what the tables say. What it says is judged in
// test/monitoring.
func TestWritten(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("guideway.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("guideway.json is not what the tables say: run go generate ./deploy/grafana")
	}
}
