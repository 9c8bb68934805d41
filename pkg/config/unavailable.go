package config

// refuse says that a key works in a later version, if the file asks for what it does.
func (l *loader) refuse(path string, asked bool) {
	if asked {
		l.fail(path, "", "is not available yet")
	}
}

// notYet validates and refuses what the contract promises and this version cannot do. Values that ask for nothing, such
// as enabled: false, pass.
func (l *loader) notYet(s *fileSchema) {
	l.refuse("state.bucket", isSet(s.State.Bucket))
	l.notYetCluster(&s.Cluster)
}

func (l *loader) notYetCluster(s *clusterSchema) {
	if s.Members < 1 {
		l.fail("cluster.members", "", "%d is less than 1", s.Members)
	}
	if s.Member < 0 || s.Member >= max(s.Members, 1) {
		l.fail("cluster.member", "members count from 0", "%d is not one of %d members", s.Member, s.Members)
	}
	if s.Replication < 1 {
		l.fail("cluster.replication", "", "%d is less than 1", s.Replication)
	}
	l.refuse("cluster.members", s.Members > 1)
	l.refuse("cluster.replication", s.Replication > 1)
	l.refuse("cluster.shard_by", len(s.ShardBy) > 0)
}
