package addons

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"thole/services/kubernetes/internal/atomicfile"
)

// stampText says what there is to be in the cluster, and by which node.
func (o *options) stampText() string {
	return fmt.Sprintf("%s dns=%t metrics=%t local-storage=%t network-policy=%t %s %s\n", o.versions, o.dns, o.metrics,
		o.localStorage, o.networkPolicy, o.NodeName, o.NodeAddress)
}

func readStamp(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// leaveStamp says what is in the cluster now. The file lies on the same disk as the data store, so both are lost or kept
// together.
func leaveStamp(path, text string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, []byte(text), 0o644)
}

func hostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
