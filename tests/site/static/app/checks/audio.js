import { expect } from './expect.js';

const TUNE = '/static/audio/tune.wav';
const SECONDS = 30;
/** Keep in step with tests/site/tune.mjs. */
const toneOfSecond = second => 220 * 2 ** (second / 12);

export async function audioSeeks() {
  const audio = document.getElementById('tune');
  if (audio.readyState < 1) await event(audio, 'loadedmetadata');
  expect(Math.abs(audio.duration - SECONDS) < 0.1, `it lasts ${audio.duration} s`);
  for (const second of [25, 3]) {
    audio.currentTime = second;
    await event(audio, 'seeked');
    if (audio.readyState < 2) await event(audio, 'canplay');
    expect(Math.abs(audio.currentTime - second) < 0.1, `sought ${second} s, got ${audio.currentTime} s`);
  }
}

/** Counts zero crossings in a few seconds of the decoded sound: each second has its own tone. */
export async function audioDecodes() {
  const context = new OfflineAudioContext(1, 1, 44100);
  const sound = await context.decodeAudioData(await (await fetch(TUNE)).arrayBuffer());
  const samples = sound.getChannelData(0);
  for (const second of [0, 14, 29]) {
    const heard = crossings(samples.subarray(second * 44100, (second + 1) * 44100)) / 2;
    expect(Math.abs(heard - toneOfSecond(second)) < 3, `second ${second} has ${heard} Hz, not ${toneOfSecond(second).toFixed(0)}`);
  }
}

function crossings(samples) {
  let count = 0;
  for (let i = 1; i < samples.length; i++) {
    if (samples[i - 1] < 0 !== samples[i] < 0) count++;
  }
  return count;
}

function event(target, name) {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    target.addEventListener('error', () => reject(new Error(`media error ${target.error?.code}: ${target.error?.message}`)), { once: true });
  });
}
