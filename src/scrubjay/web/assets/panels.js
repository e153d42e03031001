// The panels: each is built once, and shows a cache anew each second.

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);  // strings become text
  return element;
}

// Named figures. The exact value stands in data-value, for whoever compares.
function figures(list) {
  return make("dl", { class: "figures" }, ...list.map(([name, label, text, value]) =>
    make("div", {}, make("dt", {}, label), make("dd", { "data-figure": name, "data-value": String(value) }, text))));
}

function legend(names) {
  return make("ul", { class: "legend" }, ...names.map((name, at) =>
    make("li", { class: SERIES[at % 4] }, make("span", {}, name))));
}

// A table; a column whose title begins with # has numbers.
function table(caption, titles, rows) {
  const kind = (title) => (title.startsWith("#") ? { class: "number" } : {});
  const head = titles.map((title) => make("th", { scope: "col", ...kind(title) }, title.replace("#", "")));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, at) => make("td", kind(titles[at]), cell))));
  const whole = make("table", { "aria-label": caption }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  return make("div", { class: "scroll" }, whole);
}

const none = (text) => make("p", { class: "faint" }, text);

// Changes between looks: shares of requests that hit, by tier.
function shares(samples) {
  const tiers = Math.max(1, ...samples.map((sample) => sample[2].length));
  const series = Array.from({ length: tiers }, () => []);
  samples.forEach((sample, at) => {
    const before = samples[Math.max(0, at - 5)];  // over five seconds, or it flickers
    const asked = sample[1] - before[1];
    series.forEach((values, tier) => {
      const hits = (sample[2][tier] ?? 0) - (before[2][tier] ?? 0);
      values.push(asked > 0 && hits >= 0 ? hits / asked : null);
    });
  });
  return series;
}

const PERCENT = [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]];

function hitRate({ detail, samples, row }) {
  const { performance } = detail.statistics;
  const tiers = Object.keys(row.tiers);
  const series = shares(samples);
  const lately = Math.min(1, series.reduce((sum, values) => sum + (values[values.length - 1] ?? 0), 0));
  const label = `Hit rate over time: ${percent(lately)} lately, ${percent(performance.hit_rate)} in all`;
  return [
    figures([
      ["hit_rate", "since it was made", percent(performance.hit_rate, 2), performance.hit_rate],
      ["lately", "last seconds", percent(lately), lately],
      ["total_requests", "requests", count(performance.total_requests), performance.total_requests],
      ["cache_hits", "hits", count(performance.cache_hits), performance.cache_hits],
      ["cache_misses", "misses", count(performance.cache_misses), performance.cache_misses],
    ]),
    stacked(label, samples.map((sample) => sample[0]), series, PERCENT, innerWidth < 830 ? WIDTH : WIDE),
    legend(tiers),
  ];
}

function latency({ detail, samples }) {
  const { performance, latency: kinds } = detail.statistics;
  const scale = (value) => (value > 0 ? (Math.log10(value) + 5) / 9 : null);  // 10 ns to 10 s, in ms
  const at = [["1e-4", "100 ns"], ["1e-2", "10 µs"], ["1", "1 ms"], ["1e2", "100 ms"]];
  const series = [4, 5, 6].map((column) => samples.map((sample) => scale(sample[column])));
  const names = ["p50", "p99", "p999"];
  const now = names.map((name) => [`${name}_latency_ms`, name, seconds(performance[`${name}_latency_ms`] / 1e3), performance[`${name}_latency_ms`]]);
  const rows = Object.entries(kinds).map(([kind, each]) =>
    [kind, count(each.count), ...["p50_ms", "p99_ms", "p999_ms"].map((name) => seconds(each[name] / 1e3))]);
  return [
    figures(now),
    lines(`Latency of requests: ${now.map(([, name, text]) => `${name} ${text}`).join(", ")}`,
      samples.map((sample) => sample[0]), series, at.map(([value, text]) => [scale(Number(value)), text])),
    legend(names),
    table("Latencies", ["of", "#timed", "#p50", "#p99", "#p999"], rows),
  ];
}

function memory({ detail, samples }) {
  const { memory: it } = detail.statistics;
  const limit = it.max_size_mb === null ? null : it.max_size_mb * 1048576;
  const used = it.current_size_mb * 1048576;
  const most = limit ?? Math.max(1, ...samples.map((sample) => sample[3]));
  const label = `Memory over time: ${bytes(used)} of ${limit === null ? "no bound" : bytes(limit)}`;
  return [
    figures([
      ["current_size_mb", "in use", bytes(used), it.current_size_mb],
      ["max_size_mb", "bound", limit === null ? "none" : bytes(limit), it.max_size_mb],
      ["entry_count", "entries", count(it.entry_count), it.entry_count],
      ["max_entries", "bound on entries", it.max_entries === null ? "none" : count(it.max_entries), it.max_entries],
      ["utilization_percentage", "full", `${it.utilization_percentage.toFixed(1)} %`, it.utilization_percentage],
    ]),
    stacked(label, samples.map((sample) => sample[0]), [samples.map((sample) => sample[3] / most)],
      [[0, "0"], [0.5, bytes(most / 2)], [1, bytes(most)]]),
  ];
}

