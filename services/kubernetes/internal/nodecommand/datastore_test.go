package nodecommand

import (
	"strings"
	"testing"
)

func TestMembersOfTheDataStore(t *testing.T) {
	found := membersFrom([]byte(`[{"name":"a","role":"leader","size":2048},{"name":"b","role":"follower","error":"away"},
		{"name":"c","role":"follower","size":8589934592},{"name":"","role":"learner","size":0}]`))
	wanted := []struct {
		what, detail string
		ok           bool
	}{
		{"data store", "3 of 4 members vote; 1 may be lost", true},
		{"data store on a", "leader, 2 KiB", true},
		{"data store on b", "away", false},
		{"data store on c", "8192 MiB are more", false},
		{"data store, a new member", "learner, 0 KiB", true},
	}
	if len(found) != len(wanted) {
		t.Fatalf("%+v", found)
	}
	for at, one := range wanted {
		if found[at].What != one.what || found[at].OK != one.ok || !strings.Contains(found[at].Detail, one.detail) {
			t.Errorf("%+v, wanted %+v", found[at], one)
		}
	}
	if found := membersFrom([]byte("no")); len(found) != 1 || found[0].OK {
		t.Errorf("%+v", found)
	}
}
