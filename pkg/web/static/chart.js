// Draws the chart of a signal's page: the value over the band of what is normal, anomalies shaded.
"use strict";

(() => {
  const box = document.getElementById("chart"), note = document.getElementById("chart-note");
  const hour = document.getElementById("hour");
  document.querySelectorAll(".week td[title]").forEach((td) => td.addEventListener("pointerenter", () => { hour.textContent = td.title; }));
  if (!box) return;
  const { selector, signal, match, unit, zone } = box.dataset, seconds = Number(box.dataset.seconds);
  const count = baseliner.countLabels(selector);

  // The units are those of quantity.go.
  const scales = {
    seconds: [[86400, " d"], [3600, " h"], [60, " min"], [1, " s"], [1e-3, " ms"], [1e-6, " µs"]],
    bytes: [[2 ** 40, " TiB"], [2 ** 30, " GiB"], [2 ** 20, " MiB"], [1024, " KiB"], [1, " B"]],
    ratio: [[0.01, " %"]], percent: [[1, " %"]],
  };
  const perSecond = /(^|_)per_second$/.test(unit), base = unit.replace(/_?per_second$/, "");
  function scale(magnitude) {
    let list = scales[base] || (base === "milliseconds" ? scales.seconds.map(([f, s]) => [f * 1000, s]) : null);
    if (!list) {
      const name = base && base !== "count" ? " " + base : "";
      list = magnitude >= 1e4 ? [[1e9, "G" + name], [1e6, "M" + name], [1e3, "k" + name]] : [[1, name]];
    }
    const fits = list.find(([f, s]) => magnitude >= f * (/ (min|h|d)$/.test(s) ? 2 : 1));
    const [factor, suffix] = fits || (magnitude === 0 && list.find(([f]) => f === 1)) || list[list.length - 1];
    return [factor, suffix + (perSecond ? "/s" : "")];
  }
  function text(v) {
    if (v == null || !Number.isFinite(v)) return "–";
    const [factor, suffix] = scale(Math.abs(v));
    return Number((v / factor).toPrecision(3)) + suffix;
  }

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  const finite = (values) => values.map((v) => Number.isFinite(v) ? v : null);

  async function load() {
    const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200];
    const step = steps.find((s) => seconds / s <= 720) || Math.ceil(seconds / 720);
    const end = Math.floor((Number(box.dataset.to) || Date.now() / 1000) / step) * step, start = Math.ceil((end - seconds) / step) * step;
    const ask = async (name, f) => {
      const query = f ? `${f}(baseliner_${name}${selector}[${step}s])` : `baseliner_${name}${selector}`;
      const found = await baseliner.range(query, count, start, end, step);
      return Object.values(found)[0] || new Array(Math.floor((end - start) / step) + 1).fill(null);
    };
    const average = step > 300 ? "avg_over_time" : "";
    const [value, expected, lower, upper, anomalies, annotations] = await Promise.all([
      ask("value", average), ask("expected"), ask("lower"), ask("upper"),
      baseliner.get("api/baseliner/v1/anomalies", { signal, match }),
      baseliner.get("api/baseliner/v1/annotations", { signal, match, from: start, to: end, limit: 200 }).catch(() => []), // the chart is worth more than its marks
    ]);
    const times = value.map((_, i) => start + i * step), bridge = Math.ceil(7200 / step); // history keeps a band an hour
    [expected, lower, upper].forEach((v) => baseliner.fill(v, bridge));
    const outside = value.map((v, i) => v != null && (v > (upper[i] ?? Infinity) || v < (lower[i] ?? -Infinity)));
    return {
      anomalies, annotations, data: [times, finite(upper), finite(lower), finite(expected), finite(value),
        finite(value).map((v, i) => outside[i] || outside[i - 1] || outside[i + 1] ? v : null)],
    };
  }

  let chart, shown;

  function shade(u) {
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.globalAlpha = 0.14;
    ctx.fillStyle = color("firing");
    for (const a of shown.anomalies) {
      const from = u.valToPos(Date.parse(a.starts_at) / 1000, "x", true);
      const to = a.ends_at ? u.valToPos(Date.parse(a.ends_at) / 1000, "x", true) : u.bbox.left + u.bbox.width;
      ctx.fillRect(from, u.bbox.top, Math.max(2, to - from), u.bbox.height);
    }
    ctx.restore();
  }

  // marks draws annotations: a line where something was done, a veil over what is not learnt, and what it says.
  function marks(u) {
    const { ctx } = u, { left, top, width, height } = u.bbox, ratio = uPlot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = ctx.strokeStyle = color("dim");
    ctx.textBaseline = "top";
    let free = left; // where the last text ended
    for (const a of shown.annotations) {
      const from = u.valToPos(Date.parse(a.start) / 1000, "x", true);
      const to = a.end ? u.valToPos(Date.parse(a.end) / 1000, "x", true) : left + width;
      if (a.type === "incident" || a.type === "ignore" || to > from) {
        ctx.globalAlpha = 0.1;
        ctx.fillRect(from, top, Math.max(2, to - from), height);
      }
      ctx.globalAlpha = 0.8;
      ctx.setLineDash(a.type === "deploy" ? [] : [4 * ratio, 3 * ratio]);
      ctx.lineWidth = ratio;
      ctx.beginPath();
      ctx.moveTo(from, top);
      ctx.lineTo(from, top + height);
      ctx.stroke();
      const x = Math.max(from, left) + 4 * ratio, says = `${a.type} ${a.text || ""}`.trim().slice(0, 32);
      if (x < free) continue; // it would be written over another
      ctx.fillText(says, x, top + 3 * ratio);
      free = x + ctx.measureText(says).width + 6 * ratio;
    }
    ctx.restore();
  }

  const at = (t) => uPlot.tzDate(new Date(t * 1e3), zone || "UTC"), powers = Array.from({ length: 60 }, (_, i) => 2 ** i);
  const day = uPlot.fmtDate("{WWW} {D} {MMM}"), clock = uPlot.fmtDate("{HH}:{mm}"), date = uPlot.fmtDate("{D} {MMM}");

  // days labels the time axis: the day is told where it begins, and at the left unless the next one is close.
  function days(u, splits, axis, space, increment) {
    const dates = splits.map(at), other = (a, b) => a && b && a.getDate() !== b.getDate();
    const begins = (i) => i ? other(dates[i], dates[i - 1]) : !other(dates[0], dates[1]) && !other(dates[0], dates[2]);
    return dates.map((d, i) => increment >= 86400 ? date(d) : clock(d) + (begins(i) ? "\n" + day(d) : ""));
  }

  // ticks labels the axis of values in one unit.
  function ticks(u, splits) {
    const [factor, suffix] = scale(Math.max(...splits.map(Math.abs)));
    return splits.map((v) => Number((v / factor).toPrecision(4)) + suffix);
  }

  function draw() {
    const axis = { stroke: color("dim"), grid: { stroke: color("rule"), width: 1 }, ticks: { stroke: color("rule"), width: 1 }, font: "12px system-ui, sans-serif" };
    const show = (u, v) => text(v);
    const options = {
      width: box.clientWidth - 20, height: 340,
      tzDate: at,
      cursor: { points: { size: 6 }, y: false },
      scales: { y: { range: (u, min, max) => min == null ? [0, 1] : uPlot.rangeNum(min, max, { min: { pad: 0.08, soft: min >= 0 ? 0 : undefined, mode: min >= 0 ? 1 : 0 }, max: { pad: 0.08 } }) } },
      axes: [{ ...axis, values: days }, { ...axis, size: 78, values: ticks, ...(base === "bytes" && { incrs: powers }) }],
      series: [
        { label: "time", value: "{WWW} {D} {MMM} {HH}:{mm}" },
        { label: "upper", stroke: color("band"), width: 1, points: { show: false }, value: show },
        { label: "lower", stroke: color("band"), width: 1, points: { show: false }, value: show },
        { label: "expected", stroke: color("mid"), width: 1.2, dash: [5, 4], points: { show: false }, value: show },
        { label: "value", stroke: color("line"), width: 1.7, points: { show: false }, value: show },
        { label: "", stroke: color("firing"), width: 2.2, points: { show: false }, value: () => "" },
      ],
      bands: [{ series: [1, 2], fill: color("band") }],
      hooks: { drawClear: [shade], draw: [marks] },
    };
    if (chart) chart.destroy();
    chart = new uPlot(options, shown.data, box); // the style sheet hides the red line from the legend: it is the value
  }

  async function update() {
    if (chart && (chart.cursor.left >= 0 || box.dataset.to || zoomed())) return; // somebody is looking closely
    try {
      shown = await load();
      const known = shown.data.slice(1, 5).some((s) => s.some((v) => v != null));
      const bounds = shown.data[1].some((v) => v != null) || shown.data[2].some((v) => v != null);
      note.textContent = !known ? "No results in this range yet." : bounds ? "" : "No band yet: still learning.";
      draw();
    } catch (e) {
      note.textContent = "Chart not drawn: " + e.message;
    }
  }

  const zoomed = () => chart.scales.x.min > chart.data[0][0] || chart.scales.x.max < chart.data[0][chart.data[0].length - 1];
  let width = 0;
  new ResizeObserver(() => {
    if (chart && box.clientWidth !== width) chart.setSize({ width: box.clientWidth - 20, height: 340 });
    width = box.clientWidth;
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && draw());
  let drawn = Date.now();
  document.addEventListener("baseliner:refresh", () => { if (Date.now() - drawn > 55_000) { drawn = Date.now(); update(); } });
  update();
})();
