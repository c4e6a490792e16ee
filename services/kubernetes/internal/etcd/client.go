package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	// How long one question to a member may take. A member that has lost its leader needs an election first.
	patience = 8 * time.Second
	localURL = "https://127.0.0.1:" + clientPort
	pause    = time.Second
)

// clientTLS is a client of the data store's own authority; only servers have its key.
func clientTLS() transport.TLSInfo {
	return transport.TLSInfo{
		TrustedCAFile: pkiFolder + "/etcd/ca.crt",
		CertFile:      pkiFolder + "/etcd/healthcheck-client.crt",
		KeyFile:       pkiFolder + "/etcd/healthcheck-client.key",
	}
}

func clientConfig(urls ...string) (clientv3.Config, error) {
	certificates, err := clientTLS().ClientConfig()
	if err != nil {
		return clientv3.Config{}, fmt.Errorf("use the data store's certificates in %s/etcd: %w", pkiFolder, err)
	}
	return clientv3.Config{Endpoints: urls, DialTimeout: patience, TLS: certificates, Logger: zap.NewNop()}, nil
}

// with calls what is to be done with a client of one member.
func with(url string, do func(ctx context.Context, client *clientv3.Client) error) error {
	config, err := clientConfig(url)
	if err != nil {
		return err
	}
	client, err := clientv3.New(config)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	return do(ctx, client)
}

// membersOf asks the other servers for the members, and says which one has answered; nil where none does.
func membersOf(others []other) ([]*etcdserverpb.Member, string) {
	for _, one := range others {
		if !isServed(one.host(clientPort)) {
			continue
		}
		var found []*etcdserverpb.Member
		err := with(one.clientURL(), func(ctx context.Context, client *clientv3.Client) error {
			answer, err := client.MemberList(ctx)
			if err == nil {
				found = answer.Members
			}
			return err
		})
		if err == nil && len(found) > 0 {
			return found, one.clientURL()
		}
	}
	return nil, ""
}

// add has the member at `url` take this server in, as one that does not vote until it has all data, so that a server
// that never comes up costs the others nothing. Gives all members.
func add(node thisNode, url string, remove []uint64) ([]*etcdserverpb.Member, error) {
	var members []*etcdserverpb.Member
	err := with(url, func(ctx context.Context, client *clientv3.Client) error {
		for _, id := range remove {
			fmt.Printf("the member %x was this server before its data was lost: it is removed\n", id)
			if _, err := client.MemberRemove(ctx, id); err != nil {
				return fmt.Errorf("remove the member %x: %w", id, err)
			}
		}
		answer, err := client.MemberAddAsLearner(ctx, []string{node.peerURL()})
		if err != nil {
			return fmt.Errorf("add this server: %w", err)
		}
		members = answer.Members
		return nil
	})
	return members, err
}

// promote makes this member one that votes, as soon as it has what the others have.
func promote(id uint64, others func() []other) {
	said := ""
	for {
		last := errors.New("no other server is known to the mesh")
		for _, one := range others() {
			last = with(one.clientURL(), func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.MemberPromote(ctx, id)
				return err
			})
			if last == nil {
				return
			}
		}
		if last.Error() != said {
			said = last.Error()
			fmt.Printf("not yet a member that votes: %s\n", said)
		}
		time.Sleep(pause)
	}
}
