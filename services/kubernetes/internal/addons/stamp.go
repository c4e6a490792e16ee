package addons

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// leaveStamp makes the file that says the add-ons are in the cluster. It lies on the same disk as the data store, so
// both are lost or kept together.
func leaveStamp(path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func hostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
