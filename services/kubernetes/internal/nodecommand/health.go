package nodecommand

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
)

var errUnhealthy = errors.New("not all is well")

// finding is a line of the table.
type finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func healthVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes health", flag.ContinueOnError)
	asJSON := set.Bool("json", false, "an array of what, ok, detail")
	if err := parse(set, arguments); err != nil {
		return err
	}
	client, err := node.client()
	if err != nil {
		return err
	}
	ctx, stop := limited(3 * patience)
	defer stop()
	examined := examination{node: node, client: client, ctx: ctx}
	findings := examined.all()
	if err := show(findings, *asJSON); err != nil {
		return err
	}
	for _, one := range findings {
		if !one.OK {
			return errUnhealthy
		}
	}
	return nil
}

func show(findings []finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, one := range findings {
		word := "ok"
		if !one.OK {
			word = "BAD"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", word, one.What, one.Detail)
	}
	return table.Flush()
}
