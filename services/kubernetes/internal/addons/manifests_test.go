package addons

import "testing"

var everything = map[string]string{
	"NODE_NAME": "n1", "NODE_ADDRESS": "10.41.0.1", "METRICS_PORT": "10251", "AUTHORITY": "Y2E=",
}

func TestManifestsAreWhole(t *testing.T) {
	for name := range switches(&options{}) {
		objects, err := objectsOf(name, everything)
		if err != nil || len(objects) == 0 {
			t.Fatalf("%s: %d objects, %v", name, len(objects), err)
		}
		for _, object := range objects {
			if object.GetKind() == "" || object.GetAPIVersion() == "" || object.GetName() == "" {
				t.Errorf("%s: an object without kind or name: %v", name, object)
			}
		}
	}
}

func TestManifestWithoutValueIsRefused(t *testing.T) {
	if _, err := objectsOf("metrics", map[string]string{"NODE_NAME": "n1"}); err == nil {
		t.Fatal("no error, though the address is not known")
	}
}

func TestStampFollowsSwitchesAndVersions(t *testing.T) {
	one := options{versions: "1.34.4-1.12.1", dns: true}
	other := one
	other.metrics = true
	if one.stampText() == other.stampText() {
		t.Error("a switch does not change the stamp")
	}
	other = one
	other.versions = "1.34.5-1.12.1"
	if one.stampText() == other.stampText() {
		t.Error("a version does not change the stamp")
	}
	other = one
	other.NodeAddress = "10.41.0.2"
	if one.stampText() == other.stampText() {
		t.Error("an address does not change the stamp")
	}
}
