package otlp

// Recalled is how many times all series of a resource were known by heart.
func Recalled(r *Receiver) int {
	r.memo.mtx.Lock()
	defer r.memo.mtx.Unlock()
	return r.memo.recalled
}

// Remembered is how many bytes of series are known by heart, as they are counted.
func Remembered(r *Receiver) int {
	r.memo.mtx.Lock()
	defer r.memo.mtx.Unlock()
	return r.memo.young.bytes + r.memo.old.bytes
}
