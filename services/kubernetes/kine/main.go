// Command kine is the cluster's data store: the etcd v3 API over one sqlite file, served on a unix socket.
//
// It is k3s-io/kine's server with its sqlite driver and nothing else. Upstream's own command links every driver (MySQL,
// PostgreSQL, NATS, S3), listens on all addresses by default, and lets sqlite lose the last writes in a power cut.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	"github.com/k3s-io/kine/pkg/drivers/sqlite"
	"github.com/k3s-io/kine/pkg/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// The API server asks for this version to decide which features (watch progress) it may use.
	emulatedVersion = "3.6.11"
	progressEvery   = 5 * time.Second
	// etcd's own limits: the largest request, and room for what gRPC adds.
	maxRequestBytes = 1536*1024 + 512*1024
	stopWithin      = 3 * time.Second
)

type options struct {
	database string
	socket   string
}

func main() {
	var chosen options
	flag.StringVar(&chosen.database, "database", "/var/lib/kine/state.db", "the sqlite file")
	flag.StringVar(&chosen.socket, "socket", "/run/kine/kine.sock", "unix socket to serve on")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "kine: unknown argument %q; see kine --help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := serve(chosen); err != nil {
		fmt.Fprintf(os.Stderr, "kine: %v\n", err)
		os.Exit(1)
	}
}

// serve answers requests until SIGTERM or SIGINT, then finishes those under way and closes the database.
func serve(chosen options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var closing sync.WaitGroup
	storeContext, closeStore := context.WithCancel(context.Background())
	defer closing.Wait()
	defer closeStore()

	backend, err := open(storeContext, &closing, chosen.database)
	if err != nil {
		return fmt.Errorf("open the database %s: %w", chosen.database, err)
	}
	if err := backend.Start(storeContext); err != nil {
		return fmt.Errorf("read the database %s: %w", chosen.database, err)
	}
	listener, err := listen(chosen.socket)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", chosen.socket, err)
	}
	transport := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
	)
	server.New(backend, "unix", progressEvery, emulatedVersion).Register(transport)
	go func() {
		<-ctx.Done()
		hurry := time.AfterFunc(stopWithin, transport.Stop)
		defer hurry.Stop()
		transport.GracefulStop()
	}()
	if err := notify("READY=1"); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return transport.Serve(listener)
}

// open opens or makes the database. Each commit is synced: what the API server acknowledged survives a power cut.
func open(ctx context.Context, closing *sync.WaitGroup, database string) (server.Backend, error) {
	if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
		return nil, err
	}
	parameters := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_busy_timeout": {"30000"},
		"_txlock":       {"immediate"},
		// Compacted pages are used again by later writes; rewriting the file at each boot only costs time.
		"_kine_disable_startup_vacuum": {"1"},
	}
	_, backend, err := sqlite.New(ctx, closing, &drivers.Config{
		DataSourceName:       database + "?" + parameters.Encode(),
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 8, MaxIdleTime: 2 * time.Minute},
		CompactTimeout:       5 * time.Second,
		CompactMinRetain:     1000,
		CompactBatchSize:     1000,
		PollBatchSize:        500,
	})
	return backend, err
}

// listen makes the socket, for root alone, in place of one that a killed process left.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

// notify sends a state to the supervisor's socket, where there is one.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	connection, err := net.Dial("unixgram", path)
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = connection.Write([]byte(state))
	return err
}
