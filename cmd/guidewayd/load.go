package main

import (
	"log/slog"
	"os"

	"guideway/control"
	"guideway/control/config"
)

// load reads the configuration. Where the file is broken, the last one that was
// in effect takes its place, with a loud warning: a node that reboots in the
// middle of somebody's edit goes on serving.
func load(path string, lastGood control.LastGood, log *slog.Logger) (*config.Config, config.Warnings, error) {
	cfg, warnings, err := config.Load(path)
	if err == nil || lastGood.Dir == "" {
		return cfg, warnings, err
	}
	if _, missing := os.Stat(lastGood.File()); missing != nil {
		return nil, nil, err
	}
	cfg, warnings, worse := config.Load(lastGood.File())
	if worse != nil {
		return nil, nil, err // the file's own faults are what to mend
	}
	log.Error(err.Error())
	log.Error("THE CONFIGURATION FILE IS BROKEN: started with the last one that was in effect; mend the file and reload", "file", path, "instead", lastGood.File())
	return cfg, warnings, nil
}
