package calendar

import "testing"

func TestOutlookZonesExist(t *testing.T) {
	r := &icsReader{}
	for name, want := range outlook {
		loc, err := r.zone(name)
		if err != nil || loc.String() != want {
			t.Errorf("%s: %v, %v; want %s", name, loc, err, want)
		}
		if _, err := Load(want); err != nil {
			t.Error(err)
		}
	}
}
