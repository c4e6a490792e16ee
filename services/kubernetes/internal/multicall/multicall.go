// Package multicall runs one of several programs of a file, chosen by the name the file was called by.
package multicall

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Applet runs one program with os.Args as its own command line and gives its exit status.
type Applet func() int

// Main runs the applet that argv[0] names. Called by the file's own name, it takes the applet's name from argv[1].
func Main(applets map[string]Applet) {
	name := filepath.Base(os.Args[0])
	if _, known := applets[name]; !known && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = filepath.Base(os.Args[0])
	}
	applet, known := applets[name]
	if !known {
		fmt.Fprintf(os.Stderr, "there is no %q in this file; it has: %s\n", name, names(applets))
		os.Exit(2)
	}
	os.Exit(applet())
}

func names(applets map[string]Applet) string {
	var list []string
	for name := range applets {
		list = append(list, name)
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}
