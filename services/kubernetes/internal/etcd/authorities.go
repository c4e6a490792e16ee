package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"thole/services/kubernetes/internal/atomicfile"
)

const (
	kubernetesFolder = "/var/lib/kubernetes"
	sqliteFile       = "/var/lib/kine/state.db"
	handoverPath     = "/authorities"
	mostBytes        = 1 << 20
)

type authorityState int

const (
	nothing  authorityState = iota // no folder: a server's first boot
	complete                       // all authorities are there
)

// authoritiesVerb is the unit kubernetes-authorities. It ends when this server has the authorities, or is the one that
// makes them: then the unit behind it does.
func authoritiesVerb(arguments []string) error {
	if _, err := parse(flag.NewFlagSet("etcd authorities", flag.ContinueOnError), arguments, 0); err != nil {
		return err
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	if _, err := os.Stat(sqliteFile); err == nil {
		return fmt.Errorf("this server has a cluster in sqlite (%s), which does not become one in etcd: set "+
			"kubernetes.datastore = sqlite again, or begin with an empty disk", sqliteFile)
	}
	state, err := stateOf(kubernetesFolder)
	if err != nil || state == complete {
		return err
	}
	said := ""
	for ; ; time.Sleep(pause) {
		files, reason := fetch(node.others())
		if files != nil {
			return writeAuthorities(kubernetesFolder, files)
		}
		holding := withMembers(node.others())
		if node.founder() && len(holding) == 0 {
			fmt.Println("this server founds the cluster, and makes its authorities")
			return nil
		}
		if reason == "" {
			reason = "no other server of " + strings.Join(node.servers, ", ") + " is in the mesh"
		}
		if len(holding) > 0 {
			reason += "; " + strings.Join(holding, ", ") + " had the cluster: `thole mesh forget` takes out what is lost for good"
		}
		if reason != said {
			said = reason
			fmt.Printf("waiting for a server that has the cluster's authorities: %s\n", reason)
		}
	}
}

// stateOf says what is in the folder; an error where it has a part of it, which belongs to something else.
func stateOf(folder string) (authorityState, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nothing, nil
	}
	if err != nil {
		return nothing, err
	}
	for _, name := range authorityFiles {
		path := filepath.Join(folder, "pki", name)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			return nothing, fmt.Errorf("%s is there, but %s is missing or empty: put it back from another server, or "+
				"where this node was no server of this cluster, begin with an empty disk", folder, path)
		}
	}
	return complete, nil
}

// writeAuthorities puts the folder there in one step.
func writeAuthorities(folder string, files map[string][]byte) error {
	next := folder + ".new"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	for _, name := range authorityFiles {
		path := filepath.Join(next, "pki", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return err
		}
	}
	if err := atomicfile.SyncTree(next); err != nil {
		return err
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // an empty folder is in the way
	}
	return atomicfile.Place(next, folder)
}

// fetch asks the others in turn; without files it says why each had none.
func fetch(others []other) (map[string][]byte, string) {
	keys, err := readKeys(keyFile)
	if err != nil {
		return nil, err.Error()
	}
	var reasons []string
	for _, one := range others {
		last := errors.New("this node is in no mesh")
		for _, key := range keys {
			var files map[string][]byte
			if files, last = ask(one.host(handoverPort), key); last == nil {
				fmt.Printf("%s has handed over the cluster's authorities\n", one.name)
				return files, ""
			}
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", one.name, last))
	}
	return nil, strings.Join(reasons, "; ")
}

func ask(host string, key []byte) (map[string][]byte, error) {
	asked, err := newQuestion(key)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	if !isServed(host) {
		return nil, errors.New("does not answer")
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post("http://"+host+handoverPath, "application/json", bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostBytes))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	var got sealed
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return open(key, asked, got)
}

// startHandover answers other servers from now on. A node in no mesh has none.
func startHandover(node thisNode) error {
	if len(node.servers) == 1 {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(node.address, handoverPort))
	if err != nil {
		return err
	}
	service := http.NewServeMux()
	service.HandleFunc("POST "+handoverPath, func(writer http.ResponseWriter, request *http.Request) {
		handOver(node, writer, request)
	})
	server := http.Server{Handler: service, ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: 8 << 10}
	go func() {
		fmt.Fprintf(os.Stderr, "authorities are not handed over any more: %v\n", server.Serve(listener))
	}()
	return nil
}

func handOver(node thisNode, writer http.ResponseWriter, request *http.Request) {
	name, reason := whoAsks(node.others(), request.RemoteAddr, isServed)
	if reason != "" {
		fmt.Println(reason)
		http.Error(writer, reason, http.StatusForbidden)
		return
	}
	var asked question
	if err := json.NewDecoder(io.LimitReader(request.Body, mostBytes)).Decode(&asked); err != nil {
		http.Error(writer, "the question cannot be read", http.StatusBadRequest)
		return
	}
	got, err := answerFromDisk(asked)
	if err != nil {
		fmt.Printf("%s asks for the authorities, and gets none: %v\n", name, err)
		http.Error(writer, err.Error(), http.StatusForbidden)
		return
	}
	fmt.Printf("the cluster's authorities are handed to %s\n", name)
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(got) // whoever does not get it asks again
}

// whoAsks gives the server's name, or the reason why nobody is answered at that address. A server that was made anew has
// another address than before, and nothing but its name to show: it gets that of one that is gone, and not of one that runs.
func whoAsks(others []other, remote string, runs func(host string) bool) (name, reason string) {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "", err.Error()
	}
	for _, one := range others {
		if one.address.String() == host {
			name = one.name
		}
	}
	if name == "" {
		return "", host + " is not the mesh address of a server that kubernetes.servers names"
	}
	for _, one := range others {
		if one.name == name && one.address.String() != host && runs(one.host(clientPort)) {
			return "", fmt.Sprintf("%s calls itself %s, which runs at %s", host, name, one.address)
		}
	}
	return name, ""
}

func answerFromDisk(asked question) (sealed, error) {
	keys, err := readKeys(keyFile)
	if err != nil {
		return sealed{}, err
	}
	files := map[string][]byte{}
	for _, name := range authorityFiles {
		if files[name], err = os.ReadFile(filepath.Join(pkiFolder, name)); err != nil {
			return sealed{}, err
		}
	}
	return answer(keys, asked, files)
}
