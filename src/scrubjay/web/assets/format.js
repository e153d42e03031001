// Numbers and moments as people read them.

const number = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const count = (value) => (value === null || value === undefined ? "–" : number.format(value));
const short = (value) => (value === null ? "–" : Math.abs(value) < 10_000 ? number.format(Math.round(value)) : compact.format(value));
const several = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)} %`);

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

// Two or three digits that mean something.
const digits = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  if (value < 1e-6) return `${Math.round(value * 1e9)} ns`;
  if (value < 1e-3) return `${digits(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1e3)} ms`;
  if (value < 120) return `${digits(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return `${Math.round(value / 3600)} h`;
}

const clock = (epoch) => new Date(epoch * 1e3).toLocaleTimeString("en-GB");
