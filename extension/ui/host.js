// In a word how the host is, at the head of popup and options page.
import { setText } from './dom.js';
import { text } from './text.js';

export function drawHost(element, { host, problems, sharing }) {
  const trouble = problems.some(({ sign }) => sign !== 'note');
  const paused = host.state === 'ready' && sharing === 'paused';
  element.className = trouble ? 'trouble' : paused ? 'paused' : host.state;
  setText(element, text(trouble ? 'shortTrouble' : paused ? 'shortPaused' : host.state === 'ready' ? 'shortReady' : 'hostConnecting'));
}
