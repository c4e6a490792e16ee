package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"text/tabwriter"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const connectWithin = 3 * time.Second

// memberState is a line of the table; `thole kubernetes health` reads it as JSON.
type memberState struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Role    string `json:"role"` // leader, follower, learner
	Size    int64  `json:"size"` // of the data on its disk
	Error   string `json:"error,omitempty"`
}

func membersVerb(arguments []string) error {
	set := flag.NewFlagSet("etcd members", flag.ContinueOnError)
	asJSON := set.Bool("json", false, "an array of name, address, role, size, error")
	if _, err := parse(set, arguments, 0); err != nil {
		return err
	}
	if _, err := readNode(); err != nil {
		return err
	}
	states, err := memberStates()
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(states)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, one := range states {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d KiB\t%s\n", one.Name, one.Address, one.Role, one.Size>>10, one.Error)
	}
	return table.Flush()
}

// memberStates asks this server's member who the others are, and each how it is.
func memberStates() ([]memberState, error) {
	var members []*etcdserverpb.Member
	err := with(localURL, func(ctx context.Context, client *clientv3.Client) error {
		answer, err := client.MemberList(ctx)
		if err == nil {
			members = answer.Members
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask this server's member (%s): %w", localURL, err)
	}
	var states []memberState
	for _, member := range members {
		states = append(states, stateOfMember(member))
	}
	return states, nil
}

func stateOfMember(member *etcdserverpb.Member) memberState {
	state := memberState{Name: member.Name, Role: "follower"}
	if member.IsLearner {
		state.Role = "learner"
	}
	if len(member.PeerURLs) > 0 {
		state.Address = member.PeerURLs[0]
	}
	if len(member.ClientURLs) == 0 {
		state.Error = "it was added and has not started yet"
		return state
	}
	err := with(member.ClientURLs[0], func(ctx context.Context, client *clientv3.Client) error {
		status, err := client.Status(ctx, member.ClientURLs[0])
		if err != nil {
			return err
		}
		state.Size = status.DbSize
		if status.Leader == member.ID {
			state.Role = "leader"
		}
		if len(status.Errors) > 0 {
			state.Error = fmt.Sprint(status.Errors)
		}
		return nil
	})
	if err != nil {
		state.Error = err.Error()
	}
	return state
}

// leaveVerb takes this server's member out, so that the others count one less. The last one stays.
func leaveVerb(arguments []string) error {
	if _, err := parse(flag.NewFlagSet("etcd leave", flag.ContinueOnError), arguments, 0); err != nil {
		return err
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	return with(localURL, func(ctx context.Context, client *clientv3.Client) error {
		answer, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		if len(answer.Members) == 1 {
			return errors.New("this server's member is the only one: without it there is no cluster to leave")
		}
		for _, member := range answer.Members {
			if member.Name != node.name {
				continue
			}
			if _, err := client.MemberRemove(ctx, member.ID); err != nil {
				return fmt.Errorf("remove this server's member: %w", err)
			}
		}
		return nil
	})
}

// isServed says whether anybody listens there.
func isServed(host string) bool {
	connection, err := net.DialTimeout("tcp", host, connectWithin)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
