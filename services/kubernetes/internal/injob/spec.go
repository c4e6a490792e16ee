package injob

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// specOf is the container as runc takes it (OCI runtime specification): all rights, as a node needs them, but its own
// view of everything. The network namespace is the one that runc is started in.
func specOf(p plan, cgroup string) *specs.Spec {
	inMemory := func(place string, options ...string) specs.Mount {
		return specs.Mount{Destination: place, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	allowed := specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}
	rights := capabilities()
	return &specs.Spec{
		Version:  specs.Version,
		Hostname: nodeName(),
		Root:     &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Cwd:  "/",
			Args: []string{"/sbin/init"},
			Env:  []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=oci"},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: rights, Effective: rights, Permitted: rights,
			},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs"},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"},
			inMemory("/dev", "mode=755"),
			inMemory("/run"),
			inMemory("/tmp"),
			{Destination: "/var", Type: "bind", Source: filepath.Join(p.folder(), "var"), Options: []string{"rbind", "rw"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: cgroup,
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.CgroupNamespace},
			},
			Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{allowed}},
		},
	}
}

func writeSpec(p plan, cgroup string) error {
	content, err := json.Marshal(specOf(p, cgroup))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.folder(), "config.json"), content, 0o600)
}

// capabilities are all of capabilities(7).
func capabilities() []string {
	names := []string{
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
		"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
		"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
		"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
		"CHECKPOINT_RESTORE",
	}
	for index, name := range names {
		names[index] = "CAP_" + name
	}
	return names
}
