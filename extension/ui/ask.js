// A question to the background; its refusals become errors in the visitor's words.
import { api } from '../common/api.js';
import { text } from './text.js';

export async function ask(type, fields = {}) {
  const answer = await api.runtime.sendMessage({ type, ...fields });
  if (answer?.error) throw new Error(answer.error === 'not-ready' ? text('noHost') : answer.text);
  return answer;
}
