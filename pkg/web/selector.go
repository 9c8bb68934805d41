package web

import (
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/baseliner/baseliner/pkg/series"
)

// selector writes labels as a PromQL selector that parses back to exactly these values, whatever they hold. In ASCII,
// because PromQL refuses U+FFFD, which stands for bytes that were no UTF-8.
func selector(ls series.Labels) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteByte(',')
		}
		if model.LegacyValidation.IsValidLabelName(l.Name) {
			b.WriteString(l.Name)
		} else {
			b.WriteString(strconv.QuoteToASCII(l.Name))
		}
		b.WriteByte('=')
		b.WriteString(strconv.QuoteToASCII(valid(l.Value)))
	}
	b.WriteByte('}')
	return b.String()
}
