package pipeline

import (
	"encoding/binary"
	"encoding/json"

	"github.com/baseliner/baseliner/pkg/incident"
)

// appendStories encodes the incidents that are followed, and the courses of all series, in the order of AppendBinary.
func (c *Core) appendStories(b []byte) ([]byte, error) {
	if c.stories == nil {
		return binary.AppendUvarint(b, 0), nil
	}
	text, err := json.Marshal(&c.stories.tracker)
	if err != nil {
		return nil, err
	}
	b = appendString(b, string(text))
	b = binary.AppendUvarint(b, uint64(len(c.signals)))
	for _, s := range c.signals {
		b = appendString(appendString(b, s.Def.Name), s.identity)
		b = binary.AppendUvarint(b, uint64(len(s.series)))
		for _, sr := range s.series {
			if b, err = binary.Append(appendString(b, sr.key), binary.LittleEndian, &sr.course); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// takeStories reads what appendStories wrote.
func (c *Core) takeStories(d *decoder) {
	text := d.string()
	if text == "" || d.err != nil {
		return
	}
	var tracker incident.Tracker
	if err := json.Unmarshal([]byte(text), &tracker); err != nil {
		d.err = err
		return
	}
	if c.stories != nil {
		c.stories.tracker = tracker
	}
	for range d.uvarint() {
		s := c.byName[d.string()]
		if identity := d.string(); s != nil && s.identity != identity {
			s = nil
		}
		for range d.uvarint() {
			key := d.string()
			var course incident.Course
			d.fixed(&course)
			if s != nil && s.byKey[key] != nil {
				s.byKey[key].course = course
			}
		}
	}
}