function advice({ detail }) {
  const it = detail.advice;
  if (it === null) {
    const adaptive = detail.statistics.configuration.eviction_strategy === "adaptive";
    return [none(adaptive ? "The node gathers no evidence: it does while somebody looks there, or after advise()." : "Only ADAPTIVE simulates other sizes.")];
  }
  const size = (step) => (it.in_bytes ? bytes(step.memory) : `${short(step.memory)} entries`);
  const [twice] = it.steps.filter((step) => step.factor === 2);
  const [half] = it.steps.filter((step) => step.factor === 0.5);
  const words = [];
  if (twice) {
    words.push(twice.hits > 0 && twice.miss_ratio + twice.bound < it.steps.find((step) => step.factor === 1).miss_ratio
      ? `Twice the memory would hit ${count(twice.hits)} more.` : "Twice the memory would gain nothing that is certain.");
  }
  if (half) words.push(`Half of it would hit ${count(-half.hits)} fewer.`);
  return [
    make("p", { "data-figure": "advice" }, words.join(" ") || "There is no advice yet."),
    ...(it.steps.length ? [curve(`Miss ratio by size: ${it.steps.map((step) => `${size(step)} ${percent(step.miss_ratio)}`).join(", ")}`, it.steps, size)] : []),
    none(it.reason),
  ];
}

function removals({ detail }) {
  const causes = Object.entries(detail.statistics.performance.removals_by_cause);
  const most = Math.max(1, ...causes.map(([, value]) => value));
  const rows = causes.map(([cause, value]) => {
    const meter = make("meter", { max: most, value, "aria-hidden": "true" });
    const cell = make("span", { "data-figure": `removals.${cause}`, "data-value": String(value) }, count(value));
    return [cause, cell, meter];
  });
  return [table("Removals by cause", ["cause", "#entries", ""], rows)];
}

// Further numbers, as they come.
function numbers(details) {
  const rows = Object.entries(details).filter(([, value]) => typeof value === "number")
    .map(([name, value]) => [name.replaceAll("_", " "), Number.isInteger(value) ? count(value) : value.toPrecision(3)]);
  return rows.length ? [table("Details", ["", "#"], rows)] : [];
}

function prefetch({ detail }) {
  const it = detail.statistics.prefetch;
  if (!it.enabled) return [none("Prefetching is off.")];
  const total = it.used + it.wasted;
  return [
    figures([
      ["prefetch_accuracy", "accuracy", total ? percent(it.accuracy) : "–", it.accuracy],
      ["prefetch_used", "used", count(it.used), it.used],
      ["prefetch_wasted", "wasted", count(it.wasted), it.wasted],
      ["prefetch_waiting", "not used yet", count(it.waiting), it.waiting],
    ]),
    ...(total || it.waiting ? [] : [none("Nothing was fetched ahead so far.")]),
    ...numbers(it.details ?? {}),
  ];
}

function tuner({ detail }) {
  const it = detail.explanation;
  const ways = Object.entries(it.alternatives).map(([way, ratio]) =>
    [way === it.way ? make("strong", {}, `${way} (now)`) : way, percent(ratio, 2)]);
  const changes = detail.rounds.filter((round) => Object.keys(round.changed).length).reverse();
  const rounds = detail.statistics.optimization.optimization_cycles;
  return [
    make("p", { "data-figure": "reason" }, it.reason),
    ...(ways.length ? [table("What each way would have hit", ["way", "#would have hit"], ways)] : []),
    none(`${several(rounds, "round")} of optimization, ${several(it.changes, "change")} of way`),
    ...changes.slice(0, 5).map((round) =>
      make("p", { class: "faint" }, `${clock(Date.parse(round.timestamp) / 1e3)}: ${(round.changed.way ?? []).join(" → ")} at ${percent(round.hit_rate)}`)),
  ];
}

function loads({ detail }) {
  const it = detail.statistics.loads;
  const good = it.count - it.errors;
  const rows = detail.slowest.map((load) => [load.key, seconds(load.seconds),
    load.outcome === "ok" ? "ok" : make("span", { class: "bad" }, load.outcome), clock(load.at)]);
  return [
    figures([
      ["loads.count", "loads", count(it.count), it.count],
      ["loads.errors", "failed", count(it.errors), it.errors],
      ["loads.under_way", "under way", count(it.under_way), it.under_way],
      ["loads.stale_served", "old values served", count(it.stale_served), it.stale_served],
      ["loads.mean", "mean", good ? seconds(it.seconds / it.count) : "–", it.seconds],
    ]),
    rows.length ? table("Slowest loads", ["slowest", "#took", "", "#at"], rows) : none("No load since somebody looks."),
  ];
}

