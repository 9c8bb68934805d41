// Package report turns what the other packages know into pages for people: a document of paragraphs, tables and charts, written as
// markdown, as one HTML file that needs nothing else, as JSON with the version of the method, or as CSV with the numbers behind
// every chart. It computes sums and words, and no statistics.
package report
