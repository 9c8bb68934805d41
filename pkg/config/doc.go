// Package config loads the configuration file: strictly, all problems at once, each with its line, key path, cause and,
// where one is known, a suggestion.
//
// A file goes through four steps. It is parsed into nodes; aliases, merge keys and environment variables are resolved,
// so that everything after sees one plain tree; the tree is decoded into structs whose fields are the only keys allowed;
// meaning is checked: expressions are parsed, routes find their receivers, files can be read. Blocks whose syntax belongs
// to Prometheus or Alertmanager are handed to those libraries, and what they say is translated back to lines of the file.
//
// What the configuration may say but this version cannot do yet is parsed and validated like everything else, then
// refused as "not available yet": nothing is ever silently ignored.
package config
