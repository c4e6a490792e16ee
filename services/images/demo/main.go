// Command demo is what tests and first steps run in pods: a web server that says who it is, a client for it, and a
// process that asks for more memory than it may have.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: demo serve [--port 8080]     answer every request with the host's name and the path
       demo fetch [--timeout 10s] URL  print the body; exit 1 unless the status is 2xx
       demo eat-memory SIZE            take memory up to SIZE (such as 200M), then sleep
       demo sleep [DURATION]           sleep, for ever if no time is given
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	commands := map[string]func(context.Context, []string) error{
		"serve":      serve,
		"fetch":      fetch,
		"eat-memory": eatMemory,
		"sleep":      sleep,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "demo %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// sleep waits for the time given, or for a signal to end.
func sleep(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		<-ctx.Done()
		return nil
	}
	duration, err := time.ParseDuration(arguments[0])
	if err != nil {
		return errors.New("give a time such as 10s or 5m")
	}
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
	return nil
}
