// Charts in SVG. Text is set as text, never as markup: keys and tags are anybody's.

const WIDTH = 440;
const WIDE = 940;  // of a chart across two columns
const HEIGHT = 150;
const LEFT = 54;
const BOTTOM = 18;
const SERIES = ["one", "two", "three", "four"];

function svg(name, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  return element;
}

function canvas(label, width = WIDTH) {
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label });
}

// Marks across the chart: `at` are places from 0 (bottom) to 1 (top) with their texts.
function marks(at, width = WIDTH) {
  const group = svg("g");
  for (const [place, text] of at) {
    const y = up(place);
    group.append(svg("line", { class: "grid", x1: LEFT, x2: width, y1: y, y2: y }));
    group.append(svg("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end" }, text));
  }
  return group;
}

const up = (share) => 6 + (HEIGHT - BOTTOM - 6) * (1 - Math.min(1, Math.max(0, share)));

function across(times, width = WIDTH) {
  const first = times[0];
  const span = Math.max(1, times[times.length - 1] - first);
  return (time) => LEFT + ((width - LEFT) * (time - first)) / span;
}

function axis(times, width = WIDTH) {
  const group = svg("g");
  const span = times[times.length - 1] - times[0];
  group.append(svg("text", { x: LEFT, y: HEIGHT - 4 }, span < 1 ? "" : `${seconds(span)} ago`));
  group.append(svg("text", { x: width, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
  return group;
}

const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

// Lines of shares over time; null is a gap.
function lines(label, times, series, scale) {
  const chart = canvas(label);
  chart.append(marks(scale));
  if (times.length > 1) {
    const x = across(times);
    chart.append(axis(times));
    series.forEach((values, index) => {
      let path = "";
      let open = false;
      values.forEach((value, at) => {
        if (value === null) { open = false; return; }
        path += `${open ? "L" : "M"}${point(x(times[at]), up(value))}`;
        open = true;
      });
      if (path) chart.append(svg("path", { class: `line ${SERIES[index % 4]}`, d: path }));
    });
  }
  return chart;
}

// Areas on top of each other: each of `series` has shares over time, null where there are none.
function stacked(label, times, series, scale, width = WIDTH) {
  const chart = canvas(label, width);
  chart.append(marks(scale, width));
  if (times.length > 1 && series.length) {
    const x = across(times, width);
    chart.append(axis(times, width));
    const below = times.map(() => 0);
    series.forEach((values, index) => {
      let last = values.find((value) => value !== null) ?? 0;
      const tops = values.map((value, at) => {
        last = value === null ? last : value;  // where nobody asked it is as it was
        return below[at] + last;
      });
      const top = tops.map((value, at) => point(x(times[at]), up(value)));
      const bottom = below.map((value, at) => point(x(times[at]), up(value))).reverse();
      chart.append(svg("path", { class: `area ${SERIES[index % 4]}`, d: `M${top.join("L")}L${bottom.join("L")}Z` }));
      tops.forEach((value, at) => { below[at] = value; });
    });
  }
  return chart;
}

// Miss ratios of other sizes, with how far they may be off.
function curve(label, steps, name) {
  const chart = canvas(label);
  const most = Math.max(0.01, ...steps.map((step) => Math.min(1, step.miss_ratio + step.bound)));
  chart.append(marks([[0, "0 %"], [0.5, percent(most / 2)], [1, percent(most)]]));
  const x = (at) => LEFT + 30 + ((WIDTH - LEFT - 60) * at) / Math.max(1, steps.length - 1);
  const y = (ratio) => up(ratio / most);
  const path = steps.map((step, at) => point(x(at), y(step.miss_ratio))).join("L");
  if (steps.length) chart.append(svg("path", { class: "line one", d: `M${path}` }));
  steps.forEach((step, at) => {
    const place = x(at);
    const ends = { x1: place, x2: place, y1: y(step.miss_ratio - step.bound), y2: y(step.miss_ratio + step.bound) };
    chart.append(svg("line", { class: "line two", ...ends }));
    const dot = svg("circle", { class: step.factor === 1 ? "dot three" : "dot one", cx: place, cy: y(step.miss_ratio), r: 4 });
    chart.append(dot);
    chart.append(svg("text", { x: place, y: HEIGHT - 4, "text-anchor": "middle" }, name(step)));
  });
  return chart;
}
