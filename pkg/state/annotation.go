package state

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

var annotationsBucket = []byte("annotations")

// Annotation is what people and pipelines tell about the world. Times are unix milliseconds.
type Annotation struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"` // deploy, event, incident or ignore
	Start  int64             `json:"start"`
	End    int64             `json:"end"` // behind the last instant; equal to Start for an instant, 0 while it lasts
	Text   string            `json:"text,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
	Labels map[string]string `json:"labels,omitempty"` // of the series it is about; all when empty
}

// PutAnnotation stores an annotation, replacing the one of the same id.
func PutAnnotation(tx *bbolt.Tx, a *Annotation) error {
	b, err := tx.CreateBucketIfNotExists(annotationsBucket)
	if err != nil {
		return err
	}
	v, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode annotation: %w", err)
	}
	return b.Put([]byte(a.ID), v)
}

// DropAnnotation forgets an annotation.
func DropAnnotation(tx *bbolt.Tx, id string) error {
	b := tx.Bucket(annotationsBucket)
	if b == nil {
		return nil
	}
	return b.Delete([]byte(id))
}

// Annotations returns all annotations, in the order of their ids. One that cannot be read is passed over and told.
func Annotations(tx *bbolt.Tx, damaged func(id string, err error)) ([]Annotation, error) {
	b := tx.Bucket(annotationsBucket)
	if b == nil {
		return nil, nil
	}
	var all []Annotation
	err := b.ForEach(func(k, v []byte) error {
		var a Annotation
		if err := json.Unmarshal(v, &a); err != nil || a.ID != string(k) {
			damaged(string(k), err)
			return nil
		}
		all = append(all, a)
		return nil
	})
	return all, err
}
