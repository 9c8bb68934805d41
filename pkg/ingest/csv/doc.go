// Package csv reads series from CSV files: one series a file under the header timestamp,value[,label], or many side by
// side in a wide file. Columns are found by name, in any order. Files may be compressed with gzip, begin with a byte
// order mark and end their lines as Windows does. Rows are in ascending order of time (ReadWide sorts them, a stream
// cannot); a row that is repeated exactly counts once. Whatever is wrong is told as file:line: column: cause, and ends the reading.
package csv
