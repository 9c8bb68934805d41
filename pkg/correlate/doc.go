// Package correlate says what moves with what once the season is gone, by how much, how late, and how sure that is.
//
// It works on hours. Of every series the hour-of-week mean of the other weeks is taken away; traffic is held equal; the
// lag is the peak of the pre-whitened cross-correlation; significance counts as many hours as autocorrelation and the
// baseline leave (w−1 of w weeks), all lags that were tried (Bonferroni) and all pairs of the evaluation (Benjamini and
// Hochberg); the effect is a regression with autoregressive errors. What is shown has an interval that allows for having been
// chosen (Benjamini and Yekutieli, 2005).
//
// It refuses to say more: relations are associations, each has a grade, and a pair without one has the smallest effect
// that would have been seen.
package correlate
