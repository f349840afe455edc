// `fringe doctor` for the visitor. Over a connection of its own, because the host's program answers this request itself: also when
// there is no daemon behind it, or one that hangs.
import { DOCTOR_TIMEOUT_MS, MAX_DOCTOR_LINES, MAX_DOCTOR_TEXT } from '../common/limits.js';
import { HOST_NAME, faultOf } from './host.js';
import { problemsOf } from './problems.js';

const STATUSES = ['ok', 'warn', 'fail'];

/** `connectNative` and `lastError` as for Host. */
export function answerDoctor(messages, { connectNative, lastError }) {
  messages.on('doctor.examine', { from: 'ui', handle: () => examine(connectNative, lastError) });
}

/** {report, problems}: what the host found, or null and why it could not look. */
export async function examine(connectNative, lastError) {
  try {
    return { report: checkReport(await askOnce(connectNative, lastError)), problems: [] };
  } catch ({ state, fault, message }) {
    return { report: null, problems: problemsOf({ host: { state: state ?? 'wrong-version', fault: fault ?? 'host-odd', detail: String(message).slice(0, 500) } }) };
  }
}

class Unanswered extends Error {
  constructor(state, fault, text) {
    super(text);
    this.state = state;
    this.fault = fault;
  }
}

function askOnce(connectNative, lastError) {
  return new Promise((resolve, reject) => {
    let port;
    try {
      port = connectNative(HOST_NAME);
    } catch (error) {
      reject(new Unanswered('missing', faultOf(error.message), error.message));
      return;
    }
    const timer = setTimeout(() => settle(reject, new Unanswered('crashed', 'hangs', 'no answer')), DOCTOR_TIMEOUT_MS);
    const settle = (how, what) => {
      clearTimeout(timer);
      how(what);
      port.disconnect();
    };
    port.onMessage.addListener(answer => (answer?.ok === true ? settle(resolve, answer) : settle(reject, new Unanswered('wrong-version', 'host-older', answer?.text ?? ''))));
    port.onDisconnect.addListener(disconnected => {
      const words = disconnected?.error?.message ?? lastError() ?? '';
      const fault = faultOf(words);
      settle(reject, new Unanswered(fault === 'ended' ? 'crashed' : 'missing', fault, words));
    });
    port.postMessage({ id: 1, type: 'doctor' });
  });
}

const words = value => (typeof value === 'string' ? value.slice(0, MAX_DOCTOR_TEXT) : '');
const statusOf = value => (STATUSES.includes(value) ? value : 'fail');

/** The host's answer in the shape that the page shows. */
function checkReport({ status, lines, text }) {
  if (!Array.isArray(lines)) throw new Unanswered('wrong-version', 'host-odd', 'the report has no lines');
  return {
    status: statusOf(status),
    text: words(text),
    lines: lines.slice(0, MAX_DOCTOR_LINES).map(line => ({ area: words(line?.area), status: statusOf(line?.status), seen: words(line?.seen), next: words(line?.next) })),
  };
}
