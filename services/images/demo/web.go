package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// serve answers each request with the host's name and the request's path, or with the files of a directory, until it is
// told to end.
func serve(ctx context.Context, arguments []string) error {
	set := flag.NewFlagSet("serve", flag.ExitOnError)
	port := set.Int("port", 8080, "TCP port")
	directory := set.String("directory", "", "answer with the files in it")
	_ = set.Parse(arguments)
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	var handler http.Handler = http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		fmt.Printf("%s %s from %s\n", request.Method, request.URL.Path, request.RemoteAddr)
		fmt.Fprintf(answer, "%s %s\n", host, request.URL.Path)
	})
	if *directory != "" {
		handler = http.FileServer(http.Dir(*directory))
	}
	server := http.Server{
		Addr:              net.JoinHostPort("", strconv.Itoa(*port)),
		ReadHeaderTimeout: 10 * time.Second,
		Handler:           handler,
	}
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(last)
	}()
	fmt.Printf("%s serves on port %d\n", host, *port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// fetch prints what a URL answers.
func fetch(ctx context.Context, arguments []string) error {
	set := flag.NewFlagSet("fetch", flag.ExitOnError)
	timeout := set.Duration("timeout", 10*time.Second, "give up after this time")
	_ = set.Parse(arguments)
	if set.NArg() != 1 {
		return errors.New("give one URL")
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, set.Arg(0), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", set.Arg(0), response.Status)
	}
	return nil
}
