// The page: a list of caches, and the panels of the one that is chosen.

const MOST = 600;  // samples kept
const SILENT = 5;  // seconds without a word of a node that are worth a word
const byId = (id) => document.getElementById(id);
const state = { chosen: "", rows: new Map(), rates: new Map(), samples: [], items: new Map(), source: null, heard: 0 };

// The list

function item(row) {
  const name = make("span", { class: "name" }, row.name);
  const rate = make("span", { class: "rate" });
  const less = make("span", { class: "less" });
  const place = make("span", { class: "less", title: row.process }, row.process);
  const button = make("button", { type: "button" }, name, rate, less, place);
  button.addEventListener("click", () => { choose(row.id); byId("main").focus({ preventScroll: true }); });
  const element = make("li", {}, button);
  return { element, button, rate, less, words: `${row.name} ${row.process}`.toLowerCase() };
}

function showList(rows) {
  const list = byId("caches");
  const wanted = byId("filter").querySelector("input").value.toLowerCase();
  byId("filter").hidden = rows.length < 9;
  const seen = new Set();
  for (const row of rows) {
    seen.add(row.id);
    let one = state.items.get(row.id);
    if (one === undefined) {
      one = item(row);
      state.items.set(row.id, one);
      list.append(one.element);
    }
    const perSecond = state.rates.get(row.id)?.perSecond ?? 0;
    const silent = row.silent > SILENT;
    const trouble = silent ? `silent for ${seconds(row.silent)} · ` : row.ok ? "" : "degraded · ";
    set(one.rate, row.requests ? percent(row.hits / row.requests) : "–");
    set(one.less, `${trouble}${short(perSecond)}/s · ${bytes(row.bytes)}`);
    one.less.classList.toggle("bad", silent || !row.ok);
    one.button.setAttribute("aria-current", String(row.id === state.chosen));
    one.element.hidden = !one.words.includes(wanted);
  }
  for (const [id, one] of state.items) {
    if (!seen.has(id)) { one.element.remove(); state.items.delete(id); }
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The chosen cache

function choose(id) {
  state.chosen = id;
  state.samples = [];
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  byId("answer").replaceChildren();
  listen();
  showList([...state.rows.values()]);
}

function showDetail(detail) {
  const row = state.rows.get(state.chosen);
  byId("panels").hidden = detail === null || row === undefined;
  if (row === undefined) {
    set(byId("title"), "The cache is gone");
    set(byId("subtitle"), "Choose another one.");
    return;
  }
  if (detail === null) {
    set(byId("title"), row.name);
    set(byId("subtitle"), `${row.process} · there is no more known of it now`);
    return;
  }
  if (getSelection().type === "Range") return;  // somebody is about to copy something
  const { configuration } = detail.statistics;
  set(byId("title"), row.name);
  set(byId("subtitle"), `${row.process} · ${configuration.eviction_strategy} · ${configuration.consistency_level}`);
  for (const [body, show] of bodies) body.replaceChildren(...show({ detail, row, samples: state.samples }));
}

function sampled(row) {
  return [row.at, row.requests, Object.values(row.tiers), row.bytes, row.p50_ms, row.p99_ms, row.p999_ms, row.entries];
}

// The feed

function listen() {
  state.source?.close();
  const source = new EventSource(`/feed?cache=${encodeURIComponent(state.chosen)}`);
  state.source = source;
  source.addEventListener("history", (event) => { state.samples = JSON.parse(event.data).samples; });
  source.addEventListener("overview", (event) => overview(JSON.parse(event.data)));
  source.addEventListener("notices", (event) => notices(JSON.parse(event.data)));
  source.addEventListener("detail", (event) => { if (state.source === source) showDetail(JSON.parse(event.data)); });
  source.addEventListener("error", () => status(true));
}

function overview(rows) {
  state.heard = Date.now();
  state.rows = new Map(rows.map((row) => [row.id, row]));
  const row = state.rows.get(state.chosen);
  if (row !== undefined && !(state.samples.at(-1)?.[0] >= row.at)) {  // another node tells less often
    state.samples.push(sampled(row));
    if (state.samples.length > MOST) state.samples.shift();
  }
  state.rates = new Map(rows.map((each) => [each.id, rate(each)]));
  showList(rows);
  status(false);
  if (!state.chosen && rows.length) choose(rows[0].id);
}

// Requests per second between the last two looks, by the clock of who counted.
function rate(row) {
  const before = state.rates.get(row.id);
  if (before === undefined) return { at: row.at, requests: row.requests, perSecond: 0 };
  if (before.at === row.at) return before;
  const perSecond = Math.max(0, row.requests - before.requests) / Math.max(0.5, row.at - before.at);
  return { at: row.at, requests: row.requests, perSecond };
}

function notices(list) {
  const element = byId("notices");
  element.hidden = !list.length;
  const text = list.join("\n");
  if (element.dataset.text === text) return;  // or it would be read out each second
  element.dataset.text = text;
  element.replaceChildren(...list.map((notice) => make("div", {}, notice)));
}

function status(lost) {
  const element = byId("status");
  const text = lost ? "no connection: figures are old" : `live · ${several(state.rows.size, "cache")}`;
  element.classList.toggle("lost", lost);
  set(element, text);
}

// Building the page

const bodies = PANELS.map(([title, show, kind]) => {
  const body = make("div");
  byId("panels").append(make("section", { class: kind ?? "" }, make("h3", {}, title), body));
  return [body, show];
});

async function look(event) {
  event.preventDefault();
  const key = byId("key").value;
  const answer = await fetch(`/key?cache=${encodeURIComponent(state.chosen)}&key=${encodeURIComponent(key)}`);
  byId("answer").replaceChildren(...known(await answer.json()));
}

const form = make("form", {}, make("label", {}, "Key", make("input", { id: "key", autocomplete: "off", spellcheck: "false", maxlength: "1000" })), make("button", { type: "submit" }, "Look"));
form.addEventListener("submit", look);
byId("panels").append(make("section", { class: "wide" }, make("h3", {}, "A key"), form, make("div", { id: "answer", "aria-live": "polite" })));
byId("filter").querySelector("input").addEventListener("input", () => showList([...state.rows.values()]));
setInterval(() => { if (state.heard && Date.now() - state.heard > 5000) status(true); }, 1000);

state.chosen = decodeURIComponent(location.hash.slice(1));
listen();
