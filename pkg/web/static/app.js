// Refreshes the page and draws the sparklines. What the page says is rendered by the server; without this script it
// says the same, standing still.
"use strict";

const baseliner = (() => {
  const refreshEvery = 10_000, sparkEvery = 60_000, sparkSeconds = 6 * 3600, sparkStep = 300;

  // number reads Prometheus' way of writing a value.
  const number = (s) => s === "+Inf" ? Infinity : s === "-Inf" ? -Infinity : Number(s);

  async function get(path, params) {
    const response = await fetch(path + "?" + new URLSearchParams(params), { headers: { Accept: "application/json" } });
    const body = await response.json();
    if (body.status !== "success") throw new Error(body.error || response.statusText);
    return body.data;
  }

  // range returns the values of the one series that has exactly the labels of the selector, as many as it names, as
  // an array on the grid start, start+step, …; null where there is none.
  async function range(query, count, start, end, step) {
    const data = await get("api/v1/query_range", { query, start, end, step });
    const found = data.result.filter((s) => Object.keys(s.metric).filter((n) => n !== "__name__").length === count);
    const series = {};
    for (const s of found) {
      const values = new Array(Math.floor((end - start) / step) + 1).fill(null);
      for (const [t, v] of s.values) values[Math.round((t - start) / step)] = number(v);
      series[s.metric.__name__ || ""] = values;
    }
    return series;
  }

  // countLabels tells how many labels a selector names: quoted text is dropped, then matchers counted.
  const countLabels = (selector) => selector.replace(/"(?:[^"\\]|\\.)*"/g, "q").split("=").length - 1;

  // fill draws through gaps of up to so many places: history keeps a band an hour.
  function fill(values, most) {
    let last = -1;
    values.forEach((v, i) => {
      if (v == null) return;
      if (last >= 0 && i - last > 1 && i - last <= most && Number.isFinite(v) && Number.isFinite(values[last]))
        for (let j = last + 1; j < i; j++) values[j] = values[last] + (v - values[last]) * (j - last) / (i - last);
      last = i;
    });
    return values;
  }

  const sparks = new Map(); // selector → {at, parts}

  async function drawSpark(svg) {
    const selector = svg.dataset.selector;
    const known = sparks.get(selector);
    if (known) paint(svg, known.parts);
    if (known && Date.now() - known.at < sparkEvery) return;
    const end = Math.floor(Date.now() / 1000 / sparkStep) * sparkStep, start = end - sparkSeconds;
    const named = selector.replace("{", '{__name__=~"baseliner_(value|lower|upper)",');
    sparks.set(selector, { at: Date.now(), parts: known ? known.parts : {} });
    try {
      const parts = await range(named, countLabels(selector), start, end, sparkStep);
      for (const edge of [parts.baseliner_lower, parts.baseliner_upper]) if (edge) fill(edge, 7200 / sparkStep);
      sparks.set(selector, { at: Date.now(), parts });
      document.querySelectorAll("svg.spark[data-selector]").forEach((s) => s.dataset.selector === selector && paint(s, parts));
    } catch (e) {
      sparks.delete(selector);
      console.warn("sparkline not drawn", selector, e);
    }
  }

  function paint(svg, parts) {
    const value = parts.baseliner_value || [], lower = parts.baseliner_lower || [], upper = parts.baseliner_upper || [];
    const n = Math.max(value.length, upper.length, lower.length);
    const finite = [value, lower, upper].flat().filter(Number.isFinite);
    if (!finite.length) return svg.replaceChildren();
    let low = Math.min(...finite), high = Math.max(...finite);
    if (low === high) { low -= Math.abs(low) / 10 || 1; high += Math.abs(high) / 10 || 1; }
    const x = (i) => (i / (n - 1) * 180).toFixed(1), y = (v) => (28 - (Math.min(high, Math.max(low, v)) - low) / (high - low) * 26).toFixed(1);
    let band = "", line = "", out = "", pen = false, red = false, run = [];
    const close = () => {
      if (run.length > 1) band += "M" + run.map((i) => x(i) + " " + y(upper[i])).join("L") + "L" + run.reverse().map((i) => x(i) + " " + y(lower[i])).join("L") + "Z";
      run = [];
    };
    for (let i = 0; i < n; i++) {
      const known = lower[i] != null && upper[i] != null && (Number.isFinite(lower[i]) || Number.isFinite(upper[i]));
      known ? run.push(i) : close();
      const v = value[i];
      if (!Number.isFinite(v)) { pen = red = false; continue; }
      line += (pen ? "L" : "M") + x(i) + " " + y(v);
      pen = true;
      const outside = known && (v > upper[i] || v < lower[i]);
      if (outside) out += (red ? "L" : Number.isFinite(value[i - 1]) ? "M" + x(i - 1) + " " + y(value[i - 1]) + "L" : "M") + x(i) + " " + y(v);
      red = outside;
    }
    close();
    svg.replaceChildren(...[["band", band], ["line", line], ["out", out]].filter(([, d]) => d).map(([c, d]) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", c);
      path.setAttribute("d", d);
      return path;
    }));
  }

  // Only what is on the screen is asked for.
  const visible = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && drawSpark(e.target)), { rootMargin: "200px" });
  const watch = () => { visible.disconnect(); document.querySelectorAll("svg.spark[data-selector]").forEach((s) => visible.observe(s)); };

  let lostSince = null;
  async function refresh() {
    if (document.hidden) return;
    const lost = document.getElementById("lost");
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!response.ok) throw new Error(response.status + " " + response.statusText);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      const open = [...document.querySelectorAll("#live details[open]")].map((d) => d.id);
      const active = document.activeElement, focus = active && active.id;
      if (active && active.id === "q") return; // do not take the text from under the fingers
      document.getElementById("live").replaceChildren(...fresh.getElementById("live").childNodes);
      document.title = fresh.title;
      open.forEach((id) => { const d = document.getElementById(id); if (d) d.open = true; });
      if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
      lostSince = null;
      lost.hidden = true;
      watch();
      document.dispatchEvent(new Event("baseliner:refresh"));
    } catch (e) {
      lostSince = lostSince || new Date();
      lost.textContent = "Baseliner has not answered since " + lostSince.toLocaleTimeString() + " (" + e.message + "). What you see is what it said before.";
      lost.hidden = false;
    }
  }

  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, refreshEvery);
  watch();
  return { get, range, fill, countLabels };
})();
