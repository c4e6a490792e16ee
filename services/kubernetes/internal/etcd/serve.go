package etcd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	dataFolder = "/var/lib/etcd"
	pkiFolder  = "/var/lib/kubernetes/pki"
	// etcd's own figures (100 ms, 1 s) are for one room. Servers may be small, emulated, or far apart in the mesh; a lost
	// leader is still replaced within seconds.
	heartbeat = 500
	election  = 5000
	// The most that etcd recommends (etcd: System limits). A full data store takes no writes.
	quota = 8 << 30
	// A request that takes longer is in the log; what embed has by itself logs every one.
	slow = time.Second
	// kubernetes.servers takes five servers: four of them may be joining.
	mostLearners = 4
	// Whoever watches the folder learns that the disk has a member by now.
	memberSign = "/run/thole/kubernetes-etcd"
)

// serveVerb is the unit etcd: it comes to a member, whatever that takes, and runs it until it is told to stop.
func serveVerb(arguments []string) error {
	if _, err := parse(flag.NewFlagSet("etcd serve", flag.ContinueOnError), arguments, 0); err != nil {
		return err
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := startHandover(node); err != nil {
		return fmt.Errorf("hand the authorities to other servers: %w", err)
	}
	config := memberConfig(node)
	if !hasData(dataFolder) {
		if done, err := prepare(ctx, node, config); !done {
			return err
		}
	}
	return run(ctx, node, config)
}

// hasData says whether a member lies in the folder: etcd goes by its write-ahead log.
func hasData(folder string) bool {
	entries, err := os.ReadDir(filepath.Join(folder, "member", "wal"))
	return err == nil && len(entries) > 0
}

// prepare waits until this server can found the cluster or join it. False where it was told to stop before.
func prepare(ctx context.Context, node thisNode, config *embed.Config) (bool, error) {
	said := ""
	for {
		others := node.others()
		members, url := membersOf(others)
		now := decide(situation{node, members, withMembers(others)})
		reason, err := now.reason, error(nil)
		switch now.step {
		case stepFound:
			return true, found(node, config)
		case stepAdd:
			members, err = add(node, url, now.remove)
		}
		if now.step != stepWait && err == nil {
			fmt.Printf("this server joins the data store by way of %s\n", url)
			config.ClusterState = embed.ClusterStateFlagExisting
			config.InitialCluster = initialCluster(node, members)
			return true, nil
		}
		if err != nil {
			reason = err.Error()
		}
		if reason != said {
			said = reason
			fmt.Printf("waiting: %s\n", reason)
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(pause):
		}
	}
}

// found makes a cluster of this member alone. Its token is drawn, so that no member of an earlier cluster at the same
// address takes this one for its own.
func found(node thisNode, config *embed.Config) error {
	token, err := newToken()
	if err != nil {
		return err
	}
	fmt.Println("this server founds the data store")
	config.ClusterState = embed.ClusterStateFlagNew
	config.InitialCluster = node.name + "=" + node.peerURL()
	config.InitialClusterToken = token
	return nil
}

func newToken() (string, error) {
	var drawn [16]byte
	if _, err := rand.Read(drawn[:]); err != nil {
		return "", err
	}
	return "thole-" + hex.EncodeToString(drawn[:]), nil
}

func memberConfig(node thisNode) *embed.Config {
	config := embed.NewConfig()
	config.Name = node.name
	config.Dir = dataFolder
	config.TickMs, config.ElectionMs = heartbeat, election
	config.QuotaBackendBytes = quota
	config.MaxLearners = mostLearners
	config.BootstrapDefragThresholdMegabytes = 100
	config.WarningUnaryRequestDuration = slow
	peer := address(node.address, peerPort)
	client := address(node.address, clientPort)
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.ListenClientUrls = []url.URL{address("127.0.0.1", clientPort), client}
	config.AdvertiseClientUrls = []url.URL{client}
	config.PeerTLSInfo = tlsOf("peer")
	config.ClientTLSInfo = tlsOf("server")
	// Where the data is there, what follows is not used; etcd wants it to name this member all the same.
	config.InitialCluster = node.name + "=" + node.peerURL()
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger())
	return config
}

// newLogger has lines for people, and none of the twenty that say in which function of etcd's an error came up.
func newLogger() *zap.Logger {
	form := zap.NewProductionEncoderConfig()
	form.EncodeTime = zapcore.ISO8601TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(form), zapcore.Lock(os.Stderr), zapcore.WarnLevel))
}

func address(host, port string) url.URL {
	return url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}
}

// tlsOf is a pair of the data store's authority: whoever comes must show a certificate of it as well.
func tlsOf(name string) transport.TLSInfo {
	return transport.TLSInfo{
		CertFile:       pkiFolder + "/etcd/" + name + ".crt",
		KeyFile:        pkiFolder + "/etcd/" + name + ".key",
		TrustedCAFile:  pkiFolder + "/etcd/ca.crt",
		ClientCertAuth: true,
	}
}

// run starts the member, and says that it is ready when it votes and its cluster has a leader.
func run(ctx context.Context, node thisNode, config *embed.Config) error {
	if err := os.MkdirAll(dataFolder, 0o700); err != nil {
		return err
	}
	member, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start with the data in %s: %w", dataFolder, err)
	}
	defer member.Close()
	if err := os.WriteFile(memberSign, nil, 0o644); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() { ready <- settle(member, node) }()
	for {
		select {
		case <-ctx.Done():
			letGo(member)
			return nil
		case <-member.Server.StopNotify():
			return errors.New("the member has stopped: where it was removed, or the data store was restored on another " +
				"server, `thole kubernetes rejoin` has this server take the others' data")
		case err := <-member.Err():
			return err
		case err := <-ready:
			if err != nil {
				return err
			}
			if err := notify("READY=1"); err != nil {
				return fmt.Errorf("tell the supervisor: %w", err)
			}
			ready = nil
		}
	}
}

// letGo is what a member does before it closes: one that leads hands that over, and one that has found no majority yet stops
// at once, where etcd itself would wait for the majority first.
func letGo(member *embed.Etcd) {
	select {
	case <-member.Server.ReadyNotify():
		if err := member.Server.TryTransferLeadershipOnShutdown(); err != nil {
			fmt.Printf("the others elect a leader: %v\n", err)
		}
	default:
		member.Server.HardStop()
	}
}

// settle waits until the member takes part, makes it vote, and corrects its address where that has changed.
func settle(member *embed.Etcd, node thisNode) error {
	<-member.Server.ReadyNotify()
	id := uint64(member.Server.MemberID())
	if member.Server.IsLearner() {
		promote(id, node.others)
		fmt.Println("this server is a member that votes")
	}
	self := member.Server.Cluster().Member(member.Server.MemberID())
	if self == nil || slices.Equal(self.PeerURLs, []string{node.peerURL()}) {
		return nil
	}
	fmt.Printf("this member's address was %v, and is %s by now\n", self.PeerURLs, node.peerURL())
	return with(localURL, func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.MemberUpdate(ctx, id, []string{node.peerURL()})
		return err
	})
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
