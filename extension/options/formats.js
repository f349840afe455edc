// The log as a file: the same columns and names as `fringe log --csv` and `--json`. Pure.

const COLUMNS = ['time', 'kind', 'site', 'path', 'release', 'bytes', 'size', 'peer'];

export function toCsv(lines) {
  return [COLUMNS, ...lines.map(row)].map(cells => `${cells.join(',')}\r\n`).join('');
}

/** One array, a line of the log on each line. */
export function toJson(lines) {
  return `[\n${lines.map(line => JSON.stringify(line)).join(',\n')}\n]\n`;
}

function row({ time, kind, site, path, seq, bytes, size, peer }) {
  return [isoTime(time), cell(kind), cell(site), cell(path), seq, bytes, size, cell(peer)];
}

/** In UTC; '' for what is no time. */
export function isoTime(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().replace('.000Z', 'Z');
}

/** In quotes, without control characters; a spreadsheet would take what begins with one of these signs for a formula. */
function cell(text) {
  const plain = text.replace(/[\0-\x1f]/g, ' ').replaceAll('"', '""');
  return `"${/^[=+\-@]/.test(plain) ? "'" : ''}${plain}"`;
}
