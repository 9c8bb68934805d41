// Package baseline learns what is normal for one series at this hour of this week, and says how far a point is from it.
//
// It has two states. The slow model is a fold over hourly summaries: a level that follows growth, a profile of the day
// and the deviations of the week from it, a scale for every hour of the week, and the tail of what the series usually
// does. Folding the same summaries in the same order gives the same bits, so history can be replaced, forgotten or
// completed and the model made anew. The fast state is stepped with every point: the recent course (minutes) and the
// summary of the hour that is still open.
//
// Nothing here knows a clock, an alert or a store. One Model serves one series and is not safe for concurrent use.
package baseline
