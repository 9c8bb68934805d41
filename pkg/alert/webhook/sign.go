package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Headers of the Standard Webhooks specification. The id stays the same over retries: it is the key to recognise a
// repetition by. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// Bounds of a secret in bytes, as the specification has them.
const (
	shortestSecret = 24
	longestSecret  = 64
)

// ReadSecrets reads the keys that sign messages: one a line, each "whsec_" and base64. Several sign side by side while
// one replaces the other. Errors never show a secret.
func ReadSecrets(path string) (keys [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secret_file: %w", err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		text, prefixed := strings.CutPrefix(strings.TrimSpace(line), "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if !prefixed || err != nil {
			return nil, fmt.Errorf("secret_file: line %d is not whsec_ and base64", i+1)
		}
		if len(key) < shortestSecret || len(key) > longestSecret {
			return nil, fmt.Errorf("secret_file: line %d holds %d bytes, want %d to %d", i+1, len(key), shortestSecret, longestSecret)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("secret_file: it is empty")
	}
	return keys, nil
}

// sign sets the headers of a message.
func sign(h http.Header, keys [][]byte, id string, at time.Time, body []byte) {
	ts := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerID, id)
	h.Set(headerTimestamp, ts)
	if len(keys) == 0 {
		return
	}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(id + "." + ts + "."))
		m.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	h.Set(headerSignature, strings.Join(signatures, " "))
}