function hot({ detail }) {
  const it = detail.statistics.hot;
  const rows = (labels) => labels.slice(0, 8).map((label) => [label.name, short(label.uses), short(label.entries)]);
  return [
    it.tags.length ? table("Hottest tags", ["tag", "#uses", "#entries"], rows(it.tags)) : none("No tags."),
    table("Hottest namespaces", ["namespace", "#uses", "#entries"], rows(it.namespaces)),
    none(`of a sample of ${count(it.sampled)} entries`),
  ];
}

function consistency({ detail }) {
  const it = detail.statistics.consistency;
  return [figures([
    ["consistency.level", "level", it.level, it.level],
    ["consistency.conflicts", "reads refused", count(it.conflicts), it.conflicts],
    ["consistency.invalidated", "invalidated", count(it.invalidated), it.invalidated],
  ])];
}

function tiers({ detail }) {
  const rows = Object.entries(detail.statistics.tiers).map(([name, it]) => {
    const asked = it.hits + it.misses;
    const figure = (key, text) => make("span", { "data-figure": `tiers.${name}.${key}`, "data-value": String(it[key]) }, text);
    return [name, it.state === "ok" ? "ok" : make("span", { class: "bad" }, it.state), asked ? percent(it.hits / asked) : "–",
      figure("hits", short(it.hits)), figure("misses", short(it.misses)), short(it.entries), bytes(it.bytes),
      short(it.writes), short(it.errors), short(it.skipped), short(it.undecodable), short(it.owed)];
  });
  return [table("Tiers", ["tier", "state", "#hit rate", "#hits", "#misses", "#entries", "#size", "#writes", "#errors", "#skipped", "#unreadable", "#owed"], rows)];
}

function recent({ detail }) {
  if (!detail.recent.length) return [none("Nothing out of the ordinary since somebody looks.")];
  const rows = detail.recent.slice(0, 12).map((it) =>
    [clock(it.at), it.times > 1 ? `${it.kind} × ${count(it.times)}` : it.kind, [it.tier, it.detail].filter(Boolean).join(": ")]);
  return [table("What happened", ["at", "what", ""], rows)];
}

const PANELS = [
  ["Hit rate", hitRate, "wide"], ["Latency", latency], ["Memory", memory],
  ["More memory?", advice], ["What it does, and why", tuner], ["Removals", removals],
  ["Loads", loads, "wide"], ["Tiers", tiers, "wide"], ["Hottest", hot], ["Prefetching", prefetch],
  ["Consistency", consistency], ["Out of the ordinary", recent, "wide"],
];

// What is known of one key.
function known(it) {
  if (it === null) return [none("The cache is gone.")];
  if (it.elsewhere) return [none(it.elsewhere)];
  const rows = [["key", it.key], ["type", it.type], ["where", it.where.join(", ") || "nowhere"], ["why", it.why]];
  if (it.loading) rows.push(["loading", "a load is under way"]);
  const entry = it.memory;
  if (entry !== null) {
    rows.push(["value", entry.value], ["age", seconds(entry.age_seconds)],
      ["last used", `${seconds(entry.idle_seconds)} ago`],
      ["expires", entry.expires_in_seconds === null ? "never" : `in ${seconds(entry.expires_in_seconds)}`],
      ["fetched ahead", entry.prefetch_score ? `yes, thought to be asked for by ${percent(entry.prefetch_score)}` : "no"],
      ["uses", count(entry.uses)], ["size", bytes(entry.size_bytes)], ["version", count(entry.version)],
      ["tags", entry.tags.join(", ") || "none"], ["depends on", entry.dependencies.join(", ") || "nothing"]);
  }
  const others = it.dependent_count > it.dependents.length ? ` and ${it.dependent_count - it.dependents.length} more` : "";
  rows.push(["depending on it", it.dependents.join(", ") + others || "nothing"]);
  const list = make("dl", { class: "rows", "data-figure": "key" }, ...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  if (!it.tiers.length) return [list];
  const life = (left) => (left === null ? "–" : left < 0 ? `${seconds(-left)} ago` : `in ${seconds(left)}`);
  const below = it.tiers.map((each) => [each.tier,
    make("span", { "data-figure": `key.${each.tier}`, "data-value": each.state }, [each.state, each.detail].filter(Boolean).join(": ")),
    each.age_seconds === null ? "–" : seconds(each.age_seconds), life(each.expires_in_seconds),
    bytes(each.size_bytes), each.version === null ? "–" : String(each.version),
    each.tags.join(", "), each.dependencies.join(", ")]);
  return [list, table("The key in tiers below memory", ["tier", "state", "#age", "#expires", "#size", "#version", "tags", "depends on"], below)];
}
